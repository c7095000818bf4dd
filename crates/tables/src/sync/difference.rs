//! What differs between two sets of rows.

use std::collections::BTreeMap;

/// The values of a row; `None` is NULL.
pub type Row = Vec<Option<String>>;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only the source has it.
    Add(Row),
    /// Both have it, with other values.
    Alter {
        /// As the target has it.
        old: Row,
        /// As it will be.
        new: Row,
    },
    /// Only the target has it.
    Remove(Row),
}

/// The changes that make `target` what `source` is, in the order of their keys; removals come first, so that they
/// are not in the way of what is added.
///
/// # Errors
/// Two rows of the source have the same key, or a part of a key is NULL.
pub fn compare(source: Vec<Row>, target: Vec<Row>, key: &[usize]) -> Result<Vec<Change>, String> {
    let key_of = |row: &Row| key.iter().map(|n| row[*n].clone()).collect::<Option<Vec<String>>>();
    let mut wanted = BTreeMap::new();
    for row in source {
        let key = key_of(&row).ok_or("source: a row has NULL in its key")?;
        let shown = key.join(", ");
        if wanted.insert(key, row).is_some() {
            return Err(format!("source: two rows have the key {}", mail::logline::printable(&shown)));
        }
    }
    let (mut removals, mut others) = (BTreeMap::new(), Vec::new());
    for row in target {
        let key = key_of(&row).unwrap_or_default();
        match wanted.remove(&key) {
            Some(new) if new == row => {}
            Some(new) => others.push((key, Change::Alter { old: row, new })),
            None => {
                removals.entry(key).or_insert_with(Vec::new).push(Change::Remove(row));
            }
        }
    }
    others.extend(wanted.into_iter().map(|(key, row)| (key, Change::Add(row))));
    others.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(removals.into_values().flatten().chain(others.into_iter().map(|(_, change)| change)).collect())
}
