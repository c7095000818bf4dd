//! From the lists of parameters to chains of open databases.

use std::sync::Arc;

use crate::chain::{PassChain, PassLink, Rule, UserChain, UserLink};
use crate::databases::{self, Clock, Open, Opening};
use crate::listed::{self, Listed};

/// What databases are opened with.
pub struct Opener {
    /// `directory_database`.
    pub directory: String,
    /// Seconds since 1970.
    pub clock: Clock,
}

impl Opener {
    /// The chain of `passdb`.
    pub fn passdbs(&self, text: &str, told: &mut dyn FnMut(String)) -> PassChain {
        let mut chain = PassChain::default();
        for (listed, rule) in self.places("passdb", text, told) {
            let kind = databases::find(&listed.kind).and_then(|kind| kind.passdb);
            let database = self.open("passdb", &listed, kind).unwrap_or_else(|wrong| {
                told(wrong.clone());
                Arc::new(databases::Broken(wrong))
            });
            let link = PassLink { database, rule };
            if link.rule.master { chain.masters.push(link) } else { chain.users.push(link) }
        }
        chain
    }

    /// The chain of `userdb`.
    pub fn userdbs(&self, text: &str, told: &mut dyn FnMut(String)) -> UserChain {
        let mut chain = UserChain::default();
        for (listed, rule) in self.places("userdb", text, told) {
            let kind = databases::find(&listed.kind).and_then(|kind| kind.userdb);
            let database = self.open("userdb", &listed, kind).unwrap_or_else(|wrong| {
                told(wrong.clone());
                Arc::new(databases::Broken(wrong))
            });
            chain.0.push(UserLink { database, rule });
        }
        chain
    }

    /// The databases of a list, with the chain's options taken out of theirs.
    fn places(&self, parameter: &str, text: &str, told: &mut dyn FnMut(String)) -> Vec<(Listed, Rule)> {
        let listed = listed::parse(text).unwrap_or_else(|wrong| {
            told(format!("{parameter}: {wrong}"));
            Vec::new()
        });
        let mut places = Vec::new();
        for mut one in listed {
            match Rule::take(one.name(), &mut one.options) {
                Ok(rule) => places.push((one, rule)),
                Err(wrong) => told(format!("{parameter}: {}: {wrong}", one.kind)),
            }
        }
        places
    }

    fn open<T: ?Sized>(
        &self,
        parameter: &str,
        listed: &Listed,
        open: Option<Open<T>>,
    ) -> Result<Arc<T>, String> {
        let Some(open) = open else {
            let can = |kind: &&&databases::Kind| {
                if parameter == "passdb" { kind.passdb.is_some() } else { kind.userdb.is_some() }
            };
            let known: Vec<_> = databases::KINDS.iter().filter(can).map(|kind| kind.name).collect();
            return Err(format!("{parameter}: no such kind: {}; known: {}", listed.kind, known.join(" ")));
        };
        let opening = Opening {
            argument: &listed.argument,
            options: &listed.options,
            directory: &self.directory,
            clock: self.clock.clone(),
        };
        open(&opening).map_err(|wrong| format!("{parameter}: {}: {wrong}", listed.name()))
    }
}
