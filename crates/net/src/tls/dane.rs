//! DANE: the certificate that DNS promised. RFC 6698, RFC 7671, RFC 7672.

use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificate::Certificate;
use crate::dns;

/// Usages that count for mail: the authority (2) or the server itself (3). RFC 7672 3.1.
const AUTHORITY: u8 = 2;
const SERVER: u8 = 3;

/// A TLSA record that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    usage: u8,
    selector: u8,
    matching: u8,
    data: Vec<u8>,
}

impl Tlsa {
    /// Takes a record with known numbers and data of the right length; others do not count (RFC 7672 2.2).
    ///
    /// Only records of an answer that is [`authentic`](dns::Answer::authentic) mean anything.
    pub fn usable(record: &dns::Data) -> Option<Tlsa> {
        let dns::Data::Tlsa { usage, selector, matching, data } = record else { return None };
        let length = match matching {
            0 => !data.is_empty(),
            1 => data.len() == 32,
            2 => data.len() == 64,
            _ => false,
        };
        let known = matches!(*usage, AUTHORITY | SERVER) && *selector <= 1 && length;
        known.then(|| Tlsa { usage: *usage, selector: *selector, matching: *matching, data: data.clone() })
    }

    fn fits(&self, der: &CertificateDer<'_>) -> bool {
        let selected = match self.selector {
            0 => der.to_vec(),
            _ => match X509Certificate::from_der(der) {
                Ok((_, parsed)) => parsed.public_key().raw.to_vec(),
                Err(_) => return false,
            },
        };
        match self.matching {
            0 => selected == self.data,
            1 => digest(&SHA256, &selected).as_ref() == self.data,
            _ => digest(&SHA512, &selected).as_ref() == self.data,
        }
    }
}

/// Does the chain keep the promise of one of the records? The names count for an authority only.
pub(super) fn keeps_promise(
    records: &[Tlsa],
    chain: &[CertificateDer<'_>],
    certificate: &Certificate,
    names: &[String],
    provider: &Arc<CryptoProvider>,
    now: SystemTime,
) -> bool {
    let Some((leaf, others)) = chain.split_first() else { return false };
    records.iter().any(|record| match record.usage {
        // Neither names nor dates: the record itself vouches for this server now. RFC 7672 3.1.1.
        SERVER => record.fits(leaf),
        _ => {
            let anchors = others.iter().filter(|der| record.fits(der)).map(|der| der.clone().into_owned());
            let whole = (record.selector == 0 && record.matching == 0)
                .then(|| CertificateDer::from(record.data.clone()));
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(anchors.chain(whole));
            let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            certificate.is_for(names)
                && ParsedCertificate::try_from(leaf)
                    .and_then(|parsed| {
                        let algorithms = provider.signature_verification_algorithms.all;
                        let now = UnixTime::since_unix_epoch(since);
                        verify_server_cert_signed_by_trust_anchor(&parsed, &roots, others, now, algorithms)
                    })
                    .is_ok()
        }
    })
}
