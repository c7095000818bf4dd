//! The `sql` plugin of Cyrus SASL: its `sql_*` options, as they stand in Postfix's smtpd.conf.

use mail::Trouble;
use tables::sql::{Kind as Server, Limits, Place, Pool, Target, Wanted};

use super::sql::statement;
use super::{PassDb, Request, Row, Secret};
use crate::expand::{Vars, check};
use crate::{Boxed, Fields};

/// The query, and where it is asked.
pub struct CyrusSql {
    pool: Pool,
    query: String,
    realm: String,
}

impl CyrusSql {
    /// From the options; `realm` is that of names without one.
    ///
    /// # Errors
    /// An option is missing or makes no sense, as a sentence.
    pub fn read(options: &Fields, realm: &str) -> Result<CyrusSql, String> {
        let engine = options.get("sql_engine").unwrap_or("mysql");
        let kind = Server::named(engine)
            .ok_or_else(|| format!("sql_engine: {engine}: mysql, pgsql or sqlite is expected"))?;
        let query =
            options.get("sql_select").ok_or("sql_select is missing: it says how a password is found")?;
        let query = variables(query);
        check(&query).map_err(|wrong| format!("sql_select: {wrong}"))?;
        let text = |name: &str| options.get(name).map(str::to_owned);
        let mut target = Target::new(kind);
        target.user = text("sql_user");
        target.password = text("sql_passwd");
        target.database = Some(text("sql_database").ok_or("sql_database is missing")?);
        if kind == Server::Sqlite {
            target.read_only = true;
        } else {
            let hosts = options.get("sql_hostnames").unwrap_or("localhost");
            for host in hosts.split([',', ' ']).filter(|host| !host.is_empty()) {
                target.servers.push((Place::parse(host, kind)?, host.to_owned()));
            }
            if options.get("sql_usessl").is_some_and(is_yes) {
                target.tls.wanted = Wanted::Always;
            }
        }
        Ok(CyrusSql { pool: Pool::new(target, Limits::default(), "auth"), query, realm: realm.to_owned() })
    }

    async fn password(&self, user: &str) -> Result<Option<String>, Trouble> {
        let name = if user.contains('@') { user.to_owned() } else { format!("{user}@{}", self.realm) };
        let statement = statement(&self.query, &Vars::of_user(&name)).map_err(Trouble::new)?;
        let answer = self.pool.query(&statement).await?;
        Ok(answer.rows.into_iter().next().and_then(|row| row.values.into_iter().next()).flatten())
    }
}

/// What counts as yes in these files.
fn is_yes(value: &str) -> bool {
    ["1", "y", "t", "o"].iter().any(|first| value.to_ascii_lowercase().starts_with(first))
        && !value.eq_ignore_ascii_case("off")
}

/// `%u`, `%r`, `%p` as variables of ours; any other `%` stands for itself.
fn variables(query: &str) -> String {
    let mut text = String::new();
    let mut letters = query.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        let known = match letters.peek() {
            Some('u') => "%n",
            Some('r') => "%d",
            // The property that is asked for, and the value that is never written.
            Some('p') => "userPassword",
            Some('v') => "",
            Some('%') => "%%",
            _ => {
                text.push_str("%%");
                continue;
            }
        };
        text.push_str(known);
        letters.next();
    }
    text
}

impl PassDb for CyrusSql {
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Row>, Trouble>> {
        Box::pin(async move {
            let password = self.password(request.user).await;
            let password = password.map_err(|trouble| Trouble::new(format!("sql_select: {trouble}")))?;
            let row = |password: String| Row {
                // Never taken for the name of another scheme, whatever it begins with.
                password: Some(Secret(format!("{{PLAIN}}{password}"))),
                fields: Fields::default(),
            };
            Ok(password.filter(|it| !it.is_empty()).map(row))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_cyrus_become_ours() {
        let query = "SELECT %p FROM a WHERE u='%u@%r' AND x LIKE '%' AND y='%%' AND z='%q'";
        let ours = "SELECT userPassword FROM a WHERE u='%n@%d' AND x LIKE '%%' AND y='%%' AND z='%%q'";
        assert_eq!(variables(query), ours);
    }

    #[tokio::test]
    async fn a_password_is_found_and_a_quote_is_a_quote() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("db");
        let db = rusqlite::Connection::open(&file).unwrap();
        db.execute_batch(
            "CREATE TABLE a (u, p); INSERT INTO a VALUES ('joe@here', '{x}y'), ('o''x@here', 'z');",
        )
        .unwrap();
        let mut options = Fields::default();
        for (name, value) in [
            ("sql_engine", "sqlite"),
            ("sql_database", file.to_str().unwrap()),
            ("sql_select", "SELECT p FROM a WHERE u='%u@%r'"),
        ] {
            options.set(name, value);
        }
        let sql = CyrusSql::read(&options, "here").unwrap();
        assert_eq!(sql.password("joe").await.unwrap().as_deref(), Some("{x}y"));
        assert_eq!(sql.password("o'x@here").await.unwrap().as_deref(), Some("z"));
        assert_eq!(sql.password("joe@there").await.unwrap(), None);
        assert_eq!(sql.password("' OR '1'='1").await.unwrap(), None);
        assert!(CyrusSql::read(&Fields::default(), "here").is_err_and(|wrong| wrong.contains("sql_select")));
    }
}
