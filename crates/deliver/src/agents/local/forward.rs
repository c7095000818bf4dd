//! `.forward` files: `forward_path`.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mail::addresses::{mailboxes, parse};

use super::expand::{Values, expand};
use super::user;
use super::walk::{At, List, Step, Walk};
use crate::Purpose;
use crate::hand::{self, What};
use crate::privilege::{Acting, Rights};

/// Most bytes that are read of a `.forward` file.
const LARGEST: u64 = 1 << 20;

impl Walk<'_> {
    /// Delivers by the user's `.forward` file. False when there is none, or it lists nobody.
    pub async fn forward_file(&mut self, at: &At) -> bool {
        let account = match user::by_name(self.rules, &at.user).await {
            Ok(Some(account)) => account,
            Ok(None) => return false,
            Err(refusal) => {
                self.settle(at, refusal);
                return true;
            }
        };
        let mut inner = at.clone();
        inner.list = List::Forward;
        inner.expanded_from = Some(at.user.clone());
        inner.owner = Some(at.user.clone());
        inner.account = Some(account.clone());
        if !self.rules.params.frozen_delivered_to {
            inner.delivered = Some(at.recipient.address.clone());
        }
        let Some((path, by_extension)) = self.find(at, &account).await else { return false };
        if by_extension || !self.rules.propagates("forward") {
            inner.unmatched = None;
        }
        let shown = path.display().to_string();
        if self.request.purpose == Purpose::Verify {
            self.sent(at, format!("forward via file: {shown}"));
            return true;
        }
        if self.been_here(format!("forward {shown}")) {
            // Within its own expansion the user means the mailbox.
            return self.has_been(&format!("forward-done {shown}"));
        }
        let rights = account.rights;
        let text = match self.rules.crew.run(move || read_as(&path, rights)).await {
            Some(Ok((text, _))) => text,
            Some(Err(why)) => {
                log::warn!(target: &self.rules.program, "file {} {why}", mail::logline::printable(&shown));
                return false;
            }
            None => return false,
        };
        let lists_somebody = text
            .split(|byte| *byte == b'\n')
            .any(|line| !line.starts_with(b"#") && mailboxes(&parse(line, 0)).next().is_some());
        if lists_somebody {
            self.expanded(at, &mut inner, false);
            self.todo.push(Step::ForwardDone(shown));
            self.todo.push(Step::Lines(Arc::new(inner), text, 0));
        }
        lists_somebody
    }

    /// The first path of `forward_path` where something is, and whether the extension is in its name.
    async fn find(&self, at: &At, account: &user::Account) -> Option<(PathBuf, bool)> {
        let params = &self.rules.params;
        let values = Values::new(at, Some(account), &self.rules.delimiter);
        let words = params.forward_path.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty());
        let candidates: Vec<(PathBuf, bool)> = words
            .filter_map(|word| expand(word, &values, Some(&params.forward_expansion_filter)).complete())
            .map(|(path, by_extension)| (PathBuf::from(path), by_extension))
            .collect();
        let rights = account.rights;
        let look = move || {
            if let Some(hand) = hand::hired() {
                let files: Vec<PathBuf> = candidates.iter().map(|(path, _)| path.clone()).collect();
                return hand.find(rights, &files).ok()?.and_then(|index| candidates.into_iter().nth(index));
            }
            let _acting = may_read(rights)?;
            candidates.into_iter().find(|(path, _)| std::fs::symlink_metadata(path).is_ok())
        };
        self.rules.crew.run(look).await.flatten()
    }
}

/// Root's own file is read with our own rights; everybody else's as its user.
fn may_read(rights: Rights) -> Option<Acting> {
    if rights.uid == 0 { Some(Acting::as_ourselves()) } else { Acting::as_user(rights).ok() }
}

fn read_as(path: &Path, rights: Rights) -> Result<(Vec<u8>, u32), String> {
    hand::hired().map_or_else(|| read(path, rights), |hand| hand.read(rights, path, What::Forward))
}

/// The text of a file and its owner, or why it is not to be used.
pub(crate) fn read(path: &Path, rights: Rights) -> Result<(Vec<u8>, u32), String> {
    let failed = |what: &'static str| {
        move |error: std::io::Error| format!("{what}: {}", crate::mailbox::reason(&error))
    };
    let Some(_acting) = may_read(rights) else { return Err("cannot be read".to_owned()) };
    let meta = std::fs::symlink_metadata(path).map_err(failed("cannot be looked up"))?;
    if !meta.is_file() {
        return Err("is not a regular file".to_owned());
    }
    if meta.uid() != 0 && meta.uid() != rights.uid {
        return Err(format!("has bad owner uid {}", meta.uid()));
    }
    if meta.mode() & 0o002 != 0 {
        return Err("is world writable".to_owned());
    }
    let mut text = Vec::new();
    let file = File::open(path).map_err(failed("cannot be opened"))?;
    file.take(LARGEST).read_to_end(&mut text).map_err(failed("cannot be opened"))?;
    Ok((text, meta.uid()))
}
