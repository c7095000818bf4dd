//! `nis:`, as Postfix has it on a machine without an NIS domain: a table in which nothing is found.
//!
//! It stands in the default of `alias_maps`, so it must open. Where a site writes it, checking the configuration
//! says that it finds nothing.

use std::sync::Arc;

use super::{Opening, TableType};
use crate::{Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType = TableType {
    name: "nis",
    doc: "Finds nothing: NIS is not spoken; export the map to a text file and use hash:.",
    open,
    make: None,
};

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let _ = opening;
    Ok(Arc::new(Nis))
}

struct Nis;

impl Table for Nis {
    fn lookup<'a>(&'a self, _: &'a [u8]) -> Lookup<'a> {
        Lookup::Ready(Ok(None))
    }

    fn shape(&self) -> Shape {
        Shape::FIXED
    }

    fn folds(&self) -> bool {
        true
    }
}
