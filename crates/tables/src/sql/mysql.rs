//! Connections to MySQL and MariaDB, in the text protocol.

use mysql_async::consts::ColumnType;
use mysql_async::prelude::Queryable;
use mysql_async::{ClientIdentity, Conn, Error, OptsBuilder, Row, SslOpts, Value};

use super::pool::{Answer, Collector, Failure};
use super::statement::Dialect;
use super::target::Wanted;
use super::{Kind, Place, Statement, Target};
use crate::trust;

/// Character sets in which no second byte of a character is a quote or `\`, so that quoting is safe.
pub const CHARSETS: &[&str] = &["utf8mb4", "utf8", "utf8mb3", "latin1", "ascii", "binary"];

/// The server is about to stop, or has ended this connection.
const GOING: &[u16] = &[1053, 1077, 1079, 1152, 1153, 1159, 1184, 1317, 1927, 4031];

/// One connection.
pub struct Connection {
    conn: Conn,
    dialect: Dialect,
}

impl Connection {
    pub async fn open(target: &Target, place: &Place, bytes: usize) -> Result<Connection, String> {
        let mut options = OptsBuilder::default()
            .user(target.user.clone())
            .pass(target.password.clone())
            .db_name(target.database.clone())
            .prefer_socket(false)
            .tcp_nodelay(true)
            .stmt_cache_size(0)
            // Both given, so that the driver need not ask for them.
            .max_allowed_packet(Some(bytes))
            .wait_timeout(Some(8 * 60 * 60));
        options = match place {
            Place::Inet(host, port) => {
                options.ip_or_hostname(host.as_str()).tcp_port(*port).ssl_opts(tls(target)?)
            }
            Place::Unix(path, _) => options.socket(Some(path.to_string_lossy().into_owned())),
        };
        let mut conn = Conn::new(options).await.map_err(|error| words(&error))?;
        if let Some(charset) = &target.charset {
            let known = CHARSETS.iter().find(|known| *known == charset);
            let charset = known.ok_or_else(|| format!("charset {charset} is not supported"))?;
            conn.query_drop(format!("SET NAMES {charset}")).await.map_err(|error| words(&error))?;
        }
        let mode: Option<String> =
            conn.query_first("SELECT @@sql_mode").await.map_err(|error| words(&error))?;
        let backslash = !mode.unwrap_or_default().contains("NO_BACKSLASH_ESCAPES");
        Ok(Connection { conn, dialect: Dialect { kind: Kind::Mysql, backslash } })
    }

    pub async fn ask(&mut self, statement: &Statement, bytes: usize) -> Result<Answer, Failure> {
        let text = statement.render(self.dialect).map_err(Failure::Said)?;
        let mut result = self.conn.query_iter(text).await.map_err(|error| failure(&error))?;
        let columns = result.columns_ref();
        if columns.is_empty() {
            let affected = result.affected_rows();
            result.drop_result().await.map_err(|error| failure(&error))?;
            return Ok(Answer { affected, ..Answer::default() });
        }
        let binary: Vec<_> =
            columns.iter().map(|column| column.column_type() == ColumnType::MYSQL_TYPE_BIT).collect();
        let names = columns.iter().map(|column| column.name_str().into_owned()).collect();
        let mut rows = Collector::new(names, bytes);
        while let Some(row) = result.next().await.map_err(|error| failure(&error))? {
            let values = Row::unwrap(row).into_iter().zip(&binary);
            rows.add(values.map(|(value, binary)| text_of(value, *binary)).collect())?;
        }
        // A stored procedure ends with a status; a second set of rows has no meaning here.
        if !result.is_empty() && !result.columns_ref().is_empty() {
            return Err(Failure::Broken("query returned multiple result sets".to_owned()));
        }
        result.drop_result().await.map_err(|error| failure(&error))?;
        Ok(rows.answer())
    }
}

/// A BIT column comes as bytes, the highest first; everything else comes as text.
fn text_of(value: Value, binary: bool) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) if binary => {
            Some(bytes.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte)).to_string())
        }
        Value::Bytes(bytes) => Some(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }),
        // Never in the text protocol.
        other => Some(other.as_sql(true)),
    }
}

fn tls(target: &Target) -> Result<Option<SslOpts>, String> {
    let tls = &target.tls;
    if tls.wanted == Wanted::No {
        return Ok(None);
    }
    let authorities = trust::authority_files(tls)?;
    let mut options = SslOpts::default()
        .with_disable_built_in_roots(!authorities.is_empty())
        .with_root_certs(authorities.into_iter().map(Into::into).collect())
        .with_danger_skip_domain_validation(!tls.verify_name)
        .with_danger_accept_invalid_certs(!tls.verify_chain);
    if let (Some(cert), Some(key)) = (&tls.cert_file, &tls.key_file) {
        options =
            options.with_client_identity(Some(ClientIdentity::new(cert.clone().into(), key.clone().into())));
    }
    Ok(Some(options))
}

fn words(error: &Error) -> String {
    match error {
        Error::Server(error) => error.message.clone(),
        Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}

fn failure(error: &Error) -> Failure {
    match error {
        Error::Server(said) if !GOING.contains(&said.code) => Failure::Said(words(error)),
        Error::Io(_) | Error::Server(_) => Failure::Lost(words(error)),
        error => Failure::Lost(words(error)),
    }
}
