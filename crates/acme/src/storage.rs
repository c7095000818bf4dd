//! The files: certificate, account key, and answers that wait for the authority.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mail::Trouble;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What the certificate in the file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none that can be read.
    Missing,
    /// Our own, until an authority gives one.
    SelfSigned,
    /// An authority's.
    Issued {
        /// The names it is for, sorted.
        names: Vec<String>,
        /// From when.
        from: SystemTime,
        /// Until when.
        until: SystemTime,
    },
}

impl Standing {
    /// Is a new one to be asked for?
    pub fn is_due(&self, domains: &[String], renew_before: Duration, now: SystemTime) -> bool {
        let Standing::Issued { names, from, until } = self else { return true };
        let lasts = until.duration_since(*from).unwrap_or_default();
        let left = until.duration_since(now).unwrap_or_default();
        left < renew_before.min(lasts / 3) || domains.iter().any(|domain| !names.contains(domain))
    }
}

/// Rights of files that all who show the certificate read, by their group.
const SHARED: u32 = 0o640;

/// The folder.
#[derive(Clone, Debug)]
pub struct Storage(PathBuf);

impl Storage {
    /// What lies in this folder.
    pub fn new(folder: &Path) -> Storage {
        Storage(folder.to_owned())
    }

    /// The file with key and chain.
    pub fn chain(&self) -> PathBuf {
        self.0.join("chain.pem")
    }

    /// Makes the folder, and a self-signed certificate where none is. Made by root, everything belongs to `owner`: a
    /// user, and the group of those who may read.
    ///
    /// # Errors
    /// The file and why.
    pub fn prepare(&self, domains: &[String], owner: Option<(u32, u32)>) -> Result<(), Trouble> {
        let named = |path: &Path, error: io::Error| Trouble::from_error(path.display().to_string(), error);
        if !self.0.exists() {
            // New files get the group of their folder.
            let mode = if owner.is_some() { 0o2750 } else { 0o700 };
            fs::create_dir_all(&self.0).map_err(|error| named(&self.0, error))?;
            if let Some((uid, gid)) = owner {
                std::os::unix::fs::chown(&self.0, Some(uid), Some(gid))
                    .map_err(|error| named(&self.0, error))?;
            }
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            fs::set_permissions(&self.0, mode).map_err(|error| named(&self.0, error))?;
        }
        if self.chain().exists() {
            return Ok(());
        }
        let pem =
            self_signed(domains).map_err(|error| Trouble::from_error("self-signed certificate", error))?;
        self.write("chain.pem", pem.as_bytes(), SHARED)
    }

