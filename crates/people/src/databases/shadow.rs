//! `shadow`: the hashes of /etc/shadow. The file is root's: see [`conf::secrets`].

use std::path::Path;
use std::sync::Arc;

use mail::Trouble;

use super::{Clock, Kind, Opening, PassDb, Request, Row, Secret, elsewhere};
use crate::{Boxed, Fields};

/// The kind.
pub const KIND: Kind = Kind {
    name: "shadow",
    doc: "The passwords of this system's accounts, from /etc/shadow or the file behind the colon.",
    passdb: Some(open),
    userdb: None,
};

const FILE: &str = "/etc/shadow";

/// Seconds of a day: shadow(5) counts in days.
const DAY: u64 = 86_400;

struct Shadow {
    file: String,
    clock: Clock,
}

fn open(opening: &Opening<'_>) -> Result<Arc<dyn PassDb>, String> {
    opening.only(&[])?;
    let file = if opening.argument.is_empty() { FILE } else { opening.argument };
    Ok(Arc::new(Shadow { file: file.to_owned(), clock: opening.clock.clone() }))
}

/// Can a password be right for it? `!` and `*` close an account, `x` sends to another file.
pub fn is_hash(password: &str) -> bool {
    !matches!(password, "" | "x") && !password.starts_with(['!', '*'])
}

impl PassDb for Shadow {
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Row>, Trouble>> {
        let (file, user, today) = (self.file.clone(), request.user.to_owned(), (self.clock)() / DAY);
        Box::pin(elsewhere(move || {
            let bytes = conf::secrets::read(Path::new(&file))
                .map_err(|error| Trouble::from_error(file.clone(), error))?;
            let text = String::from_utf8_lossy(&bytes);
            Ok(row(&text, &user, today))
        }))
    }

    fn default_scheme(&self) -> &str {
        "CRYPT"
    }
}

fn row(text: &str, user: &str, today: u64) -> Option<Row> {
    let line = text.lines().find(|line| line.split(':').next() == Some(user))?;
    let fields: Vec<&str> = line.split(':').collect();
    let password = fields.get(1).copied().filter(|password| is_hash(password))?;
    // The day on which the account expires.
    let expires = fields.get(7).and_then(|day| day.parse::<u64>().ok());
    let over = expires.is_some_and(|day| day > 0 && today >= day);
    (!over).then(|| Row { password: Some(Secret(password.to_owned())), fields: Fields::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_and_expired_accounts_have_no_password() {
        let text = "root:*:19000:0:99999:7:::\njoe:$6$a$b:19000:0:99999:7:::\nann:!$6$a$b:19000::::::\nold:$6$a$b:19000:0:99999:7::20000:\nnone::1::::::\n";
        let has = |user: &str, today| row(text, user, today).is_some();
        assert!(has("joe", 1) && has("old", 19_999));
        for user in ["root", "ann", "none", "nobody"] {
            assert!(!has(user, 1), "{user}");
        }
        assert!(!has("old", 20_000));
    }
}
