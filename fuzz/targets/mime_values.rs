//! Reading header values.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mime::fuzz::values(bytes));
