//! The factory: opens tables by name, shares them, and opens them anew when their files change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use mail::Trouble;
use mail::logline::printable;

use crate::files::Watched;
use crate::fold::fold;
use crate::source::shown;
use crate::spec::divide;
use crate::sql::{Limits, Pool, Target, WeakPool};
use crate::types::{self, Opening};
use crate::{Answer, Fault, Hit, Lookup, Maps, Shape, Spec, Table};

/// What the factory has to know of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `smtputf8_enable`: keys and values of UTF-8 tables are checked, and folded beyond ASCII.
    pub utf8: bool,
    /// `$alias_maps $alias_database`: tables whose source is in the format of aliases(5).
    pub aliases: String,
    /// `$myhostname`, which alias tables carry.
    pub myhostname: String,
    /// The program name for warnings (`smtpd`, `postmap`).
    pub program: &'static str,
    /// Values of main.cf, for tables whose settings may stand there (`sqlite:name` reads `name_query`).
    pub main_cf: MainCf,
    /// What tables in data bases may use where their own settings do not say.
    pub databases: Databases,
}

/// What tables in data bases may use: connections, time, and a memory of answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Databases {
    /// Connections and time.
    pub limits: Limits,
    /// For how long an answer is used again; zero: never.
    pub cache: Duration,
    /// The same for "not found".
    pub negative_cache: Duration,
}

/// Asks main.cf for the value of a parameter that nobody declared.
#[derive(Clone)]
pub struct MainCf(Arc<Ask>);

type Ask = dyn Fn(&str) -> Option<String> + Send + Sync;

impl MainCf {
    /// Asks by this function.
    pub fn new(ask: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> MainCf {
        MainCf(Arc::new(ask))
    }

    /// The value, if the parameter is set.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }
}

impl std::fmt::Debug for MainCf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MainCf")
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            utf8: true,
            aliases: String::new(),
            myhostname: "localhost".to_owned(),
            program: "facteur",
            main_cf: MainCf::new(|_| None),
            databases: Databases::default(),
        }
    }
}

/// How the keys and values of a table are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Keys {
    /// Fold keys to lower case, in tables of fixed strings.
    pub fold: bool,
    /// Check that keys and values are UTF-8 (when `smtputf8_enable` is on).
    pub utf8: bool,
    /// `$1` in the values of pattern tables stands for a part of the key. Where the key comes from a stranger
    /// and the value is a file, command or transport, it must not.
    pub substitute: bool,
}

impl Keys {
    /// Nearly every table: folded, UTF-8.
    pub const FOLDED: Keys = Keys { fold: true, utf8: true, substitute: true };
    /// Alias, virtual mailbox and transport tables: rules with `$1` are refused.
    pub const LITERAL: Keys = Keys { fold: true, utf8: true, substitute: false };
    /// Header and body checks: bytes as they are.
    pub const RAW: Keys = Keys { fold: false, utf8: false, substitute: true };
}

/// Opens tables and shares them. Cheap to clone.
#[derive(Clone)]
pub struct Tables(Arc<Inner>);

struct Inner {
    settings: Settings,
    open: Mutex<HashMap<(Spec, Keys), Weak<Handle>>>,
    refreshing: Mutex<()>,
    pools: Mutex<HashMap<(Target, Limits), WeakPool>>,
}

