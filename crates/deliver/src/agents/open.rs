//! Opening what a service's parameters name, with every mistake collected.

use std::path::Path;
use std::sync::Arc;

use conf::{Block, Mistake, Severity, View};
use tables::{Fault, Keys, List, Maps, Parents, Tables};

use super::Built;
use crate::Agent;

/// Reads the settings of one service.
pub(crate) struct Opener<'a> {
    view: &'a View,
    tables: &'a Tables,
    mistakes: Vec<Mistake>,
}

impl<'a> Opener<'a> {
    /// Nothing read yet.
    pub fn new(view: &'a View, tables: &'a Tables) -> Opener<'a> {
        Opener { view, tables, mistakes: Vec::new() }
    }

    /// A block of parameters.
    pub fn block<B: Block>(&mut self) -> B {
        B::read(self.view, &mut self.mistakes)
    }

    /// The tables named in the value of a parameter.
    pub fn maps(&mut self, parameter: &str, text: &str) -> Maps {
        self.maps_with(parameter, text, Keys::FOLDED)
    }

    /// The same with keys of another kind.
    pub fn maps_with(&mut self, parameter: &str, text: &str, keys: Keys) -> Maps {
        self.tables.maps_with(parameter, text, keys).unwrap_or_else(|fault| {
            self.complain(parameter, fault.to_string());
            self.tables.maps(parameter, "").expect("no table at all can always be opened")
        })
    }

    /// A list of plain names, files and tables.
    pub fn names(&mut self, parameter: &str, words: &[String]) -> List {
        let list = self.tables.string_list(parameter, &words.join(" "));
        self.list(parameter, list)
    }

    /// A list of domains whose subdomains do not count.
    pub fn domains(&mut self, parameter: &str, words: &[String]) -> List {
        let list = self.tables.domain_list(parameter, &words.join(" "), Parents::Dotted);
        self.list(parameter, list)
    }

    /// A list of hosts: names, domains, addresses and networks.
    pub fn hosts(&mut self, parameter: &str, words: &[String]) -> List {
        let listed = self.view.get("parent_domain_matches_subdomains");
        let listed = listed.split([',', ' ', '\t', '\n']).any(|word| word == parameter);
        let parents = if listed { Parents::Match } else { Parents::Dotted };
        let list = self.tables.host_list(parameter, &words.join(" "), parents);
        self.list(parameter, list)
    }

    fn list(&mut self, parameter: &str, list: Result<List, Fault>) -> List {
        list.unwrap_or_else(|fault| {
            self.complain(parameter, fault.to_string());
            self.tables.string_list(parameter, "").expect("an empty list can always be opened")
        })
    }

    /// Notes a mistake at the line that sets `parameter`.
    pub fn complain(&mut self, parameter: &str, text: impl Into<String>) {
        let place = self.view.place(parameter);
        let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
        self.note(Severity::Error, place, text);
    }

    /// Notes a mistake of any weight.
    pub fn note(&mut self, severity: Severity, place: Option<(&Path, usize)>, text: impl Into<String>) {
        self.mistakes.push(Mistake::new(severity, place, text));
    }

    /// All mistakes, in the order in which they were found.
    pub fn finish(self) -> Vec<Mistake> {
        self.mistakes
    }

    /// The agent, unless something is wrong.
    pub fn into_result(self, agent: impl Agent + 'static) -> Built {
        match self.mistakes.iter().any(|mistake| mistake.severity != Severity::Warning) {
            true => Err(self.mistakes),
            false => Ok(Arc::new(agent)),
        }
    }
}
