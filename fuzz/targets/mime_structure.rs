//! Finding the parts of a message.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mime::fuzz::structure(bytes));
