//! Users of this machine.

use std::path::PathBuf;

use mail::{Blame, Class, Detail, Refusal};

use super::rules::Rules;
use crate::privilege::Rights;

/// A user: whose rights, whose home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// User and group.
    pub rights: Rights,
    /// Home directory.
    pub home: PathBuf,
    /// Login shell.
    pub shell: PathBuf,
}

impl From<nix::unistd::User> for Account {
    fn from(user: nix::unistd::User) -> Account {
        let rights = Rights { uid: user.uid.as_raw(), gid: user.gid.as_raw() };
        Account { name: user.name, rights, home: user.dir, shell: user.shell }
    }
}

/// Looks a user up by name. A password database that does not answer is no reason to say that there is no such user.
pub async fn by_name(rules: &Rules, name: &str) -> Result<Option<Account>, Refusal> {
    let wanted = name.to_owned();
    let found = rules.crew.run(move || nix::unistd::User::from_name(&wanted)).await;
    answer(rules, name, found)
}

/// Looks a user up by number.
pub async fn by_id(rules: &Rules, uid: u32) -> Result<Option<Account>, Refusal> {
    let found = rules.crew.run(move || nix::unistd::User::from_uid(uid.into())).await;
    answer(rules, &format!("uid {uid}"), found)
}

fn answer(
    rules: &Rules,
    name: &str,
    found: Option<nix::Result<Option<nix::unistd::User>>>,
) -> Result<Option<Account>, Refusal> {
    match found {
        Some(Ok(user)) => Ok(user.map(Account::from)),
        other => {
            let why = other.and_then(Result::err).map_or("the look-up died", |error| error.desc());
            let name = mail::logline::printable(name);
            log::warn!(target: &rules.program, "error looking up passwd info for {name}: {why}");
            Err(Refusal::new(Class::Later, 51, Detail(0, 0), Blame::Ourselves, "user lookup error"))
        }
    }
}
