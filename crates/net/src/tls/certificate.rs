//! The other end's certificate, as far as anybody asks.

use std::net::IpAddr;

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};
use x509_parser::public_key::PublicKey;

use super::digest::{Digest, colons};

/// The other end's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Common name of the subject; empty when there is none. No control characters.
    pub subject_cn: String,
    /// Common name of the issuer, or its organisation.
    pub issuer_cn: String,
    /// `AA:BB:…` of the certificate by the configured digest.
    pub fingerprint: String,
    /// `AA:BB:…` of the public key by the configured digest.
    pub key_fingerprint: String,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// Names it is good for: DNS names in lower case, or the common name when there are none.
    pub names: Vec<String>,
    /// Addresses it is good for.
    pub addresses: Vec<IpAddr>,
    /// `ECDSA (prime256v1)`, `RSA-PSS (2048 bits)`, `ED25519`: what its key signs a TLS 1.3 handshake with.
    pub(super) key: String,
    pub(super) self_signed: bool,
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

impl Certificate {
    /// Reads a certificate. What is malformed gives empty fields: it will not be trusted either.
    pub(super) fn read(der: &CertificateDer<'_>, digest: Digest) -> Certificate {
        let mut found = Certificate { fingerprint: digest.fingerprint(der), ..Certificate::default() };
        let Ok((_, parsed)) = X509Certificate::from_der(der) else { return found };
        found.subject_cn = common_name(parsed.subject());
        found.issuer_cn = common_name(parsed.issuer());
        if found.issuer_cn.is_empty() {
            found.issuer_cn = first(parsed.issuer().iter_organization().next());
        }
        found.key_fingerprint = digest.fingerprint(parsed.public_key().raw);
        found.serial = colons(parsed.raw_serial()).replace(':', "");
        if let Ok(Some(names)) = parsed.subject_alternative_name() {
            for name in &names.value.general_names {
                match name {
                    GeneralName::DNSName(name) => found.names.push(name.to_ascii_lowercase()),
                    GeneralName::IPAddress(bytes) => found.addresses.extend(ip(bytes)),
                    _ => {}
                }
            }
        }
        if found.names.is_empty() && !found.subject_cn.is_empty() {
            found.names.push(found.subject_cn.to_ascii_lowercase());
        }
        found.key = key(&parsed);
        found.self_signed = parsed.subject() == parsed.issuer();
        found.not_before = parsed.validity().not_before.timestamp();
        found.not_after = parsed.validity().not_after.timestamp();
        found
    }

    /// Is it good for one of these: `example.org`, `.example.org` for any name below, an address?
    ///
    /// A `*.` of the certificate stands for one label or more (`tls_wildcard_matches_multiple_labels`).
    pub(super) fn is_for(&self, wanted: &[String]) -> bool {
        wanted.iter().any(|wanted| {
            let wanted = wanted.trim_end_matches('.').to_ascii_lowercase();
            if let Ok(address) = wanted.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
                return self.addresses.contains(&address);
            }
            self.names.iter().any(|name| match (wanted.strip_prefix('.'), name.strip_prefix("*.")) {
                (Some(parent), None) => is_below(name, parent),
                (Some(parent), Some(stem)) => stem == parent || is_below(stem, parent),
                (None, Some(stem)) => is_below(&wanted, stem),
                (None, None) => *name == wanted,
            })
        })
    }

    /// Is one of these its fingerprint or that of its key?
    pub(super) fn has_fingerprint(&self, wanted: &[String]) -> bool {
        wanted.iter().any(|wanted| {
            wanted.eq_ignore_ascii_case(&self.fingerprint)
                || wanted.eq_ignore_ascii_case(&self.key_fingerprint)
        })
    }
}

fn is_below(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent).is_some_and(|head| head.len() > 1 && head.ends_with('.'))
}

fn common_name(name: &X509Name<'_>) -> String {
    first(name.iter_common_name().last())
}

fn first(attribute: Option<&x509_parser::prelude::AttributeTypeAndValue<'_>>) -> String {
    let text = attribute.and_then(|attribute| attribute.as_str().ok()).unwrap_or_default();
    mail::logline::printable(text)
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

fn key(parsed: &X509Certificate<'_>) -> String {
    match parsed.public_key().parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("RSA-PSS ({} bits)", rsa.key_size()),
        Ok(PublicKey::EC(point)) => match point.key_size() {
            384 => "ECDSA (secp384r1)".to_owned(),
            size if size > 384 => "ECDSA (secp521r1)".to_owned(),
            _ => "ECDSA (prime256v1)".to_owned(),
        },
        _ => "ED25519".to_owned(),
    }
}
