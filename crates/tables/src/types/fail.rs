//! `fail:`, which fails: for testing what happens then.

use std::sync::Arc;

use mail::Trouble;

use super::{Opening, TableType};
use crate::{Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType = TableType {
    name: "fail",
    doc: "Fails every look-up, to test error handling; the name is for the log.",
    open,
    make: None,
};

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let _ = opening;
    Ok(Arc::new(Fail))
}

struct Fail;

impl Table for Fail {
    fn lookup<'a>(&'a self, _: &'a [u8]) -> Lookup<'a> {
        Lookup::Ready(Err(Trouble::new("Application error")))
    }

    fn shape(&self) -> Shape {
        Shape::PATTERN
    }

    fn folds(&self) -> bool {
        false
    }
}
