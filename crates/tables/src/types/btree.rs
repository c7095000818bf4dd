//! `btree:`, see [`crate::indexed`].

use super::TableType;
use crate::compile::Format;
use crate::indexed;

/// The type.
pub const TYPE: TableType = TableType {
    name: "btree",
    doc: "As hash:, which keeps its rows in key order here too.",
    open: indexed::open_compiled,
    make: Some(Format::Lmdb),
};
