//! DANE for SMTP: certificates that match TLSA records (RFC 6698, RFC 7672).

use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::digest;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificate::Certificate;
use super::roots::Roots;
use super::summary::Trust;
use super::verify::{Role, trust};
use crate::dns::Data;

/// A TLSA record that can be used for SMTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    /// Is it the server's own certificate (usage 3, DANE-EE), or an authority's (usage 2, DANE-TA)?
    own: bool,
    /// Is it about the key alone (selector 1)?
    key_only: bool,
    matching: Matching,
    data: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Matching {
    Exact,
    Sha256,
    Sha512,
}

/// As a zone file has it.
impl std::fmt::Display for Tlsa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (usage, selector) = (if self.own { 3 } else { 2 }, u8::from(self.key_only));
        write!(f, "{usage} {selector} {} ", self.matching as u8)?;
        self.data.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Tlsa {
    /// Reads a record; `None` for one that cannot be used: an unknown number, a digest of the wrong length, or the
    /// usages 0 and 1, which RFC 7672 3.1.3 rules out for SMTP.
    pub fn usable(record: &Data) -> Option<Tlsa> {
        let Data::Tlsa { usage, selector, matching, data } = record else { return None };
        let own = match usage {
            2 => false,
            3 => true,
            _ => return None,
        };
        let key_only = match selector {
            0 => false,
            1 => true,
            _ => return None,
        };
        let matching = match (matching, data.len()) {
            (0, 1..) => Matching::Exact,
            (1, 32) => Matching::Sha256,
            (2, 64) => Matching::Sha512,
            _ => return None,
        };
        Some(Tlsa { own, key_only, matching, data: data.clone() })
    }

    fn describes(&self, der: &CertificateDer<'_>) -> bool {
        if !self.key_only {
            return self.equals(der);
        }
        X509Certificate::from_der(der).is_ok_and(|(_, parsed)| self.equals(parsed.public_key().raw))
    }

    fn equals(&self, bytes: &[u8]) -> bool {
        match self.matching {
            Matching::Exact => self.data == bytes,
            Matching::Sha256 => self.data == digest::digest(&digest::SHA256, bytes).as_ref(),
            Matching::Sha512 => self.data == digest::digest(&digest::SHA512, bytes).as_ref(),
        }
    }
}

/// Does one of the records vouch for this chain?
///
/// DANE-EE looks at nothing but the certificate: neither its names nor its dates count (RFC 7672 3.1.1). Under DANE-TA
/// the chain must lead to the authority, and one of the `names` must be in the certificate (3.1.2).
pub(super) fn vouches(
    records: &[Tlsa],
    names: &[String],
    chain: &[CertificateDer<'_>],
    certificate: &Certificate,
    provider: &Arc<CryptoProvider>,
    now: SystemTime,
) -> bool {
    let Some(leaf) = chain.first() else { return false };
    if records.iter().any(|record| record.own && record.describes(leaf)) {
        return true;
    }
    let mut roots = Roots::none();
    for der in chain {
        if records.iter().any(|record| !record.own && record.describes(der)) {
            roots.add(der.clone().into_owned());
        }
    }
    certificate.is_for(names)
        && trust(chain, certificate, Role::Server, &Arc::new(roots), provider, now).0 == Trust::Trusted
}
