//! Which parameters are used: built in, defined by a service, or the site's own and referred to.
//!
//! A name that a site makes up is right when the value of another parameter refers to it. One that nothing
//! refers to is most likely mistyped, and one that is referred to but set nowhere too.

mod databases;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::words::{COMMA_SPACE, words};
use crate::{Declaration, ExpandError, Kind, MasterCf, Mistake, Service, Severity, Status, View, names};

/// Where a parameter's name comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Declared.
    Builtin,
    /// The name of a service of master.cf and a declared ending.
    Service,
    /// Made up by the site, and referred to.
    User,
}

/// What is known of the names in a configuration.
#[derive(Debug)]
pub struct Usage {
    members: BTreeMap<String, &'static Declaration>,
    user: BTreeSet<String>,
    own: Vec<BTreeSet<String>>,
    /// Names referred to but set nowhere; references not understood; database files that cannot be read.
    pub mistakes: Vec<Mistake>,
    /// Why a value cannot be expanded at all.
    pub broken: Option<(Mistake, ExpandError)>,
}

/// Services whose name begins parameters of the scheduler.
const AGENTS: [&str; 6] = ["error", "lmtp", "local", "pipe", "smtp", "virtual"];
/// Services that run commands for a limited time.
const TIMED: [&str; 2] = ["pipe", "spawn"];

impl Usage {
    /// Looks through main.cf and master.cf. Values that name a database's configuration file lead there.
    pub fn of(view: &View, master: &MasterCf) -> Self {
        let mut usage = Self {
            members: members(view, master),
            user: BTreeSet::new(),
            own: vec![BTreeSet::new(); master.services.len()],
            mistakes: Vec::new(),
            broken: None,
        };
        let mut scan = Scan { view, master, usage: &mut usage, databases: BTreeSet::new() };
        for (index, service) in master.services.iter().enumerate() {
            let own = view.for_service(service);
            let last: BTreeMap<_, _> = service.overrides.iter().map(|(name, value)| (name, value)).collect();
            for (name, value) in last {
                scan.setting(&own, Some(index), name, value, (&service.file, service.line));
            }
        }
        for name in view.registry().names() {
            scan.default(name);
        }
        for setting in view.main().standing() {
            scan.setting(view, None, &setting.name, &setting.value, (&setting.file, setting.line));
        }
        usage
    }

    /// The class of a name; `None` when it is not in use.
    pub fn class(&self, view: &View, name: &str) -> Option<Class> {
        if self.members.contains_key(name) {
            Some(Class::Service)
        } else if view.registry().get(name).is_some() {
            Some(Class::Builtin)
        } else {
            self.user.contains(name).then_some(Class::User)
        }
    }

    /// The declaration a name is read by, its own or that of its family.
    pub fn row(&self, view: &View, name: &str) -> Option<&'static Declaration> {
        view.registry().get(name).or_else(|| self.members.get(name).copied())
    }

    /// All names in use beside the declared ones.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().chain(&self.user).map(String::as_str)
    }

    /// The default of a service-defined name.
    pub fn default_of(&self, name: &str) -> Option<&'static str> {
        self.members.get(name).map(|row| row.default)
    }

    /// Settings of main.cf that nothing refers to.
    pub fn unused_in_main(&self, view: &View) -> Vec<Mistake> {
        let unused = view.main().standing().filter(|setting| self.class(view, &setting.name).is_none());
        unused
            .map(|setting| unused_mistake(&setting.file, setting.line, &setting.name, &setting.value))
            .collect()
    }

    /// Overrides in master.cf that nothing refers to.
    pub fn unused_in_master(&self, view: &View, master: &MasterCf) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        for (service, own) in master.services.iter().zip(&self.own) {
            let last: BTreeMap<_, _> = service.overrides.iter().map(|(name, value)| (name, value)).collect();
            mistakes.extend(
                last.into_iter()
                    .filter(|(name, _)| self.class(view, name).is_none_or(|class| class == Class::User))
                    .filter(|(name, _)| !own.contains(*name) && !self.user.contains(*name))
                    .map(|(name, value)| unused_mistake(&service.file, service.line, name, value)),
            );
        }
        mistakes
    }
}

fn unused_mistake(file: &Path, line: usize, name: &str, value: &str) -> Mistake {
    Mistake::new(Severity::Warning, Some((file, line)), format!("unused parameter: {name}={value}"))
}

