//! `sql:/etc/dovecot/dovecot-sql.conf.ext`: a file of Dovecot's as it stands: MySQL, PostgreSQL or SQLite.

use std::sync::Arc;

use mail::Trouble;
use tables::sql::{Answer, Kind as Server, Limits, Pool, Row as SqlRow, Statement, Target};

use super::{Kind, Opening, PassDb, Request, Row, Secret, UserDb, dovecot_conf, has_port};
use crate::expand::{Piece, Vars, check, pieces};
use crate::{Boxed, Fields};

/// The kind.
pub const KIND: Kind = Kind {
    name: "sql",
    doc: "Queries to MySQL, PostgreSQL or SQLite, by a dovecot-sql.conf.ext as Dovecot reads it.",
    passdb: Some(|opening| Ok(Arc::new(open(opening)?))),
    userdb: Some(|opening| Ok(Arc::new(open(opening)?))),
};

const SETTINGS: &[&str] = &[
    "driver",
    "connect",
    "default_pass_scheme",
    "password_query",
    "user_query",
    "update_query",
    "iterate_query",
    "userdb_warning_disable",
];

/// Dovecot's own defaults.
const PASSWORD_QUERY: &str =
    "SELECT username, domain, password FROM users WHERE username = '%n' AND domain = '%d'";
const USER_QUERY: &str = "SELECT home, uid, gid FROM users WHERE username = '%n' AND domain = '%d'";
const ITERATE_QUERY: &str = "SELECT username, domain FROM users";
const SCHEME: &str = "MD5";

struct Sql {
    file: String,
    pool: Pool,
    scheme: String,
    password: String,
    user: String,
    iterate: String,
}

fn open(opening: &Opening<'_>) -> Result<Sql, String> {
    opening.only(&[])?;
    let path = opening.path()?;
    let settings = dovecot_conf::read(&path, SETTINGS)?;
    let setting = |name: &str, default: &str| settings.get(name).unwrap_or(default).to_owned();
    let driver = setting("driver", "");
    let kind = match driver.as_str() {
        "postgresql" => Server::Pgsql,
        name => Server::named(name)
            .ok_or_else(|| format!("driver = {driver}: mysql, pgsql or sqlite is expected"))?,
    };
    let target = Target::dovecot(kind, &setting("connect", ""))?;
    let sql = Sql {
        file: path.display().to_string(),
        pool: Pool::new(target, Limits::default(), "auth"),
        scheme: setting("default_pass_scheme", SCHEME),
        password: setting("password_query", PASSWORD_QUERY),
        user: setting("user_query", USER_QUERY),
        iterate: setting("iterate_query", ITERATE_QUERY),
    };
    for (name, query) in [("password_query", &sql.password), ("user_query", &sql.user)] {
        check(query).map_err(|wrong| format!("{name}: {wrong}"))?;
    }
    Ok(sql)
}

impl Sql {
    async fn ask(&self, query: &str, vars: &Vars<'_>) -> Result<Answer, Trouble> {
        let statement = statement(query, vars).map_err(|wrong| self.trouble(&wrong))?;
        self.pool.query(&statement).await.map_err(|trouble| self.trouble(&trouble.to_string()))
    }

    /// The one row of a user.
    async fn row(&self, query: &str, vars: &Vars<'_>) -> Result<Option<Fields>, Trouble> {
        let answer = self.ask(query, vars).await?;
        match answer.rows.as_slice() {
            [] => Ok(None),
            [row] => Ok(Some(fields(row))),
            _ => Err(self.trouble(&format!("the query found more than one row for {}", vars.user))),
        }
    }

    fn trouble(&self, what: &str) -> Trouble {
        Trouble::new(format!("sql:{}: {what}", self.file))
    }
}

/// A query with values in it. One that stands outside of quotes gets them: `%n=username` asks what it says.
pub(super) fn statement(query: &str, vars: &Vars<'_>) -> Result<Statement, String> {
    let mut quote = None;
    let mut statement = Statement::new();
    for piece in pieces(query, vars)? {
        statement = match piece {
            Piece::Text(text) => {
                for letter in text.chars() {
                    match quote {
                        Some(open) if open == letter => quote = None,
                        None if matches!(letter, '\'' | '"' | '`') => quote = Some(letter),
                        _ => {}
                    }
                }
                statement.text(text)
            }
            Piece::Value(value) => {
                let number = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
                if quote.is_some() || number {
                    statement.value(&value)
                } else {
                    statement.quoted(Some(&value))
                }
            }
        };
    }
    Ok(statement)
}

/// Columns by name; NULL is as if there were no such column.
fn fields(row: &SqlRow) -> Fields {
    let columns = row.columns.iter().zip(&row.values);
    columns.filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?))).collect()
}

impl PassDb for Sql {
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Row>, Trouble>> {
        Box::pin(async move {
            let Some(mut fields) = self.row(&self.password, &request.vars()).await? else { return Ok(None) };
            let mut password = fields.remove("password");
            // A password that is never `{SCHEME}…`, whatever it begins with.
            if let Some(bare) = fields.remove("password_noscheme") {
                password = Some(format!("{{{}}}{bare}", self.scheme));
            }
            Ok(Some(Row { password: password.filter(|it| !it.is_empty()).map(Secret), fields }))
        })
    }

    fn asks_port(&self) -> bool {
        has_port(&self.password)
    }

    fn default_scheme(&self) -> &str {
        &self.scheme
    }
}

impl UserDb for Sql {
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Fields>, Trouble>> {
        Box::pin(async move { self.row(&self.user, &request.vars()).await })
    }

    fn users(&self) -> Boxed<'_, Result<Option<Vec<String>>, Trouble>> {
        Box::pin(async move {
            let answer = self.ask(&self.iterate, &Vars::default()).await?;
            let name = |row: &SqlRow| match (row.get("user"), row.get("username"), row.get("domain")) {
                (Some(user), ..) => Some(user.to_owned()),
                (None, Some(local), Some(domain)) if !domain.is_empty() => Some(format!("{local}@{domain}")),
                (None, local, _) => local.map(str::to_owned),
            };
            let names: Option<Vec<String>> = answer.rows.iter().map(name).collect();
            let missing = || self.trouble("iterate_query gives no column user, nor username");
            Ok(Some(names.ok_or_else(missing)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_outside_of_quotes_get_them() {
        let query = "SELECT username as user, password FROM users WHERE username='%u' or (%n=username and %d='auf.org')";
        let vars = Vars::of_user("o'hara@auf.org");
        assert_eq!(
            statement(query, &vars).unwrap().shown(),
            "SELECT username as user, password FROM users WHERE username='o'hara@auf.org' or ('o'hara'=username and 'auf.org'='auf.org')"
        );
        let number = statement("SELECT x FROM y WHERE id = %{passdb:id:7}", &vars).unwrap();
        assert_eq!(number.shown(), "SELECT x FROM y WHERE id = 7");
    }
}
