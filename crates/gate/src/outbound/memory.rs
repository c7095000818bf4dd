//! How much each account and domain sent lately, what is usual, and whose mail is held: bounded; habits and holds on disk.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::settings::Limits;
use super::{Sender, Verdict};
use crate::Clock;
use crate::ledger::{self, Ledger, escape, unescape};

/// The file in `data_directory`.
pub const FILE: &str = "outbound";

/// Most accounts, and most domains, that are remembered; those that sent nothing for longest go first.
const REMEMBERED: usize = 50_000;

/// What is counted: the places in the arrays of counts and limits.
const WORDS: [&str; 2] = ["message", "recipient"];

/// A time span that is being counted.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    since: i64,
    counts: [u32; 2],
}

impl Span {
    /// Counts one more; what was counted in spans that are over is given back, with how many those were.
    fn count(&mut self, what: usize, length: i64, now: i64) -> Option<(u32, i64)> {
        let spans = (now - self.since).div_euclid(length.max(1));
        let over = (spans != 0).then(|| {
            let recipients = self.counts[1];
            *self = Span { since: now, counts: [0; 2] };
            (recipients, spans)
        });
        self.counts[what] = self.counts[what].saturating_add(1);
        over
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    span: Span,
    /// Recipients in a busy span, as it uses to be.
    habit: u32,
    /// Since when its mail is held.
    held: Option<i64>,
}

#[derive(Debug, Default)]
struct State {
    accounts: HashMap<Box<str>, Account>,
    domains: HashMap<Box<str>, Span>,
}

/// What accounts send. It outlives configurations; habits and holds outlive the program.
pub struct Memory {
    state: Arc<Mutex<State>>,
    ledger: Option<Ledger>,
    clock: Clock,
    zone: TimeZone,
}

impl Memory {
    /// Opens the file in this directory for this program alone.
    ///
    /// # Errors
    /// A sentence: it cannot be read or written, or another program has it.
    pub fn open(directory: &Path, clock: Clock, zone: TimeZone) -> Result<Memory, String> {
        let (state, ledger) = ledger::keep(directory, FILE, State::of, State::records)?;
        Ok(Memory { state, ledger: Some(ledger), clock, zone })
    }

    /// A memory without a file.
    pub fn forgetful(clock: Clock) -> Memory {
        Memory { state: Arc::default(), ledger: None, clock, zone: TimeZone::UTC }
    }

    /// A message begins.
    pub fn message(&self, limits: &Limits, sender: &Sender<'_>) -> Verdict {
        self.count(limits, sender, 0)
    }

    /// A recipient is named.
    pub fn recipient(&self, limits: &Limits, sender: &Sender<'_>) -> Verdict {
        self.count(limits, sender, 1)
    }

    fn count(&self, limits: &Limits, sender: &Sender<'_>, what: usize) -> Verdict {
        let name = sender.account.to_lowercase();
        if name.is_empty() {
            return Verdict::Fine;
        }
        let now = (self.clock)();
        let mut state = self.state();
        state.make_room();
        let domain = state.domains.entry(domain_of(sender).into()).or_default();
        domain.count(what, limits.span, now);
        let in_domain = domain.counts[what];
        let account = state.accounts.entry(name.as_str().into()).or_default();
        if let Some((sent, spans)) = account.span.count(what, limits.span, now) {
            // A habit is what was sent in a busy span; it fades when there are no more such.
            let faded = (0..spans.clamp(0, 1000)).fold(account.habit, |habit, _| habit - habit.div_ceil(50));
            account.habit = sent.max(faded);
            self.append(&name, account);
        }
        if account.held.is_some() {
            return Verdict::Held { first: None };
        }
        let sent = account.span.counts[what];
        let usual = account.habit.saturating_mul(limits.factor).max(limits.minimum);
        if what == 1 && limits.factor > 0 && sent > usual {
            account.held = Some(now);
            self.append(&name, account);
            return Verdict::Held { first: Some((sent, account.habit)) };
        }
        let span = limits.span;
        for (count, limit, of, name) in [
            (sent, limits.account[what], "account", name.as_str()),
            (in_domain, limits.domain[what], "domain", domain_of(sender).as_str()),
        ] {
            if limit > 0 && count > limit {
                let (word, name) = (WORDS[what], mail::logline::printable(name));
                return Verdict::TooMuch(format!(
                    "{word} limit of {of} {name} exceeded: {count} in {span} seconds, {limit} allowed"
                ));
            }
        }
        Verdict::Fine
    }

