//! Every declaration of the program, by name.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::Declaration;

/// All declarations, looked up by name; families by pattern.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    blocks: Vec<&'static [Declaration]>,
    index: OnceLock<Index>,
    few: bool,
}

#[derive(Clone, Debug, Default)]
struct Index {
    names: HashMap<&'static str, &'static Declaration>,
    families: Vec<&'static Declaration>,
}

impl Registry {
    /// Joins the blocks of the rooms. The first declaration of a name stands; a tidy test forbids a second.
    pub fn new(blocks: &[&'static [Declaration]]) -> Self {
        Self { blocks: blocks.to_vec(), ..Self::default() }
    }

    /// For a program that lives for milliseconds and asks for a handful of names: reading through the blocks for
    /// each costs it less than an index of them all.
    pub fn for_few(blocks: &[&'static [Declaration]]) -> Self {
        Self { few: true, ..Self::new(blocks) }
    }

    fn rows(&self) -> impl Iterator<Item = &'static Declaration> {
        self.blocks.iter().flat_map(|block| block.iter())
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| {
            let mut index = Index::default();
            for row in self.rows() {
                if row.is_family() {
                    index.families.push(row);
                } else {
                    index.names.entry(row.name).or_insert(row);
                }
            }
            index
        })
    }

    /// The declaration of exactly this name.
    pub fn get(&self, name: &str) -> Option<&'static Declaration> {
        if self.few {
            return self.rows().find(|row| row.name == name && !row.is_family());
        }
        self.index().names.get(name).copied()
    }

    /// The family a name belongs to. Whether its hole names an existing transport is the caller's question.
    pub fn family(&self, name: &str) -> Option<&'static Declaration> {
        if self.few {
            return self.rows().find(|row| row.is_family() && row.covers(name));
        }
        self.index().families.iter().copied().find(|family| family.covers(name))
    }

    /// All single names, sorted.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.index().names.keys().copied().collect();
        names.sort_unstable();
        names
    }

    /// All families.
    pub fn families(&self) -> &[&'static Declaration] {
        &self.index().families
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Block, params::Site};

    #[test]
    fn a_few_names_are_found_without_the_index() {
        let blocks = [Site::DECLARATIONS, crate::params::Paths::DECLARATIONS];
        let (all, few) = (Registry::new(&blocks), Registry::for_few(&blocks));
        for name in all.names().into_iter().chain(["slow_destination_rate_delay", "no_such_name", ""]) {
            let found = |registry: &Registry| registry.get(name).map(|row| row.default);
            assert_eq!(found(&few), found(&all), "{name}");
            let family = |registry: &Registry| registry.family(name).map(|row| row.name);
            assert_eq!(family(&few), family(&all), "{name}");
        }
        assert!(few.index.get().is_none());
    }
}
