//! Mail that came into the backup mailboxes only because a domain was taken over, found by the lines that a delivery
//! puts on top, and sent on.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use conf::View;
use jiff::Timestamp;
use mail::envelope::{Envelope, Recipient};
use people::{Account, Facts, People};
use queue::{Open, Submission};
use store::{FlagChange, Flags, Mode, Name, UidSet};

use crate::commands::doveadm::account::{Rights, now, owned};
use crate::commands::sendmail::submit;
use crate::config::Config;

/// How deep Maildirs lie below `virtual_mailbox_base`.
const DEPTH: usize = 5;

/// A message may bear the time of another clock: so many seconds do not count.
const SLACK: i64 = 120;

/// What came meanwhile.
#[derive(Default)]
pub struct Arrived {
    boxes: Vec<(Account, Name, Vec<u32>)>,
    people: BTreeSet<String>,
    messages: usize,
    opener: Option<imap::accounts::Accounts>,
    rule: Rule,
    /// Why nothing could be looked for.
    elsewhere: Option<String>,
}

/// Which messages are meant.
#[derive(Clone, Default)]
struct Rule {
    domain: String,
    backup: String,
    since: i64,
}

/// The lines on top of a message in a mailbox.
#[derive(Debug, PartialEq, Eq)]
struct Top<'a> {
    sender: &'a str,
    original: &'a str,
    delivered: &'a str,
    /// The message without them.
    rest: &'a [u8],
}

impl<'a> Top<'a> {
    fn of(message: &'a [u8]) -> Top<'a> {
        let mut top = Top { sender: "", original: "", delivered: "", rest: message };
        while let Some(end) = memchr(top.rest) {
            let Ok(line) = std::str::from_utf8(&top.rest[..end]) else { break };
            let Some((name, value)) = line.split_once(':') else { break };
            let value = value.trim();
            let field = match name.to_ascii_lowercase().as_str() {
                "return-path" => &mut top.sender,
                "x-original-to" => &mut top.original,
                "delivered-to" => &mut top.delivered,
                _ => break,
            };
            // A second one is not ours.
            if !field.is_empty() {
                break;
            }
            *field = value;
            top.rest = &top.rest[end + 1..];
        }
        top.sender = top.sender.trim_start_matches('<').trim_end_matches('>');
        top
    }
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

impl Rule {
    /// The address that the message was for, if it came because of the takeover.
    fn recipient<'a>(&self, top: &Top<'a>) -> Option<&'a str> {
        let (to, domain) = top.original.rsplit_once('@')?;
        let (user, backup) = top.delivered.rsplit_once('@')?;
        let fits = domain.eq_ignore_ascii_case(&self.domain)
            && backup.eq_ignore_ascii_case(&self.backup)
            && to.eq_ignore_ascii_case(user);
        fits.then_some(top.original)
    }
}

impl Arrived {
    /// Looks through the mailboxes.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn find(view: &View, domain: &str, backup: &str, since: &str) -> Result<Arrived, String> {
        let since = since.parse::<Timestamp>().map_or(0, |time| time.as_second() - SLACK);
        let rule = Rule { domain: domain.to_owned(), backup: backup.to_owned(), since };
        let mut arrived = Arrived { rule, ..Arrived::default() };
        let transport = view.get("virtual_transport");
        let accounts = match transport.split(':').next() {
            Some("virtual") => maildirs(Path::new(&view.get("virtual_mailbox_base"))),
            Some("store") => users(view)?,
            _ => {
                arrived.elsewhere = Some(format!("virtual_transport = {transport}"));
                return Ok(arrived);
            }
        };
        let mut mistakes = Vec::new();
        let opener = imap::accounts::Accounts::read(view, now, &mut mistakes);
        for account in accounts {
            let _rights = Rights::of(&account).map_err(|error| format!("{}: {error}", account.user))?;
            let failed = |error: store::Error| format!("{}: {error}", account.user);
            let store = opener.open(&account).map_err(failed)?;
            for folder in store.folders().map_err(failed)?.into_iter().filter(|folder| folder.selectable) {
                let uids = arrived.fitting(store.as_ref(), &folder.name).map_err(failed)?;
                if !uids.is_empty() {
                    arrived.messages += uids.len();
                    arrived.boxes.push((account.clone(), folder.name, uids));
                }
            }
        }
        arrived.opener = Some(opener);
        Ok(arrived)
    }

    fn fitting(&mut self, store: &dyn store::Account, name: &Name) -> store::Result<Vec<u32>> {
        let mailbox = store.open(name)?;
        let view = mailbox.refresh()?;
        let new: Vec<u32> =
            view.iter().filter(|entry| entry.received >= self.rule.since).map(|entry| entry.uid).collect();
        let mut uids = Vec::new();
        mailbox.headers(&new, &mut |uid, header| {
            if let Some(recipient) = self.rule.recipient(&Top::of(&header)) {
                self.people.insert(recipient.to_ascii_lowercase());
                uids.push(uid);
            }
            true
        })?;
        Ok(uids)
    }

    /// Prints what is going to be done.
    pub fn tell(&self, domain: &str) {
        match (&self.elsewhere, self.messages) {
            (Some(why), _) => println!("  the mailboxes are not here ({why}): no mail is moved"),
            (None, 0) => println!("  nothing came for it that is to be moved"),
            (None, count) => println!(
                "  {count} messages for {} people came for it meanwhile: they are sent to {domain}, and taken out here",
                self.people.len()
            ),
        }
    }

    /// Sends every message to the address it was for, and takes it out of the mailbox when it is in the queue.
    ///
    /// # Errors
    /// Something could not be sent: it, and what follows, is still in the mailboxes.
    pub fn send(self, config: &Config) -> Result<(), String> {
        let Some(opener) = &self.opener else { return Ok(()) };
        let mut sent = 0;
        for (account, name, uids) in &self.boxes {
            let open = || {
                let _rights = Rights::of(account).map_err(|error| format!("{}: {error}", account.user))?;
                let store = opener.open(account).map_err(|error| format!("{}: {error}", account.user))?;
                store.open(name).map_err(|error| format!("{}: {error}", account.user))
            };
            let mailbox = open()?;
            for uid in uids {
                sent += usize::from(self.one(config, account, &mailbox, *uid)?);
            }
        }
        println!("Moved: {sent} messages");
        Ok(())
    }

    fn one(
        &self,
        config: &Config,
        account: &Account,
        mailbox: &Arc<dyn store::Mailbox>,
        uid: u32,
    ) -> Result<bool, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("{}, message {uid}: {error}", account.user);
        let body = {
            let _rights = Rights::of(account).map_err(|error| wrong(&error))?;
            match mailbox.body(uid) {
                Ok(body) => body,
                // Its owner was faster.
                Err(store::Error::NoMessage) => return Ok(false),
                Err(error) => return Err(wrong(&error)),
            }
        };
        let top = Top::of(&body);
        let Some(recipient) = self.rule.recipient(&top) else { return Ok(false) };
        let envelope = Envelope {
            sender: top.sender.into(),
            recipients: vec![Recipient::new(recipient)],
            rewrite_local: true,
            ..Envelope::default()
        };
        let content = Bytes::from(without_cr(top.rest));
        let submission = Submission { envelope, open: Open::default(), content };
        submit::hand_over(config, submission, Ok).map_err(|error| wrong(&error))?;
        let _rights = Rights::of(account).map_err(|error| wrong(&error))?;
        let uids: UidSet = [uid].into_iter().collect();
        mailbox
            .store(&uids, &FlagChange::new(Mode::Add, Flags::DELETED))
            .and_then(|_| mailbox.expunge(Some(&uids)))
            .map_err(|error| wrong(&error))?;
        Ok(true)
    }
}