/// The parameters whose names begin with a service's.
fn members(view: &View, master: &MasterCf) -> BTreeMap<String, &'static Declaration> {
    let mut members = BTreeMap::new();
    for Service { name, command, .. } in &master.services {
        for family in view.registry().families() {
            let timed = family.name.ends_with("_time_limit");
            if if timed { &TIMED[..] } else { &AGENTS[..] }.contains(&command.as_str()) {
                let (head, tail) = family.name.split_once('<').unwrap_or((family.name, ""));
                let tail = tail.split_once('>').map_or("", |(_, tail)| tail);
                let member = format!("{head}{name}{tail}");
                let row = view.registry().get(&member).unwrap_or(family);
                members.insert(member, row);
            }
        }
    }
    members
}

struct Scan<'a> {
    view: &'a View,
    master: &'a MasterCf,
    usage: &'a mut Usage,
    databases: BTreeSet<String>,
}

impl Scan<'_> {
    /// One setting of main.cf, or of a service.
    fn setting(&mut self, view: &View, scope: Option<usize>, name: &str, value: &str, place: (&Path, usize)) {
        let declared = view.registry().get(name);
        if declared.is_some_and(|row| row.kind == Kind::Raw) {
            return;
        }
        let mut found = Vec::new();
        if let Err(error) = names(value, &mut |name| found.push(name.to_owned())) {
            self.usage.mistakes.push(Mistake::new(Severity::Warning, Some(place), error.text));
        }
        if name == "smtpd_restriction_classes" {
            found.extend(words(&view.expand(value), COMMA_SPACE).into_iter().map(str::to_owned));
        }
        for name in &found {
            self.refer(name, scope, Some(place));
        }
        if declared.is_none() && !self.usage.members.contains_key(name) {
            return;
        }
        match view.try_expand(value) {
            // What `passdb` and its kin call `ldap:/file` is no table.
            Ok(_) if declared.is_some_and(|row| row.status == Status::Own && row.kind == Kind::Text) => {}
            Ok(text) => self.databases(&text, scope, place),
            Err(error) if self.usage.broken.is_none() => {
                let mistake =
                    Mistake::new(Severity::Error, Some(place), format!("{name} = {value}: {error}"));
                self.usage.broken = Some((mistake, error));
            }
            Err(_) => {}
        }
    }

    /// Defaults may refer to names that older releases had: used when set, nothing amiss when not.
    fn default(&mut self, name: &str) {
        let Some(row) = self.view.registry().get(name) else { return };
        if row.kind == Kind::Raw || self.view.main().get(name).is_some() {
            return;
        }
        let mut found = Vec::new();
        let well_formed = names(row.default, &mut |name| found.push(name.to_owned()));
        debug_assert!(well_formed.is_ok(), "{name}");
        for name in &found {
            self.refer(name, None, None);
        }
    }

    /// A reference to a name, from a service's override or from main.cf.
    fn refer(&mut self, name: &str, scope: Option<usize>, place: Option<(&Path, usize)>) {
        let has = |service: &Service| service.overrides.iter().any(|(own, _)| own == name);
        let mut supplied = false;
        let own = scope.filter(|&index| has(&self.master.services[index]));
        if let Some(index) = own {
            self.usage.own[index].insert(name.to_owned());
            supplied = true;
        } else if self.view.main().get(name).is_some() {
            if self.view.registry().get(name).is_none() && !self.usage.members.contains_key(name) {
                self.usage.user.insert(name.to_owned());
            }
            supplied = true;
        }
        if scope.is_none() {
            for (index, _) in self.master.services.iter().enumerate().filter(|(_, service)| has(service)) {
                self.usage.own[index].insert(name.to_owned());
                supplied = true;
            }
        }
        if let Some(place) = place
            && !supplied
            && self.view.registry().get(name).is_none()
            && !self.usage.members.contains_key(name)
        {
            let text = format!("undefined parameter: {name}");
            self.usage.mistakes.push(Mistake::new(Severity::Warning, Some(place), text));
        }
    }

    /// The tables in a value: their files are read, and `ldap:name` uses `name_server_host` and the like.
    fn databases(&mut self, text: &str, scope: Option<usize>, place: (&Path, usize)) {
        let mut wrong = |text| self.usage.mistakes.push(Mistake::new(Severity::Warning, Some(place), text));
        for table in databases::tables(text, &mut wrong) {
            let Some(endings) = databases::endings(&table.kind) else { continue };
            if table.name.starts_with('/') {
                if self.databases.insert(format!("{}:{}", table.kind, table.name)) {
                    databases::check(&table, endings, &mut self.usage.mistakes);
                }
            } else if !table.name.starts_with('.') {
                for ending in endings {
                    self.refer(&format!("{}_{ending}", table.name), scope, None);
                }
            }
        }
    }
}
