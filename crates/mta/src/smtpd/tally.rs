//! How many commands of each kind a client sent, and how many went well: the last log line of a session.

use std::fmt::Write as _;

use proto::smtp::Verb;

/// The commands in the order of the log line; the last place is for all others.
const ORDER: [(Verb, &str); 15] = [
    (Verb::Helo, "helo"),
    (Verb::Ehlo, "ehlo"),
    (Verb::StartTls, "starttls"),
    (Verb::Auth, "auth"),
    (Verb::Xclient, "xclient"),
    (Verb::Xforward, "xforward"),
    (Verb::Mail, "mail"),
    (Verb::Rcpt, "rcpt"),
    (Verb::Data, "data"),
    (Verb::Bdat, "bdat"),
    (Verb::Rset, "rset"),
    (Verb::Noop, "noop"),
    (Verb::Vrfy, "vrfy"),
    (Verb::Etrn, "etrn"),
    (Verb::Quit, "quit"),
];

/// Counts of a session.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    counts: [(u16, u16); ORDER.len() + 1],
}

impl Tally {
    /// A command came. `None` is one we do not know.
    pub fn came(&mut self, verb: Option<Verb>) {
        let count = &mut self.counts[place(verb)].1;
        *count = count.saturating_add(1);
    }

    /// It went well.
    pub fn went_well(&mut self, verb: Option<Verb>) {
        let count = &mut self.counts[place(verb)].0;
        *count = count.saturating_add(1);
    }

    /// ` ehlo=1 mail=0/1 commands=1/2`.
    pub fn line(&self) -> String {
        let mut line = String::new();
        let mut add = |name: &str, good: u32, all: u32| {
            // Writing to a string cannot fail.
            let _ = write!(line, " {name}={good}");
            if good != all || all == 0 {
                let _ = write!(line, "/{all}");
            }
        };
        let names = ORDER.iter().map(|(_, name)| *name).chain(["unknown"]);
        for (name, (good, all)) in names.zip(self.counts) {
            if all > 0 {
                add(name, u32::from(good), u32::from(all));
            }
        }
        let sum = |part: fn(&(u16, u16)) -> u16| self.counts.iter().map(|count| u32::from(part(count))).sum();
        add("commands", sum(|count| count.0), sum(|count| count.1));
        line
    }
}

fn place(verb: Option<Verb>) -> usize {
    verb.and_then(|verb| ORDER.iter().position(|(known, _)| *known == verb)).unwrap_or(ORDER.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_session() {
        let mut tally = Tally::default();
        assert_eq!(tally.line(), " commands=0/0");
        tally.came(Some(Verb::Quit));
        tally.went_well(Some(Verb::Quit));
        assert_eq!(tally.line(), " quit=1 commands=1");
        tally.came(Some(Verb::Ehlo));
        tally.came(None);
        tally.came(Some(Verb::Help));
        assert_eq!(tally.line(), " ehlo=0/1 quit=1 unknown=0/2 commands=1/4");
    }
}
