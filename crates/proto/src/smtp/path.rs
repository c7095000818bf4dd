//! The address in MAIL FROM and RCPT TO. RFC 5321 4.1.2, and the forms Postfix takes besides.

use mail::Address;

use super::command::Token;

/// Why a path is refused; Postfix answers `501 5.1.7` (sender) or `501 5.1.3` (recipient).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPath;

/// The address within a path, in internal form. `<>` gives the null address: RCPT TO must refuse it itself.
///
/// `strict` is `strict_rfc821_envelopes`: only `<…>` will do, without comments or names.
pub fn address(token: Token<'_>, strict: bool) -> Result<Address, BadPath> {
    let _ = (token, strict);
    todo!()
}
