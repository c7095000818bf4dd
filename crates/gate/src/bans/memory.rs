//! Failures and bans, bounded; the bans on disk.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ipnet::IpNet;
use jiff::tz::TimeZone;
use tokio::sync::watch;

use super::settings::Settings;
use super::{Boxed, Watch};
use crate::Clock;
use crate::ledger::{self, Ledger, escape, unescape};

/// The file in `data_directory`.
pub const FILE: &str = "bans";

/// Most addresses whose failures are remembered, and most bans.
const REMEMBERED: usize = 50_000;

/// Longest name of an account that is remembered, in bytes.
const NAME: usize = 256;

/// Until somebody lifts it.
pub(super) const FOR_EVER: i64 = i64::MAX;

/// Whom a ban is about: an address (or network), and one account or all.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Whom {
    pub network: IpNet,
    /// In lower case; empty for all.
    pub account: String,
}

/// A ban, or one that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ban {
    pub since: i64,
    pub until: i64,
    /// The how manieth it is.
    pub times: u32,
    pub reason: String,
}

/// What an address did lately.
#[derive(Debug, Default)]
struct Record {
    since: i64,
    /// Failures by account.
    failures: Vec<(u64, u32)>,
    offences: usize,
}

#[derive(Debug, Default)]
pub(super) struct State {
    records: HashMap<IpNet, Record>,
    pub bans: HashMap<Whom, Ban>,
}

/// Who failed, and who is banned. It outlives configurations; the bans outlive the program.
pub struct Memory {
    state: Arc<Mutex<State>>,
    settings: RwLock<Arc<Settings>>,
    ledger: Option<Ledger>,
    /// Bans so far.
    news: watch::Sender<u64>,
    clock: Clock,
    pub(super) zone: TimeZone,
}

/// The network that an address stands for.
pub(super) fn network(address: IpAddr) -> IpNet {
    let address = address.to_canonical();
    let bits = if address.is_ipv4() { 32 } else { 64 };
    IpNet::new(address, bits).map_or_else(|_| address.into(), |network| network.trunc())
}

impl Memory {
    /// Opens the file in this directory for this program alone. Nobody is banned anew before [`Memory::renew`].
    ///
    /// # Errors
    /// A sentence: it cannot be read or written, or another program has it.
    pub fn open(directory: &Path, clock: Clock, zone: TimeZone) -> Result<Memory, String> {
        let (state, ledger) = ledger::keep(directory, FILE, State::of, State::records)?;
        Ok(Memory {
            state,
            settings: RwLock::new(Arc::new(Settings::off())),
            ledger: Some(ledger),
            news: watch::Sender::default(),
            clock,
            zone,
        })
    }

    /// A memory without a file.
    pub fn forgetful(clock: Clock) -> Memory {
        let settings = RwLock::new(Arc::new(Settings::off()));
        let news = watch::Sender::default();
        Memory { state: Arc::default(), settings, ledger: None, news, clock, zone: TimeZone::UTC }
    }

    /// A new configuration.
    pub fn renew(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// Hears of each new ban, after it is in force.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> i64 {
        (self.clock)()
    }

    /// The client abused the protocol.
    pub async fn offended(&self, address: IpAddr, how: &str) {
        let settings = self.settings();
        if !settings.enabled || self.is_excepted(&settings, address).await {
            return;
        }
        let now = self.now();
        let mut state = self.state();
        let record = state.record(network(address), &settings, now);
        record.offences += 1;
        if record.offences >= settings.offences {
            let whom = Whom { network: network(address), account: String::new() };
            self.ban_again(&mut state, whom, how, &settings, now);
        }
    }

    async fn is_excepted(&self, settings: &Settings, address: IpAddr) -> bool {
        let Some(list) = &settings.exceptions else { return false };
        if list.is_empty() {
            return false;
        }
        list.matches_host("unknown", address.to_canonical()).await.unwrap_or_else(|trouble| {
            log::warn!(target: "master", "ban_exceptions: {trouble}; nobody is banned meanwhile");
            true
        })
    }

    fn failed(&self, settings: &Settings, address: IpAddr, account: &str, now: i64) {
        let network = network(address);
        let mut state = self.state();
        let record = state.record(network, settings, now);
        let hash = hash(account);
        let place = record.failures.iter().position(|(known, _)| *known == hash);
        let place = place.unwrap_or_else(|| {
            if record.failures.len() > settings.accounts {
                record.failures.remove(0);
            }
            record.failures.push((hash, 0));
            record.failures.len() - 1
        });
        record.failures[place].1 += 1;
        let (failures, accounts) = (record.failures[place].1 as usize, record.failures.len());
        if accounts >= settings.accounts {
            let whom = Whom { network, account: String::new() };
            self.ban_again(&mut state, whom, "failed logins to several accounts", settings, now);
        } else if failures >= settings.account_failures {
            let whom = Whom { network, account: account.to_owned() };
            self.ban_again(&mut state, whom, "failed logins", settings, now);
        }
    }

