//! Who we are: certificate chains and private keys from PEM files, and from new files when they are renewed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use mail::Trouble;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use rustls::sign::CertifiedKey;

/// Certificate and key files, in Postfix's ways.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeyFiles {
    /// `*_tls_chain_files`: in each file a key and its chain, or several; when set, `pairs` do not count.
    pub chain_files: Vec<PathBuf>,
    /// `*_tls_cert_file` with `*_tls_key_file`, and `*_eccert_file` with `*_eckey_file`.
    pub pairs: Vec<(PathBuf, PathBuf)>,
}

pub(super) type Keys = Vec<Arc<CertifiedKey>>;

impl KeyFiles {
    /// Is there anything to load?
    pub fn is_empty(&self) -> bool {
        self.chain_files.is_empty() && self.pairs.is_empty()
    }

    pub(super) fn load(&self) -> Result<Keys, Trouble> {
        let mut keys = Vec::new();
        if self.chain_files.is_empty() {
            for (cert, key) in &self.pairs {
                keys.push(pair(cert, key)?);
            }
        }
        for file in &self.chain_files {
            keys.extend(chains(&read(file)?, &file.display().to_string())?);
        }
        Ok(keys)
    }

    /// When each file was last written: another answer than before means that they were renewed.
    pub(super) fn written(&self) -> Vec<Option<SystemTime>> {
        let pairs = self.pairs.iter().flat_map(|(cert, key)| [cert, key]);
        let files = self.chain_files.iter().chain(pairs);
        files.map(|file| std::fs::metadata(file).and_then(|meta| meta.modified()).ok()).collect()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    conf::secrets::read(path)
        .map_err(|error| Trouble::from_error(format!("cannot read {}", path.display()), error))
}

fn pair(cert: &Path, key: &Path) -> Result<Arc<CertifiedKey>, Trouble> {
    let place = cert.display().to_string();
    let chain = sections(&read(cert)?, &place)?.into_iter().filter_map(|section| match section {
        Section::Certificate(der) => Some(der),
        Section::Key(_) => None,
    });
    let chain: Vec<_> = chain.collect();
    let key_place = key.display().to_string();
    let keys = sections(&read(key)?, &key_place)?.into_iter().find_map(|section| match section {
        Section::Key(der) => Some(der),
        Section::Certificate(_) => None,
    });
    let key = keys.ok_or_else(|| {
        Trouble::new(format!("{key_place}: no private key that can be used without a password"))
    })?;
    certified(chain, &key, &place)
}

/// Key and chain, key and chain, … in the order of `tls_server_sni_maps` and `*_chain_files`: the key comes first.
pub(super) fn chains(pem: &[u8], place: &str) -> Result<Keys, Trouble> {
    let mut found: Vec<(PrivateKeyDer<'static>, Vec<CertificateDer<'static>>)> = Vec::new();
    for section in sections(pem, place)? {
        match (section, found.last_mut()) {
            (Section::Key(key), _) => found.push((key, Vec::new())),
            (Section::Certificate(der), Some((_, chain))) => chain.push(der),
            (Section::Certificate(_), None) => {
                return Err(Trouble::new(format!(
                    "{place}: the private key must come before its certificates"
                )));
            }
        }
    }
    if found.is_empty() {
        return Err(Trouble::new(format!("{place}: no private key that can be used without a password")));
    }
    found.into_iter().map(|(key, chain)| certified(chain, &key, place)).collect()
}

enum Section {
    Certificate(CertificateDer<'static>),
    Key(PrivateKeyDer<'static>),
}

fn sections(pem: &[u8], place: &str) -> Result<Vec<Section>, Trouble> {
    let mut found = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        let (kind, der) = section.map_err(|error| Trouble::new(format!("{place}: bad PEM: {error}")))?;
        found.push(match kind {
            SectionKind::Certificate => Section::Certificate(der.into()),
            SectionKind::RsaPrivateKey => Section::Key(PrivatePkcs1KeyDer::from(der).into()),
            SectionKind::PrivateKey => Section::Key(PrivatePkcs8KeyDer::from(der).into()),
            SectionKind::EcPrivateKey => Section::Key(PrivateSec1KeyDer::from(der).into()),
            _ => continue,
        });
    }
    Ok(found)
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'static>,
    place: &str,
) -> Result<Arc<CertifiedKey>, Trouble> {
    if chain.is_empty() {
        return Err(Trouble::new(format!("{place}: no certificate")));
    }
    let bad = |error: rustls::Error| Trouble::new(format!("{place}: {error}"));
    let certified = CertifiedKey::new(chain, any_supported_type(key).map_err(bad)?);
    match certified.keys_match() {
        // Some keys cannot say what their public half is; the handshake would show.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(Arc::new(certified))
        }
        Err(_) => Err(Trouble::new(format!("{place}: the private key does not belong to the certificate"))),
    }
}
