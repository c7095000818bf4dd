//! TLS as a server: one set of keys, sessions and rules for each service.

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use mail::Trouble;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{Acceptor, ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ProtocolVersion, ServerConfig, SignatureScheme, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;

use super::binding::Binding;
use super::certificate::Certificate;
use super::digest::Digest;
use super::keys::{KeyFiles, Keys, chains};
use super::roots::Roots;
use super::summary::digest_name;
use super::verify::{Recorder, Role, trust};
use super::{HandshakeError, Summary, ciphers, protocols};
use crate::{Stream, clock};

/// How often the files are looked at for new certificates.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Chains by server name that are kept ready.
const MOST_CHAINS: usize = 200;
/// Longest server name that is looked up. RFC 1035 2.3.4.
const MOST_NAME: usize = 255;

/// First byte of a TLS handshake. RFC 8446 5.1.
const HANDSHAKE_RECORD: u8 = 22;

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
    /// `smtpd_tls_ask_ccert`: ask for a certificate.
    pub ask_ccert: bool,
    /// `smtpd_tls_req_ccert`: ask for one, too. That it comes, and is to be believed, must be seen to with
    /// [`Summary::trust`], as Postfix does after the handshake.
    pub require_ccert: bool,
    /// `smtpd_tls_protocols` or `smtpd_tls_mandatory_protocols`, as written.
    pub protocols: String,
    /// `smtpd_tls_exclude_ciphers` and `smtpd_tls_mandatory_exclude_ciphers`, as they apply, joined.
    pub exclude_ciphers: String,
    /// `smtpd_tls_fingerprint_digest`.
    pub fingerprint_digest: String,
    /// `tls_preempt_cipherlist`.
    pub prefer_server_ciphers: bool,
}

impl ServerSettings {
    fn asks(&self) -> bool {
        self.ask_ccert || self.require_ccert
    }
}

/// What [`SniLookup`] finds, in time.
pub type SniFound<'a> = Pin<Box<dyn Future<Output = Result<Option<Vec<u8>>, Trouble>> + Send + 'a>>;

/// Finds the certificate chain for a server name: `tls_server_sni_maps`. The result is PEM text (keys and
/// certificates), or `None` for the usual certificate.
pub trait SniLookup: Send + Sync {
    /// Looks up a name in lower case, or `.parent` of one.
    fn find<'a>(&'a self, name: &'a str) -> SniFound<'a>;
}

/// TLS for a service. Cheap to clone; clones share sessions, which belong to one service only.
#[derive(Clone)]
pub struct ServerTls(Arc<Shared>);

struct Shared {
    settings: ServerSettings,
    provider: Arc<CryptoProvider>,
    roots: Arc<Roots>,
    digest: Digest,
    versions: Vec<&'static SupportedProtocolVersion>,
    tickets: Arc<dyn ProducesTickets>,
    keys: Mutex<Loaded>,
    sni: Option<Arc<dyn SniLookup>>,
    chains: Mutex<HashMap<Vec<u8>, Arc<Keys>>>,
}

struct Loaded {
    keys: Arc<Keys>,
    written: Vec<Option<SystemTime>>,
    looked: Instant,
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ServerTls").field(&self.0.settings).finish()
    }
}

impl ServerTls {
    /// Loads the files. The words are about settings that rustls cannot honour to the letter.
    ///
    /// Without keys TLS can only be spoken with clients whose server name `sni` knows.
    pub fn new(
        settings: ServerSettings,
        sni: Option<Arc<dyn SniLookup>>,
    ) -> Result<(ServerTls, Vec<String>), Trouble> {
        let (versions, mut words) = protocols::parse(&settings.protocols).map_err(Trouble::new)?;
        let (provider, more) = ciphers::provider(&settings.exclude_ciphers).map_err(Trouble::new)?;
        words.extend(more);
        let digest = Digest::find(&settings.fingerprint_digest).ok_or_else(|| {
            Trouble::new(format!("unknown fingerprint digest \"{}\"", settings.fingerprint_digest))
        })?;
        let provider = Arc::new(provider);
        let keys = settings.keys.load()?;
        if keys.is_empty() && sni.is_none() {
            return Err(Trouble::new("no certificate and key"));
        }
        let roots =
            Roots::load(settings.ca_file.as_deref(), settings.ca_path.as_deref(), settings.default_ca)?;
        let tickets = Ticketer::new().map_err(|error| Trouble::from_error("session tickets", error))?;
        let written = settings.keys.written();
        let loaded = Loaded { keys: Arc::new(keys), written, looked: clock::now() };
        let (roots, keys, chains) = (Arc::new(roots), Mutex::new(loaded), Mutex::default());
        let shared = Shared { settings, provider, roots, digest, versions, tickets, keys, sni, chains };
        Ok((ServerTls(Arc::new(shared)), words))
    }

