//! Keys that sign tokens: a JWK set (RFC 7517).

use aws_lc_rs::{hmac, signature};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

/// The keys of a set, as far as we can use them.
#[derive(Default)]
pub struct Keys(Vec<Key>);

struct Key {
    id: Option<String>,
    /// The one algorithm it may be used with, where it says so.
    algorithm: Option<String>,
    kind: Kind,
}

enum Kind {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
    Secret(Vec<u8>),
}

/// Most keys of a set.
const MOST: usize = 100;

/// Shortest shared secret, bytes (RFC 7518 3.2).
const SHORTEST: usize = 32;

impl Keys {
    /// Reads a set, or one key. Keys of other kinds are passed over. `secrets`: shared secrets count; they must not
    /// come over the net.
    ///
    /// # Errors
    /// It is no JSON, or has no usable key.
    pub fn parse(text: &[u8], secrets: bool) -> Result<Keys, String> {
        let json: Value = serde_json::from_slice(text).map_err(|error| format!("no JSON: {error}"))?;
        let list = match json.get("keys").and_then(Value::as_array) {
            Some(keys) => keys.as_slice(),
            None => std::slice::from_ref(&json),
        };
        let keys: Vec<Key> = list.iter().take(MOST).filter_map(|json| key(json, secrets)).collect();
        if keys.is_empty() { Err("no key that we can use".to_owned()) } else { Ok(Keys(keys)) }
    }

    /// Is there a key of this name? Without a name, any may be meant.
    pub fn has(&self, id: Option<&str>) -> bool {
        self.0.iter().any(|key| key.is_meant(id))
    }

    /// Does one of the keys that may be meant vouch for the text?
    pub fn vouch(&self, id: Option<&str>, algorithm: &str, text: &[u8], signature: &[u8]) -> bool {
        self.0.iter().filter(|key| key.is_meant(id)).any(|key| key.verifies(algorithm, text, signature))
    }
}

fn key(json: &Value, secrets: bool) -> Option<Key> {
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    let bytes = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(text(name)?.trim_end_matches('=')).ok();
    if text("use").is_some_and(|used| used != "sig") {
        return None;
    }
    let point = |size: usize| {
        let (x, y) = (bytes("x")?, bytes("y")?);
        (x.len() == size && y.len() == size).then(|| [&[4], x.as_slice(), &y].concat())
    };
    let kind = match (text("kty")?, text("crv")) {
        ("RSA", _) => Kind::Rsa { n: bytes("n")?, e: bytes("e")? },
        ("EC", Some("P-256")) => Kind::P256(point(32)?),
        ("EC", Some("P-384")) => Kind::P384(point(48)?),
        ("OKP", Some("Ed25519")) => Kind::Ed25519(bytes("x")?),
        ("oct", _) if secrets => Kind::Secret(bytes("k").filter(|secret| secret.len() >= SHORTEST)?),
        _ => return None,
    };
    Some(Key { id: text("kid").map(str::to_owned), algorithm: text("alg").map(str::to_owned), kind })
}

impl Key {
    fn is_meant(&self, id: Option<&str>) -> bool {
        match (id, &self.id) {
            (Some(id), Some(own)) => id == own,
            _ => true,
        }
    }

    /// The kind of the key says which algorithms can be meant, so that a public key is never taken for a secret.
    fn verifies(&self, algorithm: &str, text: &[u8], signed: &[u8]) -> bool {
        if self.algorithm.as_deref().is_some_and(|own| own != algorithm) {
            return false;
        }
        let plain = |algorithm: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            signature::UnparsedPublicKey::new(algorithm, key).verify(text, signed).is_ok()
        };
        match (&self.kind, algorithm) {
            (Kind::Rsa { n, e }, _) => {
                let how: &'static signature::RsaParameters = match algorithm {
                    "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
                    "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
                    "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
                    "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
                    "PS384" => &signature::RSA_PSS_2048_8192_SHA384,
                    "PS512" => &signature::RSA_PSS_2048_8192_SHA512,
                    _ => return false,
                };
                signature::RsaPublicKeyComponents { n, e }.verify(how, text, signed).is_ok()
            }
            (Kind::P256(point), "ES256") => plain(&signature::ECDSA_P256_SHA256_FIXED, point),
            (Kind::P384(point), "ES384") => plain(&signature::ECDSA_P384_SHA384_FIXED, point),
            (Kind::Ed25519(key), "EdDSA") => plain(&signature::ED25519, key),
            (Kind::Secret(secret), _) => {
                let how = match algorithm {
                    "HS256" => hmac::HMAC_SHA256,
                    "HS384" => hmac::HMAC_SHA384,
                    "HS512" => hmac::HMAC_SHA512,
                    _ => return false,
                };
                hmac::verify(&hmac::Key::new(how, secret), text, signed).is_ok()
            }
            _ => false,
        }
    }
}