impl Tables {
    /// A factory with nothing open.
    pub fn new(settings: Settings) -> Tables {
        Tables(Arc::new(Inner {
            settings,
            open: Mutex::default(),
            refreshing: Mutex::default(),
            pools: Mutex::default(),
        }))
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Opens the chain in a parameter value: `hash:/a, regexp:/b`.
    ///
    /// A table that cannot be opened now, or whose type is not supported, is logged, listed in
    /// [`Maps::faults`], and makes each look-up trouble until it can be opened.
    ///
    /// # Errors
    /// The text is no list of `type:name`.
    pub fn maps(&self, parameter: &str, text: &str) -> Result<Maps, Fault> {
        self.maps_with(parameter, text, Keys::FOLDED)
    }

    /// As [`Tables::maps`], with other keys: header and body checks want [`Keys::RAW`], alias, virtual mailbox
    /// and transport tables [`Keys::LITERAL`].
    pub fn maps_with(&self, parameter: &str, text: &str, keys: Keys) -> Result<Maps, Fault> {
        let mut tables = Vec::new();
        for piece in divide(text) {
            let spec = Spec::parse(piece).ok_or_else(|| Fault {
                parameter: parameter.to_owned(),
                table: piece.to_owned(),
                why: format!("open dictionary: expecting \"type:name\" form instead of \"{piece}\""),
            })?;
            let handle = self.handle(&spec, keys);
            if let Some(why) = &handle.read().fault {
                log::warn!(target: self.settings().program, "{spec} is unavailable. {why}");
            }
            tables.push(handle);
        }
        Ok(Maps { parameter: parameter.into(), tables: tables.into() })
    }

    /// One table, not shared and not watched: what `postmap` asks.
    ///
    /// # Errors
    /// Why it cannot be opened, as a sentence.
    pub fn open(&self, spec: &Spec, keys: Keys) -> Result<Single, String> {
        let handle = Handle::open(self, spec, keys);
        match &handle.read().fault {
            Some(why) => Err(why.clone()),
            None => Ok(Single(handle.clone())),
        }
    }

    /// Opens tables anew whose files have changed, and those that could not be opened before.
    ///
    /// Looks at files, so call it off the async threads, about once a second. A table whose new content
    /// cannot be opened keeps the old one, with a warning. While one call is at work, others do nothing.
    pub fn refresh(&self) {
        let Ok(_alone) = self.0.refreshing.try_lock() else { return };
        let mut handles: Vec<Arc<Handle>> = Vec::new();
        self.registry().retain(|_, weak| {
            let handle = weak.upgrade();
            handles.extend(handle.clone());
            handle.is_some()
        });
        for handle in handles {
            handle.refresh(self);
        }
    }

    /// The pool of this target: tables that ask the same one share their connections.
    pub(crate) fn pool(&self, target: Target, limits: Limits) -> Pool {
        let mut pools = self.0.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|_, pool| pool.upgrade().is_some());
        let known = (target, limits);
        if let Some(pool) = pools.get(&known).and_then(WeakPool::upgrade) {
            return pool;
        }
        let pool = Pool::new(known.0.clone(), limits, self.settings().program);
        pools.insert(known, pool.downgrade());
        pool
    }

    /// The shared table of this name.
    pub(crate) fn handle(&self, spec: &Spec, keys: Keys) -> Arc<Handle> {
        let known = (spec.clone(), keys);
        if let Some(handle) = self.registry().get(&known).and_then(Weak::upgrade) {
            return handle;
        }
        // Opened outside the lock: a pipemap opens its parts by this same way.
        let handle = Handle::open(self, spec, keys);
        self.registry().insert(known, Arc::downgrade(&handle));
        handle
    }

    fn registry(&self) -> std::sync::MutexGuard<'_, HashMap<(Spec, Keys), Weak<Handle>>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One open table, for commands that ask a single table at a time.
#[derive(Clone)]
pub struct Single(Arc<Handle>);

impl Single {
    /// Looks a key up as it stands. An empty value is a value here.
    ///
    /// # Errors
    /// The table failed.
    pub async fn lookup(&self, key: &[u8]) -> Answer {
        Ok(self.0.ask(key).await?.map(|(hit, _)| hit))
    }

    /// Gives each row to `row` (`postmap -s`) until it returns `false`; tells whether the type can list rows.
    ///
    /// # Errors
    /// The table failed.
    pub fn rows(&self, mut row: impl FnMut(&[u8], &[u8]) -> bool) -> Result<bool, Trouble> {
        let table = self.0.current();
        let Some(rows) = table.rows() else { return Ok(false) };
        for found in rows {
            let (key, value) = found?;
            if !row(&key, &value) {
                break;
            }
        }
        Ok(true)
    }
}

/// A table shared by all who named it. What is behind it changes when its files do.
pub(crate) struct Handle {
    spec: Spec,
    name: Arc<str>,
    keys: Keys,
    unicode: bool,
    program: &'static str,
    slot: RwLock<Slot>,
}

struct Slot {
    table: Arc<dyn Table>,
    /// Why the files as they are now cannot be opened.
    fault: Option<String>,
}

impl Handle {
    fn open(tables: &Tables, spec: &Spec, keys: Keys) -> Arc<Handle> {
        let name: Arc<str> = spec.to_string().into();
        let slot = match open(tables, spec, keys) {
            Ok(table) => Slot { table, fault: None },
            Err(why) => Slot {
                table: Arc::new(Unavailable { why: format!("table {name} is unavailable: {why}") }),
                fault: Some(why),
            },
        };
        let settings = tables.settings();
        Arc::new(Handle {
            spec: spec.clone(),
            name,
            keys,
            unicode: keys.utf8 && settings.utf8,
            program: settings.program,
            slot: RwLock::new(slot),
        })
    }

