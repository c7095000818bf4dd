//! Plain and salted digests.

use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::{Encoding, Generate, Given, Scheme, Strength, Verify, same};
use crate::random;

/// SHA-1, in base64.
pub const SHA: Scheme = plain("SHA", 20, Encoding::Base64, verify::<Sha1>, digest::<Sha1>);
/// The same.
pub const SHA1: Scheme = plain("SHA1", 20, Encoding::Base64, verify::<Sha1>, digest::<Sha1>);
/// SHA-256.
pub const SHA256: Scheme = plain("SHA256", 32, Encoding::Base64, verify::<Sha256>, digest::<Sha256>);
/// SHA-512.
pub const SHA512: Scheme = plain("SHA512", 64, Encoding::Base64, verify::<Sha512>, digest::<Sha512>);
/// MD5, in hexadecimal digits.
pub const PLAIN_MD5: Scheme = plain("PLAIN-MD5", 16, Encoding::Hex, verify::<Md5>, digest::<Md5>);
/// MD5, in base64.
pub const LDAP_MD5: Scheme = plain("LDAP-MD5", 16, Encoding::Base64, verify::<Md5>, digest::<Md5>);
/// MD5 over `user:realm:password` (RFC 2831).
pub const DIGEST_MD5: Scheme = plain("DIGEST-MD5", 16, Encoding::Hex, verify_realm, digest_realm);
/// MD5 and a salt behind it.
pub const SMD5: Scheme = salted("SMD5", verify_salted::<Md5>, digest_salted::<Md5>);
/// SHA-1 and a salt behind it.
pub const SSHA: Scheme = salted("SSHA", verify_salted::<Sha1>, digest_salted::<Sha1>);
/// SHA-256 and a salt behind it.
pub const SSHA256: Scheme = salted("SSHA256", verify_salted::<Sha256>, digest_salted::<Sha256>);
/// SHA-512 and a salt behind it.
pub const SSHA512: Scheme = salted("SSHA512", verify_salted::<Sha512>, digest_salted::<Sha512>);

const fn plain(
    name: &'static str,
    length: usize,
    encoding: Encoding,
    verify: Verify,
    generate: Generate,
) -> Scheme {
    let (length, generate) = (Some(length), Some(generate));
    Scheme { name, strength: Strength::Weak, costly: false, encoding, length, verify, generate }
}

const fn salted(name: &'static str, verify: Verify, generate: Generate) -> Scheme {
    let (encoding, generate) = (Encoding::Base64, Some(generate));
    Scheme { name, strength: Strength::Weak, costly: false, encoding, length: None, verify, generate }
}

fn digest<D: Digest>(given: &Given<'_>) -> Result<Vec<u8>, String> {
    Ok(D::digest(given.password).to_vec())
}

fn verify<D: Digest>(given: &Given<'_>, stored: &[u8]) -> Result<bool, String> {
    Ok(same(&digest::<D>(given)?, stored))
}

fn digest_realm(given: &Given<'_>) -> Result<Vec<u8>, String> {
    let (user, realm) = given.user.split_once('@').unwrap_or((given.user, ""));
    Ok(Md5::new().chain_update(format!("{user}:{realm}:")).chain_update(given.password).finalize().to_vec())
}

fn verify_realm(given: &Given<'_>, stored: &[u8]) -> Result<bool, String> {
    Ok(same(&digest_realm(given)?, stored))
}

fn with_salt<D: Digest>(password: &[u8], salt: &[u8]) -> Vec<u8> {
    D::new().chain_update(password).chain_update(salt).finalize().to_vec()
}

fn digest_salted<D: Digest>(given: &Given<'_>) -> Result<Vec<u8>, String> {
    let salt = random::bytes::<4>();
    let mut out = with_salt::<D>(given.password, &salt);
    out.extend_from_slice(&salt);
    Ok(out)
}

fn verify_salted<D: Digest>(given: &Given<'_>, stored: &[u8]) -> Result<bool, String> {
    let (hash, salt) = stored
        .split_at_checked(<D as Digest>::output_size())
        .ok_or_else(|| "the stored password is shorter than its digest".to_owned())?;
    Ok(same(&with_salt::<D>(given.password, salt), hash))
}
