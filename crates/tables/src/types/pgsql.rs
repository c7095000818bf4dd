//! `pgsql:`, queries to PostgreSQL, pgsql_table(5).

use std::sync::Arc;

use super::queries::{self, Manner, words};
use super::{Opening, TableType};
use crate::Table;
use crate::sql::{Kind, Place, Target, Tls};
use crate::template::Config;

/// The type.
pub const TYPE: TableType = TableType {
    name: "pgsql",
    doc: "Queries to a PostgreSQL server, which the named file of settings describes.",
    open,
    make: None,
};

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let config = Config::read(opening)?;
    let name = &opening.spec.name;
    let mut plain = Target::new(Kind::Pgsql);
    plain.user = config.given("user");
    plain.password = config.given("password");
    plain.database = Some(config.required("dbname", name)?);
    plain.tls = Tls::default().sslmode("prefer")?;
    // 3.7 tells every server that what it sends is Latin-1; the setting is that of 3.8.
    plain.charset = match config.text("encoding", "LATIN1").to_ascii_uppercase().as_str() {
        "LATIN1" => Some("latin1".to_owned()),
        "UTF8" | "UTF-8" | "UNICODE" => None,
        other => return Err(format!("encoding = {other}: use UTF8 or LATIN1")),
    };
    let hosts = config.given("hosts").unwrap_or_else(|| "localhost".to_owned());
    let mut target: Option<Target> = None;
    for host in words(&hosts) {
        let mut one = if Target::is_uri(host) {
            let mut one = Target { charset: plain.charset.clone(), ..Target::uri(host)? };
            one.user = one.user.or_else(|| plain.user.clone());
            one.password = one.password.or_else(|| plain.password.clone());
            one.database = one.database.or_else(|| plain.database.clone());
            one
        } else {
            Target { servers: vec![(Place::parse(host, Kind::Pgsql)?, host.to_owned())], ..plain.clone() }
        };
        match &mut target {
            None => target = Some(one),
            Some(target) => {
                let server = one.servers.pop();
                one.servers = target.servers.clone();
                if one != *target {
                    return Err("hosts: all URIs must name the same user, data base and sslmode".to_owned());
                }
                target.servers.extend(server);
            }
        }
    }
    let target = target.ok_or("hosts: no host is named")?;
    // A statement without rows finds nothing.
    queries::open(
        opening,
        config,
        target,
        Manner { first_column: false, null_is_empty: true, require_set: false },
    )
}
