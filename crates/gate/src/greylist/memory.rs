//! What the greylist remembers: triplets and clients, bounded, and on disk.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::tz::TimeZone;

use crate::Clock;
use crate::ledger::{self, Ledger, escape, unescape};
use crate::messages::Messages;

/// The file in `data_directory`.
pub const FILE: &str = "greylist";

/// When somebody came, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// For the first time.
    pub first: i64,
    /// For the last time.
    pub last: i64,
}

/// A client whose mail came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proven {
    /// How often; once an hour is counted.
    pub count: i64,
    /// When it was last counted.
    pub last: i64,
}

/// Everything, in memory.
#[derive(Debug, Default)]
pub(super) struct State {
    pub triplets: HashMap<Box<str>, Seen>,
    pub clients: HashMap<Box<str>, Proven>,
    pub swept: i64,
}

/// Whom the greylist has seen. It outlives configurations, and restarts where it has a file.
pub struct Memory {
    state: Arc<Mutex<State>>,
    messages: Messages,
    ledger: Option<Ledger>,
    clock: Clock,
    pub(super) zone: TimeZone,
}

/// How long things are remembered, in seconds, and how many of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub delay: i64,
    pub max_age: i64,
    pub retry_window: i64,
    pub entries: usize,
}

impl Memory {
    /// Opens the file in this directory for this program alone.
    ///
    /// # Errors
    /// A sentence: it cannot be read or written, or another program has it.
    pub fn open(directory: &Path, clock: Clock, zone: TimeZone) -> Result<Memory, String> {
        let of = |records: &[String]| State::of(records.iter().map(String::as_str));
        let (state, ledger) = ledger::keep(directory, FILE, of, State::records)?;
        Ok(Memory { state, messages: Messages::default(), ledger: Some(ledger), clock, zone })
    }

    /// What the file in this directory holds, to look at: nothing is written, whoever has the file open.
    ///
    /// # Errors
    /// A sentence: it cannot be read.
    pub fn look(directory: &Path, clock: Clock, zone: TimeZone) -> Result<Memory, String> {
        let path: PathBuf = directory.join(FILE);
        let read = ledger::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let state = Arc::new(Mutex::new(State::of(read.records.iter().map(String::as_str))));
        Ok(Memory { state, messages: Messages::default(), ledger: None, clock, zone })
    }

    /// A memory without a file.
    pub fn forgetful(clock: Clock) -> Memory {
        Memory {
            state: Arc::default(),
            messages: Messages::default(),
            ledger: None,
            clock,
            zone: TimeZone::UTC,
        }
    }

    /// Waits until all of it is on disk.
    pub fn sync(&self) {
        if let Some(ledger) = &self.ledger {
            ledger.sync();
        }
    }

    pub(super) fn now(&self) -> i64 {
        (self.clock)()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True for a message's first question only.
    pub(super) fn is_new_message(&self, instance: &str) -> bool {
        self.messages.is_first(instance)
    }

    pub(super) fn put_triplet(&self, state: &mut State, key: &str, seen: Seen) {
        self.append(triplet_record(key, seen));
        state.triplets.insert(key.into(), seen);
    }

    pub(super) fn put_client(&self, state: &mut State, client: &str, proven: Proven) {
        self.append(client_record(client, proven));
        state.clients.insert(client.into(), proven);
    }

    pub(super) fn remove(&self, state: &mut State, key: &str) -> bool {
        let known = state.triplets.remove(key).is_some() | state.clients.remove(key).is_some();
        if known {
            self.append(format!("d\t{}", escape(key)));
        }
        known
    }

    fn append(&self, record: String) {
        if let Some(ledger) = &self.ledger {
            ledger.append(record);
        }
    }
}

fn triplet_record(key: &str, seen: Seen) -> String {
    format!("t\t{}\t{}\t{}", escape(key), seen.first, seen.last)
}

fn client_record(client: &str, proven: Proven) -> String {
    format!("c\t{}\t{}\t{}", escape(client), proven.count, proven.last)
}

impl State {
    pub fn of<'a>(records: impl Iterator<Item = &'a str>) -> State {
        let mut state = State::default();
        for record in records {
            // A record of a later version that we do not know is no reason to forget the others.
            let _ = state.take(record);
        }
        state
    }

    fn take(&mut self, record: &str) -> Option<()> {
        let mut fields = record.split('\t');
        let (kind, key) = (fields.next()?, unescape(fields.next()?)?);
        let mut number = || fields.next()?.parse().ok();
        match kind {
            "t" => {
                let seen = Seen { first: number()?, last: number()? };
                self.triplets.insert(key.into(), seen);
            }
            "c" => {
                let proven = Proven { count: number()?, last: number()? };
                self.clients.insert(key.into(), proven);
            }
            "d" => {
                self.triplets.remove(key.as_str());
                self.clients.remove(key.as_str());
            }
            _ => return None,
        }
        Some(())
    }

    fn records(&self) -> Vec<String> {
        let triplets = self.triplets.iter().map(|(key, seen)| triplet_record(key, *seen));
        triplets.chain(self.clients.iter().map(|(client, proven)| client_record(client, *proven))).collect()
    }

