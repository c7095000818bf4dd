//! From an address to the next stop: rewriting, aliases, classes, transport
