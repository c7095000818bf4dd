//! Transfer encodings and line ends.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mime::fuzz::decoding(bytes));
