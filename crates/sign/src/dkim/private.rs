//! Private keys in PEM files.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256};

use crate::tags::{decoded, encoded};

/// `a=`, with SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `rsa-sha256`
    Rsa,
    /// `ed25519-sha256` (RFC 8463)
    Ed25519,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Algorithm::Rsa => "rsa-sha256",
            Algorithm::Ed25519 => "ed25519-sha256",
        })
    }
}

/// A key that signs. Never shown by `Debug`.
pub struct PrivateKey(Kind);

enum Kind {
    Rsa(Box<rsa::KeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
    /// RSA by somebody else: the keys of old test suites are shorter than what may sign here.
    #[cfg(test)]
    Lent(fn(&[u8]) -> Vec<u8>),
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.algorithm())
    }
}

impl PrivateKey {
    /// Reads PEM text (`RSA PRIVATE KEY` or `PRIVATE KEY`), or base64 of the same without its frame. The error says
    /// what is wrong, and nothing of the key.
    pub fn read(text: &str) -> Result<PrivateKey, String> {
        let (der, framed) = match text.split_once("-----BEGIN ") {
            Some((_, after)) => {
                let (label, rest) = after.split_once("-----").ok_or("the PEM frame does not close")?;
                if !matches!(label, "RSA PRIVATE KEY" | "PRIVATE KEY") {
                    return Err(format!("\"{label}\" is no private key that can sign here"));
                }
                let (body, _) = rest.split_once("-----END ").ok_or("the PEM frame does not close")?;
                (decoded(body), true)
            }
            None => (decoded(text), false),
        };
        let der = der.ok_or(if framed { "bad base64 in PEM" } else { "neither PEM nor base64" })?;
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der) {
            return Ok(PrivateKey(Kind::Ed25519(Box::new(pair))));
        }
        let pair = rsa::KeyPair::from_pkcs8(&der).or_else(|_| rsa::KeyPair::from_der(&der));
        match pair {
            Ok(pair) => Ok(PrivateKey(Kind::Rsa(Box::new(pair)))),
            Err(_) => Err("not an RSA key of 2048 to 8192 bits, nor an Ed25519 key; \
                           make a new one with \"facteur dkim genkey\""
                .to_owned()),
        }
    }

    /// A key that somebody else has.
    #[cfg(test)]
    pub(crate) fn lent(sign: fn(&[u8]) -> Vec<u8>) -> PrivateKey {
        PrivateKey(Kind::Lent(sign))
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        match &self.0 {
            Kind::Rsa(_) => Algorithm::Rsa,
            #[cfg(test)]
            Kind::Lent(_) => Algorithm::Rsa,
            Kind::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// Signs: RSA over the text, Ed25519 over its SHA-256 digest (RFC 8463 3).
    pub(crate) fn sign(&self, input: &[u8]) -> Option<Vec<u8>> {
        match &self.0 {
            Kind::Rsa(pair) => {
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut out).ok()?;
                Some(out)
            }
            Kind::Ed25519(pair) => {
                let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, input);
                Some(pair.try_sign(hash.as_ref()).ok()?.as_ref().to_vec())
            }
            #[cfg(test)]
            Kind::Lent(sign) => Some(sign(input)),
        }
    }

    /// The public key as `p=` has it.
    pub(crate) fn public(&self) -> Vec<u8> {
        match &self.0 {
            Kind::Rsa(pair) => {
                let der: Result<PublicKeyX509Der<'_>, _> = pair.public_key().as_der();
                der.expect("the public half of an RSA key can always be written").as_ref().to_vec()
            }
            Kind::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
            #[cfg(test)]
            Kind::Lent(_) => Vec::new(),
        }
    }
}

/// Makes a key: `bits` of RSA (2048, 3072 or 4096), or Ed25519. The answer is its PEM text, which is a secret.
pub fn generate(algorithm: Algorithm, bits: usize) -> Result<String, String> {
    let failed = |_| "no key could be made".to_owned();
    let der = match algorithm {
        Algorithm::Rsa => {
            let size = match bits {
                2048 => KeySize::Rsa2048,
                3072 => KeySize::Rsa3072,
                4096 => KeySize::Rsa4096,
                _ => return Err(format!("{bits} bits: RSA keys have 2048, 3072 or 4096 here")),
            };
            let pair = rsa::KeyPair::generate(size).map_err(failed)?;
            let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
            der.as_ref().to_vec()
        }
        Algorithm::Ed25519 => {
            let pair = Ed25519KeyPair::generate().map_err(failed)?;
            pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec()
        }
    };
    let text = encoded(&der);
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().map(|byte| char::from(*byte)));
        pem.push('\n');
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    Ok(pem)
}
