//! Commands, paths, parameters, xtext, PROXY headers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| proto::fuzz::grammars(bytes));
