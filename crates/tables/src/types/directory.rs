//! `directory:accounts`, `directory:aliases`, `directory:domains`: our own directory of accounts.
//!
//! `directory_database` says where it is; `facteur user` and its kin edit it. Here it is only read.

use std::sync::Arc;
use std::time::Duration;

use super::{Opening, TableType};
use crate::sql::{Kind, Limits, Pool, Statement, Target};
use crate::{Hit, Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType = TableType {
    name: "directory",
    doc: "Accounts, aliases or domains of the directory that facteur user edits.",
    open,
    make: None,
};

/// What can be asked, and how: the key comes in between. Names and addresses are kept in lower case.
const QUERIES: &[(&str, &str, &str)] = &[
    ("accounts", "SELECT name FROM accounts WHERE name = ", ""),
    ("aliases", "SELECT target FROM aliases WHERE address = ", " ORDER BY target"),
    ("domains", "SELECT name FROM domains WHERE name = ", ""),
];

struct Directory {
    table: String,
    query: (&'static str, &'static str),
    pool: Pool,
}

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let name = opening.spec.name.as_str();
    let query = QUERIES.iter().find(|(known, _, _)| *known == name).map(|(_, head, tail)| (*head, *tail));
    let query = query
        .ok_or_else(|| format!("directory:{name}: directory:accounts, :aliases or :domains is expected"))?;
    let main_cf = &opening.tables.settings().main_cf;
    let place = main_cf.get("directory_database").unwrap_or_else(|| {
        let data = main_cf.get("data_directory").unwrap_or_else(|| "/var/lib/postfix".to_owned());
        format!("{data}/directory.sqlite")
    });
    let mut target = Target::place(&place).map_err(|wrong| format!("directory_database: {wrong}"))?;
    target.read_only = target.kind == Kind::Sqlite;
    // There is no other server that could be asked meanwhile.
    let limits = Limits { retry: Duration::from_secs(1), ..Limits::default() };
    let pool = Pool::new(target, limits, opening.tables.settings().program);
    Ok(Arc::new(Directory { table: opening.spec.to_string(), query, pool }))
}

impl Table for Directory {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        // No name holds NUL, and not every server takes one in a question.
        let Some(key) = std::str::from_utf8(key).ok().filter(|key| !key.contains('\0')) else {
            return Lookup::Ready(Ok(None));
        };
        let (head, tail) = self.query;
        let query = Statement::new().text(head).quoted(Some(&key.to_ascii_lowercase())).text(tail);
        Lookup::Pending(Box::pin(async move {
            let answer = self.pool.query(&query).await.map_err(|trouble| {
                mail::Trouble::new(format!("{}: {}: {trouble}", self.table, self.pool.names()))
            })?;
            let values = answer.rows.iter().filter_map(|row| row.values.first()?.as_deref());
            let values: Vec<&str> = values.collect();
            Ok((!values.is_empty()).then(|| Hit::new(values.join(", "))))
        }))
    }

    fn shape(&self) -> Shape {
        Shape::FIXED
    }

    fn folds(&self) -> bool {
        true
    }
}
