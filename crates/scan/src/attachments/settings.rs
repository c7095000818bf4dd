//! What a configuration says of attached files.

use std::path::PathBuf;

use conf::{Block, Mistake, Severity, View};
use mail::Trouble;
use tables::{Maps, Tables};

use super::{Budget, File};
use crate::params::AttachedFiles;

/// What becomes of a message whose files cost more than the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLimit {
    /// It is refused.
    Reject,
    /// It is refused for now.
    TempFail,
    /// It is held.
    Quarantine,
    /// It passes, as far as this goes.
    Accept,
}

/// What a table says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is refused, with this text for the sender.
    Reject(String),
    /// It is held.
    Hold(String),
    /// It is taken and forgotten.
    Discard(String),
}

/// All that one configuration says of attached files.
pub struct Attachments {
    /// How much is looked at.
    pub budget: Budget,
    /// What becomes of what costs more.
    pub on_limit: OnLimit,
    maps: Maps,
}

impl Attachments {
    /// Reads the parameters. `None`: nothing is looked for.
    pub fn read(view: &View, tables: &Tables, mistakes: &mut Vec<Mistake>) -> Option<Attachments> {
        let read = AttachedFiles::read(view, mistakes);
        if read.attachment_checks.trim().is_empty() {
            return None;
        }
        let maps = match tables.maps("attachment_checks", &read.attachment_checks) {
            Ok(maps) => maps,
            Err(fault) => {
                let place = view.place("attachment_checks");
                let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
                mistakes.push(Mistake::new(Severity::Error, place, format!("{fault}; no file is looked at")));
                return None;
            }
        };
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Some(Attachments {
            budget: Budget {
                unpack: read.attachment_unpack_limit,
                files: size(read.attachment_files_limit.unsigned_abs()),
                depth: size(read.attachment_depth_limit.unsigned_abs()),
                aside: PathBuf::from(view.get("data_directory")),
            },
            on_limit: match read.attachment_limit_action.as_str() {
                "reject" => OnLimit::Reject,
                "tempfail" => OnLimit::TempFail,
                "accept" => OnLimit::Accept,
                _ => OnLimit::Quarantine,
            },
            maps,
        })
    }

    /// What the tables say of a file; the first key that is found decides.
    ///
    /// # Errors
    /// A table failed.
    pub async fn decide(&self, file: &File) -> Result<Option<Decision>, Trouble> {
        let extension = file.name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let state = file.state.map_or("", super::State::name);
        let keys = [
            ("name", file.name.as_str()),
            ("extension", extension),
            ("type", &file.media),
            ("magic", file.magic),
            ("state", state),
        ];
        for (kind, text) in keys {
            if text.is_empty() {
                continue;
            }
            let Some(found) = self.maps.find(&format!("{kind}:{text}")).await? else { continue };
            let value = found.value.trim();
            let (word, rest) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
            let text = match rest.trim() {
                "" => format!("attached file not accepted: {}", file.path),
                text => text.to_owned(),
            };
            match word.to_ascii_uppercase().as_str() {
                "REJECT" => return Ok(Some(Decision::Reject(text))),
                "HOLD" => return Ok(Some(Decision::Hold(text))),
                "DISCARD" => return Ok(Some(Decision::Discard(text))),
                "OK" => return Ok(None),
                "DUNNO" => {}
                _ => {
                    let (table, value) = (&found.table, mail::logline::printable(value));
                    log::warn!(
                        target: "cleanup",
                        "{table}: \"{value}\" is none of REJECT, HOLD, DISCARD, OK, DUNNO; it is passed over"
                    );
                }
            }
        }
        Ok(None)
    }
}
