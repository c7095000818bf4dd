//! The client's side of TLS, certificates for servers, and a web server.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::{Address, wait};

/// A TLS connection, as a client has it.
pub type Secured = StreamOwned<ClientConnection, TcpStream>;

/// Shakes hands as a client that trusts only the authorities in `authority`, and expects `name`.
///
/// # Errors
/// The server's certificate is not what was expected, or the connection broke.
pub fn connect(mut socket: TcpStream, authority: &Path, name: &str) -> io::Result<Secured> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_reader_iter(File::open(authority)?) {
        let certificate = certificate.map_err(io::Error::other)?;
        roots.add(certificate).map_err(io::Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(connection, socket))
}

/// Makes a certificate for `name` and an authority that vouches for it: the authority's certificate, and the server's
/// key and chain, both as PEM.
pub fn certificate(name: &str) -> (String, String) {
    certificate_of(&[name])
}

/// The same for several names.
pub fn certificate_of(names: &[&str]) -> (String, String) {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    let key = || KeyPair::generate().expect("a key can be made");
    let mut authority = CertificateParams::new(Vec::new()).expect("no name is no bad name");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "an authority for tests");
    let authority_key = key();
    let root = authority.self_signed(&authority_key).expect("it is complete");
    let issuer = Issuer::new(authority, authority_key);
    let server_key = key();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let server = CertificateParams::new(names).expect("good names");
    let server = server.signed_by(&server_key, &issuer).expect("it is complete");
    (root.pem(), format!("{}{}", server_key.serialize_pem(), server.pem()))
}

/// A web server with pages under their addresses, `host/path`; whatever else is asked for is not there.
pub struct Pages(Arc<Mutex<HashMap<String, String>>>);

impl Pages {
    /// Serves pages at this address with key and chain, as [`certificate_of`] gives them, until the test ends.
    pub fn serve(at: Address, chain: &str) -> Pages {
        let key = PrivateKeyDer::from_pem_slice(chain.as_bytes()).expect("a key comes first");
        let certificates: Result<_, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(certificates.expect("a chain"), key)
            .expect("they belong together");
        let (config, pages) = (Arc::new(config), Arc::new(Mutex::new(HashMap::new())));
        let listener = TcpListener::bind(at).expect("the address is free");
        let served = pages.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (config, pages) = (config.clone(), served.clone());
                // Who breaks off gets no page.
                std::thread::spawn(move || drop(page(socket, config, &pages)));
            }
        });
        Pages(pages)
    }

    /// Puts a page there, or takes it away.
    pub fn put(&self, address: &str, text: Option<&str>) {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match text {
            Some(text) => drop(pages.insert(address.to_owned(), text.to_owned())),
            None => drop(pages.remove(address)),
        }
    }
}

fn page(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    pages: &Mutex<HashMap<String, String>>,
) -> io::Result<()> {
    socket.set_read_timeout(Some(wait::LIMIT))?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, socket));
    let (mut path, mut host) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        match line.trim_end().split_once(' ') {
            Some(("GET", rest)) => path = rest.split(' ').next().unwrap_or_default().to_owned(),
            Some((name, value)) if name.eq_ignore_ascii_case("host:") => host = value.to_owned(),
            Some(_) => {}
            None => break,
        }
    }
    let found = pages.lock().unwrap_or_else(PoisonError::into_inner).get(&format!("{host}{path}")).cloned();
    let (status, body) = found.map_or(("404 Not Found", String::new()), |text| ("200 OK", text));
    let length = body.len();
    let stream = stream.get_mut();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    stream.conn.send_close_notify();
    stream.flush()
}
