//! Where mail lives once it has arrived.
//!
//! Blocking: the servers call it from threads that may wait for a disk.
