//! An envelope address in *internal* form: unquoted local part, `@`, domain. RFC 5321 4.1.2.

use std::cmp::Ordering;
use std::fmt;

use crate::addresses;

/// An address as the queue and the tables see it: `joe user@example.org` without quotes; empty is `<>`.
///
/// The last `@` divides local part and domain, as in Postfix.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(String);

impl Address {
    /// Takes text that is already in internal form.
    pub fn from_internal(text: impl Into<String>) -> Address {
        Address(text.into())
    }

    /// The null reverse-path `<>`.
    pub fn null() -> Address {
        Address::default()
    }

    /// Is this the null reverse-path?
    pub fn is_null(&self) -> bool {
        self.0.is_empty()
    }

    /// The internal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the last `@`, or everything when there is none.
    pub fn local(&self) -> &str {
        self.split().0
    }

    /// What stands after the last `@`.
    pub fn domain(&self) -> Option<&str> {
        self.split().1
    }

    /// The order in which the recipients of a message are tried: those of one domain together, those without one last.
    pub fn compare_by_domain(&self, other: &Address) -> Ordering {
        let fold = |byte: u8| byte.to_ascii_lowercase();
        match (self.domain(), other.domain()) {
            (Some(one), Some(other)) => one.bytes().map(fold).cmp(other.bytes().map(fold)),
            (one, other) => other.is_some().cmp(&one.is_some()),
        }
        .then_with(|| self.as_str().cmp(other.as_str()))
    }

    /// Local part and domain.
    pub fn split(&self) -> (&str, Option<&str>) {
        split(&self.0)
    }

    /// The RFC 5321 form: the local part is quoted where it has to be. A source route before it stays as it is,
    /// and the null reverse-path is empty.
    pub fn external(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        String::from_utf8(addresses::quote(self.0.as_bytes())).expect("quoting adds ASCII only")
    }

    /// Does it hold anything outside ASCII (and so needs SMTPUTF8, RFC 6531)?
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

impl From<&str> for Address {
    fn from(text: &str) -> Address {
        Address(text.to_owned())
    }
}

impl From<String> for Address {
    fn from(text: String) -> Address {
        Address(text)
    }
}

/// Divides internal-form text at its last `@`.
pub fn split(text: &str) -> (&str, Option<&str>) {
    match text.rfind('@') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// Quotes a local part unless it is a dot-string (RFC 5321 4.1.2). 8-bit characters pass as they are.
pub fn quote_local(local: &str) -> String {
    if is_dot_string(local) {
        return local.to_owned();
    }
    let mut out = String::with_capacity(local.len() + 2);
    out.push('"');
    for c in local.chars() {
        if matches!(c, '"' | '\\' | '\r') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

fn is_dot_string(local: &str) -> bool {
    !local.is_empty()
        && local.split('.').all(|atom| {
            !atom.is_empty()
                && atom
                    .chars()
                    .all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c))
        })
}

/// Divides a local part at the first of `delimiters` (`recipient_delimiter`): user and extension.
///
/// Like Postfix, never divides `owner-list` or `list-request` when `-` is a delimiter, nor at the first
/// character, nor the reserved names `mailer-daemon` and `double-bounce`.
pub fn split_extension<'a>(local: &'a str, delimiters: &str) -> Option<(&'a str, char, &'a str)> {
    if delimiters.contains('-') {
        let lower = local.to_ascii_lowercase();
        if lower.starts_with("owner-") || lower.ends_with("-request") {
            return None;
        }
    }
    split_any_extension(local, delimiters)
}

/// The same where `owner_request_special` is off: lists have no names of their own.
pub fn split_any_extension<'a>(local: &'a str, delimiters: &str) -> Option<(&'a str, char, &'a str)> {
    if delimiters.is_empty()
        || local.eq_ignore_ascii_case("mailer-daemon")
        || local.eq_ignore_ascii_case("double-bounce")
    {
        return None;
    }
    let at = local.find(|c| delimiters.contains(c)).filter(|at| *at > 0)?;
    let delimiter = local[at..].chars().next()?;
    Some((&local[..at], delimiter, &local[at + delimiter.len_utf8()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_only_what_must_be_quoted() {
        for (internal, external) in [
            ("", ""),
            ("joe@example.org", "joe@example.org"),
            ("joe user@example.org", "\"joe user\"@example.org"),
            ("a\"b@x", "\"a\\\"b\"@x"),
            ("a@b@c", "\"a@b\"@c"),
            (".joe@x", "\".joe\"@x"),
            ("joe", "joe"),
            ("@r.test:joe user@x", "@r.test:\"joe user\"@x"),
            ("@x", "\"\"@x"),
            ("", ""),
        ] {
            assert_eq!(Address::from(internal).external(), external);
        }
    }

    #[test]
    fn divides_extensions_as_postfix_does() {
        assert_eq!(split_extension("joe+list", "+"), Some(("joe", '+', "list")));
        assert_eq!(split_extension("+joe", "+"), None);
        assert_eq!(split_extension("owner-list", "-"), None);
        assert_eq!(split_extension("list-request", "-"), None);
        assert_eq!(split_any_extension("list-request", "-"), Some(("list", '-', "request")));
        assert_eq!(split_extension("a-b+c", "+-"), Some(("a", '-', "b+c")));
        assert_eq!(split_extension("double-bounce", "-"), None);
    }

    #[test]
    fn recipients_of_a_domain_stand_together() {
        let mut list =
            ["root", "b@y.test", "a@Z.test", "B@y.test", "c@z.test", "a@y.test"].map(Address::from);
        list.sort_by(Address::compare_by_domain);
        let sorted: Vec<&str> = list.iter().map(Address::as_str).collect();
        assert_eq!(sorted, ["B@y.test", "a@y.test", "b@y.test", "a@Z.test", "c@z.test", "root"]);
    }
}
