//! Files: mailboxes of users, and `/file/name` in a list.

use std::path::PathBuf;

use jiff::Timestamp;
use net::clock;

use super::tokens::restricted;
use super::user::Account;
use super::walk::{At, Walk};
use crate::mailbox::frame::Head;
use crate::mailbox::{Locking, MailboxJob, MaildirPlace, MboxPlace, OpenAs, Place, Unexplained};
use crate::privilege::Rights;

impl Walk<'_> {
    /// Whose rights count for files and commands: the account's, and never root's.
    pub fn rights(&self, at: &At) -> Rights {
        let own = at.account.as_ref().map(|account| account.rights);
        let default = self.rules.default_rights;
        own.map_or(default, |rights| Rights {
            uid: if rights.uid == 0 { default.uid } else { rights.uid },
            gid: if rights.gid == 0 { default.gid } else { rights.gid },
        })
    }

    /// The time, for stamps.
    pub fn now(&self) -> Timestamp {
        Timestamp::try_from(clock::wall()).unwrap_or(self.request.arrival)
    }

    /// The lines put before a message; `Delivered-To:` where `prepend_delivered_header` has this word.
    pub fn head(&self, at: &At, word: &str, from_line: bool) -> Vec<u8> {
        let wanted = self.rules.params.prepend_delivered_header.iter().any(|one| one == word);
        let delivered = at.delivered.as_ref().map(mail::Address::external);
        Head {
            from_line: from_line.then(|| (self.now(), &self.rules.zone)),
            sender: Some(&at.sender),
            return_path: true,
            original: Some(&at.recipient.original).filter(|_| self.rules.shows_original),
            delivered: delivered.as_deref().filter(|_| wanted),
        }
        .lines()
    }

    /// `/file/name` in a list.
    pub async fn file(&mut self, at: &At, path: &str) {
        let rights = self.rights(at);
        if self.been_here(format!("file {} {path}", rights.uid)) {
            return;
        }
        if !self.rules.params.allow_mail_to_files.iter().any(|word| word == at.list.word()) {
            return self.settle(at, restricted("mail to file is restricted"));
        }
        if path.ends_with('/') {
            return self.maildir(at, path).await;
        }
        if self.is_probe() {
            return self.sent(at, format!("delivers to file: {path}"));
        }
        let locking = Locking { dotlock_may_fail: true, ..self.rules.locking.clone() };
        let place = MboxPlace {
            path: PathBuf::from(path),
            locking,
            open_as: OpenAs::User,
            strict_owner: false,
            special: true,
            unexplained: Unexplained::NEVER,
        };
        match self.write(at, Place::Mbox(place), rights, true).await {
            Ok(()) => self.sent(at, format!("delivered to file: {path}")),
            Err(failure) => {
                self.settle(at, failure.refusal(&format!("cannot append message to file {path}: ")));
            }
        }
    }

    /// A Maildir.
    pub async fn maildir(&mut self, at: &At, path: &str) {
        let rights = self.rights(at);
        if self.been_here(format!("maildir {} {path}", rights.uid)) {
            return;
        }
        if self.is_probe() {
            return self.sent(at, "delivers to maildir");
        }
        let now = self.now();
        let place = MaildirPlace {
            directory: PathBuf::from(path),
            stamp: (now.as_second(), u32::try_from(now.subsec_microsecond()).unwrap_or(0)),
            token: self.name(),
            host: self.rules.host.clone(),
            again: self.request.again,
        };
        match self.write(at, Place::Maildir(place), rights, false).await {
            Ok(()) => self.sent(at, "delivered to maildir"),
            Err(failure) => {
                if failure.denied {
                    let Rights { uid, gid } = rights;
                    log::warn!(target: &self.rules.program, "maildir access problem for UID/GID={uid}/{gid}: {}", failure.text);
                    log::warn!(target: &self.rules.program, "perhaps you need to create the maildirs in advance");
                }
                self.settle(at, failure.refusal("maildir delivery failed: "));
            }
        }
    }

    /// The mbox file of a user.
    pub async fn mbox(&mut self, at: &At, account: &Account, path: PathBuf, open_as: OpenAs) {
        if self.is_probe() {
            return self.sent(at, "delivers to mailbox");
        }
        // Only root's own mailbox is root's to write.
        let open_as = if account.rights.uid == 0 { OpenAs::Ourselves } else { open_as };
        let shown = path.display().to_string();
        let place = MboxPlace {
            path,
            locking: self.rules.locking.clone(),
            open_as,
            strict_owner: self.rules.strict_owner,
            special: false,
            unexplained: Unexplained::NEVER,
        };
        match self.write(at, Place::Mbox(place), account.rights, true).await {
            Ok(()) => self.sent(at, "delivered to mailbox"),
            Err(failure) => {
                let what = format!("cannot update mailbox {shown} for user {}. ", at.user);
                self.settle(at, failure.refusal(&what));
            }
        }
    }

    async fn write(
        &mut self,
        at: &At,
        place: Place,
        rights: Rights,
        from_line: bool,
    ) -> Result<(), crate::mailbox::Failure> {
        let head = self.head(at, "file", from_line);
        let job = MailboxJob { rights, place, head, limit: self.rules.params.mailbox_size_limit };
        self.rules.crew.carry_out(job, self.request.content.clone()).await
    }
}
