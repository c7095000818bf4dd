//! What a configuration says of SRS.

use std::path::PathBuf;

use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key};
use conf::{Block, Mistake, Severity, View};

use super::{DAYS, Srs};
use crate::params;

impl Srs {
    /// Reads the parameters and the file of secrets. `None`: senders stay as they are.
    pub fn read(view: &View, mistakes: &mut Vec<Mistake>) -> Option<Srs> {
        let read = params::Srs::read(view, mistakes);
        let domain = read.srs_domain.trim();
        if domain.is_empty() {
            return None;
        }
        let mut wrong = |parameter: &str, text: String| {
            let place = view.place(parameter);
            let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
            let text = format!("{parameter}: {text}; no sender is rewritten");
            mistakes.push(Mistake::new(Severity::Error, place, text));
        };
        let file = &read.srs_secret_file;
        if file.as_os_str().is_empty() {
            wrong("srs_domain", "srs_secret_file must name a file of secrets, one a line".to_owned());
            return None;
        }
        let bytes = match conf::secrets::read(file) {
            Ok(bytes) => bytes,
            Err(error) => {
                wrong("srs_secret_file", format!("{}: {error}", file.display()));
                return None;
            }
        };
        let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let secrets: Vec<Key> = lines
            .filter(|line| !line.is_empty())
            .map(|line| Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, line))
            .collect();
        if secrets.is_empty() {
            wrong("srs_secret_file", format!("{} has no secret", file.display()));
            return None;
        }
        let days = i64::try_from(read.srs_lifetime.as_secs().div_ceil(86_400)).unwrap_or(i64::MAX);
        Some(Srs {
            domain: domain.to_ascii_lowercase(),
            secrets,
            separator: read.srs_separator.chars().next().unwrap_or('='),
            length: usize::try_from(read.srs_hash_length).unwrap_or(4),
            lifetime: days.clamp(1, DAYS - 1),
            excluded: read.srs_exclude_domains.iter().map(|one| one.to_ascii_lowercase()).collect(),
            always: read.srs_scope == "foreign",
        })
    }
}

/// The file that holds the secrets, where one is named.
pub(crate) fn secret_file(view: &View) -> Option<PathBuf> {
    let file = params::Srs::read(view, &mut Vec::new()).srs_secret_file;
    (!file.as_os_str().is_empty()).then_some(file)
}
