//! Public keys in the DNS (RFC 6376 3.6.1).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use net::dns::Missing;

use super::private::PrivateKey;
use super::signature::Signature;
use super::{Algorithm, Fault};
use crate::Dns;
use crate::outside::texts;
use crate::tags::{Tags, decoded, encoded, squeezed};

/// A key, and what its owner says of its use.
#[derive(Clone, Debug)]
pub(crate) struct PublicKey {
    algorithm: Algorithm,
    bytes: Vec<u8>,
    /// `t=y`: the owner is trying things out.
    pub testing: bool,
    /// `t=s`: `i=` must name the domain itself.
    strict: bool,
}

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// Not now.
    Later(String),
    /// Never, or not as it stands.
    Never(&'static str),
}

/// Asks for the key of a signature.
pub(crate) async fn fetch(dns: &dyn Dns, signature: &Signature) -> Result<PublicKey, NoKey> {
    let found = texts(dns, &signature.key_name()).await.map_err(|missing| match missing {
        Missing::Temporary(why) => NoKey::Later(why),
        Missing::NoSuchName | Missing::NoSuchRecord => NoKey::Never("no key for signature"),
        Missing::Invalid(_) => NoKey::Never("malformed answer of the name server"),
    })?;
    // Several records are not defined; the first that is a key is taken.
    let mut wrong = NoKey::Never("no key for signature");
    for text in &found {
        match PublicKey::parse(text) {
            Ok(key) => return Ok(key),
            Err(why) => wrong = why,
        }
    }
    Err(wrong)
}

impl PublicKey {
    fn parse(text: &str) -> Result<PublicKey, NoKey> {
        let tags = Tags::parse(text).ok_or(NoKey::Never("key is no tag list"))?;
        if tags.get("v").is_some_and(|version| version != "DKIM1" || tags.first() != Some("v")) {
            return Err(NoKey::Never("key of another version"));
        }
        let lists = |name, word: &str| match tags.get(name) {
            Some(list) => squeezed(list).split(':').any(|one| one == word || one == "*"),
            None => true,
        };
        if !lists("h", "sha256") {
            return Err(NoKey::Never("key is for other hashes"));
        }
        if !lists("s", "email") {
            return Err(NoKey::Never("key is not for mail"));
        }
        let algorithm = match tags.get("k").unwrap_or("rsa") {
            "rsa" => Algorithm::Rsa,
            "ed25519" => Algorithm::Ed25519,
            _ => return Err(NoKey::Never("unknown kind of key")),
        };
        let bytes = match tags.get("p") {
            None => return Err(NoKey::Never("key has no p=")),
            Some("") => return Err(NoKey::Never("key was revoked")),
            Some(text) => decoded(text).ok_or(NoKey::Never("p= is not base64"))?,
        };
        // Who publishes a huge key makes every verifier work for him.
        if bytes.len() > 1200 {
            return Err(NoKey::Never("key is too long"));
        }
        let flag =
            |letter| tags.get("t").is_some_and(|list| squeezed(list).split(':').any(|one| one == letter));
        Ok(PublicKey { algorithm, bytes, testing: flag("y"), strict: flag("s") })
    }

    /// Whether `signature` is this key's over `input`.
    pub fn verify(&self, signature: &Signature, input: &[u8]) -> Result<(), Fault> {
        if self.algorithm != signature.algorithm {
            return Err(Fault::Malformed("key is of another kind"));
        }
        if let Some(identity) = signature.identity.as_deref().filter(|_| self.strict) {
            let host = identity.rsplit_once('@').map_or(identity, |(_, host)| host).to_ascii_lowercase();
            if host != signature.domain {
                return Err(Fault::Malformed("i= names a subdomain, which the key forbids"));
            }
        }
        self.check(input, &signature.bytes)
    }

    /// Whether these bytes are a signature over `input`.
    pub fn check(&self, input: &[u8], bytes: &[u8]) -> Result<(), Fault> {
        match self.algorithm {
            Algorithm::Rsa => {
                if self.bits() < 1024 {
                    return Err(Fault::Policy("key is shorter than 1024 bits (RFC 8301)"));
                }
                let key =
                    UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, &self.bytes);
                key.verify(input, bytes).map_err(|_| Fault::Malformed("signature did not verify"))
            }
            Algorithm::Ed25519 => {
                let key = UnparsedPublicKey::new(&ED25519, &self.bytes);
                let hash = digest(&SHA256, input);
                key.verify(hash.as_ref(), bytes).map_err(|_| Fault::Malformed("signature did not verify"))
            }
        }
    }

    /// Length in bits; 0 when it cannot be told.
    pub fn bits(&self) -> usize {
        match self.algorithm {
            Algorithm::Ed25519 => 256,
            Algorithm::Rsa => modulus_bits(&self.bytes).unwrap_or(0),
        }
    }
}

