//! Every declaration of the program, by name.

use std::collections::HashMap;

use crate::Declaration;

/// All declarations, looked up by name; families by pattern.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    names: HashMap<&'static str, &'static Declaration>,
    families: Vec<&'static Declaration>,
}

impl Registry {
    /// Joins the blocks of the rooms. The first declaration of a name stands; a tidy test forbids a second.
    pub fn new(blocks: &[&'static [Declaration]]) -> Self {
        let mut registry = Self::default();
        for row in blocks.iter().flat_map(|block| block.iter()) {
            if row.is_family() {
                registry.families.push(row);
            } else {
                registry.names.entry(row.name).or_insert(row);
            }
        }
        registry
    }

    /// The declaration of exactly this name.
    pub fn get(&self, name: &str) -> Option<&'static Declaration> {
        self.names.get(name).copied()
    }

    /// The family a name belongs to. Whether its hole names an existing transport is the caller's question.
    pub fn family(&self, name: &str) -> Option<&'static Declaration> {
        self.families.iter().copied().find(|family| family.covers(name))
    }

    /// All single names, sorted.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.names.keys().copied().collect();
        names.sort_unstable();
        names
    }

    /// All families.
    pub fn families(&self) -> &[&'static Declaration] {
        &self.families
    }
}
