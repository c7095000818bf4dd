//! `hash:`, see [`crate::indexed`].

use super::TableType;
use crate::compile::Format;
use crate::indexed;

/// The type.
pub const TYPE: TableType = TableType {
    name: "hash",
    doc: "Indexed file compiled from text by postmap: an LMDB file beside the source; an existing Berkeley DB file without source is read.",
    open: indexed::open_compiled,
    make: Some(Format::Lmdb),
};
