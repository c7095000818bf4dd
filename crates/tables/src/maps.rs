//! Chains of tables, as in a parameter value.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mail::Trouble;

use crate::tables::Handle;
use crate::{Fault, Hit};

/// A chain of tables: the first that has the key answers; the first that fails stops the search.
#[derive(Clone)]
pub struct Maps {
    pub(crate) parameter: Arc<str>,
    pub(crate) tables: Arc<[Arc<Handle>]>,
}

/// What a chain answered, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The value as text; bytes that are not UTF-8 are replaced.
    pub value: String,
    /// The value as the table holds it.
    pub raw: Vec<u8>,
    /// The table that had it, as configured.
    pub table: Arc<str>,
    /// The key that was found, which may be a part of what was asked.
    pub key: String,
    /// `file, line N`, for tables read as text.
    pub place: Option<String>,
    /// The address extension, with its delimiter, that the key lacks (`+list`).
    pub extension: Option<String>,
}

/// Is the key whole, or a part of what is looked for?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Partial,
}

impl Maps {
    /// No table at all.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The parameter these tables belong to.
    pub fn parameter(&self) -> &str {
        &self.parameter
    }

    /// The tables that could not be opened, with the reason. Look-ups in them are trouble until they can.
    pub fn faults(&self) -> Vec<Fault> {
        self.tables.iter().filter_map(|table| table.fault(&self.parameter)).collect()
    }

    /// Looks up a whole key.
    pub async fn find<K: AsRef<[u8]> + ?Sized + Sync>(&self, key: &K) -> Result<Option<Found>, Trouble> {
        self.search(key.as_ref(), Part::Whole).await
    }

    /// Looks up a part of a key, such as a parent domain: tables of patterns are not asked.
    pub async fn find_part<K: AsRef<[u8]> + ?Sized + Sync>(&self, key: &K) -> Result<Option<Found>, Trouble> {
        self.search(key.as_ref(), Part::Partial).await
    }

    /// Looks up a whole key, if no table has to be waited for.
    pub fn find_now<K: AsRef<[u8]> + ?Sized + Sync>(
        &self,
        key: &K,
    ) -> Option<Result<Option<Found>, Trouble>> {
        match pin!(self.find(key)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }

    /// The tables as configured, for messages.
    pub fn names(&self) -> String {
        let names: Vec<_> = self.tables.iter().map(|table| table.shared_name()).collect();
        names.join(", ")
    }

    /// Is the key there, whatever its value? What match lists ask.
    pub(crate) async fn search_any(&self, key: &[u8], part: Part) -> Result<bool, Trouble> {
        for handle in self.tables.iter() {
            let asked = part == Part::Whole || handle.shape().fixed;
            if asked && handle.ask(key).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) async fn search(&self, key: &[u8], part: Part) -> Result<Option<Found>, Trouble> {
        for handle in self.tables.iter() {
            if part == Part::Partial && !handle.shape().fixed {
                continue;
            }
            let Some((hit, place)) = handle.ask(key).await? else { continue };
            return self.accept(handle, key, hit, place).map(Some);
        }
        Ok(None)
    }

    /// An empty value is a mistake in the table, and so is trouble: the table should have said "not found".
    fn accept(&self, handle: &Handle, key: &[u8], hit: Hit, place: Option<String>) -> Result<Found, Trouble> {
        let key = String::from_utf8_lossy(key).into_owned();
        if hit.value.is_empty() {
            let shown = mail::logline::printable(&key);
            log::warn!(target: handle.program(), "{} lookup of {shown} returns an empty string result", self.parameter);
            log::warn!(target: handle.program(), "{} should return NO RESULT in case of NOT FOUND", self.parameter);
            let what = format!("{}: empty result for key {shown}", handle.shared_name());
            return Err(Trouble::misconfigured(what));
        }
        Ok(Found {
            value: String::from_utf8_lossy(&hit.value).into_owned(),
            raw: hit.value,
            table: handle.shared_name(),
            key,
            place,
            extension: None,
        })
    }
}
