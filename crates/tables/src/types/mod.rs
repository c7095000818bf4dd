//! The table types: one file and one line each.
