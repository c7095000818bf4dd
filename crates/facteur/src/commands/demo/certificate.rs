//! The demo's own certification authority, and a certificate of this host.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// Makes `ca.pem` (for clients) and `server.pem` (key and chain) unless they are there.
pub fn prepare(directory: &Path) -> Result<(), String> {
    if directory.join("server.pem").exists() && directory.join("ca.pem").exists() {
        return Ok(());
    }
    let (authority, server) = make().map_err(|error| format!("cannot make a certificate: {error}"))?;
    fs::write(directory.join("ca.pem"), authority)
        .map_err(|error| format!("{}: {error}", directory.display()))?;
    let path = directory.join("server.pem");
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    file.and_then(|mut file| file.write_all(server.as_bytes()))
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn make() -> Result<(String, String), rcgen::Error> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "Facteur demo authority");
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let names = ["mail.demo.test", "demo.test", "localhost", "127.0.0.1"].map(str::to_owned);
    let mut server = CertificateParams::new(names)?;
    server.distinguished_name.push(DnType::CommonName, "mail.demo.test");
    let server_key = KeyPair::generate()?;
    let certificate = server.signed_by(&server_key, &issuer)?;
    let chain = format!("{}{}{}", server_key.serialize_pem(), certificate.pem(), authority_certificate.pem());
    Ok((authority_certificate.pem(), chain))
}
