//! The nouns: address, envelope, header, date, verdict
