//! `unionmap:{type:name, type:name}`: all tables are asked, and what they answer is joined by commas.

use std::sync::Arc;

use super::{Opening, TableType};
use crate::blocking::ready_or_pending;
use crate::chain;
use crate::tables::Handle;
use crate::{Hit, Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType = TableType {
    name: "unionmap",
    doc: "Tables side by side: unionmap:{type:name, type:name}; their values are joined by commas.",
    open,
    make: None,
};

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    Ok(Arc::new(Unionmap { tables: chain::open(opening)? }))
}

struct Unionmap {
    tables: Vec<Arc<Handle>>,
}

impl Table for Unionmap {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        ready_or_pending(async move {
            let mut values = Vec::new();
            for table in &self.tables {
                // An empty value adds nothing, not even a comma.
                if let Some((hit, _)) = table.ask(key).await?
                    && !hit.value.is_empty()
                {
                    values.push(hit.value);
                }
            }
            Ok((!values.is_empty()).then(|| Hit::new(values.join(&b','))))
        })
    }

    fn shape(&self) -> Shape {
        chain::shape(&self.tables)
    }

    fn folds(&self) -> bool {
        false
    }
}
