//! Rows copied from one data base to another, so that the second one has what the first one has.
//!
//! A [`Plan`] is a commented file of sections; each names a source, a target table and how their columns
//! correspond. A run reads every source before it touches anything: a source that fails changes nothing. Each target
//! gets one transaction, and none is committed before all are ready. No run removes more rows than the plan allows.

mod csv;
mod difference;
mod plan;
mod source;
mod target;

pub use difference::{Change, Row};
pub use plan::Plan;

use difference::compare;
use mail::Trouble;
use plan::Section;
use target::Opened;

/// What a run found, and did where it was to, for one section.
#[derive(Clone, Debug)]
pub struct Report {
    /// The section.
    pub section: String,
    /// Rows in the source.
    pub source: usize,
    /// Rows in the target before.
    pub target: usize,
    /// The differences, in the order of the keys.
    pub changes: Vec<Change>,
    columns: Vec<String>,
    key: Vec<usize>,
    secret: Vec<bool>,
}

impl Report {
    /// Rows added, changed and removed.
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |wanted: fn(&Change) -> bool| self.changes.iter().filter(|change| wanted(change)).count();
        (
            count(|change| matches!(change, Change::Add(_))),
            count(|change| matches!(change, Change::Alter { .. })),
            count(|change| matches!(change, Change::Remove(_))),
        )
    }

    /// One line with the counts.
    pub fn summary(&self) -> String {
        let (added, changed, removed) = self.counts();
        format!(
            "{}: {} rows in the source, {} in the target: {added} to add, {changed} to change, {removed} to remove",
            self.section, self.source, self.target
        )
    }

    /// The same, when it is done.
    pub fn done(&self) -> String {
        let (added, changed, removed) = self.counts();
        format!(
            "{}: {} rows in the source, {} in the target: added {added}, changed {changed}, removed {removed}",
            self.section, self.source, self.target
        )
    }

    /// A line for each difference; what is secret is not shown.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.changes.iter().map(|change| match change {
            Change::Add(row) => format!("+ {}", self.shown(row, |_| true)),
            Change::Remove(row) => format!("- {}", self.shown(row, |n| self.key.contains(&n))),
            Change::Alter { old, new } => {
                let key = self.shown(new, |n| self.key.contains(&n));
                let altered = (0..new.len()).filter(|n| old[*n] != new[*n]).map(|n| {
                    let (before, after) = (self.value(n, &old[n]), self.value(n, &new[n]));
                    if self.secret[n] {
                        format!("{} (changed, not shown)", self.columns[n])
                    } else {
                        format!("{} {before} -> {after}", self.columns[n])
                    }
                });
                format!("~ {key}: {}", altered.collect::<Vec<_>>().join(", "))
            }
        })
    }

    fn shown(&self, row: &Row, wanted: impl Fn(usize) -> bool) -> String {
        let cells = (0..row.len())
            .filter(|n| wanted(*n))
            .map(|n| format!("{}={}", self.columns[n], self.value(n, &row[n])));
        cells.collect::<Vec<_>>().join(" ")
    }

    fn value(&self, column: usize, value: &Option<String>) -> String {
        match value {
            None => "NULL".to_owned(),
            Some(_) if self.secret[column] => "(not shown)".to_owned(),
            Some(value) => mail::logline::printable(value),
        }
    }
}

/// Compares sources and targets, and with `apply` makes the targets what the sources are.
///
/// # Errors
/// A source or target failed, or too much would be removed: a sentence that names the section. No target was
/// changed, unless it says so.
pub async fn run(plan: &Plan, apply: bool) -> Result<Vec<Report>, Trouble> {
    let named = |section: &Section, what: String| Trouble::new(format!("[{}] {what}", section.name));
    let mut sources = Vec::new();
    for section in &plan.sections {
        sources.push(source::read(section).await.map_err(|why| named(section, why))?);
    }
    let mut opened: Vec<Opened> = Vec::new();
    let mut reports = Vec::new();
    for (section, source) in plan.sections.iter().zip(sources) {
        let at = match opened.iter().position(|opened| opened.is(&section.target)) {
            Some(at) => at,
            None => {
                opened.push(Opened::open(&section.target).await.map_err(|why| named(section, why))?);
                opened.len() - 1
            }
        };
        let target = &mut opened[at];
        let columns = source.columns;
        let key = section.key_places(&columns).map_err(|why| named(section, why))?;
        let rows = target.read(section, &columns).await.map_err(|why| named(section, why))?;
        let (source_count, target_count) = (source.rows.len(), rows.len());
        let changes = compare(source.rows, rows, &key).map_err(|why| named(section, why))?;
        let report = Report {
            section: section.name.clone(),
            source: source_count,
            target: target_count,
            secret: columns.iter().map(|column| section.is_secret(column)).collect(),
            changes,
            columns,
            key,
        };
        section.allows(report.counts().2, target_count).map_err(|why| named(section, why))?;
        if apply {
            for change in &report.changes {
                let done = target.change(section, &report.columns, &report.key, change).await;
                done.map_err(|why| named(section, why))?;
            }
        }
        reports.push(report);
    }
    if apply {
        let mut committed: Vec<String> = Vec::new();
        for target in opened {
            let name = target.name().to_owned();
            target.commit().await.map_err(|why| {
                let done = if committed.is_empty() {
                    String::new()
                } else {
                    format!(" (already committed: {})", committed.join(", "))
                };
                Trouble::new(format!("commit at {name}: {why}{done}"))
            })?;
            committed.push(name);
        }
    }
    Ok(reports)
}

#[cfg(test)]
mod tests;
