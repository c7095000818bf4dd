//! `static:value`, which answers every key alike.

use std::sync::Arc;

use super::{Opening, TableType};
use crate::spec::braced;
use crate::{Hit, Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType = TableType {
    name: "static",
    doc: "Answers every key with its name: static:value or static:{ value with spaces }.",
    open,
    make: None,
};

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let name = opening.spec.name.as_str();
    let value = match name.starts_with('{') {
        true => braced(name).map_err(|why| format!("bad static:name syntax: {why}"))?,
        false => name,
    };
    Ok(Arc::new(Static { value: value.to_owned() }))
}

struct Static {
    value: String,
}

impl Table for Static {
    fn lookup<'a>(&'a self, _: &'a [u8]) -> Lookup<'a> {
        Lookup::Ready(Ok(Some(Hit::new(self.value.as_bytes()))))
    }

    fn shape(&self) -> Shape {
        Shape::FIXED
    }

    fn folds(&self) -> bool {
        false
    }
}
