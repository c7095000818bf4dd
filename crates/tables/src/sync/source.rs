//! Reading the rows of a source.

use super::Row;
use super::csv;
use super::plan::{LIMITS, Section, Source};
use crate::ldap::{Directory, Search, filter};
use crate::sql::{Pool, Statement};

/// Rows, with the names their columns have in the target.
pub(super) struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
}

/// Reads the source of a section, all of it.
pub(super) async fn read(section: &Section) -> Result<Table, String> {
    let (names, rows) = match &section.source {
        Source::Sql { target, query } => {
            let pool = Pool::new(target.clone(), LIMITS, "sync");
            let answer = pool.query(&Statement::new().text(query)).await;
            let answer = answer.map_err(|trouble| format!("source: {trouble}"))?;
            if !answer.is_set {
                return Err("source: the query gives no rows; it should be a SELECT".to_owned());
            }
            (answer.columns.to_vec(), answer.rows.into_iter().map(|row| row.values).collect())
        }
        Source::Csv { path, separator } => {
            let text = std::fs::read(path)
                .map_err(|error| format!("source: {}: {}", path.display(), crate::source::reason(&error)))?;
            csv::read(&text, *separator).map_err(|why| format!("source: {}: {why}", path.display()))?
        }
        Source::Ldap { settings, url } => {
            let directory = Directory::new((**settings).clone(), "sync");
            let search = Search {
                base: &url.base,
                scope: url.scope,
                filter: filter::encode(&url.filter)?,
                attributes: &url.attributes,
                size_limit: 0,
                time_limit: 60,
                dereference: 0,
            };
            let found = directory.search(&search).await.map_err(|trouble| format!("source: {trouble}"))?;
            if found.code != 0 {
                return Err(format!("source: search error {}: {}", found.code, found.text));
            }
            let value = |entry: &crate::ldap::Entry, name: &String| {
                let found = entry.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
                found.map(|(_, values)| values.join(","))
            };
            let row =
                |entry: &crate::ldap::Entry| url.attributes.iter().map(|name| value(entry, name)).collect();
            (url.attributes.clone(), found.entries.iter().map(row).collect::<Vec<Row>>())
        }
    };
    mapped(section, &names, rows)
}

/// Chooses and names the columns as the section says.
fn mapped(section: &Section, names: &[String], rows: Vec<Row>) -> Result<Table, String> {
    if section.columns.is_empty() {
        return Ok(Table { columns: names.to_vec(), rows });
    }
    let columns = section.columns.iter().map(|(target, _)| target.clone()).collect();
    let place = |source: &String| {
        names
            .iter()
            .position(|name| name == source)
            .ok_or_else(|| format!("source: no column {source}; there are: {}", names.join(", ")))
    };
    let places = section.columns.iter().map(|(_, source)| place(source)).collect::<Result<Vec<_>, _>>()?;
    let rows = rows.into_iter().map(|row| places.iter().map(|n| row[*n].clone()).collect()).collect();
    Ok(Table { columns, rows })
}
