//! The tables of web consoles: PostfixAdmin, ViMbAdmin, mailcow, iRedMail, in MySQL, PostgreSQL or SQLite.

use people::directory::Change;
use tables::sql::{Limits, Pool, Row, Statement, Target};

use super::Found;

/// Where one of them keeps what. All queries give the columns that [`read`] looks for.
pub(super) struct Schema {
    name: &'static str,
    /// `name`
    domains: &'static str,
    /// `username`, `password`, `quota`, `active`; `home`, `uid`, `gid`
    accounts: &'static str,
    /// `address`, `goto`, `active`
    aliases: &'static str,
    /// What a quota is counted in, as a suffix of Dovecot's.
    unit: &'static str,
}

const SCHEMAS: &[Schema] = &[
    Schema {
        name: "postfixadmin",
        domains: "SELECT domain AS name FROM domain WHERE domain <> 'ALL'",
        accounts: "SELECT username, password, quota, active FROM mailbox",
        aliases: "SELECT address, goto, active FROM alias",
        unit: "B",
    },
    Schema {
        name: "vimbadmin",
        domains: "SELECT domain AS name FROM domain",
        accounts: "SELECT username, password, quota, active, homedir AS home, uid, gid FROM mailbox",
        aliases: "SELECT address, goto, active FROM alias",
        unit: "B",
    },
    Schema {
        name: "mailcow",
        domains: "SELECT domain AS name FROM domain",
        // Rooms and things are mailboxes there, too.
        accounts: "SELECT username, password, quota, active FROM mailbox WHERE kind = '' OR kind IS NULL",
        aliases: "SELECT address, goto, active FROM alias",
        unit: "B",
    },
    Schema {
        name: "iredmail",
        domains: "SELECT domain AS name FROM domain",
        accounts: "SELECT username, password, quota, active, \
                   CONCAT(storagebasedirectory, '/', storagenode, '/', maildir) AS home FROM mailbox",
        aliases: "SELECT address, forwarding AS goto, active FROM forwardings",
        unit: "M",
    },
];

/// Targets that mean something to mailcow alone.
const MAILCOW: [&str; 3] = ["null@localhost", "spam@localhost", "ham@localhost"];

pub(super) fn find(name: &str) -> Option<&'static Schema> {
    SCHEMAS.iter().find(|schema| schema.name == name)
}

/// Asks the data base behind an URI.
pub(super) fn read(schema: &Schema, uri: &str) -> Result<Found, String> {
    if !Target::is_uri(uri) {
        return Err(
            "mysql://user:password@host/database, postgresql://... or sqlite:/file is expected".to_owned()
        );
    }
    let mut target = Target::uri(uri)?;
    target.read_only = true;
    let pool = Pool::new(target, Limits::default(), "import");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start the runtime: {error}"))?;
    let ask = |query: &str| {
        let asked = runtime.block_on(pool.query(&Statement::new().text(query)));
        asked.map(|answer| answer.rows).map_err(|trouble| trouble.to_string())
    };
    let (domains, accounts, aliases) = (ask(schema.domains)?, ask(schema.accounts)?, ask(schema.aliases)?);
    Ok(sort(schema, &domains, &accounts, &aliases))
}

