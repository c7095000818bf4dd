//! LDAP URLs (RFC 4516): `ldap://host:port/base?attributes?scope?filter`.

use super::{Place, Scope};

/// What an URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// The server; `None` where the URL names none.
    pub place: Option<Place>,
    /// Where a search begins.
    pub base: String,
    /// Attributes, none for all.
    pub attributes: Vec<String>,
    /// How far a search goes; the base alone where the URL does not say.
    pub scope: Scope,
    /// What is searched.
    pub filter: String,
}

impl Url {
    /// Does the text begin as an LDAP URL?
    pub fn is_url(text: &str) -> bool {
        let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
        ["ldap://", "ldaps://", "ldapi://"].iter().any(|scheme| lower.starts_with(scheme))
    }

    /// Reads an URL; `None` where it is none.
    pub fn parse(text: &str) -> Option<Url> {
        let (scheme, rest) = text.split_once("://")?;
        let (authority, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let place = match scheme.to_ascii_lowercase().as_str() {
            "ldap" => tcp(authority, 389, false)?,
            "ldaps" => tcp(authority, 636, true)?,
            "ldapi" => match decode(authority)? {
                path if path.is_empty() => Some(Place::Unix("/run/slapd/ldapi".into())),
                path => Some(Place::Unix(path.into())),
            },
            _ => return None,
        };
        let mut parts = rest.splitn(4, '?');
        let base = decode(parts.next().unwrap_or_default())?;
        let attributes = parts.next().unwrap_or_default();
        let attributes =
            attributes.split(',').filter(|name| !name.is_empty()).map(decode).collect::<Option<_>>()?;
        let scope = match parts.next().unwrap_or_default() {
            "" => Scope::Base,
            name => Scope::named(name)?,
        };
        let filter = match decode(parts.next().unwrap_or_default().split('?').next()?)? {
            filter if filter.is_empty() => "(objectClass=*)".to_owned(),
            filter => filter,
        };
        Some(Url { place, base, attributes, scope, filter })
    }
}

fn tcp(authority: &str, port: u16, tls: bool) -> Option<Option<Place>> {
    if authority.is_empty() {
        return Some(None);
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, digits)) if !digits.ends_with(']') => (host, digits.parse().ok()?),
        _ => (authority, port),
    };
    let host = decode(host.trim_start_matches('[').trim_end_matches(']'))?;
    Some(Some(Place::Tcp { host, port, tls }))
}

/// Undoes `%2F`.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || (bytes.next()? as char).to_digit(16);
        out.push((digit()? * 16 + digit()?) as u8);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls() {
        let url = Url::parse("ldap://h:1389/dc=a%20b,dc=c?mail,uid?sub?(uid=x)").unwrap();
        assert_eq!(url.place, Some(Place::Tcp { host: "h".to_owned(), port: 1389, tls: false }));
        assert_eq!(
            (url.base.as_str(), url.scope, url.filter.as_str()),
            ("dc=a b,dc=c", Scope::Sub, "(uid=x)")
        );
        assert_eq!(url.attributes, ["mail", "uid"]);
        let url = Url::parse("ldap:///dc=c??sub?(uid=bob)").unwrap();
        assert_eq!((url.place, url.attributes.len()), (None, 0));
        assert_eq!(Url::parse("ldapi://%2Frun%2Fx").unwrap().place, Some(Place::Unix("/run/x".into())));
        assert!(matches!(
            Url::parse("LDAPS://[::1]").unwrap().place,
            Some(Place::Tcp { port: 636, tls: true, .. })
        ));
        for bad in ["ldap", "http://x", "ldap://h:x/", "ldap://h/%zz", "ldap://h/??far"] {
            assert_eq!(Url::parse(bad), None, "{bad}");
        }
        assert!(Url::is_url("ldap://x") && !Url::is_url("cn=x"));
    }
}
