//! Verifiers that let a handshake end, and the verdict on a certificate afterwards.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::certificate::Certificate;
use super::roots::Roots;
use super::summary::Trust;

/// Takes any certificate, checks that its owner signed the handshake, and remembers how.
#[derive(Debug)]
pub(super) struct Recorder {
    algorithms: WebPkiSupportedAlgorithms,
    /// Names of authorities that a server tells its clients.
    hints: Vec<DistinguishedName>,
    pub(super) scheme: OnceLock<SignatureScheme>,
}

impl Recorder {
    pub(super) fn new(provider: &CryptoProvider, hints: Vec<DistinguishedName>) -> Recorder {
        let algorithms = provider.signature_verification_algorithms;
        Recorder { algorithms, hints, scheme: OnceLock::new() }
    }

    fn tls12(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.scheme.get_or_init(|| signed.scheme);
        verify_tls12_signature(message, cert, signed, &self.algorithms)
    }

    fn tls13(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.scheme.get_or_init(|| signed.scheme);
        verify_tls13_signature(message, cert, signed, &self.algorithms)
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls12(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls13(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Recorder {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls12(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls13(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Server,
    Client,
}

/// Does the chain lead to an authority of `roots`? If not, why.
pub(super) fn trust(
    chain: &[CertificateDer<'_>],
    certificate: &Certificate,
    role: Role,
    roots: &Arc<Roots>,
    provider: &Arc<CryptoProvider>,
    now: SystemTime,
) -> (Trust, Option<String>) {
    let Some((leaf, intermediates)) = chain.split_first() else { return (Trust::Anonymous, None) };
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    if seconds < certificate.not_before {
        return (Trust::Untrusted, Some("certificate not yet valid".to_owned()));
    }
    if seconds > certificate.not_after {
        return (Trust::Untrusted, Some("certificate has expired".to_owned()));
    }
    if roots.lists(leaf) {
        return (Trust::Trusted, None);
    }
    let now = UnixTime::since_unix_epoch(since);
    let verdict = match role {
        _ if roots.store.is_empty() => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        Role::Server => rustls::server::ParsedCertificate::try_from(leaf).and_then(|parsed| {
            let algorithms = provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&parsed, &roots.store, intermediates, now, algorithms)
        }),
        Role::Client => {
            let store = Arc::new(roots.store.clone());
            WebPkiClientVerifier::builder_with_provider(store, provider.clone())
                .build()
                .map_err(|error| Error::General(error.to_string()))
                .and_then(|verifier| verifier.verify_client_cert(leaf, intermediates, now).map(|_| ()))
        }
    };
    match verdict {
        Ok(()) => (Trust::Trusted, None),
        Err(_) if certificate.self_signed => (Trust::Untrusted, Some("self-signed certificate".to_owned())),
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            (Trust::Untrusted, Some(format!("untrusted issuer {}", certificate.issuer_cn)))
        }
        Err(error) => (Trust::Untrusted, Some(error.to_string())),
    }
}
