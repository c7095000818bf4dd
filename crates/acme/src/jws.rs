//! Signed requests: JSON Web Signatures as RFC 8555 6.2 wants them, with ES256.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use mail::Trouble;
use serde_json::{Value, json};

/// The key of an account.
pub struct Key(EcdsaKeyPair);

/// Base64 for URLs, without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl Key {
    /// From PKCS #8.
    pub fn new(der: &[u8]) -> Result<Key, Trouble> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
            .map(Key)
            .map_err(|_| Trouble::new("account.pem: no ECDSA key of the curve P-256"))
    }

    /// The public half. RFC 7517.
    fn jwk(&self) -> Value {
        // An uncompressed point: 4, x, y.
        let point = self.0.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        json!({ "crv": "P-256", "kty": "EC", "x": encode(x), "y": encode(y) })
    }

    /// What stands behind the dot of a key authorisation. RFC 7638; the members are in the order of their names.
    pub fn thumbprint(&self) -> String {
        encode(digest(&SHA256, self.jwk().to_string().as_bytes()))
    }

    /// A request. `account` is the URL of the account, once it is known; without payload it only asks (POST-as-GET).
    pub fn sign(&self, url: &str, nonce: &str, account: Option<&str>, payload: Option<&Value>) -> String {
        let mut head = json!({ "alg": "ES256", "nonce": nonce, "url": url });
        match account {
            Some(account) => head["kid"] = account.into(),
            None => head["jwk"] = self.jwk(),
        }
        let head = encode(head.to_string());
        let payload = payload.map(|payload| encode(payload.to_string())).unwrap_or_default();
        let signature = self
            .0
            .sign(&SystemRandom::new(), format!("{head}.{payload}").as_bytes())
            .expect("a P-256 key signs anything");
        json!({ "protected": head, "payload": payload, "signature": encode(signature) }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    #[test]
    fn signatures_can_be_verified() {
        let pair = rcgen::KeyPair::generate().unwrap();
        let key = Key::new(&pair.serialize_der()).unwrap();
        let decode = |value: &Value| BASE64_URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap();
        let request: Value =
            serde_json::from_str(&key.sign("https://x/", "n", None, Some(&json!({ "a": 1 })))).unwrap();
        let head: Value = serde_json::from_slice(&decode(&request["protected"])).unwrap();
        assert_eq!((head["nonce"].as_str(), head["url"].as_str()), (Some("n"), Some("https://x/")));
        let point = [vec![4], decode(&head["jwk"]["x"]), decode(&head["jwk"]["y"])].concat();
        let text =
            format!("{}.{}", request["protected"].as_str().unwrap(), request["payload"].as_str().unwrap());
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(text.as_bytes(), &decode(&request["signature"]))
            .unwrap();
        let asked: Value = serde_json::from_str(&key.sign("u", "n", Some("https://a/1"), None)).unwrap();
        assert_eq!(asked["payload"], "");
        let head: Value = serde_json::from_slice(&decode(&asked["protected"])).unwrap();
        assert!(head.get("jwk").is_none() && head["kid"] == "https://a/1");
        assert!(key.jwk().to_string().starts_with("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":"), "RFC 7638 3");
        assert!(Key::new(b"x").is_err());
    }
}
