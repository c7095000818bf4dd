//! Whatever crypt(3) knows: the setting before the hash says which. What is not written in Rust is asked of the
//! C library.

use yescrypt::{PasswordHasher, PasswordVerifier, Yescrypt};

use super::{Encoding, Given, Scheme, Strength, blf_crypt, libcrypt, md5_crypt, sha_crypt, text};

/// `$y$`, `$6$`, `$2y$`, `$1$` …
pub const CRYPT: Scheme = Scheme {
    name: "CRYPT",
    strength: Strength::Strong,
    costly: true,
    encoding: Encoding::Plain,
    length: None,
    verify,
    generate: Some(|given| blf_crypt::BLF_CRYPT.generate.map_or_else(|| Ok(Vec::new()), |make| make(given))),
};

/// The hash of 1979: 56 bits of a password of eight characters.
pub const DES_CRYPT: Scheme = Scheme {
    name: "DES-CRYPT",
    strength: Strength::Weak,
    costly: true,
    encoding: Encoding::Plain,
    length: None,
    verify,
    generate: None,
};

/// `$y$`, the default of today's systems.
pub const YESCRYPT: Scheme = Scheme {
    name: "YESCRYPT",
    strength: Strength::Strong,
    costly: true,
    encoding: Encoding::Plain,
    length: None,
    verify,
    generate: Some(|given| {
        let hash = Yescrypt::default().hash_password(given.password);
        Ok(hash.map_err(|error| format!("yescrypt: {error}"))?.as_str().as_bytes().to_vec())
    }),
};

fn verify(given: &Given<'_>, stored: &[u8]) -> Result<bool, String> {
    let setting = text(stored)?;
    match setting.get(..3) {
        Some("$5$" | "$6$") => sha_crypt::verify(given, stored),
        Some("$2a" | "$2b" | "$2y") => blf_crypt::verify(given, stored),
        Some("$1$") => md5_crypt::verify_crypt(given, stored),
        Some("$y$") => match Yescrypt::default().verify_password(given.password, setting) {
            Ok(()) => Ok(true),
            Err(yescrypt::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(_) => libcrypt::verify(given.password, setting),
        },
        // An empty hash, `!` and `*` are never right.
        _ if setting.len() < 13 => Ok(false),
        _ => libcrypt::verify(given.password, setting),
    }
}
