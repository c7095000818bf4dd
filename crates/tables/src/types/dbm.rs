//! `dbm:`, see [`crate::indexed`].

use super::TableType;
use crate::compile::Format;
use crate::indexed;

/// The type.
pub const TYPE: TableType = TableType {
    name: "dbm",
    doc: "As hash:, under the name of old sites.",
    open: indexed::open_compiled,
    make: Some(Format::Lmdb),
};
