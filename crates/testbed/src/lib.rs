//! Instances, sinks, a DNS server and scripted dialogues for tests
