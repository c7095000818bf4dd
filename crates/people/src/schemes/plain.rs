//! Passwords stored as they are.

use super::{Encoding, Given, Scheme, Strength, same, text};

/// The whole password.
pub const PLAIN: Scheme = clear("PLAIN");
/// The same.
pub const CLEAR: Scheme = clear("CLEAR");
/// The same.
pub const CLEARTEXT: Scheme = clear("CLEARTEXT");

/// `length-prefix`: only so many characters of the password count.
pub const PLAIN_TRUNC: Scheme = Scheme {
    name: "PLAIN-TRUNC",
    strength: Strength::Weak,
    costly: false,
    encoding: Encoding::Plain,
    length: None,
    verify: verify_truncated,
    generate: Some(|given| Ok(given.password.to_vec())),
};

const fn clear(name: &'static str) -> Scheme {
    Scheme {
        name,
        strength: Strength::Clear,
        costly: false,
        encoding: Encoding::Plain,
        length: None,
        verify: |given, stored| Ok(same(given.password, stored)),
        generate: Some(|given| Ok(given.password.to_vec())),
    }
}

fn verify_truncated(given: &Given<'_>, stored: &[u8]) -> Result<bool, String> {
    let wrong = || "the stored PLAIN-TRUNC password has no length".to_owned();
    let (length, prefix) = text(stored)?.split_once('-').ok_or_else(wrong)?;
    let length: usize = length.parse().map_err(|_| wrong())?;
    if prefix.len() == length && given.password.len() >= length {
        return Ok(same(&given.password[..length], prefix.as_bytes()));
    }
    Ok(same(given.password, prefix.as_bytes()))
}