    /// Every account that sent lately or is held: its name, messages and recipients, its habit, since when it is held.
    pub fn list(&self) -> Vec<String> {
        let date = |seconds: i64| {
            let at = Timestamp::from_second(seconds).unwrap_or_default().to_zoned(self.zone.clone());
            at.strftime("%Y-%m-%d %H:%M:%S").to_string()
        };
        let state = self.state();
        let mut accounts: Vec<(&Box<str>, &Account)> = state.accounts.iter().collect();
        accounts.sort_unstable_by_key(|(name, account)| (account.held.is_none(), *name));
        let lines = accounts.into_iter().map(|(name, account)| {
            let [messages, recipients] = account.span.counts;
            let held =
                account.held.map_or_else(|| "-".to_owned(), |since| format!("held since {}", date(since)));
            format!("{name}\t{messages}\t{recipients}\t{}\t{held}", account.habit)
        });
        lines.collect()
    }

    /// Lifts the hold of an account; what it sent counts as its habit. False when there was none.
    pub fn release(&self, account: &str) -> bool {
        let name = account.to_lowercase();
        let mut state = self.state();
        let Some(account) = state.accounts.get_mut(name.as_str()) else { return false };
        let held = account.held.take().is_some();
        if held {
            account.habit = account.habit.max(account.span.counts[1]);
            self.append(&name, account);
        }
        held
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, name: &str, account: &Account) {
        if let Some(ledger) = &self.ledger {
            ledger.append(record(name, account));
        }
    }
}

/// The domain that is counted: the account's, or else the sender's.
fn domain_of(sender: &Sender<'_>) -> String {
    let domain = |text: &str| text.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
    domain(sender.account).or_else(|| domain(sender.address)).unwrap_or_default()
}

fn record(name: &str, account: &Account) -> String {
    format!("a\t{}\t{}\t{}", escape(name), account.habit, account.held.unwrap_or_default())
}

impl State {
    fn take(&mut self, record: &str) -> Option<()> {
        let mut fields = record.split('\t');
        if fields.next()? != "a" {
            return None;
        }
        let name = unescape(fields.next()?)?;
        let habit = fields.next()?.parse().ok()?;
        let held = fields.next()?.parse().ok().filter(|since| *since != 0);
        self.accounts.insert(name.into(), Account { habit, held, span: Span::default() });
        Some(())
    }

    fn of(records: &[String]) -> State {
        let mut state = State::default();
        for record in records {
            // A record of a later version that we do not know is no reason to forget the others.
            let _ = state.take(record);
        }
        state
    }

    fn records(&self) -> Vec<String> {
        self.accounts.iter().map(|(name, account)| record(name, account)).collect()
    }

    fn make_room(&mut self) {
        if self.accounts.len() >= REMEMBERED {
            let mut dates: Vec<i64> = self.accounts.values().map(|account| account.span.since).collect();
            let first = *dates.select_nth_unstable(REMEMBERED / 10).1;
            self.accounts.retain(|_, account| account.held.is_some() || account.span.since > first);
        }
        if self.domains.len() >= REMEMBERED {
            let mut dates: Vec<i64> = self.domains.values().map(|span| span.since).collect();
            let first = *dates.select_nth_unstable(REMEMBERED / 10).1;
            self.domains.retain(|_, span| span.since > first);
        }
    }
}
