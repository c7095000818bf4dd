//! `mail_location` and the names of users in it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| store::fuzz::locations(bytes));
