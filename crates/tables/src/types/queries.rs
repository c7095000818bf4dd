//! What `mysql:`, `pgsql:` and `sqlite:` share: an SQL query for each key, its rows joined to one value.

use std::sync::Arc;

use mail::Trouble;
use mail::logline::printable;

use super::Opening;
use crate::cached::cached;
use crate::files::Watched;
use crate::sql::{Pool, Target};
use crate::template::{Config, Results, Template};
use crate::{Answer, Databases, Hit, Lookup, Shape, Table};

/// How one kind of server answers.
pub struct Manner {
    /// Only the first column of a row is a value.
    pub first_column: bool,
    /// NULL is an empty value, which is told, and not just no value.
    pub null_is_empty: bool,
    /// A statement without a result set is trouble.
    pub require_set: bool,
}

/// Opens a table that asks `target`.
pub fn open(
    opening: &Opening<'_>,
    config: Config,
    target: Target,
    manner: Manner,
) -> Result<Arc<dyn Table>, String> {
    let query = match config.given("query") {
        Some(query) => query,
        None => old_query(&config, &opening.spec.name)?,
    };
    let databases = databases(opening, &config)?;
    let table = Queries {
        query: Template::parse(&query, "query")?,
        results: Results::read(&config, opening)?,
        pool: opening.tables.pool(target, databases.limits),
        name: opening.spec.to_string(),
        program: opening.tables.settings().program,
        manner,
        watched: config.watched,
    };
    Ok(cached(Arc::new(table), &databases))
}

/// What this table may use: its own settings, else those of main.cf.
pub fn databases(opening: &Opening<'_>, config: &Config) -> Result<Databases, String> {
    let mut databases = opening.tables.settings().databases;
    let limits = &mut databases.limits;
    let connections = config.number("connection_limit", limits.connections as u64)?;
    limits.connections = usize::try_from(connections).unwrap_or(usize::MAX).clamp(1, 1000);
    limits.connect = config.seconds("connect_timeout", limits.connect)?;
    limits.query = config.seconds("query_timeout", limits.query)?;
    limits.idle = config.seconds("idle_interval", limits.idle)?;
    limits.retry = config.seconds("retry_interval", limits.retry)?;
    databases.cache = config.seconds("cache_time", databases.cache)?;
    databases.negative_cache = config.seconds("negative_cache_time", databases.negative_cache)?;
    Ok(databases)
}

/// The words of a list of hosts.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|word| !word.is_empty())
}

/// The query of settings from before Postfix 2.2. These names are written by the administrator, not quoted.
fn old_query(config: &Config, table: &str) -> Result<String, String> {
    let double = |text: String| text.replace('%', "%%");
    Ok(format!(
        "SELECT {} FROM {} WHERE {} = '%s' {}",
        double(config.required("select_field", table)?),
        double(config.required("table", table)?),
        double(config.required("where_field", table)?),
        double(config.text("additional_conditions", ""))
    ))
}

struct Queries {
    query: Template,
    results: Results,
    pool: Pool,
    name: String,
    program: &'static str,
    manner: Manner,
    watched: Vec<Watched>,
}

impl Queries {
    async fn ask(&self, key: &[u8]) -> Answer {
        let Ok(key) = std::str::from_utf8(key) else { return Ok(None) };
        if key.is_empty() || !self.results.wants(key).await? {
            return Ok(None);
        }
        let Some(statement) = self.query.statement(key) else { return Ok(None) };
        let trouble = |what: String| {
            let what = format!("{}: {what}", self.name);
            if what.contains("query failed") {
                log::warn!(target: self.program, "{}", printable(&what));
            }
            Trouble::new(what)
        };
        let answer = self.pool.query(&statement).await.map_err(|error| trouble(error.to_string()))?;
        if !answer.is_set {
            let missing = "query failed: query returned no result set (require_result_set = yes)";
            return if self.manner.require_set { Err(trouble(missing.to_owned())) } else { Ok(None) };
        }
        let columns = if self.manner.first_column { 1 } else { usize::MAX };
        let values = answer.rows.into_iter().flat_map(|row| row.values.into_iter().take(columns));
        let values: Vec<_> = if self.manner.null_is_empty {
            values.map(Option::unwrap_or_default).collect()
        } else {
            values.flatten().collect()
        };
        Ok(self.results.join(key, &values)?.map(Hit::new))
    }
}

impl Table for Queries {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        Lookup::Pending(Box::pin(self.ask(key)))
    }

    fn shape(&self) -> Shape {
        Shape::FIXED
    }

    fn folds(&self) -> bool {
        true
    }

    fn question(&self, key: &[u8]) -> Option<String> {
        let statement = self.query.statement(std::str::from_utf8(key).ok()?)?;
        let kind = self.pool.target().kind.name();
        Some(format!("{kind} server {}: {}", self.pool.names(), printable(&statement.shown())))
    }

    fn watched(&self) -> &[Watched] {
        &self.watched
    }
}
