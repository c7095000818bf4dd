//! Getting all messages out, past whatever is damaged.

use std::path::Path;

use super::super::record::FILE_HEAD;
use super::super::scan::{self, Found};
use crate::{Account, Clock, Error, Flags, Result};

/// A message that was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Name of its mailbox, with `/` between the levels.
    pub mailbox: String,
    /// Its flags.
    pub flags: Flags,
    /// Its keywords.
    pub keywords: Vec<String>,
    /// INTERNALDATE, in seconds since 1970.
    pub received: i64,
    /// The message, with CRLF line ends.
    pub content: Vec<u8>,
}

/// Hands out every message that can be read; gives what could not. With the catalogue, messages are where they are now;
/// without it, every message is where it came to.
///
/// # Errors
/// When nothing can be read, or `each` fails.
pub fn export(
    root: &Path,
    clock: Clock,
    each: &mut dyn FnMut(Exported) -> Result<()>,
) -> Result<Vec<String>> {
    let account = super::account(root, clock)?;
    let folders = match account.folders() {
        Ok(folders) => folders,
        Err(error) => {
            let mut lost = vec![format!("{error}: going by the body files alone")];
            by_records(root, clock, each, &mut lost)?;
            return Ok(lost);
        }
    };
    let mut lost = Vec::new();
    for folder in folders.into_iter().filter(|folder| folder.selectable) {
        let mailbox = match account.open(&folder.name) {
            Ok(mailbox) => mailbox,
            Err(error) => {
                lost.push(format!("{}: {error}", folder.name));
                continue;
            }
        };
        let view = mailbox.view();
        for entry in view.iter() {
            match mailbox.body(entry.uid) {
                Err(Error::NoMessage) => {}
                Err(error) => lost.push(format!("{}: message {}: {error}", folder.name, entry.uid)),
                Ok(content) => each(Exported {
                    mailbox: folder.name.to_string(),
                    flags: entry.flags,
                    keywords: view.keyword_names(entry.keywords).map(str::to_owned).collect(),
                    received: entry.received,
                    content: content.to_vec(),
                })?,
            }
        }
    }
    Ok(lost)
}

fn by_records(
    root: &Path,
    clock: Clock,
    each: &mut dyn FnMut(Exported) -> Result<()>,
    lost: &mut Vec<String>,
) -> Result<()> {
    let account = super::account(root, clock)?;
    let mut numbers = account.bodies.numbers()?;
    numbers.push(account.bodies.tail()?.file.number);
    for number in numbers {
        let file = account.bodies.file(number)?;
        let end = file.len()?;
        let mut at = FILE_HEAD as u64;
        loop {
            match scan::find(&file, at, end)? {
                Found::End => break,
                Found::Damage { from, to } => {
                    lost.push(format!("{}: bytes {from} to {to}", file.path().display()));
                    at = to;
                }
                Found::Record(record) => {
                    at = record.next;
                    each(Exported {
                        mailbox: record.meta.mailbox,
                        flags: record.meta.flags,
                        keywords: record.meta.keywords,
                        received: record.meta.received,
                        content: record.content,
                    })?;
                }
            }
        }
    }
    Ok(())
}
