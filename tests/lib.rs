//! Workspace integration tests live in `all.rs`; this library is empty so that Cargo has a target.