fn sort(schema: &Schema, domains: &[Row], accounts: &[Row], aliases: &[Row]) -> Found {
    let mut found = Found::default();
    found.domains.extend(domains.iter().filter_map(|row| row.get("name")).map(str::to_owned));
    for row in accounts {
        let Some(name) = row.get("username") else { continue };
        let number = |column: &str| row.get(column).and_then(|text| text.parse::<u32>().ok());
        let quota = row.get("quota").filter(|text| text.parse::<u64>().is_ok_and(|quota| quota > 0));
        let change = Change {
            disabled: Some(!is_on(row)),
            quota: quota.map(|quota| format!("{quota}{}", schema.unit)),
            home: row.get("home").map(|home| home.trim_end_matches('/').to_owned()),
            uid: number("uid").filter(|uid| *uid > 0),
            gid: number("gid").filter(|gid| *gid > 0),
            ..Change::default()
        };
        found.account(name, row.get("password").unwrap_or_default(), change);
    }
    for row in aliases {
        let (Some(address), Some(targets)) = (row.get("address"), row.get("goto")) else { continue };
        if !is_on(row) {
            found.remarks.push(format!("alias {address} is not active there and left out"));
        } else if MAILCOW.contains(&targets) {
            found
                .remarks
                .push(format!("alias {address} leads to {targets}, which is no address, and left out"));
        } else {
            found.alias(address, targets);
        }
    }
    found
}

/// `active`, as MySQL and PostgreSQL write it.
fn is_on(row: &Row) -> bool {
    row.get("active").is_none_or(|active| matches!(active, "1" | "2" | "t" | "true" | "TRUE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_schema_is_understood() {
        let folder = tempfile::tempdir().unwrap();
        for (name, columns, extra, quota) in [
            ("postfixadmin", "", "", "1048576B"),
            (
                "vimbadmin",
                ", homedir TEXT DEFAULT '/srv/joe/', uid INT DEFAULT 7, gid INT DEFAULT 0",
                "",
                "1048576B",
            ),
            ("mailcow", ", kind TEXT DEFAULT ''", "", "1048576B"),
            (
                "iredmail",
                ", storagebasedirectory TEXT DEFAULT '/srv', storagenode TEXT DEFAULT 'n', maildir TEXT DEFAULT 'joe/'",
                "ALTER TABLE alias RENAME TO forwardings; ALTER TABLE forwardings RENAME COLUMN goto TO forwarding;",
                "1048576M",
            ),
        ] {
            let file = folder.path().join(name);
            let connection = rusqlite::Connection::open(&file).unwrap();
            connection
                .execute_batch(&format!(
                    "CREATE TABLE domain (domain TEXT); INSERT INTO domain VALUES ('x.test');
                     CREATE TABLE mailbox (username TEXT, password TEXT, quota INT, active INT {columns});
                     INSERT INTO mailbox (username, password, quota, active) VALUES
                       ('joe@x.test', '$1$a$b', 1048576, 1), ('ann@x.test', '{{SSHA}}x', 0, 0);
                     CREATE TABLE alias (address TEXT, goto TEXT, active INT);
                     INSERT INTO alias VALUES ('joe@x.test', 'joe@x.test', 1), ('team@x.test', 'joe@x.test,ann@x.test', 1),
                       ('off@x.test', 'joe@x.test', 0), ('bin@x.test', 'null@localhost', 1); {extra}"
                ))
                .unwrap();
            let found = read(find(name).unwrap(), &format!("sqlite:{}", file.display())).unwrap();
            assert_eq!(found.domains, ["x.test"], "{name}");
            let (joe, ann) = (&found.accounts[0].1, &found.accounts[1].1);
            assert_eq!(
                (joe.password.as_deref(), joe.quota.as_deref()),
                (Some("{CRYPT}$1$a$b"), Some(quota)),
                "{name}"
            );
            assert_eq!(
                (joe.disabled, ann.disabled, ann.quota.as_deref()),
                (Some(false), Some(true), None),
                "{name}"
            );
            let home = match name {
                "vimbadmin" => Some("/srv/joe"),
                "iredmail" => Some("/srv/n/joe"),
                _ => None,
            };
            assert_eq!((joe.home.as_deref(), joe.gid), (home, None), "{name}");
            assert_eq!(found.aliases.len(), 1, "{name}: {:?}", found.aliases);
            assert_eq!(found.remarks.len(), 2, "{name}: {:?}", found.remarks);
        }
        assert!(read(find("mailcow").unwrap(), "/etc/passwd").unwrap_err().contains("mysql://"));
    }
}