    /// A ban, twice as long as the last one. Whoever is banned already is not banned longer for trying.
    fn ban_again(&self, state: &mut State, whom: Whom, reason: &str, settings: &Settings, now: i64) {
        let before = state.bans.get(&whom);
        if before.is_some_and(|ban| ban.until > now) {
            return;
        }
        let recent = before.filter(|ban| now - ban.until < settings.longest);
        let times = recent.map_or(1, |ban| ban.times.saturating_add(1));
        let doubled = 1_i64.checked_shl(times - 1).and_then(|factor| settings.time.checked_mul(factor));
        let length =
            doubled.filter(|length| (1..=settings.longest).contains(length)).unwrap_or(settings.longest);
        // What is served is over: the next ban wants new failures. An account that is banned still counts as one that
        // this address tried.
        if let Some(record) = state.records.get_mut(&whom.network) {
            match whom.account.as_str() {
                "" => *record = Record { since: now, ..Record::default() },
                account => record
                    .failures
                    .iter_mut()
                    .filter(|(known, _)| *known == hash(account))
                    .for_each(|of| of.1 = 0),
            }
        }
        let of = match whom.account.as_str() {
            "" => String::new(),
            account => format!(" for account {}", mail::logline::printable(account)),
        };
        log::warn!(target: "master", "ban: {}{of} for {length} seconds: {reason}", shown(&whom.network));
        self.put(state, whom, Ban { since: now, until: now + length, times, reason: reason.to_owned() });
    }

    pub(super) fn put(&self, state: &mut State, whom: Whom, ban: Ban) {
        if state.bans.len() >= REMEMBERED {
            state.forget_bans(self.now());
        }
        self.append(record(&whom, &ban));
        state.bans.insert(whom, ban);
        self.news.send_modify(|count| *count += 1);
    }

    pub(super) fn lift(&self, state: &mut State, whom: &Whom) {
        state.records.remove(&whom.network);
        if state.bans.remove(whom).is_some() {
            self.append(format!("d\t{}\t{}", whom.network, escape(&whom.account)));
        }
    }

    fn append(&self, record: String) {
        if let Some(ledger) = &self.ledger {
            ledger.append(record);
        }
    }
}

impl Watch for Memory {
    fn welcomes(&self, address: IpAddr) -> Boxed<'_, bool> {
        let now = self.now();
        let banned = self.state().is_banned(address, "", now);
        Box::pin(std::future::ready(!banned))
    }

    fn tried<'a>(&'a self, address: IpAddr, account: &'a str, right: bool) -> Boxed<'a, bool> {
        Box::pin(async move {
            let settings = self.settings();
            let account = folded(account);
            let now = self.now();
            if self.state().is_banned(address, &account, now) {
                return false;
            }
            if !right && settings.enabled && !self.is_excepted(&settings, address).await {
                self.failed(&settings, address, &account, now);
            }
            right
        })
    }
}

fn hash(account: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    account.hash(&mut hasher);
    hasher.finish()
}

/// An account as it is remembered.
fn folded(account: &str) -> String {
    let mut account = account.to_lowercase();
    let end = (0..=NAME.min(account.len())).rev().find(|at| account.is_char_boundary(*at)).unwrap_or(0);
    account.truncate(end);
    account
}

/// A network without the length that every address has.
pub(super) fn shown(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}

fn record(whom: &Whom, ban: &Ban) -> String {
    let Ban { since, until, times, reason } = ban;
    format!("b\t{}\t{}\t{since}\t{until}\t{times}\t{}", whom.network, escape(&whom.account), escape(reason))
}

impl State {
    fn of(records: &[String]) -> State {
        let mut state = State::default();
        for record in records {
            // A record of a later version that we do not know is no reason to forget the others.
            let _ = state.take(record);
        }
        state
    }

    fn take(&mut self, record: &str) -> Option<()> {
        let mut fields = record.split('\t');
        let kind = fields.next()?;
        let whom = Whom { network: fields.next()?.parse().ok()?, account: unescape(fields.next()?)? };
        match kind {
            "b" => {
                let mut number = || fields.next()?.parse::<i64>().ok();
                let (since, until, times) = (number()?, number()?, number()?);
                let times = u32::try_from(times).ok()?;
                self.bans.insert(whom, Ban { since, until, times, reason: unescape(fields.next()?)? });
            }
            "d" => {
                self.bans.remove(&whom);
            }
            _ => return None,
        }
        Some(())
    }

    fn records(&self) -> Vec<String> {
        self.bans.iter().map(|(whom, ban)| record(whom, ban)).collect()
    }

    /// The record of a network, begun anew when it is old.
    fn record(&mut self, network: IpNet, settings: &Settings, now: i64) -> &mut Record {
        if self.records.len() >= REMEMBERED && !self.records.contains_key(&network) {
            self.records.retain(|_, record| now - record.since < settings.find_time);
            if self.records.len() >= REMEMBERED {
                let mut dates: Vec<i64> = self.records.values().map(|record| record.since).collect();
                let middle = *dates.select_nth_unstable(REMEMBERED / 2).1;
                self.records.retain(|_, record| record.since > middle);
            }
        }
        let record =
            self.records.entry(network).or_insert_with(|| Record { since: now, ..Record::default() });
        if now - record.since >= settings.find_time {
            *record = Record { since: now, ..Record::default() };
        }
        record
    }

    fn is_banned(&self, address: IpAddr, account: &str, now: i64) -> bool {
        if self.bans.is_empty() {
            return false;
        }
        let holds = |network: IpNet, account: &str| {
            let whom = Whom { network, account: account.to_owned() };
            self.bans.get(&whom).is_some_and(|ban| ban.until > now)
        };
        let address = address.to_canonical();
        // An administrator may have named one address of a /64.
        let networks = [network(address), IpNet::from(address)];
        networks
            .iter()
            .any(|network| holds(*network, "") || (!account.is_empty() && holds(*network, account)))
    }

    /// Makes room: bans that are over, then those that end first.
    fn forget_bans(&mut self, now: i64) {
        self.bans.retain(|_, ban| ban.until > now);
        if self.bans.len() >= REMEMBERED {
            let mut dates: Vec<i64> = self.bans.values().map(|ban| ban.until).collect();
            let first = *dates.select_nth_unstable(REMEMBERED / 10).1;
            self.bans.retain(|_, ban| ban.until > first);
        }
    }
}
