//! `inline:{ key=value, { key = text with blanks } }`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Opening, TableType};
use crate::fold::fold;
use crate::spec::{braced, divide};
use crate::table::Rows;
use crate::{Hit, Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType = TableType {
    name: "inline",
    doc: "Rows within its name: inline:{ key=value, { key = text with spaces } }.",
    open,
    make: None,
};

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let spec = opening.spec;
    let mistake = |what: &str| format!("{what}: \"{spec}\"; need \"inline:{{name=value...}}\"");
    let inner = match spec.name.starts_with('{') {
        true => braced(&spec.name).map_err(|_| mistake("bad syntax"))?,
        false => return Err(mistake("bad syntax")),
    };
    let unicode = opening.keys.utf8 && opening.tables.settings().utf8;
    let mut rows = BTreeMap::new();
    let pieces = divide(inner);
    if pieces.is_empty() {
        return Err(mistake(if spec.name == "{}" { "bad syntax" } else { "empty table" }));
    }
    for piece in pieces {
        let pair = match piece.starts_with('{') {
            true => braced(piece).map_err(|why| mistake(&why))?,
            false => piece,
        };
        let (key, value) = pair_of(pair).ok_or_else(|| mistake("missing '=' after attribute name"))?;
        let key = if opening.keys.fold { fold(key.as_bytes(), unicode).into_owned() } else { key.into() };
        // The last of two equal keys stays.
        rows.insert(key, value.trim_ascii().to_owned());
    }
    Ok(Arc::new(Inline { rows }))
}

/// `key = value`. Blanks and `=` in the key stand between quotes, which are a part of it.
fn pair_of(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let end = text.find(|c: char| {
        quoted ^= c == '"';
        !quoted && (c == '=' || c.is_ascii_whitespace())
    })?;
    let (key, rest) = text.split_at(end);
    Some((key, rest.trim_ascii_start().strip_prefix('=')?))
}

struct Inline {
    rows: BTreeMap<Vec<u8>, String>,
}

impl Table for Inline {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        Lookup::Ready(Ok(self.rows.get(key).map(|value| Hit::new(value.as_bytes()))))
    }

    fn shape(&self) -> Shape {
        Shape::FIXED
    }

    fn folds(&self) -> bool {
        true
    }

    fn rows(&self) -> Option<Rows<'_>> {
        Some(Box::new(self.rows.iter().map(|(key, value)| Ok((key.clone(), value.clone().into_bytes())))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_have_quotes() {
        for (text, expected) in [
            ("a=b c", Some(("a", "b c"))),
            ("a = b", Some(("a", " b"))),
            ("\"q q\"@x=y", Some(("\"q q\"@x", "y"))),
            ("\"a=b\"=c=d", Some(("\"a=b\"", "c=d"))),
            ("q q=y", None),
            ("a", None),
            ("\"a=b", None),
        ] {
            assert_eq!(pair_of(text), expected, "{text}");
        }
    }
}
