//! The account of the user who has logged in, and the names of its mailboxes.

use std::sync::Arc;

use store::{Account, Mailbox, Name};

use super::{Fail, Selected, Session};

impl Session {
    /// The mail of the user.
    ///
    /// # Errors
    /// Nobody has logged in.
    pub fn account(&self) -> Result<Arc<dyn Account>, Fail> {
        let user = self.user.as_ref().ok_or(Fail::Refused("Log in first."))?;
        Ok(user.account.clone())
    }

    /// What stands between the levels of a name.
    pub fn separator(&self) -> char {
        self.user.as_ref().map_or('/', |user| user.account.separator())
    }

    /// The mailbox of a name as a client writes it.
    ///
    /// # Errors
    /// `NO [CANNOT]`: it breaks the rules of names.
    pub fn name(&self, text: &str) -> Result<Name, Fail> {
        let separator = self.separator();
        let text = match self.settings.quirks.extra_separator {
            true => text.strip_suffix(separator).unwrap_or(text),
            false => text,
        };
        Name::with_separator(text, separator).map_err(Fail::from)
    }

    /// Opens the mailbox that messages are put into.
    ///
    /// # Errors
    /// `NO [TRYCREATE]` where there is none.
    pub fn open_target(&self, text: &str) -> Result<Arc<dyn Mailbox>, Fail> {
        let name = self.name(text)?;
        self.account()?.open(&name).map_err(|error| match error {
            store::Error::NoMailbox => {
                Fail::no("TRYCREATE", format!("Mailbox doesn't exist: {}", ::mail::logline::printable(text)))
            }
            other => other.into(),
        })
    }

    /// The client has shown that it knows CONDSTORE: from here on it is told MODSEQ. RFC 7162 3.1.
    pub fn enable_condstore(&mut self) {
        if !std::mem::replace(&mut self.enabled.condstore, true)
            && let Some(selected) = &self.selected
        {
            crate::respond::say!(self.out, "* OK [HIGHESTMODSEQ {}] Highest", selected.known.modseq.max(1));
        }
    }

    /// The selected mailbox.
    ///
    /// # Errors
    /// There is none.
    pub fn selected(&self) -> Result<&Selected, Fail> {
        self.selected.as_deref().ok_or(Fail::Refused("No mailbox selected."))
    }
}
