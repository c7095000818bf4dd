//! Password schemes, by Dovecot's names: `{SCHEME}data`, `{SCHEME.HEX}data`. One line in [`SCHEMES`] each.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use subtle::ConstantTimeEq;

use crate::expand::hex;

mod argon2;
mod blf_crypt;
pub(crate) mod cram_md5;
mod crypt;
mod digest;
#[allow(unsafe_code, reason = "the one module that calls the C library's crypt(3)")]
mod libcrypt;
mod md5_crypt;
mod pbkdf2;
mod plain;
pub(crate) mod scram;
mod sha_crypt;

/// A scheme.
pub struct Scheme {
    /// Its name, in capitals.
    pub name: &'static str,
    /// How much it withstands somebody who has stolen it.
    pub strength: Strength,
    /// Does checking take long, by design?
    pub costly: bool,
    /// How its bytes are written when no suffix says so.
    encoding: Encoding,
    /// Length in bytes, where it is always the same: then hexadecimal digits are told from base64 by their number.
    length: Option<usize>,
    verify: Verify,
    generate: Option<Generate>,
}

/// Given and stored: are they the same?
type Verify = fn(&Given<'_>, &[u8]) -> Result<bool, String>;

/// What is to be stored.
type Generate = fn(&Given<'_>) -> Result<Vec<u8>, String>;

/// How much a stored password withstands a thief.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// It can be read.
    Clear,
    /// It can be guessed at millions a second.
    Weak,
    /// Each guess costs.
    Strong,
}

/// How bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Plain,
    Base64,
    Hex,
}

/// What a client gave.
struct Given<'a> {
    password: &'a [u8],
    /// The name; some schemes mix it in.
    user: &'a str,
}

/// Every scheme.
pub const SCHEMES: &[&Scheme] = &[
    &argon2::ARGON2I,
    &argon2::ARGON2ID,
    &blf_crypt::BLF_CRYPT,
    &plain::CLEAR,
    &plain::CLEARTEXT,
    &cram_md5::CRAM_MD5,
    &crypt::CRYPT,
    &crypt::DES_CRYPT,
    &digest::DIGEST_MD5,
    &cram_md5::HMAC_MD5,
    &digest::LDAP_MD5,
    &md5_crypt::MD5,
    &md5_crypt::MD5_CRYPT,
    &pbkdf2::PBKDF2,
    &plain::PLAIN,
    &digest::PLAIN_MD5,
    &plain::PLAIN_TRUNC,
    &scram::SCRAM_SHA_1,
    &scram::SCRAM_SHA_256,
    &digest::SHA,
    &digest::SHA1,
    &digest::SHA256,
    &sha_crypt::SHA256_CRYPT,
    &digest::SHA512,
    &sha_crypt::SHA512_CRYPT,
    &digest::SMD5,
    &digest::SSHA,
    &digest::SSHA256,
    &digest::SSHA512,
    &crypt::YESCRYPT,
];

/// Base64 as databases write it: with or without `=` at its end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The scheme of this name, in any case.
pub fn find(name: &str) -> Option<&'static Scheme> {
    SCHEMES.iter().find(|scheme| scheme.name.eq_ignore_ascii_case(name)).copied()
}

/// A stored password: scheme and bytes.
struct Stored<'a> {
    scheme: &'static Scheme,
    encoding: Option<Encoding>,
    text: &'a str,
}

impl<'a> Stored<'a> {
    fn read(text: &'a str, default: &'a str) -> Result<Stored<'a>, String> {
        let (name, text) = match text.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((name, text)) => (name, text),
            None if text.starts_with("$1$") && default.is_empty() => ("MD5-CRYPT", text),
            None => (default, text),
        };
        let (scheme, encoding) = named(name)?;
        Ok(Stored { scheme, encoding, text })
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        let text = self.text;
        let digits = self.scheme.length.is_some_and(|length| text.len() == length * 2);
        let encoding = self.encoding.unwrap_or(match self.scheme.encoding {
            Encoding::Plain => Encoding::Plain,
            _ if digits => Encoding::Hex,
            Encoding::Hex if self.scheme.length.is_none() => Encoding::Hex,
            _ => Encoding::Base64,
        });
        let bytes = match encoding {
            Encoding::Plain => Some(text.as_bytes().to_vec()),
            Encoding::Base64 => BASE64.decode(text).ok(),
            Encoding::Hex => unhex(text),
        };
        let wrong = || format!("the stored {} password is not written as it should be", self.scheme.name);
        let bytes = bytes.ok_or_else(wrong)?;
        match self.scheme.length {
            Some(length) if bytes.len() != length => Err(wrong()),
            _ => Ok(bytes),
        }
    }
}

