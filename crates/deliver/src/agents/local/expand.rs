//! `$home`, `${extension?…}` and their like in `forward_path`, `luser_relay` and
//! `command_execution_directory`.

use std::collections::HashMap;

use super::user::Account;
use super::walk::At;

/// What the names stand for.
pub struct Values(HashMap<&'static str, String>);

impl Values {
    /// The names that local(8) knows.
    pub fn new(at: &At, account: Option<&Account>, delimiter: &str) -> Values {
        let mut values = HashMap::from([
            ("user", at.user.clone()),
            ("local", at.local.clone()),
            ("recipient", at.recipient.address.as_str().to_owned()),
            ("domain", at.domain.clone().unwrap_or_default()),
            ("extension", at.extension.clone().unwrap_or_default()),
        ]);
        let used = at.local.get(at.user.len()..).and_then(|rest| rest.chars().next());
        let delimiter = used.filter(|_| at.extension.is_some()).map_or(delimiter.to_owned(), String::from);
        values.insert("recipient_delimiter", delimiter);
        if let Some(account) = account {
            values.insert("home", account.home.to_string_lossy().into_owned());
            values.insert("shell", account.shell.to_string_lossy().into_owned());
        }
        Values(values)
    }
}

/// An expanded text.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// The text.
    pub text: String,
    /// A name in it stands for nothing.
    pub undefined: bool,
    /// The extension is in it.
    pub has_extension: bool,
}

impl Expanded {
    /// The text, if every name in it stands for something.
    pub fn complete(self) -> Option<(String, bool)> {
        (!self.undefined).then_some((self.text, self.has_extension))
    }
}

/// Expands `$name`, `${name}`, `$(name)`, `${name?text}`, `${name:text}`, `${name?{a}:{b}}`; in values, characters that
/// are not in `filter` become `_`.
pub fn expand(text: &str, values: &Values, filter: Option<&str>) -> Expanded {
    let mut out = Expanded::default();
    into(text, values, filter, &mut out, 0);
    out
}

fn into(text: &str, values: &Values, filter: Option<&str>, out: &mut Expanded, depth: u32) {
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.text.push('$');
            rest = after;
            continue;
        }
        let (inside, after) = match rest.as_bytes().first() {
            Some(b'{') => balanced(rest, b'{', b'}'),
            Some(b'(') => balanced(rest, b'(', b')'),
            _ => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                Some((&rest[..end], &rest[end..]))
            }
        }
        .unwrap_or_else(|| {
            out.undefined = true;
            (rest, "")
        });
        rest = after;
        one(inside, values, filter, out, depth);
    }
    out.text.push_str(rest);
}

fn one(inside: &str, values: &Values, filter: Option<&str>, out: &mut Expanded, depth: u32) {
    let end = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inside.len());
    let (name, rest) = inside.split_at(end);
    let value = values.0.get(name).filter(|value| !value.is_empty());
    let branch = match rest.as_bytes().first() {
        Some(b'?') => {
            let (yes, no) = branches(&rest[1..]);
            if value.is_some() { Some(yes) } else { no }
        }
        Some(b':') => {
            let (no, _) = branches(&rest[1..]);
            if value.is_none() { Some(no) } else { None }
        }
        _ => {
            match value {
                Some(value) => {
                    out.has_extension |= name == "extension";
                    let clean =
                        |c: char| if filter.is_none_or(|filter| filter.contains(c)) { c } else { '_' };
                    out.text.extend(value.chars().map(clean));
                }
                None => out.undefined = true,
            }
            return;
        }
    };
    // A configuration cannot nest without end: the text is finite, and so is our stack.
    if let Some(branch) = branch.filter(|_| depth < 20) {
        into(branch, values, filter, out, depth + 1);
    }
}

/// `text` or `{a}` or `{a}:{b}`.
fn branches(text: &str) -> (&str, Option<&str>) {
    let trimmed = text.trim();
    let Some((first, rest)) = trimmed.starts_with('{').then(|| balanced(trimmed, b'{', b'}')).flatten()
    else {
        return (text, None);
    };
    let second =
        rest.trim_start().strip_prefix(':').map(str::trim).and_then(|rest| balanced(rest, b'{', b'}'));
    (first.trim(), second.map(|(inside, _)| inside.trim()))
}

/// What is between the first bracket and the one that closes it, and what follows.
fn balanced(text: &str, open: u8, close: u8) -> Option<(&str, &str)> {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        if byte == open {
            depth += 1;
        } else if byte == close {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some((&text[1..at], &text[at + 1..]));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use mail::{Address, Recipient};

    use super::*;

    fn values(extension: Option<&str>) -> Values {
        let recipient = Recipient::new("joe+e$x@example.org");
        let mut at = At::start(&Address::null(), &recipient);
        at.user = "joe".to_owned();
        at.local = "joe+e$x".to_owned();
        at.extension = extension.map(str::to_owned);
        let rights = crate::privilege::Rights { uid: 1, gid: 1 };
        let account =
            Account { name: "joe".to_owned(), rights, home: "/home/joe".into(), shell: "/bin/sh".into() };
        Values::new(&at, Some(&account), "+")
    }

    #[test]
    fn names_and_conditions() {
        let filter = Some("/.+abcdefghijklmnopqrstuvwxyz");
        let check = |text: &str, extension, expected: Option<&str>| {
            let complete = expand(text, &values(extension), filter).complete();
            assert_eq!(complete.as_ref().map(|(text, _)| text.as_str()), expected, "{text}");
        };
        let path = "$home/.forward${recipient_delimiter}${extension}";
        check(path, Some("e$x"), Some("/home/joe/.forward+e_x"));
        check(path, None, None);
        check("$home/.forward", None, Some("/home/joe/.forward"));
        check("/a${extension?/ext}", Some("x"), Some("/a/ext"));
        check("/a${extension?/ext}", None, Some("/a"));
        check("/a${extension:/none}", None, Some("/a/none"));
        check("/a${extension?{/y}:{/n$user}}", None, Some("/a/njoe"));
        check("$(user)$$", None, Some("joe$"));
        check("${user", None, None);
    }
}
