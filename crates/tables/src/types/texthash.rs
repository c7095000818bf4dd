//! `texthash:`, a source text that needs no compiling.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Opening, TableType};
use crate::compile::SourceFormat;
use crate::files::Watched;
use crate::fold::fold;
use crate::source::{Reader, reason};
use crate::{Hit, Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType = TableType {
    name: "texthash",
    doc: "Text file as postmap reads it, kept in memory; it needs no postmap.",
    open,
    make: None,
};

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    load(opening, SourceFormat::Map, vec![Watched::now(&opening.spec.name)])
}

/// Reads the text of a table into memory.
pub(crate) fn load(
    opening: &Opening<'_>,
    format: SourceFormat,
    watched: Vec<Watched>,
) -> Result<Arc<dyn Table>, String> {
    let name = &opening.spec.name;
    let settings = opening.tables.settings();
    let text =
        conf::secrets::read(name).map_err(|error| format!("open database {name}: {}", reason(&error)))?;
    let utf8 = settings.utf8 && opening.keys.utf8;
    let reader = Reader { name, format, utf8, files: false, tail: " -- ignoring this line" };
    let mut rows = Rows::new();
    reader.read(&text, &mut |_, text| log::warn!(target: settings.program, "{text}"), |row| {
        let key = if opening.keys.fold { fold(&row.key, utf8).into_owned() } else { row.key.clone() };
        if rows.contains_key(key.as_slice()) {
            return Err(format!("duplicate entry: \"{}\"", crate::source::shown(&row.key)));
        }
        rows.insert(key.into(), (row.value.into(), row.line));
        Ok(())
    });
    Ok(Arc::new(Texthash { rows, name: name.clone(), watched }))
}

/// Key to value and line.
type Rows = HashMap<Box<[u8]>, (Box<[u8]>, u32)>;

struct Texthash {
    rows: Rows,
    name: String,
    watched: Vec<Watched>,
}

impl Table for Texthash {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        let found = self.rows.get(key);
        Lookup::Ready(Ok(found.map(|(value, line)| Hit { value: value.to_vec(), line: Some(*line) })))
    }

    fn shape(&self) -> Shape {
        Shape::FIXED
    }

    fn folds(&self) -> bool {
        true
    }

    fn source(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn watched(&self) -> &[Watched] {
        &self.watched
    }

    fn rows(&self) -> Option<crate::Rows<'_>> {
        Some(Box::new(self.rows.iter().map(|(key, (value, _))| Ok((key.to_vec(), value.to_vec())))))
    }
}