    /// What the certificate there is.
    pub fn standing(&self) -> Standing {
        let Ok(pem) = fs::read(self.chain()) else { return Standing::Missing };
        let Some(Ok(der)) = CertificateDer::pem_slice_iter(&pem).next() else { return Standing::Missing };
        let Ok((_, certificate)) = X509Certificate::from_der(&der) else { return Standing::Missing };
        if certificate.subject() == certificate.issuer() {
            return Standing::SelfSigned;
        }
        let alternative = certificate.subject_alternative_name().ok().flatten();
        let names = alternative.iter().flat_map(|names| &names.value.general_names);
        let names = names.filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        let time = |seconds: i64| UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs());
        let validity = certificate.validity();
        Standing::Issued {
            names,
            from: time(validity.not_before.timestamp()),
            until: time(validity.not_after.timestamp()),
        }
    }

    /// The account's key; made where there is none.
    pub(crate) fn account(&self) -> Result<KeyPair, Trouble> {
        let path = self.0.join("account.pem");
        let bad = |error: rcgen::Error| Trouble::from_error(path.display().to_string(), error);
        match fs::read_to_string(&path) {
            Ok(pem) => KeyPair::from_pem(&pem).map_err(bad),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = KeyPair::generate().map_err(bad)?;
                self.write("account.pem", key.serialize_pem().as_bytes(), 0o600)?;
                Ok(key)
            }
            Err(error) => Err(Trouble::from_error(path.display().to_string(), error)),
        }
    }

    /// Puts key and chain in the place of the old ones.
    pub(crate) fn replace(&self, pem: &str) -> Result<(), Trouble> {
        self.write("chain.pem", pem.as_bytes(), SHARED)
    }

    /// An answer of this name, for whoever answers the authority.
    pub(crate) fn put_answer(&self, name: &str, content: &str) -> Result<(), Trouble> {
        self.write(&format!("answer-{name}"), content.as_bytes(), SHARED)
    }

    /// Takes it away.
    pub(crate) fn remove_answer(&self, name: &str) {
        // One that stays does no harm: it answers a question that is over.
        let _ = fs::remove_file(self.0.join(format!("answer-{name}")));
    }

    /// The answer of this name, if it can be one.
    pub(crate) fn answer(&self, name: &str) -> Option<String> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > 255 || !name.bytes().all(good) {
            return None;
        }
        fs::read_to_string(self.0.join(format!("answer-{name}"))).ok()
    }

    /// Whole or not at all.
    fn write(&self, name: &str, content: &[u8], mode: u32) -> Result<(), Trouble> {
        let (path, new) = (self.0.join(name), self.0.join(format!(".{name}.{}", std::process::id())));
        let written = || -> io::Result<()> {
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(mode).open(&new)?;
            file.write_all(content)?;
            if nix::unistd::geteuid().is_root() {
                let folder = fs::metadata(&self.0)?;
                std::os::unix::fs::fchown(&file, Some(folder.uid()), Some(folder.gid()))?;
            }
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        written().map_err(|error| Trouble::from_error(path.display().to_string(), error))
    }
}

/// Key and certificate for these names.
fn self_signed(domains: &[String]) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::new(domains)?;
    if let Some(name) = domains.first() {
        params.distinguished_name.push(DnType::CommonName, name.as_str());
    }
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(format!("{}{}", key.serialize_pem(), certificate.pem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_there_from_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::new(&folder.path().join("acme"));
        assert_eq!(storage.standing(), Standing::Missing);
        let domains = ["a.test".to_owned(), "b.test".to_owned()];
        storage.prepare(&domains, None).unwrap();
        assert_eq!(storage.standing(), Standing::SelfSigned);
        let first = fs::read(storage.chain()).unwrap();
        storage.prepare(&domains, None).unwrap();
        assert_eq!(fs::read(storage.chain()).unwrap(), first, "what is there stays");
        assert_eq!(storage.account().unwrap().serialize_pem(), storage.account().unwrap().serialize_pem());
        storage.put_answer("abc_-1", "x").unwrap();
        assert_eq!(storage.answer("abc_-1").as_deref(), Some("x"));
        for name in ["", "../chain.pem", "a/b", "abc_-1\0"] {
            assert_eq!(storage.answer(name), None, "{name}");
        }
        storage.remove_answer("abc_-1");
        assert_eq!(storage.answer("abc_-1"), None);
    }

    #[test]
    fn certificates_are_renewed_in_time() {
        let day = Duration::from_secs(86_400);
        let issued = |days: u32| Standing::Issued {
            names: vec!["a.test".to_owned(), "b.test".to_owned()],
            from: UNIX_EPOCH,
            until: UNIX_EPOCH + day * days,
        };
        let domains = ["b.test".to_owned()];
        let due = |days: u32, now: u32| issued(days).is_due(&domains, day * 30, UNIX_EPOCH + day * now);
        assert!(!due(90, 59) && due(90, 61));
        assert!(!due(6, 3) && due(6, 5), "a short one in its last third");
        assert!(due(90, 100));
        assert!(issued(90).is_due(&["c.test".to_owned()], day * 30, UNIX_EPOCH), "another name");
        assert!(Standing::SelfSigned.is_due(&domains, day, UNIX_EPOCH));
    }
}
