//! Signed tokens (JWS in its compact form, RFC 7515; claims of RFC 7519).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::keys::Keys;

/// So far clocks may differ, seconds.
const SLACK: u64 = 60;

/// Longest token, bytes.
const LONGEST: usize = 16 * 1024;

/// A token, taken apart; nothing of it is believed yet.
pub struct Token<'a> {
    /// Which key signed it.
    pub key: Option<String>,
    algorithm: String,
    claims: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

/// What is expected besides a signature.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who may have issued it; empty allows all.
    pub issuers: &'a [String],
    /// Whom it must be for, if anybody in particular.
    pub audience: Option<&'a str>,
    /// Seconds since 1970.
    pub now: u64,
}

/// Takes a token apart. `None`: it is no signed token.
pub fn parse(text: &str) -> Option<Token<'_>> {
    if text.len() > LONGEST {
        return None;
    }
    let (signed, signature) = text.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
    let object = |part: &str| match serde_json::from_slice(&decode(part)?).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    };
    let header = object(header)?;
    // What must be understood, and is not, makes it unusable (RFC 7515 4.1.11).
    if header.contains_key("crit") {
        return None;
    }
    let text = |name: &str| header.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Token {
        key: text("kid"),
        algorithm: text("alg")?,
        claims: object(claims)?,
        signed,
        signature: decode(signature)?,
    })
}

impl Token<'_> {
    /// The claims, when they can be believed.
    ///
    /// # Errors
    /// Why not: a sentence without anything of the token.
    pub fn claims(self, keys: &Keys, expected: Expected<'_>) -> Result<Map<String, Value>, &'static str> {
        if !keys.vouch(self.key.as_deref(), &self.algorithm, self.signed.as_bytes(), &self.signature) {
            return Err("no key vouches for the token");
        }
        let Expected { issuers, audience, now } = expected;
        let time = |name: &str| self.claims.get(name).map(|value| value.as_f64().unwrap_or(f64::NAN));
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
        let (early, late) = (now.saturating_sub(SLACK) as f64, (now + SLACK) as f64);
        // What is no number is never in time.
        let ahead = |name: &str| time(name).is_some_and(|from| from.is_nan() || from > late);
        if !time("exp").is_some_and(|until| until > early) {
            return Err("the token has expired, or never does");
        }
        if ahead("nbf") || ahead("iat") {
            return Err("the token is not valid yet");
        }
        let issuer = self.claims.get("iss").and_then(Value::as_str);
        if !issuers.is_empty() && !issuer.is_some_and(|issuer| issuers.iter().any(|known| known == issuer)) {
            return Err("the token is of another issuer");
        }
        if let Some(audience) = audience {
            let meant = match self.claims.get("aud") {
                Some(Value::Array(all)) => all.iter().any(|one| one == audience),
                Some(one) => one == audience,
                None => false,
            };
            if !meant {
                return Err("the token is for somebody else");
            }
        }
        Ok(self.claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::json;

    fn encode(value: &Value) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
    }

    #[test]
    fn only_what_is_signed_and_fits_is_believed() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref()[1..].to_vec();
        let part = |range: std::ops::Range<usize>| BASE64_URL_SAFE_NO_PAD.encode(&point[range]);
        let set = json!({"keys": [
            {"kty": "OKP", "crv": "X25519", "x": "AAAA"},
            {"kty": "EC", "crv": "P-256", "kid": "k1", "x": part(0..32), "y": part(32..64)},
            {"kty": "oct", "kid": "k2", "k": BASE64_URL_SAFE_NO_PAD.encode([7; 32])},
        ]});
        let keys = Keys::parse(set.to_string().as_bytes(), false).unwrap();
        let with_secrets = Keys::parse(set.to_string().as_bytes(), true).unwrap();
        assert!(keys.has(Some("k1")) && !keys.has(Some("k2")) && with_secrets.has(Some("k2")));
        let sign = |header: &Value, claims: &Value| {
            let signed = format!("{}.{}", encode(header), encode(claims));
            let signature = match header["alg"].as_str() {
                Some("HS256") => {
                    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &[7; 32]);
                    aws_lc_rs::hmac::sign(&key, signed.as_bytes()).as_ref().to_vec()
                }
                _ => pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap().as_ref().to_vec(),
            };
            format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
        };
        let issuers = ["https://id.test".to_owned()];
        let expected = Expected { issuers: &issuers, audience: Some("mail"), now: 1000 };
        let judge = |token: &str, keys: &Keys| match parse(token) {
            Some(token) => token.claims(keys, expected),
            None => Err("no token"),
        };
        let header = json!({"alg": "ES256", "kid": "k1"});
        let claims =
            json!({"iss": "https://id.test", "aud": ["web", "mail"], "exp": 1001, "email": "joe@x.test"});
        let good = sign(&header, &claims);
        assert_eq!(judge(&good, &keys).unwrap()["email"], "joe@x.test");
        let change = |name: &str, value: Value| {
            let mut claims = claims.clone();
            claims[name] = value;
            sign(&header, &claims)
        };
        for (bad, why) in [
            (change("exp", json!(900)), "expired"),
            (change("exp", json!("never")), "expired"),
            (change("nbf", json!(2000)), "not valid yet"),
            (change("iss", json!("https://evil.test")), "issuer"),
            (change("aud", json!("web")), "somebody else"),
            (sign(&json!({"alg": "ES256", "kid": "k9"}), &claims), "vouches"),
            (sign(&json!({"alg": "HS256", "kid": "k1"}), &claims), "vouches"),
            (sign(&json!({"alg": "HS256", "kid": "k2"}), &claims), "vouches"),
            (sign(&json!({"alg": "none"}), &claims), "vouches"),
            (sign(&json!({"alg": "ES256", "crit": ["x"]}), &claims), "no token"),
            (
                format!("{}.{}", good.rsplit_once('.').unwrap().0, BASE64_URL_SAFE_NO_PAD.encode([1; 64])),
                "vouches",
            ),
            ("a.b.c".to_owned(), "no token"),
        ] {
            let said = judge(&bad, &keys).unwrap_err();
            assert!(said.contains(why), "{said} instead of {why}");
        }
        assert!(judge(&sign(&json!({"alg": "HS256", "kid": "k2"}), &claims), &with_secrets).is_ok());
        assert!(Keys::parse(b"{}", true).is_err() && Keys::parse(b"x", true).is_err());
    }
}
