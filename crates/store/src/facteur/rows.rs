//! Rows of the catalogue for many messages at a time.

use rusqlite::Row;

use super::catalogue::Catalogue;
use crate::Result;

/// Rows in between that belong to nobody asked for: up to so many for each that does, a scan costs less than look-ups.
const GAPS: i64 = 2;

/// Gives `each` the row of every key in `wanted` that has one, with what stands beside the key there, in that order
/// where keys ascend. `select` names the key first, as in `SELECT id, size FROM body`.
pub(super) fn each<T: Copy>(
    catalogue: &Catalogue,
    select: &str,
    wanted: &[(i64, T)],
    mut each: impl FnMut(T, &Row<'_>) -> rusqlite::Result<()>,
) -> Result<()> {
    let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else { return Ok(()) };
    let _moment = catalogue.moment()?;
    let key = select.trim_start_matches("SELECT ").split(',').next().unwrap_or_default();
    let rising = wanted.is_sorted_by(|one, next| one.0 < next.0);
    if rising && last.0 - first.0 <= GAPS * wanted.len() as i64 {
        let mut scan =
            catalogue.db.prepare_cached(&format!("{select} WHERE {key} BETWEEN ? AND ? ORDER BY {key}"))?;
        let mut rows = scan.query([first.0, last.0])?;
        let mut wanted = wanted.iter().peekable();
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            while wanted.next_if(|(key, _)| *key < id).is_some() {}
            if let Some((_, beside)) = wanted.next_if(|(key, _)| *key == id) {
                each(*beside, row)?;
            }
        }
        return Ok(());
    }
    let mut find = catalogue.db.prepare_cached(&format!("{select} WHERE {key} = ?"))?;
    for (id, beside) in wanted {
        let mut rows = find.query([id])?;
        if let Some(row) = rows.next()? {
            each(*beside, row)?;
        }
    }
    Ok(())
}
