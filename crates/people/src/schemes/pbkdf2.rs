//! `$1$salt$rounds$hex`: PBKDF2 with SHA-1 (RFC 8018), as Dovecot stores it.

use sha1::Sha1;

use super::{Encoding, Given, Scheme, Strength, same, text, unhex};
use crate::expand::hex;
use crate::random;

/// The scheme.
pub const PBKDF2: Scheme = Scheme {
    name: "PBKDF2",
    strength: Strength::Strong,
    costly: true,
    encoding: Encoding::Plain,
    length: None,
    verify,
    generate: Some(generate),
};

const ROUNDS: u32 = 5000;
const ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn generate(given: &Given<'_>) -> Result<Vec<u8>, String> {
    let salt = random::letters(16, ALPHABET);
    let hash = ::pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(given.password, salt.as_bytes(), ROUNDS);
    Ok(format!("$1${salt}${ROUNDS}${}", hex(&hash)).into_bytes())
}

fn verify(given: &Given<'_>, stored: &[u8]) -> Result<bool, String> {
    let wrong = || "the stored PBKDF2 password is not $1$salt$rounds$hash".to_owned();
    let fields: Vec<&str> = text(stored)?.split('$').collect();
    let ["", "1", salt, rounds, hash] = fields.as_slice() else { return Err(wrong()) };
    let rounds: u32 = rounds.parse().ok().filter(|rounds| *rounds > 0).ok_or_else(wrong)?;
    let hash = unhex(hash).ok_or_else(wrong)?;
    let made = ::pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(given.password, salt.as_bytes(), rounds);
    Ok(same(&made, &hash))
}
