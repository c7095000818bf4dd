//! From who somebody is ([`people::Account`]) to his mail ([`store::Account`]), as the configuration says.

use std::path::PathBuf;
use std::sync::Arc;

use conf::{Block, Mistake, Severity, View};
use mail::Trouble;
use master::Identity as Rights;
use nix::unistd::{Group, Uid, User};
use people::{Facts, People};
use store::params::Mailboxes;
use store::{Identity, Limits, Location, Others, Owner, Settings, Spaces};
use tokio::runtime::Handle;

/// Opens the mail of accounts. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    settings: Arc<Settings>,
    location: Result<Location, String>,
    /// Those who may share mailboxes.
    others: Option<Arc<dyn Others>>,
}

impl Accounts {
    /// Reads `mail_location` and what else the store is told. What is wrong is told; then no mail can be opened.
    pub fn read(view: &View, clock: store::Clock, mistakes: &mut Vec<Mistake>) -> Accounts {
        let params = Mailboxes::read(view, mistakes);
        let mut told = |parameter: &str, text: &str| {
            let place = view.place(parameter);
            let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
            mistakes.push(Mistake::new(Severity::Error, place, format!("{parameter}: {text}")));
        };
        let settings = Settings::read(&params, clock).unwrap_or_else(|(parameter, text)| {
            told(parameter, &text);
            Settings::plain(clock)
        });
        let location = Location::parse(&params.mail_location);
        if let Err(text) = &location {
            told("mail_location", text);
        }
        Accounts { settings: Arc::new(settings), location, others: None }
    }

    /// With the mailboxes that users share (`mailbox_shared_prefix`): `people` knows where they are.
    #[must_use]
    pub fn with_people(mut self, people: People) -> Accounts {
        if !self.settings.namespaces.others.is_empty() {
            self.others = Some(Arc::new(Neighbours { accounts: self.clone(), people }));
        }
        self
    }

    /// The same as [`Accounts::open`], if somebody has the mail open already. Does not block.
    pub fn opened(&self, account: &people::Account) -> Option<Arc<dyn store::Account>> {
        let own = store::opened(&self.location(account).ok()?, &owner(account))?;
        Some(self.with_shared(own, account))
    }

    /// Opens the mail of an account as its owner may use it, with what others share. Blocks on the disk.
    ///
    /// # Errors
    /// The place cannot be named or opened; the words are for the log.
    pub fn open(&self, account: &people::Account) -> store::Result<Arc<dyn store::Account>> {
        Ok(self.with_shared(self.open_own(account)?, account))
    }

    fn with_shared(
        &self,
        own: Arc<dyn store::Account>,
        account: &people::Account,
    ) -> Arc<dyn store::Account> {
        let groups = account.fields.get("acl_groups").unwrap_or_default();
        let groups = groups.split(',').map(str::trim).filter(|group| !group.is_empty());
        let me = Identity { user: account.user.clone(), groups: groups.map(str::to_owned).collect() };
        let names = self.settings.namespaces.clone();
        Arc::new(Spaces::new(own, me, names, self.others.clone()))
    }

    fn open_own(&self, account: &people::Account) -> store::Result<Arc<dyn store::Account>> {
        store::open_account(&self.settings, &self.location(account)?, &owner(account))
    }

    fn location(&self, account: &people::Account) -> store::Result<Location> {
        let own = account.mail.as_deref().map(Location::parse);
        own.unwrap_or_else(|| self.location.clone()).map_err(|text| {
            store::Error::Trouble(Trouble::new(format!("user {}: mail_location: {text}", account.user)))
        })
    }
}

/// Finds those who share mailboxes.
struct Neighbours {
    accounts: Accounts,
    people: People,
}

impl Others for Neighbours {
    fn open(&self, user: &str, make: bool) -> store::Result<Option<Arc<dyn store::Account>>> {
        let Some(account) = self.lookup(user)? else { return Ok(None) };
        if !make && !self.accounts.location(&account)?.place(&owner(&account))?.is_there() {
            return Ok(None);
        }
        self.accounts.open_own(&account).map(Some)
    }
}

impl Neighbours {
    /// Waits for the user databases: this is called on threads that may.
    fn lookup(&self, user: &str) -> store::Result<Option<people::Account>> {
        let facts = Facts::of("acl");
        let asked = self.people.lookup(user, &facts);
        let found = match Handle::try_current() {
            Ok(runtime) => runtime.block_on(asked),
            // A command of the shell.
            Err(_) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.map_err(|error| Trouble::from_error("a look-up", error))?.block_on(asked)
            }
        };
        Ok(found?)
    }
}

