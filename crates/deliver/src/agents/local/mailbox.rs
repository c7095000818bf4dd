//! The mailbox of a user: a transport, a command, a Maildir, or an mbox file.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use mail::{Blame, Detail, Refusal};
use tables::Maps;

use super::user::{self, Account};
use super::walk::{At, Walk};
use crate::mailbox::OpenAs;

impl Walk<'_> {
    /// Delivers to the user's mailbox. False when there is no such user.
    pub async fn mailbox(&mut self, at: &At) -> bool {
        if self.been_here(format!("mailbox {}", at.local)) {
            return true;
        }
        let rules = self.rules;
        match self.transport(at, &rules.mailbox_transports, &rules.params.mailbox_transport).await {
            Ok(Some(transport)) => {
                self.pass(at, &transport).await;
                return true;
            }
            Ok(None) => {}
            Err(refusal) => {
                self.settle(at, refusal);
                return true;
            }
        }
        let account = match user::by_name(rules, &at.user).await {
            Ok(Some(account)) => account,
            Ok(None) => return false,
            Err(refusal) => {
                self.settle(at, refusal);
                return true;
            }
        };
        let mut at = at.clone();
        at.account = Some(account.clone());
        if rules.params.require_home_directory {
            let home = account.home.clone();
            let there = rules.crew.run(move || home.is_dir()).await.unwrap_or(false);
            if !there {
                let text = format!("cannot access home directory {}", account.home.display());
                self.settle(&at, Refusal::later(51, Detail(3, 0), Blame::Ourselves, text));
                return true;
            }
        }
        self.own_mailbox(&at, &account).await;
        true
    }

    async fn own_mailbox(&mut self, at: &At, account: &Account) {
        let params = &self.rules.params;
        let command = match self.rules.mailbox_commands.find(&at.user).await {
            Ok(found) => found.map(|found| found.value),
            Err(trouble) => return self.failed_look_up(at, &trouble),
        };
        let command =
            command.or_else(|| Some(params.mailbox_command.clone())).filter(|text| !text.is_empty());
        if let Some(command) = command {
            return self.command(at, &command).await;
        }
        let home = account.home.display();
        let spool = params.mail_spool_directory.to_string_lossy().into_owned();
        if params.home_mailbox.ends_with('/') {
            self.maildir(at, &format!("{home}/{}", params.home_mailbox)).await;
        } else if !params.home_mailbox.is_empty() {
            let path = format!("{home}/{}", params.home_mailbox);
            self.mbox(at, account, path.into(), OpenAs::User).await;
        } else if spool.ends_with('/') {
            self.maildir(at, &format!("{spool}{}/", at.user)).await;
        } else {
            let path = PathBuf::from(&spool).join(&at.user);
            let open_as = self.spool_rights(spool.into()).await;
            self.mbox(at, account, path, open_as).await;
        }
    }

    /// A spool that everybody may write is written by the user, one that a group may write by the user in that
    /// group, and any other by ourselves.
    async fn spool_rights(&self, spool: PathBuf) -> OpenAs {
        let meta = self.rules.crew.run(move || std::fs::metadata(spool).ok()).await.flatten();
        match meta {
            Some(meta) if meta.mode() & 0o002 != 0 => OpenAs::User,
            Some(meta) if meta.mode() & 0o020 != 0 => OpenAs::Group(meta.gid()),
            Some(_) if crate::privilege::serves_others() => OpenAs::Ourselves,
            _ => OpenAs::User,
        }
    }

    /// A transport from a table, or else from a parameter.
    pub async fn transport(&self, at: &At, maps: &Maps, otherwise: &str) -> Result<Option<String>, Refusal> {
        let found = maps.find(&at.user).await.map_err(|trouble| {
            log::warn!(target: &self.rules.program, "{trouble}");
            Refusal::later(51, Detail(3, 0), Blame::Ourselves, "table lookup failure")
        })?;
        Ok(found
            .map(|found| found.value)
            .or_else(|| Some(otherwise.to_owned()).filter(|text| !text.is_empty())))
    }

    fn failed_look_up(&mut self, at: &At, trouble: &mail::Trouble) {
        log::warn!(target: &self.rules.program, "{trouble}");
        self.settle(at, Refusal::later(51, Detail(3, 0), Blame::Ourselves, "table lookup failure"));
    }
}
