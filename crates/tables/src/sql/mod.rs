//! MySQL, PostgreSQL and SQLite behind one face: a [`Target`] (where, as whom) makes a [`Pool`], a pool takes a
//! [`Statement`] and gives [`Answer`]: rows of named columns, all as text.
//!
//! ```ignore
//! let target = Target::dovecot(Kind::Mysql, "host=127.0.0.1 dbname=mail user=u password=p")?;
//! let pool = Pool::new(target, Limits::default(), "auth");
//! let query = Statement::new().text("SELECT password FROM users WHERE userid = '").value(name).text("'");
//! let answer = pool.query(&query).await?;
//! let password = answer.rows.first().and_then(|row| row.get("password"));
//! ```
//!
//! What is given as a value never ends the place it stands in, whatever it holds: [`Statement`] knows for each
//! value whether it stands between quotes, which, and what this server's quoting is. Values that stand outside
//! of quotes may be letters, digits and `_` only.

mod dovecot;
mod hosts;
mod mysql;
mod pgsql;
mod pool;
mod sqlite;
mod statement;
mod target;

mod uri;

pub(crate) use mysql::CHARSETS;
pub use pool::{Answer, Limits, Pool, Row, Session, WeakPool};
pub use statement::Statement;
pub use target::{Kind, Place, Target, Tls, Wanted};

#[cfg(test)]
mod tests;
