//! `mysql:`, queries to MySQL and MariaDB, mysql_table(5).

use std::sync::Arc;

use super::queries::{self, Manner, words};
use super::{Opening, TableType};
use crate::Table;
use crate::sql::{CHARSETS, Kind, Place, Target, Tls};
use crate::template::Config;

/// The type.
pub const TYPE: TableType = TableType {
    name: "mysql",
    doc: "Queries to a MySQL or MariaDB server, which the named file of settings describes.",
    open,
    make: None,
};

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let config = Config::read(opening)?;
    let name = &opening.spec.name;
    let program = opening.tables.settings().program;
    if let Some(file) = config.given("option_file") {
        log::warn!(
            target: program,
            "{}: option_file = {file} is not read: write host, user and password in {name}",
            opening.spec
        );
    }
    let mut target = Target::new(Kind::Mysql);
    let hosts = config.given("hosts").unwrap_or_else(|| "localhost".to_owned());
    for host in words(&hosts) {
        target.servers.push((Place::parse(host, Kind::Mysql)?, host.to_owned()));
    }
    target.database = Some(config.required("dbname", name)?);
    target.user = config.given("user");
    target.password = config.given("password");
    if let Some(charset) = config.given("charset") {
        if !CHARSETS.contains(&charset.as_str()) {
            return Err(format!("charset = {charset}: keys cannot be quoted safely in it; use utf8mb4"));
        }
        target.charset = Some(charset);
    }
    target.tls = Tls {
        ca_file: config.given("tls_CAfile").map(Into::into),
        ca_path: config.given("tls_CApath").map(Into::into),
        cert_file: config.given("tls_cert_file").map(Into::into),
        key_file: config.given("tls_key_file").map(Into::into),
        verify_name: config.yes("tls_verify_cert", false)?,
        ..Tls::default()
    }
    .given();
    let require_set = config.yes("require_result_set", true)?;
    queries::open(opening, config, target, Manner { first_column: false, null_is_empty: false, require_set })
}
