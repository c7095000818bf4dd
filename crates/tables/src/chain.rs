//! What tables made of tables share.

use std::sync::Arc;

use crate::spec::{Spec, braced, divide};
use crate::tables::Handle;
use crate::types::Opening;
use crate::{Fault, Shape};

/// Tables within tables, within tables: no deeper than this.
const DEPTH_MAX: usize = 20;

/// Opens the tables in `{ type:name, … }`.
pub fn open(opening: &Opening<'_>) -> Result<Vec<Arc<Handle>>, String> {
    let spec = opening.spec;
    let mistake = || format!("bad syntax: \"{spec}\"; need \"{}:{{type:name...}}\"", spec.kind);
    if spec.name.bytes().filter(|byte| *byte == b'{').count() > DEPTH_MAX {
        return Err(format!("tables nested too deeply: \"{spec}\""));
    }
    let inner = braced(&spec.name).map_err(|_| mistake())?;
    let pieces = divide(inner);
    if pieces.is_empty() {
        return Err(mistake());
    }
    let mut tables = Vec::new();
    for piece in pieces {
        let part = Spec::parse(piece)
            .ok_or_else(|| format!("open dictionary: expecting \"type:name\" form instead of \"{piece}\""))?;
        let handle = opening.tables.handle(&part, opening.keys);
        if let Some(Fault { why, .. }) = handle.fault("") {
            return Err(why);
        }
        tables.push(handle);
    }
    Ok(tables)
}

/// A chain takes the keys that any of its tables takes.
pub fn shape(tables: &[Arc<Handle>]) -> Shape {
    tables.iter().map(|table| table.shape()).fold(Shape { fixed: false, pattern: false }, |all, one| Shape {
        fixed: all.fixed || one.fixed,
        pattern: all.pattern || one.pattern,
    })
}
