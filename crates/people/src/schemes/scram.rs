//! `iterations,salt,StoredKey,ServerKey` (RFC 5802), as Dovecot stores it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::{Encoding, Generate, Given, Scheme, Strength, Verify, same, text};
use crate::random;

/// With SHA-1 (RFC 5802).
pub const SCRAM_SHA_1: Scheme =
    scheme("SCRAM-SHA-1", |given, stored| verify(given, stored, &SHA_1), |given| generate(given, &SHA_1));
/// With SHA-256 (RFC 7677).
pub const SCRAM_SHA_256: Scheme = scheme(
    "SCRAM-SHA-256",
    |given, stored| verify(given, stored, &SHA_256),
    |given| generate(given, &SHA_256),
);

const fn scheme(name: &'static str, verify: Verify, generate: Generate) -> Scheme {
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

/// The functions of one hash.
pub struct Functions {
    /// H.
    pub digest: fn(&[u8]) -> Vec<u8>,
    /// HMAC, of a key and a text.
    pub mac: fn(&[u8], &[u8]) -> Vec<u8>,
    /// Hi: password, salt, iterations.
    stretch: fn(&[u8], &[u8], u32) -> Vec<u8>,
}

/// SHA-1.
pub const SHA_1: Functions = Functions {
    digest: |bytes| Sha1::digest(bytes).to_vec(),
    mac: |key, text| {
        let mac = Hmac::<Sha1>::new_from_slice(key).expect("a key of any length");
        mac.chain_update(text).finalize().into_bytes().to_vec()
    },
    stretch: |password, salt, rounds| {
        ::pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(password, salt, rounds).to_vec()
    },
};

/// SHA-256.
pub const SHA_256: Functions = Functions {
    digest: |bytes| Sha256::digest(bytes).to_vec(),
    mac: |key, text| {
        let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
        mac.chain_update(text).finalize().into_bytes().to_vec()
    },
    stretch: |password, salt, rounds| {
        ::pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, rounds).to_vec()
    },
};

/// What a server keeps for a user.
pub struct Keys {
    /// Rounds of Hi.
    pub iterations: u32,
    /// The salt, in base64.
    pub salt: String,
    /// H(ClientKey).
    pub stored: Vec<u8>,
    /// ServerKey.
    pub server: Vec<u8>,
}

const ITERATIONS: u32 = 4096;

/// Most iterations that a stored password may ask for.
const MOST: u32 = 10_000_000;

impl Keys {
    /// As stored.
    pub fn parse(stored: &[u8]) -> Option<Keys> {
        let fields: Vec<&str> = std::str::from_utf8(stored).ok()?.split(',').collect();
        let [iterations, salt, stored, server] = fields.as_slice() else { return None };
        BASE64_STANDARD.decode(salt).ok()?;
        Some(Keys {
            iterations: iterations.parse().ok().filter(|n| (1..=MOST).contains(n))?,
            salt: (*salt).to_owned(),
            stored: BASE64_STANDARD.decode(stored).ok()?,
            server: BASE64_STANDARD.decode(server).ok()?,
        })
    }

    /// Keys that nobody's password fits, always the same for the same name: what an unknown user is asked with.
    pub fn of_nobody(functions: &Functions, secret: &[u8], user: &str) -> Keys {
        let salt = (functions.mac)(secret, user.as_bytes());
        Keys {
            iterations: ITERATIONS,
            salt: BASE64_STANDARD.encode(&salt[..16]),
            stored: (functions.mac)(secret, b"stored"),
            server: (functions.mac)(secret, b"server"),
        }
    }
}

fn keys(functions: &Functions, password: &[u8], salt: &[u8], iterations: u32) -> (Vec<u8>, Vec<u8>) {
    let salted = (functions.stretch)(password, salt, iterations);
    let client = (functions.mac)(&salted, b"Client Key");
    ((functions.digest)(&client), (functions.mac)(&salted, b"Server Key"))
}

fn generate(given: &Given<'_>, functions: &Functions) -> Result<Vec<u8>, String> {
    let salt = random::bytes::<16>();
    let (stored, server) = keys(functions, given.password, &salt, ITERATIONS);
    let [salt, stored, server] = [&salt[..], &stored, &server].map(|bytes| BASE64_STANDARD.encode(bytes));
    Ok(format!("{ITERATIONS},{salt},{stored},{server}").into_bytes())
}

fn verify(given: &Given<'_>, stored: &[u8], functions: &Functions) -> Result<bool, String> {
    let wrong = "the stored SCRAM password is not iterations,salt,StoredKey,ServerKey";
    text(stored)?;
    let kept = Keys::parse(stored).ok_or(wrong)?;
    let salt = BASE64_STANDARD.decode(&kept.salt).map_err(|_| wrong)?;
    let (made, _) = keys(functions, given.password, &salt, kept.iterations);
    Ok(same(&made, &kept.stored))
}
