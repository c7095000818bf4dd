//! Opening what parameters name, with every mistake collected.

use conf::{Mistake, Severity, View};
use tables::{Fault, Keys, List, Maps, Parents, Tables};

/// Reads the settings of one view.
pub(crate) struct Opener<'a> {
    pub view: &'a View,
    pub tables: &'a Tables,
    pub mistakes: &'a mut Vec<Mistake>,
}

impl Opener<'_> {
    /// The tables of a parameter. Text that names no table is a mistake, and then there are none.
    pub fn maps(&mut self, parameter: &str) -> Maps {
        self.maps_with(parameter, Keys::FOLDED)
    }

    /// The same for keys that are treated otherwise.
    pub fn maps_with(&mut self, parameter: &str, keys: Keys) -> Maps {
        let text = self.view.get(parameter);
        match self.tables.maps_with(parameter, &text, keys) {
            Ok(maps) => {
                for fault in maps.faults() {
                    self.complain(parameter, fault.to_string());
                }
                maps
            }
            Err(fault) => {
                self.complain(parameter, fault.to_string());
                self.tables.maps(parameter, "").expect("no table at all can always be opened")
            }
        }
    }

    /// A list of plain names, files and tables.
    pub fn names(&mut self, parameter: &str) -> List {
        let text = self.view.get(parameter);
        let list = self.tables.string_list(parameter, &text);
        self.list(parameter, list)
    }

    /// A list of domains, in which a name may stand for its subdomains too.
    pub fn domains(&mut self, parameter: &str) -> List {
        let text = self.view.get(parameter);
        let list = self.tables.domain_list(parameter, &text, self.parents(parameter));
        self.list(parameter, list)
    }

    /// What `parent_domain_matches_subdomains` says of a parameter.
    pub fn parents(&self, parameter: &str) -> Parents {
        let lists = self.view.get("parent_domain_matches_subdomains");
        match lists.split([',', ' ', '\t', '\r', '\n']).any(|name| name == parameter) {
            true => Parents::Match,
            false => Parents::Dotted,
        }
    }

    fn list(&mut self, parameter: &str, list: Result<List, Fault>) -> List {
        list.unwrap_or_else(|fault| {
            self.complain(parameter, fault.to_string());
            self.tables.string_list(parameter, "").expect("an empty list can always be opened")
        })
    }

    /// Notes a mistake at the line that sets `parameter`.
    pub fn complain(&mut self, parameter: &str, text: String) {
        let place = self.view.place(parameter);
        let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
        self.mistakes.push(Mistake::new(Severity::Error, place, text));
    }
}
