//! Whom we trust: `*_tls_CAfile`, `*_tls_CApath`, `tls_append_default_CA`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use mail::Trouble;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Files of a CApath that are read at most.
const MOST_FILES: usize = 5_000;

/// How a public key without a certificate begins.
const KEY: &[u8] = b"-----BEGIN PUBLIC KEY";

/// Authorities, and the certificates themselves: one that is listed is trusted whoever signed it.
#[derive(Debug)]
pub(super) struct Roots {
    pub store: RootCertStore,
    listed: HashSet<Vec<u8>>,
}

impl Roots {
    /// Nobody is trusted.
    pub(super) fn none() -> Roots {
        Roots { store: RootCertStore::empty(), listed: HashSet::new() }
    }

    /// Loads the authorities. A CApath that cannot be read is passed over, as OpenSSL does; a CAfile is not.
    pub(super) fn load(
        ca_file: Option<&Path>,
        ca_path: Option<&Path>,
        default: bool,
    ) -> Result<Roots, Trouble> {
        let mut roots = Roots::none();
        if let Some(file) = ca_file {
            let pem = std::fs::read(file)
                .map_err(|error| Trouble::from_error(format!("cannot read {}", file.display()), error))?;
            roots.add_pem(&pem);
            if roots.listed.is_empty() {
                return Err(Trouble::new(format!("{}: no certificate", file.display())));
            }
        }
        if let Some(entries) = ca_path.and_then(|path| std::fs::read_dir(path).ok()) {
            for entry in entries.flatten().take(MOST_FILES) {
                roots.add_pem(&std::fs::read(entry.path()).unwrap_or_default());
            }
        }
        if default {
            for der in rustls_native_certs::load_native_certs().certs {
                roots.add(der);
            }
        }
        Ok(roots)
    }

    /// Only what these files hold (`smtp_tls_trust_anchor_file`).
    pub(super) fn anchors(files: &[PathBuf]) -> Result<Roots, Trouble> {
        let mut roots = Roots::none();
        for file in files {
            let pem = std::fs::read(file)
                .map_err(|error| Trouble::from_error(format!("cannot read {}", file.display()), error))?;
            let before = roots.listed.len();
            roots.add_pem(&pem);
            if pem.windows(KEY.len()).any(|part| part == KEY) {
                let what = "bare public keys are no trust anchors here: put the certificate in their place";
                return Err(Trouble::new(format!("{}: {what}", file.display())));
            }
            if roots.listed.len() == before {
                return Err(Trouble::new(format!("{}: no certificate", file.display())));
            }
        }
        Ok(roots)
    }

    pub(super) fn lists(&self, der: &CertificateDer<'_>) -> bool {
        self.listed.contains(der.as_ref())
    }

    fn add_pem(&mut self, pem: &[u8]) {
        for der in CertificateDer::pem_slice_iter(pem).flatten() {
            self.add(der);
        }
    }

    pub(super) fn add(&mut self, der: CertificateDer<'static>) {
        self.listed.insert(der.to_vec());
        // What cannot be an authority may still be listed.
        let _ = self.store.add(der);
    }
}
