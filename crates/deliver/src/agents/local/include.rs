//! `:include:/file` in a list.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mail::Class;

use super::user;
use super::walk::{At, List, Step, Walk};
use crate::hand::{self, What};
use crate::privilege::{Acting, Rights};

/// Most bytes that are read of a file of addresses.
const LARGEST: u64 = 64 << 20;

impl Walk<'_> {
    /// Delivers to everything in a file.
    pub async fn include(&mut self, at: &At, path: &str) {
        let uid = at.account.as_ref().map_or(0, |account| account.rights.uid);
        if self.been_here(format!("include {uid} {path}")) {
            return;
        }
        let shown = mail::logline::printable(path);
        if !path.starts_with('/') {
            log::warn!(target: &self.rules.program, ":include:{shown} uses a relative path");
            return self.misconfigured(at, Class::Never);
        }
        let reader = at.account.as_ref().map(|account| account.rights).filter(|rights| rights.uid != 0);
        let file = PathBuf::from(path);
        let read = self.rules.crew.run(move || read_as(&file, reader)).await;
        let (text, owner) = match read.unwrap_or_else(|| Err("the reader died".to_owned())) {
            Ok(read) => read,
            Err(why) => {
                log::warn!(target: &self.rules.program, ":include: file {shown}: {why}");
                return self.misconfigured(at, Class::Never);
            }
        };
        let mut inner = at.clone();
        inner.list = List::Include;
        inner.expanded_from = Some(at.local.clone());
        if reader.is_none() && owner != 0 && crate::privilege::serves_others() {
            // Whoever may write the file must not gain the rights of default_privs.
            match user::by_id(self.rules, owner).await {
                Ok(Some(account)) => inner.account = Some(account),
                Ok(None) => {
                    log::warn!(target: &self.rules.program, "{shown}: cannot find :include: file owner username");
                    return self.misconfigured(at, Class::Later);
                }
                Err(refusal) => return self.settle(at, refusal),
            }
        }
        if inner.owner.is_none() {
            inner.owner = Some(at.recipient.address.as_str().to_owned());
        }
        if !self.rules.propagates("include") {
            inner.unmatched = None;
        }
        self.todo.push(Step::Lines(Arc::new(inner), text, 0));
    }
}

/// Reads a file with the rights there are, and has it read where these do not suffice.
fn read_as(path: &Path, reader: Option<Rights>) -> Result<(Vec<u8>, u32), String> {
    let Some(hand) = hand::hired() else { return read_list(path, reader) };
    read_list(path, None)
        .or_else(|_| hand.read(reader.unwrap_or(Rights { uid: 0, gid: 0 }), path, What::Include))
}

/// Reads a file as somebody. Links are fine, special files and files that everybody may write are not.
pub(crate) fn read_list(path: &Path, reader: Option<Rights>) -> Result<(Vec<u8>, u32), String> {
    let reason = |error: io::Error| crate::mailbox::reason(&error);
    let _acting = match reader {
        Some(rights) => Acting::as_user(rights).map_err(reason)?,
        None => Acting::as_ourselves(),
    };
    let meta = std::fs::metadata(path).map_err(|error| format!("unable to lookup: {}", reason(error)))?;
    if !meta.is_file() {
        return Err("is not a regular file".to_owned());
    }
    if meta.mode() & 0o002 != 0 {
        return Err("is world writable".to_owned());
    }
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| format!("cannot open: {}", reason(error)))?;
    file.take(LARGEST).read_to_end(&mut text).map_err(|error| format!("cannot read: {}", reason(error)))?;
    Ok((text, meta.uid()))
}
