//! Argon2 (RFC 9106), as `$argon2id$v=19$m=65536,t=3,p=1$salt$hash`.

use argon2::password_hash::PasswordVerifier;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;

use super::{Encoding, Generate, Given, Scheme, Strength, text};
use crate::random;

/// Withstands GPUs and side channels: the recommended one.
pub const ARGON2ID: Scheme = argon("ARGON2ID", |given| generate(given, Algorithm::Argon2id, 65_536, 3));
/// Withstands side channels.
pub const ARGON2I: Scheme = argon("ARGON2I", |given| generate(given, Algorithm::Argon2i, 32_768, 4));

const fn argon(name: &'static str, generate: Generate) -> Scheme {
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

fn generate(given: &Given<'_>, algorithm: Algorithm, kilobytes: u32, passes: u32) -> Result<Vec<u8>, String> {
    let params = Params::new(kilobytes, passes, 1, Some(32)).expect("numbers within Argon2's bounds");
    let (salt, mut hash) = (random::bytes::<16>(), [0; 32]);
    Argon2::new(algorithm, Version::V0x13, params)
        .hash_password_into(given.password, &salt, &mut hash)
        .map_err(|error| format!("Argon2: {error}"))?;
    let (salt, hash) = (BASE64_STANDARD_NO_PAD.encode(salt), BASE64_STANDARD_NO_PAD.encode(hash));
    Ok(format!("${}$v=19$m={kilobytes},t={passes},p=1${salt}${hash}", algorithm.as_str()).into_bytes())
}

fn verify(given: &Given<'_>, stored: &[u8]) -> Result<bool, String> {
    match Argon2::default().verify_password(given.password, text(stored)?) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(format!("the stored Argon2 password: {error}")),
    }
}
