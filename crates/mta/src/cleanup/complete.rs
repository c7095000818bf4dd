//! Headers that a message should have and does not.

use jiff::Timestamp;
use mail::addresses::{self, Token};
use mail::{Address, QueueId};

use super::fields::Seen;

/// What an added header is made of.
#[derive(Debug)]
pub struct Origin<'a> {
    /// The message.
    pub id: &'a QueueId,
    /// When it came in.
    pub now: Timestamp,
    /// `myhostname`.
    pub host: &'a str,
    /// The rewritten sender.
    pub sender: &'a Address,
    /// Full name of a local submitter.
    pub full_name: Option<&'a str>,
    /// `enable_long_queue_ids`: an id is used only once, so it needs no date beside it.
    pub long_ids: bool,
    /// `header_from_format` is `obsolete`: `address (Name)`.
    pub obsolete_from: bool,
}

/// Looks for a field of the message, or of its last sending when it was sent again.
pub fn has(seen: Seen, resent: bool, name: &str) -> bool {
    match (resent, name) {
        (false, name) => seen.has(name),
        (true, "message-id") => seen.has("resent-message-id"),
        (true, "date") => seen.has("resent-date"),
        (true, _) => seen.has("resent-from"),
    }
}

/// Does any header name a recipient?
pub fn names_a_recipient(seen: Seen) -> bool {
    ["to", "resent-to", "cc", "resent-cc"].iter().any(|name| seen.has(name))
}

impl Origin<'_> {
    /// A Message-Id without its brackets.
    pub fn message_id(&self) -> String {
        match self.long_ids {
            true => format!("{}@{}", self.id, self.host),
            false => format!("{}.{}@{}", self.now.strftime("%Y%m%d%H%M%S"), self.id, self.host),
        }
    }

    /// The value of a From header. A name that is no plain phrase is quoted.
    pub fn from(&self) -> Vec<u8> {
        let sender = if self.sender.is_null() { "MAILER-DAEMON" } else { self.sender.as_str() };
        let address = addresses::quote(sender.as_bytes());
        let name = self.full_name.filter(|name| !name.is_empty() && !self.sender.is_null());
        let Some(name) = name else { return address };
        let name = name.replace(['\r', '\n'], " ");
        if self.obsolete_from {
            return [address.as_slice(), b" (", name.as_bytes(), b")"].concat();
        }
        let mut out = match name.contains(|c| "%!()<>@,;:\\\".[]".contains(c)) {
            true => addresses::external(&[Token::Quoted(name.into_bytes())]),
            false => name.into_bytes(),
        };
        out.extend_from_slice(b" <");
        out.extend_from_slice(&address);
        out.push(b'>');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin<'a>(id: &'a QueueId, sender: &'a Address, full_name: Option<&'a str>) -> Origin<'a> {
        let now = "2014-01-09T17:02:58Z".parse().unwrap();
        Origin { id, now, host: "mx.test", sender, full_name, long_ids: false, obsolete_from: false }
    }

    #[test]
    fn message_ids() {
        let (id, sender) = (QueueId::parse("ABC").unwrap(), Address::from("a@b"));
        assert_eq!(origin(&id, &sender, None).message_id(), "20140109170258.ABC@mx.test");
        assert_eq!(Origin { long_ids: true, ..origin(&id, &sender, None) }.message_id(), "ABC@mx.test");
    }

    #[test]
    fn from_headers() {
        let id = QueueId::parse("ABC").unwrap();
        for (sender, name, from, obsolete) in [
            ("joe@x.test", Some("Joe User"), "Joe User <joe@x.test>", "joe@x.test (Joe User)"),
            ("joe@x.test", Some("J. \"U\""), "\"J. \\\"U\\\"\" <joe@x.test>", "joe@x.test (J. \"U\")"),
            ("joe u@x.test", None, "\"joe u\"@x.test", "\"joe u\"@x.test"),
            ("joe@x.test", Some(""), "joe@x.test", "joe@x.test"),
            ("", Some("Joe"), "MAILER-DAEMON", "MAILER-DAEMON"),
        ] {
            let sender = Address::from(sender);
            let standard = origin(&id, &sender, name);
            assert_eq!(standard.from(), from.as_bytes());
            assert_eq!(Origin { obsolete_from: true, ..standard }.from(), obsolete.as_bytes());
        }
    }
}
