//! `$5$` and `$6$` of crypt(3), with or without `rounds=`.

use sha_crypt::{Algorithm, Params, PasswordHasher, PasswordVerifier, ShaCrypt};

use super::{Encoding, Generate, Given, Scheme, Strength, libcrypt, text};
use crate::random;

/// `$5$`.
pub const SHA256_CRYPT: Scheme = scheme("SHA256-CRYPT", |given| generate(given, Algorithm::Sha256Crypt));
/// `$6$`.
pub const SHA512_CRYPT: Scheme = scheme("SHA512-CRYPT", |given| generate(given, Algorithm::Sha512Crypt));

const fn scheme(name: &'static str, generate: Generate) -> Scheme {
    Scheme {
        name,
        strength: Strength::Strong,
        costly: true,
        encoding: Encoding::Plain,
        length: None,
        verify,
        generate: Some(generate),
    }
}

fn generate(given: &Given<'_>, algorithm: Algorithm) -> Result<Vec<u8>, String> {
    let hasher = ShaCrypt::new(algorithm, Params::RECOMMENDED);
    // Twelve bytes are written as sixteen characters, which is the most that counts.
    let hash = hasher
        .hash_password_with_salt(given.password, &random::bytes::<12>())
        .map_err(|error| format!("SHA-crypt: {error}"))?;
    Ok(hash.as_str().as_bytes().to_vec())
}

/// Also for `{CRYPT}$5…` and `{CRYPT}$6…`.
pub(super) fn verify(given: &Given<'_>, stored: &[u8]) -> Result<bool, String> {
    let text = text(stored)?;
    match ShaCrypt::default().verify_password(given.password, text) {
        Ok(()) => Ok(true),
        Err(sha_crypt::password_hash::Error::PasswordInvalid) => Ok(false),
        // A salt with rare characters, for instance, which the C library takes.
        Err(_) => libcrypt::verify(given.password, text),
    }
}
