//! The client's side of TLS, and certificates for servers.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

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
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    let key = || KeyPair::generate().expect("a key can be made");
    let mut authority = CertificateParams::new(Vec::new()).expect("no name is no bad name");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "an authority for tests");
    let authority_key = key();
    let root = authority.self_signed(&authority_key).expect("it is complete");
    let issuer = Issuer::new(authority, authority_key);
    let server_key = key();
    let server = CertificateParams::new(vec![name.to_owned()]).expect("a good name");
    let server = server.signed_by(&server_key, &issuer).expect("it is complete");
    (root.pem(), format!("{}{}", server_key.serialize_pem(), server.pem()))
}
