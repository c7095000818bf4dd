//! Asking an HTTP server one thing (RFC 9110, RFC 9112): keys and introspection of tokens, policies of domains.
//!
//! One request a connection, no redirects; what comes back is bounded in bytes and time.

mod response;

use std::io::{self, ErrorKind};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub use response::Response;

use crate::sql::Tls;
use crate::trust;

/// Where something is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    /// `https:`
    pub tls: bool,
    /// The host: a name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub target: String,
    /// User and password, which are sent as `Authorization: Basic`.
    pub user: Option<String>,
}

impl Url {
    /// Reads `http://` and `https://`.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(text: &str) -> Result<Url, String> {
        // It may hold a password: what is wrong is said without it.
        let wrong = || "http://host/path or https://host/path is expected".to_owned();
        let (tls, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(wrong()),
        };
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(at);
        let target = target.split('#').next().unwrap_or_default();
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user.to_owned()), place),
            None => (None, authority),
        };
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_| wrong())?,
            None if tls => 443,
            None => 80,
        };
        let bad = |c: char| c.is_whitespace() || c.is_control();
        if host.is_empty() || host.contains(bad) || target.contains(bad) {
            return Err(wrong());
        }
        Ok(Url { tls, host: host.to_owned(), port, target, user })
    }
}

/// A question.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// `GET`, `POST`.
    pub method: &'a str,
    /// Where.
    pub url: &'a Url,
    /// Further header fields.
    pub headers: &'a [(&'a str, &'a str)],
    /// What is sent.
    pub body: &'a [u8],
}

/// How much is waited and read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For the whole exchange.
    pub time: Duration,
    /// Bytes of the answer, header and all.
    pub bytes: usize,
}

/// Connects and asks.
///
/// # Errors
/// Nobody is there, the certificate is not right, the answer is none, too long or too late.
pub async fn ask(request: &Request<'_>, tls: &Tls, limits: Limits) -> io::Result<Response> {
    let url = request.url;
    let exchange = async {
        let plain = TcpStream::connect((url.host.as_str(), url.port)).await?;
        plain.set_nodelay(true)?;
        if !url.tls {
            return exchange(plain, request, limits.bytes).await;
        }
        let config = trust::client_config(tls).map_err(io::Error::other)?;
        let name = ServerName::try_from(url.host.clone()).map_err(io::Error::other)?;
        let secured = tokio_rustls::TlsConnector::from(config).connect(name, plain).await?;
        exchange(secured, request, limits.bytes).await
    };
    timeout(limits.time, exchange).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

/// Asks over a connection that stands.
///
/// # Errors
/// The answer is none, or has more than `bytes` bytes.
pub async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &Request<'_>,
    bytes: usize,
) -> io::Result<Response> {
    stream.write_all(&request.encode()).await?;
    stream.flush().await?;
    let mut received = Vec::new();
    loop {
        let length = match stream.read_buf(&mut received).await {
            Ok(length) => length,
            // A server that ends TLS without saying so has said all it had to say, if that is whole.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(error),
        };
        let invalid = |what: &'static str| io::Error::new(ErrorKind::InvalidData, what);
        if received.len() > bytes {
            return Err(invalid("the answer is too long"));
        }
        match response::parse(&received, length == 0) {
            Ok(Some(response)) => return Ok(response),
            Ok(None) if length == 0 => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(None) => {}
            Err(what) => return Err(invalid(what)),
        }
    }
}

impl Request<'_> {
    fn encode(&self) -> Vec<u8> {
        let Url { host, port, tls, target, user } = self.url;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let default = if *tls { 443 } else { 80 };
        let host = if *port == default { host } else { format!("{host}:{port}") };
        let mut text = format!("{} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n", self.method);
        if let Some(user) = user {
            let coded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, user);
            text.push_str(&format!("Authorization: Basic {coded}\r\n"));
        }
        for (name, value) in self.headers {
            // Nobody adds a line through a value.
            let value: String = value.chars().filter(|c| !c.is_control()).collect();
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || self.method == "POST" {
            text.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        [text.as_bytes(), self.body].concat()
    }
}

/// A text as part of a query or form (`application/x-www-form-urlencoded`).
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let url = Url::parse("https://u:p@[::1]:8443/a?b#c").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.target.as_str()), ("::1", 8443, "/a?b"));
        assert_eq!(url.user.as_deref(), Some("u:p"));
        assert_eq!(Url::parse("http://h?x=1").unwrap().target, "/?x=1");
        for wrong in ["ftp://x", "http://", "http://h:99999/", "http://h\r\nX: y/", "h"] {
            assert!(Url::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(escape("a b&ü"), "a%20b%26%C3%BC");
    }

    #[tokio::test]
    async fn one_question_and_its_answer() {
        let url = Url::parse("http://u:p@host.test:81/x").unwrap();
        let request = Request { method: "POST", url: &url, headers: &[("X-Y", "1\r\n2")], body: b"b" };
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let server = tokio::spawn(async move {
            let mut asked = vec![0; 4096];
            let length = theirs.read(&mut asked).await.unwrap();
            theirs.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await.unwrap();
            // It stays open: the length says where the answer ends.
            let rest = theirs.read(&mut [0; 1]).await.unwrap();
            (String::from_utf8_lossy(&asked[..length]).into_owned(), rest)
        });
        let response = exchange(ours, &request, 1000).await.unwrap();
        assert_eq!((response.status, response.body.as_slice()), (200, &b"hi"[..]));
        let (asked, _) = server.await.unwrap();
        assert_eq!(
            asked,
            "POST /x HTTP/1.1\r\nHost: host.test:81\r\nConnection: close\r\nAuthorization: Basic dTpw\r\n\
             X-Y: 12\r\nContent-Length: 1\r\n\r\nb"
        );
        // An answer without end is none.
        let (ours, mut theirs) = tokio::io::duplex(4096);
        tokio::spawn(async move { while theirs.write_all(&[b'a'; 1000]).await.is_ok() {} });
        let endless = exchange(ours, &request, 10_000).await.unwrap_err();
        assert_eq!(endless.kind(), ErrorKind::InvalidData);
    }
}
