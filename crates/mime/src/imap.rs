//! ENVELOPE, BODY and BODYSTRUCTURE in the words of IMAP (RFC 9051 7.5.2), as Dovecot 2.3 words them.

mod body;
mod envelope;
mod string;

pub use body::{body, bodystructure};
pub use envelope::envelope;
pub use string::{astring, nstring, string};
