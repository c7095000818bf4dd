//! The `connect` setting of dovecot-sql.conf.ext.

use super::target::Wanted;
use super::{Kind, Place, Target, Tls};

impl Target {
    /// Reads a `connect` setting: `host=… dbname=… user=… password=…`; for SQLite the file.
    ///
    /// # Errors
    /// A setting that is not known, or a value that cannot be read, as a sentence.
    pub fn dovecot(kind: Kind, connect: &str) -> Result<Target, String> {
        let mut target = Target::new(kind);
        if kind == Kind::Sqlite {
            let path = connect.split_whitespace().next().unwrap_or_default();
            if path.is_empty() {
                return Err("connect: the path of the file is missing".to_owned());
            }
            target.database = Some(path.to_owned());
            return Ok(target);
        }
        let (mut hosts, mut port, mut sslmode) = (Vec::new(), None, None);
        for (name, value) in settings(connect)? {
            let path = || Some(value.clone().into());
            match name.as_str() {
                "host" | "hostaddr" => hosts.extend(value.split(',').map(str::to_owned)),
                "port" => {
                    port = Some(value.parse::<u16>().map_err(|_| format!("connect: bad port \"{value}\""))?);
                }
                "user" => target.user = Some(value),
                "password" => target.password = Some(value),
                "dbname" => target.database = Some(value),
                "ssl_ca" | "sslrootcert" => target.tls.ca_file = path(),
                "ssl_ca_path" => target.tls.ca_path = path(),
                "ssl_cert" | "sslcert" => target.tls.cert_file = path(),
                "ssl_key" | "sslkey" => target.tls.key_file = path(),
                "ssl_verify_server_cert" => {
                    target.tls.verify_name = matches!(value.as_str(), "1" | "yes" | "true")
                }
                "sslmode" => sslmode = Some(value),
                // Time-outs are ours; the rest changes nothing that a query shows.
                "connect_timeout"
                | "read_timeout"
                | "write_timeout"
                | "client_flags"
                | "ssl_cipher"
                | "application_name"
                | "client_encoding"
                | "options"
                | "keepalives"
                | "keepalives_idle"
                | "keepalives_interval"
                | "keepalives_count"
                | "fallback_application_name"
                | "gssencmode"
                | "vhost"
                | "idle_timeout" => {}
                "option_file" | "option_group" => {
                    return Err(format!("connect: {name} is not read; write host, user and password here"));
                }
                _ => return Err(format!("connect: unknown setting \"{name}\"")),
            }
        }
        target.tls = match (kind, sslmode) {
            (Kind::Pgsql, mode) => target.tls.sslmode(mode.as_deref().unwrap_or("prefer"))?,
            _ => target.tls.given(),
        };
        if hosts.is_empty() {
            hosts.push(if kind == Kind::Pgsql { "/run/postgresql" } else { "localhost" }.to_owned());
        }
        for host in hosts {
            let place = match (Place::parse(&host, kind)?, port) {
                (Place::Inet(host, _), Some(port)) => Place::Inet(host, port),
                (Place::Unix(path, _), Some(port)) => Place::Unix(path, port),
                (place, None) => place,
            };
            target.servers.push((place, host));
        }
        Ok(target)
    }
}

impl Tls {
    /// MySQL's way: TLS is spoken when anything is said about it; authorities that are named must have signed.
    pub(crate) fn given(mut self) -> Tls {
        self.verify_chain = self.verify_name || self.ca_file.is_some() || self.ca_path.is_some();
        if self.verify_chain || self.cert_file.is_some() {
            self.wanted = Wanted::Always;
        }
        self
    }

    /// PostgreSQL's `sslmode`.
    pub(crate) fn sslmode(mut self, mode: &str) -> Result<Tls, String> {
        self.wanted = match mode {
            "disable" => Wanted::No,
            "allow" | "prefer" => Wanted::Offered,
            "require" | "verify-ca" | "verify-full" => Wanted::Always,
            _ => return Err(format!("bad sslmode \"{mode}\"")),
        };
        self.verify_name = mode == "verify-full";
        self.verify_chain =
            self.verify_name || mode == "verify-ca" || (mode == "require" && self.ca_file.is_some());
        Ok(self)
    }
}

/// `name=value` pairs; a value with blanks stands between `'`, in which `\` makes the next character plain.
fn settings(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let mut name = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=' && !c.is_whitespace()) {
            name.push(c);
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if name.is_empty() && chars.peek().is_none() {
            return Ok(pairs);
        }
        if chars.next() != Some('=') {
            return Err(format!("connect: missing '=' after \"{name}\""));
        }
        let quoted = chars.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match chars.peek() {
                Some('\'') if quoted => {
                    chars.next();
                    break;
                }
                Some('\\') if quoted => {
                    chars.next();
                    value.extend(chars.next());
                }
                Some(c) if quoted || !c.is_whitespace() => value.extend(chars.next()),
                None if quoted => return Err(format!("connect: the quote after {name}= is never closed")),
                _ => break,
            }
        }
        pairs.push((name, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_connect_settings() {
        let target = Target::dovecot(
            Kind::Mysql,
            "host=10.0.0.1 host=10.0.0.2 dbname=mails port=3307 user=admin password=pa=s's",
        )
        .unwrap();
        assert_eq!(target.servers.len(), 2);
        assert_eq!(target.servers[1].0, Place::Inet("10.0.0.2".to_owned(), 3307));
        assert_eq!(target.password.as_deref(), Some("pa=s's"));
        assert_eq!(target.database.as_deref(), Some("mails"));
        assert_eq!(target.tls.wanted, Wanted::No);
        let target =
            Target::dovecot(Kind::Pgsql, "host=/run/pg password='a b\\'c' sslmode=verify-full").unwrap();
        assert_eq!(target.password.as_deref(), Some("a b'c"));
        assert!(target.tls.verify_name && target.tls.verify_chain);
        assert!(Target::dovecot(Kind::Sqlite, "/etc/dovecot/users.db").is_ok());
        for wrong in ["host", "host=a x=y", "port=x", "password='a"] {
            assert!(Target::dovecot(Kind::Mysql, wrong).is_err(), "{wrong}");
        }
        assert!(!format!("{target:?}").contains("a b"));
    }
}
