//! TLS by rustls: what Postfix's parameters ask for, and what is said of a connection afterwards.

mod summary;

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use mail::Trouble;

use crate::Stream;

pub use summary::{Certificate, Summary, Trust};

/// A handshake that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// It took too long.
    TimedOut,
    /// The other end hung up.
    Lost,
    /// It was refused by either end; the text says why.
    Failed(String),
}

/// Certificate and key files, in Postfix's three ways.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFiles {
    /// `*_tls_chain_files`: key and chain in each file; overrides the others.
    pub chain_files: Vec<PathBuf>,
    /// `*_tls_cert_file` with `*_tls_key_file`, `*_eccert_file` with `*_eckey_file`, …
    pub pairs: Vec<(PathBuf, PathBuf)>,
}

/// Settings of a server (one per service).
#[derive(Clone, Debug, Default)]
pub struct ServerSettings {
    /// Who we are.
    pub keys: KeyFiles,
    /// `smtpd_tls_CAfile`.
    pub ca_file: Option<PathBuf>,
    /// `smtpd_tls_CApath`.
    pub ca_path: Option<PathBuf>,
    /// `tls_append_default_CA`.
    pub default_ca: bool,
    /// `smtpd_tls_ask_ccert`.
    pub ask_ccert: bool,
    /// `smtpd_tls_req_ccert` (with mandatory TLS).
    pub require_ccert: bool,
    /// `smtpd_tls_protocols` or `smtpd_tls_mandatory_protocols`, as written.
    pub protocols: String,
    /// `smtpd_tls_exclude_ciphers` and friends, joined.
    pub exclude_ciphers: String,
    /// `smtpd_tls_fingerprint_digest`.
    pub fingerprint_digest: String,
    /// `tls_preempt_cipherlist`.
    pub prefer_server_ciphers: bool,
}

/// What [`SniLookup`] finds, in time.
pub type SniFound<'a> = Pin<Box<dyn Future<Output = Result<Option<Vec<u8>>, Trouble>> + Send + 'a>>;

/// Finds the certificate chain for a server name: `tls_server_sni_maps`. The result is PEM text (keys and
/// certificates), or `None` for the usual certificate.
pub trait SniLookup: Send + Sync {
    /// Looks up a name in lower case.
    fn find<'a>(&'a self, name: &'a str) -> SniFound<'a>;
}

/// TLS for a service.
#[derive(Clone)]
pub struct ServerTls(#[expect(dead_code)] Arc<ServerSettings>);

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerTls")
    }
}

impl ServerTls {
    /// Loads the files. The words are about settings that rustls cannot honour to the letter.
    pub fn new(
        settings: ServerSettings,
        sni: Option<Arc<dyn SniLookup>>,
    ) -> Result<(ServerTls, Vec<String>), Trouble> {
        let _ = (settings, sni);
        todo!()
    }

    /// Loads the files again if they changed. On trouble the old certificate stays.
    pub fn renew(&self) -> Result<bool, Trouble> {
        todo!()
    }

    /// The handshake.
    pub async fn accept(&self, stream: Stream) -> Result<(Stream, Summary), HandshakeError> {
        let _ = stream;
        todo!()
    }
}

/// Settings of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClientSettings {
    /// Certificate to show, if any.
    pub chain_files: Vec<PathBuf>,
    /// Certificate and key to show, if any.
    pub pair: Option<(PathBuf, PathBuf)>,
    /// `smtp_tls_CAfile`.
    pub ca_file: Option<PathBuf>,
    /// `smtp_tls_CApath`.
    pub ca_path: Option<PathBuf>,
    /// `tls_append_default_CA`.
    pub default_ca: bool,
    /// `smtp_tls_protocols` or `smtp_tls_mandatory_protocols`, as written.
    pub protocols: String,
    /// Cipher names and classes to leave out.
    pub exclude_ciphers: String,
    /// `smtp_tls_fingerprint_digest`.
    pub fingerprint_digest: String,
}

/// TLS for outgoing connections.
#[derive(Clone, Debug)]
pub struct ClientTls(#[expect(dead_code)] Arc<ClientSettings>);

/// Whom we want to meet: decides what [`Summary::trust`] says. The handshake itself never fails for it; whoever asked
/// must look before sending anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Server name for SNI; none for an address or when unwanted.
    pub sni: Option<String>,
    /// Names of which the certificate must have one: `example.org`, or `.example.org` for any name below.
    pub names: Vec<String>,
    /// Fingerprints of certificate or public key, `AA:BB:…`, of which one must match (level fingerprint).
    pub fingerprints: Vec<String>,
}

impl ClientTls {
    /// Loads the files. The words are about settings that rustls cannot honour to the letter.
    pub fn new(settings: ClientSettings) -> Result<(ClientTls, Vec<String>), Trouble> {
        let _ = settings;
        todo!()
    }

    /// The handshake; `now` decides which certificates have expired.
    pub async fn connect(
        &self,
        stream: Stream,
        identity: &Identity,
        now: SystemTime,
    ) -> Result<(Stream, Summary), HandshakeError> {
        let _ = (stream, identity, now);
        todo!()
    }
}
