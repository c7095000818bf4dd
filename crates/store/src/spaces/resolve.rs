//! From the name a person uses to the account and the mailbox that it means.

use std::sync::Arc;

use super::{NOTE, Spaces};
use crate::rights::effective;
use crate::{Account, Error, Name, Result, Rights};

/// Levels of a name that are tried as the name of its owner, where the separator may be part of that.
const LEVELS_OF_OWNER: usize = 6;

/// A mailbox, by the account it is in.
pub(super) struct Spot {
    pub account: Arc<dyn Account>,
    /// Its name there.
    pub name: Name,
    /// What stands before that name, with its last `/`; INBOX of the user's own has nothing before it.
    pub before: String,
    /// It is the user's own.
    pub own: bool,
}

impl Spaces {
    /// The mailbox of a name, whether it is there or not.
    ///
    /// # Errors
    /// The name is in no namespace, or of nobody who shares anything: [`Error::NoMailbox`].
    pub(super) fn spot(&self, name: &Name) -> Result<Spot> {
        match self.shared_spot(name)? {
            Some(spot) => Ok(spot),
            None => {
                let before = self.names.prefix.clone();
                Ok(Spot { account: Arc::clone(&self.own), name: self.inner(name)?, before, own: true })
            }
        }
    }

    /// The own mailbox of a name without its prefix.
    pub(super) fn inner(&self, name: &Name) -> Result<Name> {
        if self.names.prefix.is_empty() || name.is_inbox() {
            return Ok(name.clone());
        }
        let rest = name.as_str().strip_prefix(self.names.prefix.as_str()).ok_or(Error::NoMailbox)?;
        let inner = Name::new(rest)?;
        // With the prefix `INBOX/` there is but one INBOX all the same.
        if inner.is_inbox() { Err(Error::NoMailbox) } else { Ok(inner) }
    }

    /// The name of an own mailbox with its prefix.
    pub(super) fn outer(&self, name: &Name) -> Result<Name> {
        with_prefix(if name.is_inbox() { "" } else { &self.names.prefix }, name)
    }

    /// Is it a name that only mailboxes of others have?
    pub(super) fn is_shared_name(&self, name: &Name) -> bool {
        let others = &self.names.others;
        let root = others.strip_suffix('/');
        self.others.is_some()
            && root.is_some_and(|root| name.as_str() == root || name.as_str().starts_with(others.as_str()))
    }

    fn shared_spot(&self, name: &Name) -> Result<Option<Spot>> {
        let Some(others) = &self.others else { return Ok(None) };
        if !self.is_shared_name(name) {
            return Ok(None);
        }
        let Some(rest) = name.as_str().strip_prefix(self.names.others.as_str()) else { return Ok(None) };
        let levels: Vec<&str> = rest.split('/').collect();
        let separator = self.own.separator();
        // With `/` between the levels no user's name can hold one.
        let most = if separator == '/' { 1 } else { LEVELS_OF_OWNER };
        for count in 1..levels.len().min(most + 1) {
            let (user, inner) = levels.split_at(count);
            let user = user.join(separator.encode_utf8(&mut [0; 4]));
            if user == self.me.user {
                continue;
            }
            let Some(account) = others.open(&user, false)? else { continue };
            let name = Name::new(&inner.join("/"))?;
            return Ok(Some(Spot { account, name, before: self.before(&user), own: false }));
        }
        Ok(None)
    }

    /// What stands before the names of somebody's mailboxes.
    pub(super) fn before(&self, user: &str) -> String {
        let user = match self.own.separator() {
            '/' => user.to_owned(),
            // A name's levels are kept with `/`, whatever its user reads between them.
            separator => user.replace(separator, "/"),
        };
        format!("{}{user}/", self.names.others)
    }

    /// Those who have noted that they share something.
    pub(super) fn sharers(&self) -> Result<Vec<String>> {
        if self.others.is_none() {
            return Ok(Vec::new());
        }
        let notes = self.own.metadata(None)?;
        Ok(notes.iter().filter_map(|(entry, _)| entry.strip_prefix(NOTE)).map(str::to_owned).collect())
    }

    /// What the user may do with a mailbox that is there.
    ///
    /// # Errors
    /// It is not there, or the user may not even know.
    pub(super) fn rights_at(&self, spot: &Spot) -> Result<Rights> {
        let rights = effective(&spot.account.acl(&spot.name)?, &self.me, spot.own);
        if rights == Rights::NONE { Err(Error::NoMailbox) } else { Ok(rights) }
    }

    /// Holds it against these rights.
    ///
    /// # Errors
    /// The user lacks one of them; who may not look is told that there is no such mailbox.
    pub(super) fn need(&self, spot: &Spot, needed: Rights) -> Result<Rights> {
        let rights = self.rights_at(spot)?;
        rights.need(needed)?;
        Ok(rights)
    }

    /// May a mailbox be made here? The nearest level above that is a mailbox decides.
    pub(super) fn need_to_create(&self, spot: &Spot) -> Result<()> {
        let mut level = spot.name.parent();
        while let Some(name) = level {
            level = name.parent();
            let above =
                Spot { account: Arc::clone(&spot.account), name, before: String::new(), own: spot.own };
            match self.need(&above, Rights::CREATE) {
                // A level without a mailbox, or one that the user must not know of.
                Err(Error::NoMailbox) => {}
                decided => return decided.map(drop),
            }
        }
        // At the top it is the owner's to make mailboxes.
        if spot.own { Ok(()) } else { Err(Error::NoPermission) }
    }
}

/// A name with something before it.
pub(super) fn with_prefix(before: &str, name: &Name) -> Result<Name> {
    if before.is_empty() { Ok(name.clone()) } else { Name::new(&format!("{before}{name}")) }
}
