//! Variable envelope return paths: the sender of each recipient's copy says whom it was for, so that a list learns from
//! a notice alone who it was that could not be reached (VERP_README).

use mail::{Address, Recipient};

/// What a configuration says of VERP.
#[derive(Clone, Debug)]
pub struct Verp {
    /// `default_verp_delimiters`.
    pub default: String,
    /// `verp_delimiter_filter`.
    pub filter: String,
    /// Each recipient that fails has a notice of its own (`disable_verp_bounces = no`).
    pub notices: bool,
}

impl Verp {
    /// The two characters to use where these were asked for; the default ones where none were. The error names the
    /// characters that are allowed.
    pub fn delimiters(&self, asked: &str) -> Result<String, &str> {
        if asked.is_empty() {
            return Ok(self.default.clone());
        }
        let good = asked.chars().count() == 2 && asked.chars().all(|c| self.filter.contains(c));
        if good { Ok(asked.to_owned()) } else { Err(&self.filter) }
    }
}

/// `list@x.test` and `joe@y.test` make `list+joe=y.test@x.test`.
pub fn sender(sender: &Address, delimiters: &str, recipient: &Recipient) -> Address {
    let mut delimiters = delimiters.chars();
    let (Some(first), Some(second)) = (delimiters.next(), delimiters.next()) else { return sender.clone() };
    let (list, origin) = sender.split();
    // As the list knows him, before aliases took his place.
    let whom = if recipient.original.is_null() { &recipient.address } else { &recipient.original };
    let (local, domain) = whom.split();
    let mut text = format!("{list}{first}{local}");
    if let Some(domain) = domain {
        text.push(second);
        text.push_str(domain);
    }
    if let Some(origin) = origin {
        text.push('@');
        text.push_str(origin);
    }
    Address::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipient_stands_within_the_sender() {
        let list = Address::from("list@x.test");
        let mut joe = Recipient::new("joe+a@y.test");
        assert_eq!(sender(&list, "+=", &joe).as_str(), "list+joe+a=y.test@x.test");
        joe.original = "here".into();
        assert_eq!(sender(&list, "-=", &joe).as_str(), "list-here@x.test");
        assert_eq!(sender(&"list".into(), "+=", &Recipient::new("a@b")).as_str(), "list+a=b");
    }

    #[test]
    fn delimiters_are_two_of_those_allowed() {
        let verp = Verp { default: "+=".into(), filter: "-=+".into(), notices: true };
        for (asked, expected) in
            [("", Ok("+=")), ("-=", Ok("-=")), ("==", Ok("==")), ("+", Err("-=+")), ("/=", Err("-=+"))]
        {
            assert_eq!(verp.delimiters(asked).as_deref().map_err(|filter| *filter), expected, "{asked}");
        }
    }
}
