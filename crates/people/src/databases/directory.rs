//! `directory`: our own accounts, which `facteur user` edits.

use std::sync::Arc;

use mail::Trouble;

use super::{Checked, Clock, Kind, Opening, PassDb, Password, Request, Row, Secret, UserDb};
use crate::directory::{Directory, Entry};
use crate::{Boxed, Fields, schemes};

/// The kind.
pub const KIND: Kind = Kind {
    name: "directory",
    doc: "The accounts of directory_database, with app passwords.",
    passdb: Some(|opening| Ok(Arc::new(open(opening)?))),
    userdb: Some(|opening| Ok(Arc::new(open(opening)?))),
};

struct Database {
    directory: Directory,
    clock: Clock,
}

fn open(opening: &Opening<'_>) -> Result<Database, String> {
    opening.only(&[])?;
    let place = if opening.argument.is_empty() { opening.directory } else { opening.argument };
    Ok(Database { directory: Directory::new(place)?, clock: opening.clock.clone() })
}

impl PassDb for Database {
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Row>, Trouble>> {
        Box::pin(async move {
            // Mechanisms without a password in clear come here alone: a closed account has no secret.
            let Some(entry) = self.directory.account(request.user).await?.filter(|entry| !entry.disabled)
            else {
                return Ok(None);
            };
            let fields = [("user", entry.name.clone())].into_iter().collect();
            Ok(Some(Row { password: entry.password.map(Secret), fields }))
        })
    }

    fn check<'a>(
        &'a self,
        request: &'a Request<'a>,
        password: &'a Password,
    ) -> Boxed<'a, Result<Checked, Trouble>> {
        Box::pin(async move {
            let (directory, user, now) = (&self.directory, request.user, (self.clock)());
            let Some(entry) = directory.account(user).await? else { return Ok(Checked::Unknown) };
            if entry.disabled {
                return Ok(Checked::Disabled);
            }
            for app in directory.app_passwords(user).await? {
                // One fast digest each.
                let right = schemes::verify(password.text(), user, &app.stored, "").unwrap_or(false);
                if right && app.opens(&request.facts.service, now) {
                    directory.app_password_used(&app, now).await?;
                    let fields = [("user", entry.name.clone()), ("app_password", app.name)];
                    return Ok(Checked::Right(fields.into_iter().collect()));
                }
            }
            Ok(if entry.password.is_some() { Checked::Compare } else { Checked::Wrong })
        })
    }
}

impl UserDb for Database {
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Fields>, Trouble>> {
        Box::pin(async move { Ok(self.directory.account(request.user).await?.map(fields)) })
    }

    fn users(&self) -> Boxed<'_, Result<Option<Vec<String>>, Trouble>> {
        Box::pin(async move {
            let accounts = self.directory.accounts(None).await?;
            Ok(Some(accounts.into_iter().map(|entry| entry.name).collect()))
        })
    }
}

fn fields(entry: Entry) -> Fields {
    let mut fields: Fields = entry
        .fields
        .split_ascii_whitespace()
        .map(|field| field.split_once('=').unwrap_or((field, "yes")))
        .collect();
    let numbers = [("uid", entry.uid), ("gid", entry.gid)];
    for (name, number) in numbers {
        if let Some(number) = number {
            fields.set(name, number.to_string());
        }
    }
    let quota =
        entry.quota.map(|quota| if quota.contains('=') { quota } else { format!("*:storage={quota}") });
    let texts =
        [("home", entry.home), ("mail", entry.mail), ("quota_rule", quota), ("user", Some(entry.name))];
    for (name, text) in texts {
        if let Some(text) = text {
            fields.set(name, text);
        }
    }
    fields
}
