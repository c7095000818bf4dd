//! `$1$` of crypt(3), and `MD5`, which is either that or hexadecimal digits.

use md5::{Digest, Md5};

use super::{Encoding, Given, Scheme, Strength, Verify, same, text, unhex};
use crate::random;

/// `$1$salt$hash`.
pub const MD5_CRYPT: Scheme = scheme("MD5-CRYPT", verify_crypt);
/// `$1$salt$hash`, or the digest in hexadecimal digits.
pub const MD5: Scheme = scheme("MD5", verify_either);

const fn scheme(name: &'static str, verify: Verify) -> Scheme {
    Scheme {
        name,
        strength: Strength::Weak,
        costly: true,
        encoding: Encoding::Plain,
        length: None,
        verify,
        generate: Some(generate),
    }
}

/// The alphabet of crypt(3).
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ROUNDS: usize = 1000;

fn generate(given: &Given<'_>) -> Result<Vec<u8>, String> {
    let salt = random::letters(8, ALPHABET);
    Ok(crypt(given.password, salt.as_bytes()).into_bytes())
}

/// Also for `{CRYPT}$1…`.
pub(super) fn verify_crypt(given: &Given<'_>, stored: &[u8]) -> Result<bool, String> {
    let salt = text(stored)?.strip_prefix("$1$").and_then(|rest| rest.split('$').next());
    let salt = salt.ok_or_else(|| "the stored MD5-CRYPT password is not $1$salt$hash".to_owned())?;
    Ok(same(crypt(given.password, salt.as_bytes()).as_bytes(), stored))
}

fn verify_either(given: &Given<'_>, stored: &[u8]) -> Result<bool, String> {
    if stored.starts_with(b"$1$") {
        return verify_crypt(given, stored);
    }
    let digest = unhex(text(stored)?).filter(|digest| digest.len() == 16);
    let digest = digest.ok_or_else(|| "the stored MD5 password is neither $1$ nor 32 digits".to_owned())?;
    Ok(same(&Md5::digest(given.password), &digest))
}

/// Poul-Henning Kamp's algorithm of 1994.
fn crypt(password: &[u8], salt: &[u8]) -> String {
    let salt = &salt[..salt.len().min(8)];
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut context = Md5::new().chain_update(password).chain_update(b"$1$").chain_update(salt);
    for chunk in password.chunks(16) {
        context.update(&inner[..chunk.len()]);
    }
    let mut length = password.len();
    while length > 0 {
        context.update(if length & 1 == 1 { &[0][..] } else { &password[..1] });
        length >>= 1;
    }
    let mut hash = context.finalize();
    for round in 0..ROUNDS {
        let mut context = Md5::new();
        if round & 1 == 1 {
            context.update(password);
        } else {
            context.update(hash);
        }
        if round % 3 != 0 {
            context.update(salt);
        }
        if round % 7 != 0 {
            context.update(password);
        }
        if round & 1 == 1 {
            context.update(hash);
        } else {
            context.update(password);
        }
        hash = context.finalize();
    }
    let mut out = format!("$1${}$", String::from_utf8_lossy(salt));
    for (a, b, c) in [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)] {
        letters(&mut out, u32::from(hash[a]) << 16 | u32::from(hash[b]) << 8 | u32::from(hash[c]), 4);
    }
    letters(&mut out, u32::from(hash[11]), 2);
    out
}

/// Six bits a letter, the lowest first.
fn letters(out: &mut String, mut bits: u32, count: usize) {
    for _ in 0..count {
        out.push(char::from(ALPHABET[(bits & 63) as usize]));
        bits >>= 6;
    }
}
