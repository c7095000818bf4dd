//! A short memory of a table's answers, where the configuration asks for one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::files::Watched;
use crate::{Answer, Databases, Hit, Lookup, Shape, Table};

/// Answers remembered at one time.
const ENTRIES_MAX: usize = 10_000;

/// Puts a memory before a table, unless it would remember nothing.
pub fn cached(table: Arc<dyn Table>, databases: &Databases) -> Arc<dyn Table> {
    let (positive, negative) = (databases.cache, databases.negative_cache);
    if positive.is_zero() && negative.is_zero() {
        return table;
    }
    Arc::new(Cached { table, positive, negative, entries: Mutex::default() })
}

/// Until when an answer is good, and the answer.
type Entries = HashMap<Vec<u8>, (Instant, Option<Hit>)>;

struct Cached {
    table: Arc<dyn Table>,
    positive: Duration,
    negative: Duration,
    entries: Mutex<Entries>,
}

impl Cached {
    fn entries(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, key: &[u8]) -> Option<Option<Hit>> {
        let entries = self.entries();
        let (until, hit) = entries.get(key)?;
        (Instant::now() < *until).then(|| hit.clone())
    }

    /// Trouble is never remembered.
    fn learn(&self, key: &[u8], hit: &Option<Hit>) {
        let time = if hit.is_some() { self.positive } else { self.negative };
        if time.is_zero() {
            return;
        }
        let now = Instant::now();
        let mut entries = self.entries();
        if entries.len() >= ENTRIES_MAX {
            entries.retain(|_, (until, _)| now < *until);
        }
        if entries.len() >= ENTRIES_MAX {
            entries.clear();
        }
        entries.insert(key.to_owned(), (now + time, hit.clone()));
    }

    async fn ask(&self, key: &[u8]) -> Answer {
        let hit = match self.table.lookup(key) {
            Lookup::Ready(answer) => answer,
            Lookup::Pending(answer) => answer.await,
        }?;
        self.learn(key, &hit);
        Ok(hit)
    }
}

impl Table for Cached {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        match self.known(key) {
            Some(hit) => Lookup::Ready(Ok(hit)),
            None => Lookup::Pending(Box::pin(self.ask(key))),
        }
    }

    fn shape(&self) -> Shape {
        self.table.shape()
    }

    fn folds(&self) -> bool {
        self.table.folds()
    }

    fn question(&self, key: &[u8]) -> Option<String> {
        self.table.question(key)
    }

    fn watched(&self) -> &[Watched] {
        self.table.watched()
    }
}
