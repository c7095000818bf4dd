//! The inside of a message: its parts and where they lie, addresses and dates as IMAP wants them, and text a person can read or search.
//!
//! Pure: bytes in, values out, under a budget of parts, depth and header fields, so that no message costs more than its share.
