//! `randmap:{a, b, c}`, which answers every key with one of its values by chance.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Opening, TableType};
use crate::spec::{braced, divide};
use crate::{Hit, Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType = TableType {
    name: "randmap",
    doc: "Answers every key with one of its values by chance: randmap:{value, value}.",
    open,
    make: None,
};

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let spec = opening.spec;
    let mistake = || format!("bad syntax: \"{spec}\"; need \"randmap:{{value...}}\"");
    let pieces = divide(braced(&spec.name).map_err(|_| mistake())?);
    let values: Vec<_> = pieces.into_iter().map(str::to_owned).collect();
    if values.is_empty() {
        return Err(mistake());
    }
    Ok(Arc::new(Randmap { values, chance: RandomState::new(), turn: AtomicU64::new(0) }))
}

struct Randmap {
    values: Vec<String>,
    /// A keyed hash of the number of look-ups: random enough to spread load.
    chance: RandomState,
    turn: AtomicU64,
}

impl Table for Randmap {
    fn lookup<'a>(&'a self, _: &'a [u8]) -> Lookup<'a> {
        let drawn = self.chance.hash_one(self.turn.fetch_add(1, Ordering::Relaxed));
        let index = (drawn % self.values.len() as u64) as usize;
        Lookup::Ready(Ok(Some(Hit::new(self.values[index].as_bytes()))))
    }

    fn shape(&self) -> Shape {
        Shape::PATTERN
    }

    fn folds(&self) -> bool {
        false
    }
}
