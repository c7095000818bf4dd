//! Lookup tables (type:name) and chains of them
