//! `cdb:`, whose files Postfix and other programs read too.

use super::TableType;
use crate::compile::Format;
use crate::indexed;

/// The type.
pub const TYPE: TableType = TableType {
    name: "cdb",
    doc: "Constant data base file, compiled from text by postmap; it can be replaced, not changed.",
    open: indexed::open_compiled,
    make: Some(Format::Cdb),
};
