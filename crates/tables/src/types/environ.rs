//! `environ:`, the environment of the process. Its name is not used.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::Arc;

use super::{Opening, TableType};
use crate::{Hit, Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType = TableType {
    name: "environ",
    doc: "The environment variables of the process; the name after the colon is not used.",
    open,
    make: None,
};

fn open(_: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    Ok(Arc::new(Environ))
}

struct Environ;

impl Table for Environ {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        // A name with `=` in it cannot be asked for.
        let value = match key.is_empty() || key.contains(&b'=') {
            true => None,
            false => std::env::var_os(OsStr::from_bytes(key)),
        };
        Lookup::Ready(Ok(value.map(|value| Hit::new(value.into_vec()))))
    }

    fn shape(&self) -> Shape {
        Shape::FIXED
    }

    fn folds(&self) -> bool {
        true
    }
}
