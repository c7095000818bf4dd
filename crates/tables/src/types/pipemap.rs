//! `pipemap:{type:name, type:name}`: the value of one table is the key of the next.

use std::sync::Arc;

use super::{Opening, TableType};
use crate::blocking::ready_or_pending;
use crate::chain;
use crate::tables::Handle;
use crate::{Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType = TableType {
    name: "pipemap",
    doc: "Tables one after the other: pipemap:{type:name, type:name}; the value of one is the key of the next.",
    open,
    make: None,
};

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    Ok(Arc::new(Pipemap { tables: chain::open(opening)? }))
}

struct Pipemap {
    tables: Vec<Arc<Handle>>,
}

impl Table for Pipemap {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        ready_or_pending(async move {
            let mut last = None;
            for table in &self.tables {
                let key = last.as_ref().map_or(key, |hit: &crate::Hit| &hit.value);
                match table.ask(key).await? {
                    Some((hit, _)) => last = Some(crate::Hit::new(hit.value)),
                    None => return Ok(None),
                }
            }
            Ok(last)
        })
    }

    fn shape(&self) -> Shape {
        chain::shape(&self.tables)
    }

    fn folds(&self) -> bool {
        false
    }
}
