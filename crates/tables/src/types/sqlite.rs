//! `sqlite:`, queries to an SQLite file, sqlite_table(5).

use std::sync::Arc;

use super::queries::{self, Manner};
use super::{Opening, TableType};
use crate::Table;
use crate::sql::Target;
use crate::template::Config;

/// The type.
pub const TYPE: TableType = TableType {
    name: "sqlite",
    doc: "Queries to an SQLite data base, which the named file of settings describes.",
    open,
    make: None,
};

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let config = Config::read(opening)?;
    let path = config.required("dbpath", &opening.spec.name)?;
    let target = Target::sqlite(&path, true);
    queries::open(
        opening,
        config,
        target,
        Manner { first_column: true, null_is_empty: false, require_set: false },
    )
}
