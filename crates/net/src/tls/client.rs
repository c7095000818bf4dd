//! TLS as a client: of another server's certificate everything is said and nothing is decided here.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use mail::Trouble;
use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ProtocolVersion, SupportedProtocolVersion};
use tokio_rustls::TlsConnector;

use super::certificate::Certificate;
use super::digest::Digest;
use super::keys::KeyFiles;
use super::roots::Roots;
use super::summary::digest_name;
use super::verify::{Recorder, Role, trust};
use super::{HandshakeError, Summary, Tlsa, Trust, ciphers, dane, protocols};
use crate::Stream;

/// Settings of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClientSettings {
    /// Certificates to show when asked, if any.
    pub keys: KeyFiles,
    /// `smtp_tls_CAfile`.
    pub ca_file: Option<PathBuf>,
    /// `smtp_tls_CApath`.
    pub ca_path: Option<PathBuf>,
    /// `tls_append_default_CA`.
    pub default_ca: bool,
    /// `smtp_tls_trust_anchor_file`: where there are any, no other authority counts.
    pub anchors: Vec<PathBuf>,
    /// `smtp_tls_protocols` or `smtp_tls_mandatory_protocols`, as written.
    pub protocols: String,
    /// Cipher names and classes to leave out.
    pub exclude_ciphers: String,
    /// `smtp_tls_fingerprint_digest`.
    pub fingerprint_digest: String,
}

/// TLS for outgoing connections. Cheap to clone.
#[derive(Clone)]
pub struct ClientTls(Arc<Shared>);

struct Shared {
    settings: ClientSettings,
    provider: Arc<CryptoProvider>,
    versions: Vec<&'static SupportedProtocolVersion>,
    roots: Arc<Roots>,
    digest: Digest,
    key: Option<Arc<CertifiedKey>>,
}

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ClientTls").field(&self.0.settings).finish()
    }
}

/// Whom we want to meet: decides what [`Summary::trust`] says. The handshake itself never fails for it; whoever asked
/// must look before sending anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Server name for SNI; none for an address or when unwanted.
    pub sni: Option<String>,
    /// Names of which the certificate must have one: `example.org`, or `.example.org` for any name below; an address.
    pub names: Vec<String>,
    /// Fingerprints of certificate or public key, `AA:BB:…`, of which one must match (level fingerprint).
    pub fingerprints: Vec<String>,
    /// TLSA records, of which one must vouch for the server (level dane); when there are any, no authority of ours
    /// counts, and `names` are for DANE-TA.
    pub tlsa: Vec<Tlsa>,
}

impl Shared {
    /// How far to believe a certificate when we want to meet somebody; if not at all, why.
    fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        certificate: &Certificate,
        identity: &Identity,
        now: SystemTime,
    ) -> (Trust, Option<String>) {
        let Identity { names, fingerprints, tlsa, .. } = identity;
        if !tlsa.is_empty() {
            return if dane::vouches(tlsa, names, chain, certificate, &self.provider, now) {
                (Trust::Verified, None)
            } else {
                (Trust::Untrusted, Some("no TLSA record matches".to_owned()))
            };
        }
        let (trust, why) = trust(chain, certificate, Role::Server, &self.roots, &self.provider, now);
        let named = trust == Trust::Trusted && certificate.is_for(names);
        if named || certificate.has_fingerprint(fingerprints) {
            (Trust::Verified, None)
        } else if trust == Trust::Trusted && identity.is_somebody() {
            // An authority's word for somebody else is worth nothing.
            (Trust::Untrusted, Some(format!("{} is not whom we want", certificate.subject_cn)))
        } else {
            (trust, why)
        }
    }
}

impl Identity {
    /// Is it anybody in particular?
    fn is_somebody(&self) -> bool {
        !self.names.is_empty() || !self.fingerprints.is_empty()
    }
}

impl ClientTls {
    /// Loads the files. The words are about settings that rustls cannot honour to the letter.
    pub fn new(settings: ClientSettings) -> Result<(ClientTls, Vec<String>), Trouble> {
        let (versions, mut words) = protocols::parse(&settings.protocols).map_err(Trouble::new)?;
        let (provider, more) = ciphers::provider(&settings.exclude_ciphers).map_err(Trouble::new)?;
        words.extend(more);
        let digest = Digest::find(&settings.fingerprint_digest).ok_or_else(|| {
            Trouble::new(format!("unknown fingerprint digest \"{}\"", settings.fingerprint_digest))
        })?;
        let roots = if settings.anchors.is_empty() {
            Roots::load(settings.ca_file.as_deref(), settings.ca_path.as_deref(), settings.default_ca)?
        } else {
            Roots::anchors(&settings.anchors)?
        };
        let key = settings.keys.load()?.into_iter().next();
        let (provider, roots) = (Arc::new(provider), Arc::new(roots));
        Ok((ClientTls(Arc::new(Shared { settings, provider, versions, roots, digest, key })), words))
    }

    /// The handshake; `now` decides which certificates have expired.
    pub async fn connect(
        &self,
        stream: Stream,
        identity: &Identity,
        now: SystemTime,
    ) -> Result<(Stream, Summary), HandshakeError> {
        let recorder = Arc::new(Recorder::new(&self.0.provider, Vec::new()));
        let connector = TlsConnector::from(Arc::new(self.config(recorder.clone())?));
        let name = identity.sni.as_ref().and_then(|name| ServerName::try_from(name.clone()).ok());
        // For an address rustls sends no name; this one is nobody's.
        let name = name.unwrap_or(ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into()));
        let stream = connector.connect(name, stream).await?;

        let state = stream.get_ref().1;
        let mut summary = Summary { sni: identity.sni.clone(), ..Summary::read(state) };
        let chain = state.peer_certificates().unwrap_or_default();
        if let Some(leaf) = chain.first() {
            let certificate = Certificate::read(leaf, self.0.digest);
            (summary.trust, summary.why_untrusted) = self.0.judge(chain, &certificate, identity, now);
            if state.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
                summary.server_signature = Some(certificate.key.clone());
                summary.server_digest = recorder.scheme.get().copied().and_then(digest_name);
            }
            summary.peer = Some(certificate);
        }
        Ok((Stream::Tls(Box::new(stream.into())), summary))
    }

    fn config(&self, verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, HandshakeError> {
        let builder = ClientConfig::builder_with_provider(self.0.provider.clone())
            .with_protocol_versions(&self.0.versions)
            .map_err(|error| HandshakeError::Failed(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &self.0.key {
            Some(key) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key.clone()))),
            None => builder.with_no_client_auth(),
        };
        // A resumed session has no certificate to look at again.
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}
