//! `postscreen_access_list`: who passes or fails without any test.

use std::net::IpAddr;

use conf::{Mistake, Severity, View};
use tables::{List, Maps, Parents, Tables};

/// What the list says of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// It passes.
    Permit,
    /// It fails.
    Reject,
    /// Nothing: it is tested.
    Dunno,
}

enum Rule {
    Mynetworks(List),
    Always(Access),
    Table(Maps),
}

/// The list; the first rule that says something counts.
#[derive(Default)]
pub(super) struct AccessList(Vec<Rule>);

const NAME: &str = "postscreen_access_list";

impl AccessList {
    pub(super) fn read(
        words: &[String],
        view: &View,
        tables: &Tables,
        mistakes: &mut Vec<Mistake>,
    ) -> AccessList {
        let mut wrong = |text: String| {
            let place = view.place(NAME);
            let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
            mistakes.push(Mistake::new(Severity::Error, place, text));
        };
        let mut rules = Vec::new();
        for word in words {
            if let Some(access) = action(word) {
                rules.push(Rule::Always(access));
            } else if word.eq_ignore_ascii_case("permit_mynetworks") {
                match tables.host_list("mynetworks", &view.get("mynetworks"), Parents::Dotted) {
                    Ok(list) => rules.push(Rule::Mynetworks(list)),
                    Err(fault) => wrong(fault.to_string()),
                }
            } else if word.contains(':') {
                match tables.maps(NAME, word) {
                    Ok(maps) => rules.push(Rule::Table(maps)),
                    Err(fault) => wrong(fault.to_string()),
                }
            } else {
                wrong(format!(
                    "{NAME}: unknown word \"{word}\": permit_mynetworks, permit, reject, dunno, or a table by address"
                ));
            }
        }
        AccessList(rules)
    }

    /// Looks a client up. A table that fails says nothing: the tests decide.
    pub(super) async fn find(&self, ip: IpAddr, program: &str) -> Access {
        let address = ip.to_string();
        for rule in &self.0 {
            let found = match rule {
                Rule::Always(access) => return *access,
                Rule::Mynetworks(list) => {
                    list.matches_host("", ip).await.map(|inside| inside.then_some(Access::Permit))
                }
                Rule::Table(maps) => maps.find(&address).await.map(|found| {
                    let found = found?;
                    let access = action(&found.value);
                    if access.is_none() {
                        log::warn!(
                            target: program,
                            "{}: {address}: unknown command \"{}\"",
                            found.table, mail::logline::printable(&found.value)
                        );
                    }
                    access
                }),
            };
            match found {
                Ok(Some(Access::Dunno)) | Ok(None) => {}
                Ok(Some(access)) => return access,
                Err(trouble) => log::warn!(target: program, "{NAME}: {trouble}"),
            }
        }
        Access::Dunno
    }
}

fn action(word: &str) -> Option<Access> {
    Some(match word.trim().to_ascii_lowercase().as_str() {
        "permit" => Access::Permit,
        "reject" => Access::Reject,
        "dunno" => Access::Dunno,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use conf::{Block, Facts, MainCf, Registry};

    use super::*;

    #[tokio::test]
    async fn the_first_rule_that_says_something_counts() {
        let (main, _) = MainCf::parse("mynetworks = 10.0.0.0/8\n", Path::new("main.cf"));
        let view = View::new(Registry::new(&[conf::params::Site::DECLARATIONS]), main, Facts::default());
        let tables = Tables::new(tables::Settings::default());
        let words =
            ["permit_mynetworks", "inline:{192.0.2.1=dunno, 192.0.2.2=Reject}", "inline:{192.0.2.1=permit}"];
        let mut mistakes = Vec::new();
        let list = AccessList::read(&words.map(str::to_owned), &view, &tables, &mut mistakes);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        for (address, expected) in [
            ("10.1.2.3", Access::Permit),
            ("192.0.2.1", Access::Permit),
            ("192.0.2.2", Access::Reject),
            ("192.0.2.3", Access::Dunno),
        ] {
            assert_eq!(list.find(address.parse().unwrap(), "postscreen").await, expected, "{address}");
        }
        AccessList::read(&["permit_all".to_owned()], &view, &tables, &mut mistakes);
        assert!(mistakes[0].to_string().contains("unknown word \"permit_all\""), "{mistakes:?}");
    }
}
