//! Channel bindings (RFC 5056): data that both ends of a TLS session know, and nobody between them.

use aws_lc_rs::digest::{self, Algorithm};
use rustls::pki_types::CertificateDer;
use rustls::{ProtocolVersion, ServerConnection};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The bindings of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    /// `tls-exporter` (RFC 9266), 32 bytes. Not before TLS 1.3, where a session could lack the extended master secret
    /// that it needs.
    pub exporter: Option<Vec<u8>>,
    /// `tls-server-end-point` (RFC 5929): a hash of the server's certificate.
    pub server_end_point: Option<Vec<u8>>,
}

impl Binding {
    /// Of a session whose handshake is done; `ours` is the certificate that was shown.
    pub(super) fn of(session: &ServerConnection, ours: Option<&CertificateDer<'_>>) -> Binding {
        let is_13 = session.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let exporter = || {
            session
                .export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""))
                .ok()
                .map(Vec::from)
        };
        Binding {
            exporter: is_13.then(exporter).flatten(),
            server_end_point: ours.and_then(|certificate| end_point(certificate)),
        }
    }
}

/// The hash is that of the certificate's signature, SHA-256 in place of what is weaker. `None` where the signature has
/// no single hash (RFC 5929 4.1 leaves that open).
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let algorithm: &Algorithm = match parsed.signature_algorithm.algorithm.to_id_string().as_str() {
        // RSA with MD5, SHA-1, SHA-256; ECDSA with SHA-1, SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => &digest::SHA256,
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &digest::SHA384,
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}