/// Bits of the modulus in a SubjectPublicKeyInfo or RSAPublicKey.
fn modulus_bits(der: &[u8]) -> Option<usize> {
    let (inner, _) = element(der, 0x30)?;
    let key = match inner.first() {
        Some(0x02) => inner,
        _ => {
            let (_, rest) = element(inner, 0x30)?;
            let (bits, _) = element(rest, 0x03)?;
            element(bits.strip_prefix(&[0])?, 0x30)?.0
        }
    };
    let (modulus, _) = element(key, 0x02)?;
    let first = modulus.iter().position(|byte| *byte != 0)?;
    let digits = &modulus[first..];
    Some(digits.len() * 8 - usize::try_from(digits[0].leading_zeros()).ok()?)
}

/// The content of a DER element with this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    (*first == tag).then(|| rest.split_at_checked(length)).flatten()
}

/// The text of the DNS record that publishes a key.
pub fn record_of(key: &PrivateKey) -> String {
    match key.algorithm() {
        Algorithm::Rsa => format!("v=DKIM1; k=rsa; p={}", encoded(&key.public())),
        Algorithm::Ed25519 => format!("v=DKIM1; k=ed25519; p={}", encoded(&key.public())),
    }
}

/// How a published record agrees with a key of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// It is that key's.
    Same,
    /// There is a record, and it is another key's or none that verifiers accept; with the reason.
    Other(String),
    /// There is none.
    Missing,
    /// The DNS does not answer now.
    Unknown(String),
}

/// Asks whether the record of a key is published.
pub async fn published(dns: &dyn Dns, name: &str, key: &PrivateKey) -> Published {
    let found = match texts(dns, name).await {
        Ok(found) => found,
        Err(Missing::Temporary(why)) => return Published::Unknown(why),
        Err(Missing::Invalid(why)) => return Published::Other(why),
        Err(Missing::NoSuchName | Missing::NoSuchRecord) => return Published::Missing,
    };
    let mut wrong = "no key record".to_owned();
    for text in &found {
        match PublicKey::parse(text) {
            Ok(published) if published.bytes == key.public() => return Published::Same,
            Ok(_) => wrong = "another key".to_owned(),
            Err(NoKey::Never(why)) => wrong = why.to_owned(),
            Err(NoKey::Later(why)) => wrong = why,
        }
    }
    Published::Other(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_keys() {
        let wrong = |text: &str| PublicKey::parse(text).err();
        assert_eq!(wrong("v=DKIM1; p="), Some(NoKey::Never("key was revoked")));
        assert_eq!(wrong("v=DKIM1; k=rsa; oops"), Some(NoKey::Never("key is no tag list")));
        assert_eq!(wrong("v=DKIM2; p=AAAA"), Some(NoKey::Never("key of another version")));
        assert_eq!(wrong("p=AAAA; v=DKIM1"), Some(NoKey::Never("key of another version")));
        assert_eq!(wrong("h=sha1; p=AAAA"), Some(NoKey::Never("key is for other hashes")));
        assert_eq!(wrong("s=tlsrpt; p=AAAA"), Some(NoKey::Never("key is not for mail")));
        assert_eq!(wrong("k=dsa; p=AAAA"), Some(NoKey::Never("unknown kind of key")));
        assert_eq!(wrong("p=###"), Some(NoKey::Never("p= is not base64")));
        assert_eq!(wrong(&format!("p={}", "AAAA".repeat(500))), Some(NoKey::Never("key is too long")));
        let tiny = "p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAIWmlgix/84GJ+dfgjm7LTc9EPdfkftlgiPpCq4/kbDAZmU0VvYKDljjleJ1dfvS+CGy9U/kk1tG3EeEvb82xAcCAwEAAQ==";
        let tiny = PublicKey::parse(tiny).unwrap();
        assert_eq!(tiny.bits(), 512);
        assert_eq!(tiny.check(b"", b""), Err(Fault::Policy("key is shorter than 1024 bits (RFC 8301)")));
    }
}