fn without_cr(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\r\n") {
            Some(line) => out.extend_from_slice(&[line, b"\n"].concat()),
            None => out.extend_from_slice(line),
        }
    }
    out
}

/// Everybody whom the user databases know.
fn users(view: &View) -> Result<Vec<Account>, String> {
    let mut mistakes = Vec::new();
    let parts = people::Parts { clock: Arc::new(|| u64::try_from(now()).unwrap_or(0)) };
    let people = People::read(view, parts, &mut mistakes);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start the runtime: {error}"))?;
    runtime.block_on(async {
        let text = |trouble: mail::Trouble| trouble.to_string();
        let mut accounts = Vec::new();
        for user in people.users().await.map_err(text)? {
            let found = people.lookup(&user, &Facts::of("doveadm")).await.map_err(text)?;
            accounts.extend(found.map(|account| owned(view, &account)));
        }
        Ok(accounts)
    })
}

/// The Maildirs below a directory, each with the rights of its owner. Links are not followed.
fn maildirs(base: &Path) -> Vec<Account> {
    let mut found = Vec::new();
    let mut left = vec![(base.to_owned(), 0)];
    while let Some((folder, depth)) = left.pop() {
        let inside = |name: &str| fs::symlink_metadata(folder.join(name)).is_ok_and(|meta| meta.is_dir());
        if ["cur", "new", "tmp"].into_iter().all(inside) {
            found.extend(account(&folder));
        } else if depth < DEPTH {
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            left.extend(folders.map(|entry| (entry.path(), depth + 1)));
        }
    }
    found.sort_by(|one, other| one.user.cmp(&other.user));
    found
}

fn account(folder: &Path) -> Option<Account> {
    let owner = fs::symlink_metadata(folder).ok()?;
    let path = folder.to_str().filter(|path| !path.contains(['%', ':']))?;
    let name = folder.file_name().and_then(OsStr::to_str)?;
    let mail = Some(format!("maildir:{path}"));
    Some(Account { uid: Some(owner.uid()), gid: Some(owner.gid()), mail, ..Account::named(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_takeover_brought_is_meant() {
        let rule = Rule { domain: "sn.test".into(), backup: "backup.test".into(), since: 0 };
        let meant = |text: &str| {
            let top = Top::of(text.as_bytes());
            rule.recipient(&top).map(|to| (top.sender.to_owned(), to.to_owned(), top.rest.to_vec()))
        };
        let head =
            "Return-Path: <a@x.test>\r\nX-Original-To: Ann@sn.test\r\nDelivered-To: ann@backup.test\r\n";
        let (sender, to, rest) = meant(&format!("{head}Subject: x\r\n\r\ny\r\n")).unwrap();
        assert_eq!(
            (sender.as_str(), to.as_str(), rest.as_slice()),
            ("a@x.test", "Ann@sn.test", &b"Subject: x\r\n\r\ny\r\n"[..])
        );
        assert!(meant(&head.replace("Ann@sn", "ann@other")).is_none(), "the copy that everybody has");
        assert!(meant(&head.replace("ann@backup", "bob@backup")).is_none());
        // A stranger's own line is below ours.
        let forged = format!("Return-Path: <>\r\nDelivered-To: ann@backup.test\r\nReceived: by x\r\n{head}");
        assert!(meant(&forged).is_none());
        assert_eq!(without_cr(b"a\r\nb\rc\nd\r\n"), b"a\nb\rc\nd\n");
    }
}