    /// The handshake.
    pub async fn accept(&self, stream: Stream) -> Result<(Stream, Summary), HandshakeError> {
        if let Some(tcp) = stream.tcp() {
            speaks_tls(tcp).await?;
        }
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let sni = start
            .client_hello()
            .server_name()
            .filter(|name| name.len() <= MOST_NAME)
            .map(str::to_ascii_lowercase);
        let keys = self
            .keys_for(sni.as_deref())
            .await
            .map_err(|trouble| HandshakeError::Failed(trouble.to_string()))?;
        let chosen = Arc::new(Chosen { keys, choice: OnceLock::new() });
        let hints = if self.0.settings.asks() { self.0.roots.store.subjects() } else { Vec::new() };
        let recorder = Arc::new(Recorder::new(&self.0.provider, hints));
        let config = self.config(chosen.clone(), recorder.clone())?;
        let stream = start.into_stream(Arc::new(config)).await?;

        let state = stream.get_ref().1;
        let mut summary = Summary { sni, ..Summary::read(state) };
        let is_13 = state.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        summary.binding = Binding::of(state, chosen.choice.get().and_then(|(key, _)| key.cert.first()));
        if let Some((key, scheme)) = chosen.choice.get().filter(|_| is_13) {
            let ours = key.cert.first().map(|der| Certificate::read(der, self.0.digest));
            summary.server_signature = ours.map(|certificate| certificate.key);
            summary.server_digest = scheme.and_then(digest_name);
        }
        if let Some(chain) = state.peer_certificates().filter(|chain| !chain.is_empty()) {
            let certificate = Certificate::read(&chain[0], self.0.digest);
            let Shared { roots, provider, .. } = &*self.0;
            (summary.trust, summary.why_untrusted) =
                trust(chain, &certificate, Role::Client, roots, provider, clock::wall());
            if is_13 {
                summary.client_signature = recorder.scheme.get().map(|_| certificate.key.clone());
                summary.client_digest = recorder.scheme.get().copied().and_then(digest_name);
            }
            summary.peer = Some(certificate);
        }
        Ok((Stream::Tls(Box::new(stream.into())), summary))
    }

    fn config(&self, chosen: Arc<Chosen>, recorder: Arc<Recorder>) -> Result<ServerConfig, HandshakeError> {
        let builder = ServerConfig::builder_with_provider(self.0.provider.clone())
            .with_protocol_versions(&self.0.versions)
            .map_err(|error| HandshakeError::Failed(error.to_string()))?;
        let builder = if self.0.settings.asks() {
            builder.with_client_cert_verifier(recorder)
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_cert_resolver(chosen);
        config.ignore_client_order = self.0.settings.prefer_server_ciphers;
        // Sessions live in tickets that only this service can read: nothing is kept for a client that never returns.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = self.0.tickets.clone();
        config.send_tls13_tickets = 1;
        Ok(config)
    }

    /// The keys for a server name, or the usual ones.
    async fn keys_for(&self, sni: Option<&str>) -> Result<Arc<Keys>, Trouble> {
        if let (Some(name), Some(lookup)) = (sni, &self.0.sni) {
            // The name, then `.parent` of every parent.
            let parents = name.match_indices('.').map(|(at, _)| &name[at..]);
            for key in std::iter::once(name).chain(parents) {
                if let Some(pem) = lookup.find(key).await? {
                    return self.chains(pem, key);
                }
            }
        }
        Ok(self.usual_keys())
    }

    fn chains(&self, pem: Vec<u8>, name: &str) -> Result<Arc<Keys>, Trouble> {
        let mut known = self.0.chains.lock().expect("nobody panics while holding it");
        if let Some(keys) = known.get(&pem) {
            return Ok(keys.clone());
        }
        let keys = Arc::new(chains(&pem, &format!("tls_server_sni_maps: {name}"))?);
        if known.len() >= MOST_CHAINS {
            known.clear();
        }
        known.insert(pem, keys.clone());
        Ok(keys)
    }

    /// The keys of the files, read again when they were renewed. A bad renewal leaves the old ones.
    fn usual_keys(&self) -> Arc<Keys> {
        let mut loaded = self.0.keys.lock().expect("nobody panics while holding it");
        let now = clock::now();
        if now.duration_since(loaded.looked) >= LOOK_AGAIN {
            loaded.looked = now;
            let written = self.0.settings.keys.written();
            if written != loaded.written {
                match self.0.settings.keys.load() {
                    Ok(keys) => {
                        loaded.keys = Arc::new(keys);
                        loaded.written = written;
                    }
                    Err(trouble) => log::warn!(target: "smtpd", "keeping the old certificate: {trouble}"),
                }
            }
        }
        loaded.keys.clone()
    }
}

/// A client that speaks in clear gets no alert in reply, which it could not read: the connection just ends.
async fn speaks_tls(tcp: &TcpStream) -> Result<(), HandshakeError> {
    let mut first = [0];
    match tcp.peek(&mut first).await? {
        0 => Err(HandshakeError::Lost),
        _ if first[0] == HANDSHAKE_RECORD => Ok(()),
        _ => {
            // What was read leaves with the connection; what was not would make the system reset it.
            let _ = tcp.try_read(&mut [0; 4096]);
            Err(HandshakeError::Failed("wrong version number".to_owned()))
        }
    }
}

/// Picks the key that fits the client best, and remembers what it signs with.
#[derive(Debug)]
struct Chosen {
    keys: Arc<Keys>,
    choice: OnceLock<(Arc<CertifiedKey>, Option<SignatureScheme>)>,
}

impl ResolvesServerCert for Chosen {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let offered = hello.signature_schemes();
        let fits = |scheme: &SignatureScheme| {
            self.keys.iter().find(|key| key.key.choose_scheme(std::slice::from_ref(scheme)).is_some())
        };
        // The client's order of preference decides, as in OpenSSL.
        let key = offered.iter().find_map(fits).or(self.keys.first())?;
        let scheme = key.key.choose_scheme(offered).map(|signer| signer.scheme());
        self.choice.get_or_init(|| (key.clone(), scheme));
        Some(key.clone())
    }
}