    fn refresh(&self, tables: &Tables) {
        {
            let slot = self.read();
            if slot.fault.is_none() && !slot.table.watched().iter().any(Watched::has_changed) {
                return;
            }
        }
        let opened = open(tables, &self.spec, self.keys);
        let mut slot = self.slot.write().unwrap_or_else(PoisonError::into_inner);
        match opened {
            Ok(table) => {
                log::info!(target: self.program, "table {} has changed -- reopened", self.name);
                *slot = Slot { table, fault: None };
            }
            Err(why) => {
                if slot.fault.as_ref() != Some(&why) {
                    log::warn!(target: self.program, "{} cannot be reopened, the old content stays in use: {why}", self.name);
                }
                slot.fault = Some(why);
            }
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Slot> {
        self.slot.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn current(&self) -> Arc<dyn Table> {
        self.read().table.clone()
    }

    pub(crate) fn shape(&self) -> Shape {
        self.read().table.shape()
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        self.name.clone()
    }

    pub(crate) fn program(&self) -> &'static str {
        self.program
    }

    pub(crate) fn fault(&self, parameter: &str) -> Option<Fault> {
        self.read().fault.as_ref().map(|why| Fault {
            parameter: parameter.to_owned(),
            table: self.name.to_string(),
            why: why.clone(),
        })
    }

    /// Looks a key up: checked, folded where the table wants it. With the place of the rule that decided.
    pub(crate) async fn ask(&self, key: &[u8]) -> Result<Option<(Hit, Option<String>)>, Trouble> {
        // A NUL would end the key early in some tables and not in others.
        if key.contains(&0) {
            return Ok(None);
        }
        if self.unicode && std::str::from_utf8(key).is_err() {
            log::warn!(target: self.program, "{}: non-UTF-8 key \"{}\": malformed UTF-8 or invalid codepoint", self.name, shown(key));
            return Ok(None);
        }
        let table = self.current();
        let folded = if self.keys.fold && table.folds() { fold(key, self.unicode) } else { key.into() };
        let answer = match table.lookup(&folded) {
            Lookup::Ready(answer) => answer,
            Lookup::Pending(answer) => answer.await,
        };
        let Some(hit) = answer? else { return Ok(None) };
        if self.unicode && std::str::from_utf8(&hit.value).is_err() {
            let what = format!(
                "{}: key \"{}\": non-UTF-8 value \"{}\": malformed UTF-8 or invalid codepoint",
                self.name,
                printable(&String::from_utf8_lossy(key)),
                shown(&hit.value)
            );
            log::warn!(target: self.program, "{what}");
            return Err(Trouble::new(what));
        }
        let place = match (hit.line, table.source()) {
            (Some(line), Some(source)) => Some(format!("{source}, line {line}")),
            (Some(line), None) => Some(format!("line {line}")),
            (None, _) => table.question(&folded),
        };
        Ok(Some((hit, place)))
    }
}

fn open(tables: &Tables, spec: &Spec, keys: Keys) -> Result<Arc<dyn Table>, String> {
    match types::find(&spec.kind) {
        Some(found) => (found.open)(&Opening { spec, keys, tables }),
        None => Err(types::unsupported(&spec.kind)),
    }
}

/// Stands in for a table that could not be opened: every look-up is trouble.
struct Unavailable {
    why: String,
}

impl Table for Unavailable {
    fn lookup<'a>(&'a self, _: &'a [u8]) -> Lookup<'a> {
        Lookup::Ready(Err(Trouble::new(self.why.clone())))
    }

    fn shape(&self) -> Shape {
        Shape { fixed: true, pattern: true }
    }

    fn folds(&self) -> bool {
        false
    }
}
