//! IMAP commands, however they are cut, and their arguments.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| imap::grammar::fuzz::commands(bytes));
