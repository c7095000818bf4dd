//! Where a data base is and who asks it.

use std::path::PathBuf;

/// Which program answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// MySQL or MariaDB.
    Mysql,
    /// PostgreSQL.
    Pgsql,
    /// A file.
    Sqlite,
}

impl Kind {
    /// `mysql`, `pgsql`, `sqlite`: the name of Postfix's table type and of Dovecot's driver.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Mysql => "mysql",
            Kind::Pgsql => "pgsql",
            Kind::Sqlite => "sqlite",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Kind> {
        [Kind::Mysql, Kind::Pgsql, Kind::Sqlite].into_iter().find(|kind| kind.name() == name)
    }
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A host and port.
    Inet(String, u16),
    /// A socket; for PostgreSQL the directory it is in, and its number.
    Unix(PathBuf, u16),
}

impl Place {
    /// Reads `unix:/path`, `/path`, `inet:host:port`, `host:port`, `host`, `[address]:port`.
    ///
    /// # Errors
    /// The port is no number, as a sentence.
    pub fn parse(text: &str, kind: Kind) -> Result<Place, String> {
        let port = if kind == Kind::Pgsql { 5432 } else { 3306 };
        let name = text.strip_prefix("unix:").or_else(|| text.strip_prefix("inet:")).unwrap_or(text);
        if name.starts_with('/') {
            return Ok(Place::Unix(name.into(), port));
        }
        let (host, port) = match name.rsplit_once(':') {
            Some((host, _)) if host.contains(':') && !name.starts_with('[') => (name, port),
            Some((host, digits)) if !digits.ends_with(']') => {
                (host, digits.parse().map_err(|_| format!("bad port in host \"{text}\""))?)
            }
            _ => (name, port),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(format!("no name in host \"{text}\""));
        }
        if host == "localhost" && kind == Kind::Mysql {
            // As MySQL's own library: this name is its socket.
            return Ok(Place::Unix("/run/mysqld/mysqld.sock".into(), port));
        }
        Ok(Place::Inet(host.to_owned(), port))
    }
}

/// What is expected of a server's certificate, and what is shown to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tls {
    /// Whether TLS is spoken.
    pub wanted: Wanted,
    /// Authorities in one file.
    pub ca_file: Option<PathBuf>,
    /// Authorities in files of their own in a directory.
    pub ca_path: Option<PathBuf>,
    /// Our certificate.
    pub cert_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
    /// The certificate comes from a known authority.
    pub verify_chain: bool,
    /// The certificate names the host.
    pub verify_name: bool,
}

/// Is TLS spoken?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// No.
    #[default]
    No,
    /// Where the server offers it.
    Offered,
    /// Always.
    Always,
}

/// A data base: its servers, its name, and who asks.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Which program answers.
    pub kind: Kind,
    /// Servers that hold the same data, each with its name for messages. For SQLite none.
    pub servers: Vec<(Place, String)>,
    /// Who asks.
    pub user: Option<String>,
    /// The password; never shown.
    pub password: Option<String>,
    /// The data base, for SQLite the file.
    pub database: Option<String>,
    /// TLS.
    pub tls: Tls,
    /// The file is only read (SQLite).
    pub read_only: bool,
    /// The character set of the session: any of MySQL's, `latin1` for PostgreSQL; `None` is UTF-8.
    pub charset: Option<String>,
}

impl Target {
    /// A target without servers, user and name.
    pub fn new(kind: Kind) -> Target {
        Target {
            kind,
            servers: Vec::new(),
            user: None,
            password: None,
            database: None,
            tls: Tls::default(),
            read_only: false,
            charset: None,
        }
    }

    /// An SQLite file.
    pub fn sqlite(path: &str, read_only: bool) -> Target {
        Target { database: Some(path.to_owned()), read_only, ..Target::new(Kind::Sqlite) }
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("kind", &self.kind)
            .field("servers", &self.servers)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_hosts() {
        let inet = |host: &str, port| Ok(Place::Inet(host.to_owned(), port));
        for (text, kind, expected) in [
            ("db.example.org", Kind::Mysql, inet("db.example.org", 3306)),
            ("inet:db:3307", Kind::Mysql, inet("db", 3307)),
            ("127.0.0.1:1", Kind::Pgsql, inet("127.0.0.1", 1)),
            ("[::1]:1", Kind::Pgsql, inet("::1", 1)),
            ("::1", Kind::Pgsql, inet("::1", 5432)),
            ("unix:/a", Kind::Pgsql, Ok(Place::Unix("/a".into(), 5432))),
            ("localhost", Kind::Pgsql, inet("localhost", 5432)),
        ] {
            assert_eq!(Place::parse(text, kind), expected, "{text}");
        }
        assert!(matches!(Place::parse("inet:localhost", Kind::Mysql), Ok(Place::Unix(..))));
        assert!(Place::parse("a:b", Kind::Mysql).is_err());
        assert!(Place::parse("", Kind::Mysql).is_err());
    }
}
