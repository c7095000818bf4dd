//! `lmdb:`, whose files Postfix reads and writes too.

use super::TableType;
use crate::compile::Format;
use crate::indexed;

/// The type.
pub const TYPE: TableType = TableType {
    name: "lmdb",
    doc: "LMDB file, compiled from text by postmap, the same file that Postfix's lmdb: makes.",
    open: indexed::open_compiled,
    make: Some(Format::Lmdb),
};
