//! Lists of UIDs in Maildirs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| store::fuzz::uidlists(bytes));