/// The user who owns all mailboxes (`mail_uid`, `mail_gid`); `None` where each user has his own. May ask the system.
///
/// # Errors
/// There is no such user, or it is root.
pub fn owner_of_all(view: &View) -> Result<Option<Rights>, String> {
    let params = Mailboxes::read(view, &mut Vec::new());
    let (name, group) = (&params.mail_uid, &params.mail_gid);
    if name.is_empty() {
        return Ok(None);
    }
    let number = name.parse::<u32>().ok();
    let user = match number {
        Some(uid) => User::from_uid(uid.into()),
        None => User::from_name(name),
    };
    let user = user.map_err(|error| format!("mail_uid {name}: {}", error.desc()))?;
    let uid = number.or(user.as_ref().map(|user| user.uid.as_raw()));
    let uid = uid.ok_or_else(|| format!("mail_uid: there is no user {name:?}: make one, or name another"))?;
    let gid = match (group.as_str(), group.parse::<u32>()) {
        ("", _) => user.map(|user| user.gid.as_raw()),
        (_, Ok(gid)) => Some(gid),
        (group, Err(_)) => Group::from_name(group).ok().flatten().map(|group| group.gid.as_raw()),
    };
    let gid =
        gid.ok_or_else(|| format!("mail_gid: there is no group {group:?}: name the group of {name}"))?;
    if uid == 0 || gid == 0 {
        return Err(format!("mail_uid: {name} has the rights of root: name an unprivileged user"));
    }
    Ok(Some(Rights { uid, gid }))
}

/// With whose rights an account's mail is kept; `usual` is for accounts that say nothing of it. An account without `gid`
/// has the group of its user. May ask the system: call it where blocking is allowed.
pub fn rights(account: &people::Account, usual: Rights) -> Rights {
    match (account.uid, account.gid) {
        (Some(uid), Some(gid)) => Rights { uid, gid },
        (None, gid) => Rights { gid: gid.unwrap_or(usual.gid), ..usual },
        (Some(uid), None) if uid == usual.uid => usual,
        (Some(uid), None) => {
            let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
            Rights { uid, gid: user.map_or(usual.gid, |user| user.gid.as_raw()) }
        }
    }
}

/// Whose mail it is.
pub fn owner(account: &people::Account) -> Owner {
    Owner {
        user: account.user.clone(),
        home: account.home.as_ref().map(PathBuf::from),
        uid: account.uid,
        gid: account.gid,
        limits: limits(&account.quota),
    }
}

/// What Dovecot's `quota_rule`s of a user say of all mailboxes together: `*:storage=1G`, `*:messages=1000`. Rules of
/// single mailboxes are not known here.
fn limits(rules: &[String]) -> Option<Limits> {
    let mut limits = None;
    for rule in rules {
        let Some(words) = rule.strip_prefix("*:") else { continue };
        for word in words.split(':') {
            let limits: &mut Limits = limits.get_or_insert_with(Limits::default);
            match word.split_once('=') {
                Some(("storage", value)) => limits.bytes = size(value, 1024),
                Some(("bytes", value)) => limits.bytes = size(value, 1),
                Some(("messages", value)) => limits.messages = size(value, 1),
                _ => {}
            }
        }
    }
    limits
}

/// A number with Dovecot's units; without one it counts `unit`s. 0 is no limit.
fn size(text: &str, unit: u64) -> Option<u64> {
    let digits = text.trim().trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let factor = match text.trim()[digits.len()..].to_ascii_uppercase().as_str() {
        "" => unit,
        "B" => 1,
        "K" | "KB" => 1 << 10,
        "M" | "MB" => 1 << 20,
        "G" | "GB" => 1 << 30,
        "T" | "TB" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor).filter(|size| *size > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quota_rules_are_read() {
        let limits =
            |rules: &[&str]| limits(&rules.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>());
        assert_eq!(limits(&[]), None);
        let both = Limits { bytes: Some(1 << 30), messages: Some(1000) };
        assert_eq!(limits(&["*:storage=1G:messages=1000"]), Some(both));
        assert_eq!(limits(&["*:storage=1048576", "*:messages=1000", "Trash:storage=+10%"]), Some(both));
        assert_eq!(limits(&["*:storage=0"]), Some(Limits::default()));
    }
}
