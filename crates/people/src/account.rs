//! Who somebody is, and where his mail lies.

use mail::Trouble;
use nix::unistd::{Group, User};

use crate::Fields;

/// An account, as password and user databases describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The name, in the form the databases gave it.
    pub user: String,
    /// The master user who logged in as this one.
    pub master: Option<String>,
    /// `uid`, a number or the name of a system account.
    pub uid: Option<u32>,
    /// `gid`.
    pub gid: Option<u32>,
    /// The numbers of the groups of `system_groups_user`.
    pub groups: Vec<u32>,
    /// `home`.
    pub home: Option<String>,
    /// `mail`: a `mail_location` of this user's own.
    pub mail: Option<String>,
    /// `quota_rule`, `quota_rule2` …, as written (`*:storage=1G`).
    pub quota: Vec<String>,
    /// All other fields.
    pub fields: Fields,
}

impl Account {
    /// A name and nothing else.
    pub fn named(user: &str) -> Account {
        Account { user: user.to_owned(), ..Account::default() }
    }

    /// The part before the `@`.
    pub fn local(&self) -> &str {
        self.user.split_once('@').map_or(&self.user, |(local, _)| local)
    }

    /// The part behind the `@`; empty without one.
    pub fn domain(&self) -> &str {
        self.user.split_once('@').map_or("", |(_, domain)| domain)
    }

    /// Does [`Account::from_fields`] ask the system for names?
    pub(crate) fn asks_system(fields: &Fields) -> bool {
        let is_name =
            |field| fields.get(field).is_some_and(|text| !text.is_empty() && text.parse::<u32>().is_err());
        is_name("uid") || is_name("gid") || fields.get("system_groups_user").is_some()
    }

    /// An account from the fields of a user database. May ask the system for names: call it where blocking is
    /// allowed.
    ///
    /// # Errors
    /// A field makes no sense: the account is unusable until somebody corrects it.
    pub fn from_fields(user: &str, mut fields: Fields) -> Result<Account, Trouble> {
        let mut account = Account::named(user);
        let wrong = |what: String| Trouble::new(format!("user {user}: {what}"));
        if let Some(text) = fields.remove("uid").filter(|text| !text.is_empty()) {
            account.uid = Some(uid(&text).map_err(wrong)?);
        }
        if let Some(text) = fields.remove("gid").filter(|text| !text.is_empty()) {
            account.gid = Some(gid(&text).map_err(wrong)?);
        }
        if let Some(name) = fields.remove("system_groups_user") {
            account.groups = groups(&name, account.gid).map_err(wrong)?;
        }
        account.home = fields.remove("home").filter(|home| !home.is_empty());
        account.mail = fields.remove("mail").filter(|mail| !mail.is_empty());
        let rules = fields.iter().filter(|(name, _)| is_quota_rule(name));
        account.quota = rules.map(|(_, rule)| rule.to_owned()).collect();
        account.fields = fields.iter().filter(|(name, _)| !is_quota_rule(name)).collect();
        Ok(account)
    }
}

/// `quota_rule`, `quota_rule2`, …
fn is_quota_rule(name: &str) -> bool {
    name.strip_prefix("quota_rule").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
}

fn uid(text: &str) -> Result<u32, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    match User::from_name(text) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) => Err(format!("uid = {text}: the system knows no such user")),
        Err(error) => Err(format!("uid = {text}: {error}")),
    }
}

fn gid(text: &str) -> Result<u32, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    match Group::from_name(text) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err(format!("gid = {text}: the system knows no such group")),
        Err(error) => Err(format!("gid = {text}: {error}")),
    }
}

fn groups(name: &str, gid: Option<u32>) -> Result<Vec<u32>, String> {
    let text = std::ffi::CString::new(name).map_err(|_| "system_groups_user has a NUL".to_owned())?;
    let own = nix::unistd::Gid::from_raw(gid.unwrap_or(u32::MAX));
    let found = nix::unistd::getgrouplist(&text, own)
        .map_err(|error| format!("system_groups_user = {name}: {error}"))?;
    Ok(found.into_iter().map(nix::unistd::Gid::as_raw).filter(|gid| *gid != u32::MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_what_they_name() {
        let fields: Fields = [
            ("uid", "root"),
            ("gid", "8"),
            ("home", "/home/joe"),
            ("quota_rule", "*:storage=1G"),
            ("quota_rule2", "Trash:storage=+10%"),
            ("quota_ruler", "x"),
            ("mail", ""),
        ]
        .into_iter()
        .collect();
        let account = Account::from_fields("joe@example.org", fields).unwrap();
        assert_eq!((account.uid, account.gid, account.mail.as_deref()), (Some(0), Some(8), None));
        assert_eq!(account.quota, ["*:storage=1G", "Trash:storage=+10%"]);
        assert_eq!(account.fields.get("quota_ruler"), Some("x"));
        assert_eq!((account.local(), account.domain()), ("joe", "example.org"));
        let fields: Fields = [("uid", "nobody-of-that-name")].into_iter().collect();
        let error = Account::from_fields("joe", fields).unwrap_err().to_string();
        assert_eq!(error, "user joe: uid = nobody-of-that-name: the system knows no such user");
    }
}