/// A scheme's name with its suffix.
fn named(name: &str) -> Result<(&'static Scheme, Option<Encoding>), String> {
    let (base, encoding) = match name.rsplit_once('.') {
        Some((base, suffix)) => match suffix.to_ascii_lowercase().as_str() {
            "b64" | "base64" => (base, Some(Encoding::Base64)),
            "hex" => (base, Some(Encoding::Hex)),
            _ => return Err(format!("Unknown password scheme {name}")),
        },
        None => (name, None),
    };
    let scheme = find(base).ok_or_else(|| format!("Unknown password scheme {name}"))?;
    Ok((scheme, encoding))
}

/// Is this the password that is stored? `default` is the scheme of one stored without.
///
/// # Errors
/// What is stored makes no sense. The sentence holds none of it.
pub fn verify(password: &str, user: &str, stored: &str, default: &str) -> Result<bool, String> {
    let stored = Stored::read(stored, default)?;
    let given = Given { password: password.as_bytes(), user };
    (stored.scheme.verify)(&given, &stored.bytes()?)
}

/// Does checking this take long? Then it belongs on a thread of its own.
pub fn is_costly(stored: &str, default: &str) -> bool {
    Stored::read(stored, default).is_ok_and(|stored| stored.scheme.costly)
}

/// The scheme a stored password is in.
pub fn scheme_of(stored: &str, default: &str) -> Option<&'static Scheme> {
    Stored::read(stored, default).ok().map(|stored| stored.scheme)
}

/// A password to be stored, `{SCHEME}` and all.
///
/// # Errors
/// The scheme is unknown, cannot be made here, or cannot hold this password.
pub fn generate(scheme: &str, password: &str, user: &str) -> Result<String, String> {
    if password.contains('\0') {
        return Err("a password cannot contain NUL".to_owned());
    }
    let (found, encoding) = named(scheme)?;
    let generate = found
        .generate
        .ok_or_else(|| format!("passwords of the scheme {} are only checked here", found.name))?;
    let bytes = generate(&Given { password: password.as_bytes(), user })?;
    let text = match encoding.unwrap_or(found.encoding) {
        Encoding::Plain => String::from_utf8(bytes).map_err(|_| "the password is not UTF-8".to_owned())?,
        Encoding::Base64 => BASE64.encode(bytes),
        Encoding::Hex => hex(&bytes),
    };
    Ok(format!("{{{}}}{text}", scheme.to_ascii_uppercase()))
}

/// What a challenge-response mechanism works with: the stored secret of `scheme`, or one made from a stored
/// password in clear. `None` when neither is there.
pub fn secret(scheme: &Scheme, user: &str, stored: &str, default: &str) -> Option<Vec<u8>> {
    let stored = Stored::read(stored, default).ok()?;
    if std::ptr::eq(stored.scheme, scheme) || stored.scheme.name == scheme.name {
        return stored.bytes().ok();
    }
    // HMAC-MD5 is another name of CRAM-MD5.
    if scheme.name == "CRAM-MD5" && stored.scheme.name == "HMAC-MD5" {
        return stored.bytes().ok();
    }
    if stored.scheme.strength != Strength::Clear {
        return None;
    }
    let clear = stored.bytes().ok()?;
    (scheme.generate?)(&Given { password: &clear, user }).ok()
}

/// Compares in a time that says nothing of where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// What is stored, as characters.
fn text(stored: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(stored).map_err(|_| "the stored password is not made of characters".to_owned())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests;
