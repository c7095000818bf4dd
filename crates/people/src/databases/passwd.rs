//! `passwd`: the accounts of the system, as it knows them (files, NIS, LDAP …).

use std::sync::Arc;

use mail::Trouble;
use nix::unistd::User;

use super::{Kind, Opening, PassDb, Request, Row, Secret, UserDb, elsewhere};
use crate::{Boxed, Fields};

/// The kind.
pub const KIND: Kind = Kind {
    name: "passwd",
    doc: "The accounts of this system; as a password database, those whose hash stands in /etc/passwd itself.",
    passdb: Some(|opening| Ok(Arc::new(open(opening)?))),
    userdb: Some(|opening| Ok(Arc::new(open(opening)?))),
};

/// Where all accounts are listed.
const FILE: &str = "/etc/passwd";

struct Passwd {
    first: u32,
    last: u32,
}

fn open(opening: &Opening<'_>) -> Result<Passwd, String> {
    opening.only(&["first_valid_uid", "last_valid_uid"])?;
    let number = |name: &str, default: &str| {
        let text = opening.option(name, default);
        text.parse().map_err(|_| format!("{name}={text}: a number is expected"))
    };
    Ok(Passwd { first: number("first_valid_uid", "500")?, last: number("last_valid_uid", "60000")? })
}

async fn account(name: &str) -> Result<Option<User>, Trouble> {
    let name = name.to_owned();
    elsewhere(move || User::from_name(&name).map_err(|error| Trouble::from_error("system accounts", error)))
        .await
}

impl PassDb for Passwd {
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Row>, Trouble>> {
        Box::pin(async move {
            let Some(user) = account(request.user).await? else { return Ok(None) };
            let password = user.passwd.to_string_lossy().into_owned();
            Ok(super::shadow::is_hash(&password)
                .then(|| Row { password: Some(Secret(password)), fields: Fields::default() }))
        })
    }

    fn default_scheme(&self) -> &str {
        "CRYPT"
    }
}

impl UserDb for Passwd {
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Fields>, Trouble>> {
        Box::pin(async move {
            let Some(user) = account(request.user).await? else { return Ok(None) };
            let fields = [
                ("system_groups_user", user.name.clone()),
                ("uid", user.uid.to_string()),
                ("gid", user.gid.to_string()),
                ("home", user.dir.display().to_string()),
            ];
            Ok(Some(fields.into_iter().collect()))
        })
    }

    fn users(&self) -> Boxed<'_, Result<Option<Vec<String>>, Trouble>> {
        let (first, last) = (self.first, self.last);
        Box::pin(elsewhere(move || {
            let text = std::fs::read_to_string(FILE).map_err(|error| Trouble::from_error(FILE, error))?;
            let names = text.lines().filter_map(|line| {
                let mut fields = line.split(':');
                let name = fields.next()?;
                let uid: u32 = fields.nth(1)?.parse().ok()?;
                (first..=last).contains(&uid).then(|| name.to_owned())
            });
            Ok(Some(names.collect()))
        }))
    }
}
