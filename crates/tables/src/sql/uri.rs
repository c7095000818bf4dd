//! `postgresql://user:password@host:port/dbname?sslmode=require`, and the same with `mysql:`; `sqlite:/path`.

use super::{Kind, Place, Target};

impl Target {
    /// Does this text begin as an URI does?
    pub fn is_uri(text: &str) -> bool {
        ["postgresql://", "postgres://", "mysql://", "mariadb://", "sqlite:"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
    }

    /// Reads the path of an SQLite file, an URI, or `</file`, which holds one of these in its first line: so that no
    /// password stands where all may read.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence without the password.
    pub fn place(text: &str) -> Result<Target, String> {
        let Some(file) = text.strip_prefix('<') else { return Target::written(text) };
        let content =
            conf::secrets::read(file.trim()).map_err(|error| format!("{}: {error}", file.trim()))?;
        let content = String::from_utf8(content).map_err(|_| format!("{}: not UTF-8", file.trim()))?;
        Target::written(content.lines().next().unwrap_or_default().trim())
            .map_err(|wrong| format!("{}: {wrong}", file.trim()))
    }

    fn written(text: &str) -> Result<Target, String> {
        let target = match text {
            text if Target::is_uri(text) => Target::uri(text)?,
            text if text.starts_with('/') => Target::sqlite(text, false),
            _ => return Err("a path, mysql://... or postgresql://... is expected".to_owned()),
        };
        if target.database.is_none() {
            return Err("the URI names no data base".to_owned());
        }
        Ok(target)
    }

    /// Reads an URI.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence without the password.
    pub fn uri(text: &str) -> Result<Target, String> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return Ok(Target::sqlite(path.strip_prefix("//").unwrap_or(path), false));
        }
        let (scheme, rest) = text.split_once("://").ok_or("no scheme:// at the start of the URI")?;
        let kind = match scheme {
            "postgresql" | "postgres" => Kind::Pgsql,
            "mysql" | "mariadb" => Kind::Mysql,
            _ => return Err(format!("unknown scheme {scheme}://")),
        };
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(decode(password)?)),
            None => (login, None),
        };
        let filled = |text: &str| -> Result<Option<String>, String> {
            Ok(Some(decode(text)?).filter(|text| !text.is_empty()))
        };
        let mut target =
            Target { user: filled(user)?, password, database: filled(database)?, ..Target::new(kind) };
        let mut sslmode = if kind == Kind::Pgsql { "prefer" } else { "" }.to_owned();
        let mut hosts: Vec<_> = hosts.split(',').map(str::to_owned).collect();
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = decode(value)?;
            match name {
                "sslmode" => sslmode = value,
                "sslrootcert" | "ssl_ca" => target.tls.ca_file = Some(value.into()),
                "sslcert" | "ssl_cert" => target.tls.cert_file = Some(value.into()),
                "sslkey" | "ssl_key" => target.tls.key_file = Some(value.into()),
                "host" => hosts = vec![value],
                "user" => target.user = Some(value),
                "password" => target.password = Some(value),
                "dbname" => target.database = Some(value),
                "connect_timeout" | "application_name" | "client_encoding" | "target_session_attrs" => {}
                _ => return Err(format!("unknown setting \"{name}\" in the URI")),
            }
        }
        target.tls = if sslmode.is_empty() { target.tls.given() } else { target.tls.sslmode(&sslmode)? };
        for host in hosts {
            let host = match (decode(&host)?, kind) {
                (host, Kind::Pgsql) if host.is_empty() => "/run/postgresql".to_owned(),
                (host, _) if host.is_empty() => "localhost".to_owned(),
                (host, _) => host,
            };
            target.servers.push((Place::parse(&host, kind)?, host));
        }
        Ok(target)
    }
}

/// Undoes `%40`.
fn decode(text: &str) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| (byte as char).to_digit(16));
        match (digit(bytes.next()), digit(bytes.next())) {
            (Some(high), Some(low)) => out.push((high * 16 + low) as u8),
            _ => return Err("bad % in the URI".to_owned()),
        }
    }
    String::from_utf8(out).map_err(|_| "the URI is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Wanted;

    #[test]
    fn places_may_be_written_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("uri");
        std::fs::write(&file, "mysql://u:secret@h/mail\n# for the directory\n").unwrap();
        let target = Target::place(&format!("<{}", file.display())).unwrap();
        assert_eq!((target.kind, target.password.as_deref()), (Kind::Mysql, Some("secret")));
        assert_eq!(Target::place("/d.sqlite").unwrap().database.as_deref(), Some("/d.sqlite"));
        std::fs::write(&file, "<x").unwrap();
        for wrong in ["relative", "", "mysql://u:secret@h", "</no/such/file", &format!("<{}", file.display())]
        {
            assert!(!Target::place(wrong).unwrap_err().contains("secret"), "{wrong}");
        }
    }

    #[test]
    fn reads_uris() {
        let target =
            Target::uri("postgresql://u%40x:p%3aw@db.example.org:5433/mail?sslmode=require").unwrap();
        assert_eq!(target.servers[0].0, Place::Inet("db.example.org".to_owned(), 5433));
        assert_eq!(target.user.as_deref(), Some("u@x"));
        assert_eq!(target.password.as_deref(), Some("p:w"));
        assert_eq!(target.database.as_deref(), Some("mail"));
        assert_eq!(target.tls.wanted, Wanted::Always);
        let target = Target::uri("postgresql://%2Frun%2Fpg/mail").unwrap();
        assert_eq!(target.servers[0].0, Place::Unix("/run/pg".into(), 5432));
        let target = Target::uri("mysql://u@10.0.0.1,10.0.0.2/mail").unwrap();
        assert_eq!((target.servers.len(), target.tls.wanted), (2, Wanted::No));
        assert_eq!(Target::uri("sqlite:/tmp/x").unwrap().database.as_deref(), Some("/tmp/x"));
        for wrong in
            ["x://a", "postgresql://h/d?nothing=1", "postgresql://h/%zz", "postgresql://h/d?sslmode=x"]
        {
            assert!(Target::uri(wrong).is_err(), "{wrong}");
        }
    }
}