    /// Forgets what is too old, once an hour, and what is too much.
    pub fn tidy(&mut self, limits: &Limits, now: i64) {
        if (now - self.swept).abs() >= 3600 || self.triplets.len() >= limits.entries {
            self.swept = now;
            self.triplets.retain(|_, seen| {
                let waiting = seen.last - seen.first < limits.delay;
                now - seen.last <= if waiting { limits.retry_window } else { limits.max_age }
            });
            self.clients.retain(|_, proven| now - proven.last <= limits.max_age);
        }
        if self.triplets.len() >= limits.entries {
            self.make_room(limits);
        }
        if self.clients.len() >= limits.entries {
            let mut dates: Vec<i64> = self.clients.values().map(|proven| proven.last).collect();
            let limit = *dates.select_nth_unstable(limits.entries / 10).1;
            self.clients.retain(|_, proven| proven.last > limit);
        }
    }

    /// Forgets a tenth: of the networks that have most entries that never came through, so that a flood from one
    /// place does not push out what others wait for; then the oldest.
    fn make_room(&mut self, limits: &Limits) {
        let keep = limits.entries - limits.entries / 10;
        let waits = |seen: &Seen| seen.last - seen.first < limits.delay;
        let mut held: HashMap<Box<str>, usize> = HashMap::new();
        for (key, _) in self.triplets.iter().filter(|(_, seen)| waits(seen)) {
            *held.entry(client_of(key).into()).or_default() += 1;
        }
        let mut excess = self.triplets.len().saturating_sub(keep);
        let mut most: Vec<(Box<str>, usize)> = held.into_iter().collect();
        most.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        // Down to the same number for each of those that have most.
        let mut cut: HashMap<Box<str>, usize> = HashMap::new();
        for n in 0..most.len() {
            let next = most.get(n + 1).map_or(0, |(_, count)| *count);
            let room = (most[n].1 - next) * (n + 1);
            let level = if room >= excess { most[n].1 - excess.div_ceil(n + 1) } else { next };
            if room >= excess || n + 1 == most.len() {
                cut = most[..=n].iter().map(|(client, count)| (client.clone(), count - level)).collect();
                break;
            }
            excess -= room;
        }
        self.triplets.retain(|key, seen| match cut.get_mut(client_of(key)) {
            Some(left) if *left > 0 && waits(seen) => {
                *left -= 1;
                false
            }
            _ => true,
        });
        if self.triplets.len() > keep {
            let mut dates: Vec<i64> = self.triplets.values().map(|seen| seen.last).collect();
            let over = self.triplets.len() - keep;
            let limit = *dates.select_nth_unstable(over).1;
            self.triplets.retain(|_, seen| seen.last > limit);
        }
    }
}

/// The client of a key.
fn client_of(key: &str) -> &str {
    key.split('/').next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { delay: 300, max_age: 100_000, retry_window: 10_000, entries: 1000 };

    fn state(entries: impl IntoIterator<Item = (String, i64, i64)>) -> State {
        let triplets = entries.into_iter().map(|(key, first, last)| (key.into(), Seen { first, last }));
        State { triplets: triplets.collect(), ..State::default() }
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let mut state = state([
            ("a/waits".to_owned(), 50_000, 50_010),
            ("a/waited too long".to_owned(), 10_000, 10_010),
            ("a/came through".to_owned(), 10_000, 10_300),
            ("a/long ago".to_owned(), -100_000, -50_000),
        ]);
        state.clients.insert("192.0.2.1".into(), Proven { count: 9, last: -60_000 });
        state.tidy(&LIMITS, 51_000);
        let mut left: Vec<&str> = state.triplets.keys().map(AsRef::as_ref).collect();
        left.sort_unstable();
        assert_eq!(left, ["a/came through", "a/waits"]);
        assert!(state.clients.is_empty());
    }

    /// Security list, item 19.
    #[test]
    fn a_flood_from_one_network_does_not_push_out_what_others_wait_for() {
        let others = (0..50).map(|n| (format!("198.51.{n}.0/a/b"), 1000, 1000));
        let flood = (0..2000).map(|n| (format!("192.0.2.0/{n}/b"), 1001, 1001));
        let mut state = state(others.chain(flood));
        state.tidy(&LIMITS, 1002);
        assert!(state.triplets.len() <= 900, "{}", state.triplets.len());
        let left =
            (0..50).filter(|n| state.triplets.contains_key(format!("198.51.{n}.0/a/b").as_str())).count();
        assert_eq!(left, 50);
    }

    #[test]
    fn what_came_through_stays_longest_and_the_oldest_goes_first() {
        let through = (0..800).map(|n| (format!("{n}/a/b"), 0, 5000 + n));
        let waiting = (0..300).map(|n| (format!("x{n}/a/b"), 6000, 6000));
        let mut mixed = state(through.chain(waiting));
        mixed.tidy(&LIMITS, 6001);
        assert_eq!(mixed.triplets.keys().filter(|key| !key.starts_with('x')).count(), 800);
        assert!(mixed.triplets.len() <= 900);
        let mut all = state((0..1500).map(|n| (format!("{n}/a/b"), 0, 5000 + n)));
        all.tidy(&LIMITS, 7000);
        assert!(all.triplets.len() <= 900 && all.triplets.contains_key("1499/a/b"));
        assert!(!all.triplets.contains_key("0/a/b"));
    }

    #[test]
    fn twenty_thousand_addresses_take_little_memory() {
        let limits = Limits { entries: 5000, ..LIMITS };
        let mut state = State::default();
        for n in 0..20_000_i64 {
            state.tidy(&limits, n / 100);
            let key = format!("10.{}.{}.0/spam{n}@x.test/joe@here.test", n / 256 % 256, n % 256);
            state.triplets.insert(key.into(), Seen { first: n / 100, last: n / 100 });
        }
        assert!(state.triplets.len() <= 5000, "{}", state.triplets.len());
    }
}
