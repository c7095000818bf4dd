//! `acmed`: answers the authority's questions on port 80 (http-01) and on port 443 (tls-alpn-01), and nothing else.

use std::sync::Arc;
use std::time::Duration;

use net::{Accepted, Stream};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::LazyConfigAcceptor;

use crate::storage::Storage;

/// Nobody who asks needs longer.
const LIMIT: Duration = Duration::from_secs(10);

/// Longest request.
const REQUEST: usize = 8192;

/// RFC 8737 6.2.
const PROTOCOL: &[u8] = b"acme-tls/1";

/// First byte of a TLS handshake. RFC 8446 5.1.
const HANDSHAKE_RECORD: u8 = 22;

const PATH: &str = "/.well-known/acme-challenge/";

/// The service.
#[derive(Clone, Debug)]
pub struct Acmed(Storage);

impl Acmed {
    /// Answers out of this folder.
    pub fn new(storage: Storage) -> Acmed {
        Acmed(storage)
    }

    /// Answers one question.
    pub async fn session(&self, accepted: Accepted) {
        let Accepted { stream, place, .. } = accepted;
        // Who hangs up early has his reasons.
        let _ = tokio::time::timeout(LIMIT, self.answer(stream)).await;
        drop(place);
    }

    async fn answer(&self, stream: Stream) -> std::io::Result<()> {
        let mut first = [0];
        let encrypted = match stream.tcp() {
            Some(tcp) => tcp.peek(&mut first).await? == 1 && first[0] == HANDSHAKE_RECORD,
            None => false,
        };
        if encrypted { self.shake_hands(stream).await } else { self.page(stream).await }
    }

    async fn page(&self, mut stream: Stream) -> std::io::Result<()> {
        let mut request = Vec::new();
        while !request.windows(4).any(|four| four == b"\r\n\r\n") {
            if request.len() > REQUEST || stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        let line = String::from_utf8_lossy(&request);
        let mut words = line.lines().next().unwrap_or_default().split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        // What tls-alpn-01 shows has a key in it: its name has dots, which no token has.
        let token = path.strip_prefix(PATH).filter(|token| method == "GET" && !token.contains('.'));
        let (status, body) = match token.and_then(|token| self.0.answer(token)) {
            Some(body) => ("200 OK", body),
            None => ("404 Not Found", String::new()),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await?;
        stream.shutdown().await
    }

    async fn shake_hands(&self, stream: Stream) -> std::io::Result<()> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let hello = start.client_hello();
        let asks = hello.alpn().is_some_and(|mut offered| offered.any(|protocol| protocol == PROTOCOL));
        let name = hello.server_name().map(str::to_ascii_lowercase).filter(|name| asks && name.contains('.'));
        let Some(pem) = name.and_then(|name| self.0.answer(&name)) else { return Ok(()) };
        let config = config(&pem).map_err(std::io::Error::other)?;
        let mut stream = start.into_stream(Arc::new(config)).await?;
        stream.shutdown().await
    }
}

/// A certificate for whoever asks. It is not looked into: its critical extension is one that nobody else knows.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// Shows this certificate.
fn config(pem: &str) -> Result<ServerConfig, Box<dyn std::error::Error + Send + Sync>> {
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())?;
    let shown = Shown(Arc::new(CertifiedKey::new(chain, any_supported_type(&key)?)));
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}
