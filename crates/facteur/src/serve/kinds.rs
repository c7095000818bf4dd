//! What the commands of master.cf give: sessions, parts of this program, or nothing we know.
//!
//! To add a server: a line in [`KINDS`].

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use conf::{MasterCf, Mistake, Service, ServiceKind, Severity, View};
use deliver::spawn::Spawn;
use filter::SystemDns;
use gate::Gate;
use gate::bans::Watch;
use imap::accounts::{Accounts, owner_of_all};
use imap::handover::{Keepers, Share, Taken};
use imap::pop3::Pop3d;
use mta::house::House;
use mta::lmtpd::Lmtpd;
use mta::policyd::Policyd;
use mta::postscreen::{Memory, Postscreen};
use mta::smtpd::{Counters, Smtpd};
use mta::verify::Verifier;
use net::Accepted;
use net::dns::Resolver;
use people::People;
use tables::Tables;

use super::auth::Auth;
use super::certificates;
use super::listening::{Session, Sessions, Wanted, endpoints, limit, process_limit};
use crate::commands::sendmail;
use crate::config::Config;
use crate::interfaces;

/// What sessions are made of besides their configuration.
#[derive(Clone)]
pub struct Lent {
    /// Queue and configuration.
    pub house: Arc<House>,
    /// Address probes.
    pub verifier: Verifier,
    /// Opens tables.
    pub tables: Tables,
    /// DNS.
    pub resolver: Resolver,
    /// Counts of clients; they outlive configurations.
    pub counters: Arc<Counters>,
    /// What is remembered of strangers; this, too.
    pub gate: Gate,
    /// Whom postscreen let pass; this, too.
    pub screened: Arc<Memory>,
    /// What services of those who read mail need; `None` where they come to another process.
    pub reading: Option<Reading>,
}

/// What sessions of those who read their mail share; it outlives configurations.
#[derive(Clone)]
pub struct Reading {
    readers: Arc<imap::Counts>,
    watch: Arc<dyn Watch>,
    /// Where mailboxes are that other processes keep.
    keepers: Option<Arc<dyn Keepers>>,
}

impl Reading {
    /// Nobody reads yet; `watch` hears of logins, and `keepers` leads to mailboxes that are not here.
    pub fn new(watch: Arc<dyn Watch>, keepers: Option<Arc<dyn Keepers>>) -> Reading {
        Reading { readers: Arc::default(), watch, keepers }
    }
}

/// The sessions of a service for those who read mail.
#[derive(Clone)]
pub enum Readers {
    /// IMAP.
    Imap(imap::Imapd),
    /// POP3.
    Pop3(Pop3d),
}

impl Readers {
    /// Goes on with a session that another process has begun.
    pub async fn go_on(&self, taken: Taken) {
        match self {
            Readers::Imap(imapd) => imapd.go_on(taken).await,
            Readers::Pop3(pop3d) => pop3d.go_on(taken).await,
        }
    }
}

impl Sessions for Readers {
    fn session(self: Arc<Self>, accepted: Accepted) -> Session {
        Box::pin(async move {
            match &*self {
                Readers::Imap(imapd) => imapd.session(accepted).await,
                Readers::Pop3(pop3d) => pop3d.session(accepted).await,
            }
        })
    }
}

/// A command of master.cf whose services listen.
struct Kind {
    command: &'static str,
    /// Reports what is wrong with a service's parameters.
    check: fn(&View, &Service, &Tables, &mut Vec<Mistake>),
    build: Build,
    counted: Counted,
}

/// What the seventh column counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    Sessions,
    /// A session is a process: without a number there, `default_process_limit` holds.
    Programs,
    /// Postfix's processes: it says nothing here.
    Nothing,
}

/// Makes the sessions of a service.
#[derive(Clone, Copy)]
enum Build {
    /// From the queue and what belongs to it.
    Office(fn(&Config, &View, &Service, &Lent) -> Arc<dyn Sessions>),
    /// For those who read mail, in whatever process they come to.
    Mailboxes(fn(&View, &Reading, Share) -> Readers),
}

const KINDS: &[Kind] = &[
    Kind {
        command: "acmed",
        check: certificates::check,
        build: Build::Office(certificates::acmed),
        counted: Counted::Sessions,
    },
    Kind { command: "auth", check: |_, _, _, _| {}, build: Build::Office(auth), counted: Counted::Sessions },
    Kind {
        command: "smtpd",
        check: mta::smtpd::check,
        build: Build::Office(smtpd),
        counted: Counted::Sessions,
    },
    Kind {
        command: "postscreen",
        check: mta::postscreen::check,
        build: Build::Office(postscreen),
        counted: Counted::Nothing,
    },
    Kind {
        command: "policyd",
        check: |view, _, tables, mistakes| mta::policyd::check(view, tables, mistakes),
        build: Build::Office(policyd),
        counted: Counted::Sessions,
    },
    Kind { command: "imapd", check: check_imapd, build: Build::Mailboxes(imapd), counted: Counted::Sessions },
    Kind { command: "pop3d", check: check_pop3d, build: Build::Mailboxes(pop3d), counted: Counted::Sessions },
    Kind { command: "lmtpd", check: check_lmtpd, build: Build::Office(lmtpd), counted: Counted::Sessions },
    Kind {
        command: "spawn",
        check: |view, service, _, mistakes| deliver::spawn::check(view, service, mistakes),
        build: Build::Office(spawn),
        counted: Counted::Programs,
    },
];

struct Programs(Arc<Spawn>);

impl Sessions for Programs {
    fn session(self: Arc<Self>, accepted: Accepted) -> Session {
        Box::pin(self.0.clone().session(accepted))
    }
}

fn spawn(_: &Config, view: &View, service: &Service, _: &Lent) -> Arc<dyn Sessions> {
    Arc::new(Programs(Arc::new(Spawn::new(view, service))))
}

struct SmtpSessions(Smtpd);

impl Sessions for SmtpSessions {
    fn session(self: Arc<Self>, accepted: Accepted) -> Session {
        Box::pin(async move { self.0.session(accepted).await })
    }
}

/// `sendmail -bs`.
struct LocalSessions(Smtpd);

impl Sessions for LocalSessions {
    fn session(self: Arc<Self>, accepted: Accepted) -> Session {
        Box::pin(async move { self.0.local_session(accepted).await })
    }
}

/// The service of `sendmail -bs`. It stands in no master.cf: Postfix starts an smtpd for every such session.
fn local(config: &Config, lent: &Lent) -> Wanted {
    let pickup = config.master.services.iter().find(|service| service.command == "pickup");
    let line = format!("{} unix n - n - - smtpd", sendmail::SESSION);
    let (master, _) = MasterCf::parse(&line, Path::new("master.cf"));
    let mut service = master.services.into_iter().next().expect("a line that is right");
    service.overrides = pickup.map(|service| service.overrides.clone()).unwrap_or_default();
    service.overrides.extend(mta::smtpd::local_overrides());
    let view = config.view.with_overrides(&service.overrides);
    Wanted {
        endpoints: endpoints(&view, &service, &mut Vec::new()),
        limit: limit(&view, service.maxproc),
        sessions: Arc::new(LocalSessions(smtp_service(&view, &service, lent))),
        service,
    }
}

fn auth(_: &Config, view: &View, _: &Service, lent: &Lent) -> Arc<dyn Sessions> {
    let people = lent.house.setup().people.clone();
    Arc::new(Auth::new(people, lent.gate.clone(), view, &lent.tables))
}

struct ScreenSessions(Postscreen);

impl Sessions for ScreenSessions {
    fn session(self: Arc<Self>, accepted: Accepted) -> Session {
        Box::pin(async move { self.0.session(accepted).await })
    }
}

fn postscreen(config: &Config, view: &View, line: &Service, lent: &Lent) -> Arc<dyn Sessions> {
    let name = view.get("smtpd_service_name");
    let is_next =
        |next: &&Service| next.kind == ServiceKind::Pass && next.command == "smtpd" && next.name == name;
    let next = config.master.services.iter().find(is_next);
    let parts = mta::postscreen::Parts {
        view,
        line,
        tables: &lent.tables,
        resolver: lent.resolver.clone(),
        memory: lent.screened.clone(),
        next: next.map(|next| smtp_service(&config.view.with_overrides(&next.overrides), next, lent)),
    };
    Arc::new(ScreenSessions(Postscreen::new(parts)))
}

struct PolicySessions(Policyd);

impl Sessions for PolicySessions {
    fn session(self: Arc<Self>, accepted: Accepted) -> Session {
        Box::pin(async move { self.0.session(accepted).await })
    }
}

fn policyd(_: &Config, view: &View, _: &Service, lent: &Lent) -> Arc<dyn Sessions> {
    let dns = SystemDns { resolver: lent.resolver.clone(), protocols: interfaces::protocols(view) };
    let house = lent.house.clone();
    let parts = mta::policyd::Parts {
        view,
        gate: lent.gate.clone(),
        dns: Arc::new(dns),
        tables: &lent.tables,
        counters: lent.counters.clone(),
        held: Arc::new(move |account, sent, usual| {
            tokio::spawn(mta::outbound::hold(house.clone(), account.to_owned(), sent, usual));
        }),
    };
    Arc::new(PolicySessions(Policyd::new(parts)))
}

fn check_imapd(view: &View, _: &Service, _: &Tables, mistakes: &mut Vec<Mistake>) {
    People::check(view, mistakes);
    imap::check(view, mistakes);
}

fn imapd(view: &View, reading: &Reading, share: Share) -> Readers {
    let clock = Arc::new(super::seconds);
    let people = People::read(view, people::Parts { clock }, &mut Vec::new());
    let (counts, watch) = (reading.readers.clone(), reading.watch.clone());
    let parts = imap::service::Parts { view, people, counts, watch, share };
    Readers::Imap(imap::Imapd::new(parts))
}

fn check_pop3d(view: &View, _: &Service, _: &Tables, mistakes: &mut Vec<Mistake>) {
    People::check(view, mistakes);
    Accounts::read(view, unix_time, mistakes);
    imap::pop3::check(view, mistakes);
}

fn pop3d(view: &View, reading: &Reading, share: Share) -> Readers {
    let told = &mut Vec::new();
    let people = People::read(view, people::Parts { clock: Arc::new(super::seconds) }, told);
    let accounts = Accounts::read(view, unix_time, told);
    let watch = reading.watch.clone();
    Readers::Pop3(Pop3d::new(imap::pop3::Parts { view, people, accounts, watch, share }))
}

struct LmtpSessions(Lmtpd);

impl Sessions for LmtpSessions {
    fn session(self: Arc<Self>, accepted: Accepted) -> Session {
        Box::pin(async move { self.0.session(accepted).await })
    }
}

fn check_lmtpd(view: &View, _: &Service, _: &Tables, mistakes: &mut Vec<Mistake>) {
    People::check(view, mistakes);
    Accounts::read(view, unix_time, mistakes);
    mta::lmtpd::check(view, mistakes);
}

/// Where keepers have the mailboxes, LMTP is mail that comes in, as by SMTP: the worker takes it, and they store it.
fn lmtpd(_: &Config, view: &View, _: &Service, _: &Lent) -> Arc<dyn Sessions> {
    let told = &mut Vec::new();
    let people = People::read(view, people::Parts { clock: Arc::new(super::seconds) }, told);
    let accounts = Accounts::read(view, unix_time, told).with_people(people.clone());
    let zone = jiff::tz::TimeZone::system();
    // What is wrong with it the parent has told.
    let owner = owner_of_all(view).ok().flatten();
    Arc::new(LmtpSessions(Lmtpd::new(mta::lmtpd::Parts { view, people, accounts, zone, owner })))
}

/// Seconds since 1970, as stores count them.
fn unix_time() -> i64 {
    super::seconds().try_into().unwrap_or(i64::MAX)
}

fn smtpd(_: &Config, view: &View, service: &Service, lent: &Lent) -> Arc<dyn Sessions> {
    Arc::new(SmtpSessions(smtp_service(view, service, lent)))
}

fn smtp_service(view: &View, service: &Service, lent: &Lent) -> Smtpd {
    let parts = mta::smtpd::Parts {
        view,
        line: service,
        tables: &lent.tables,
        house: lent.house.clone(),
        verifier: lent.verifier.clone(),
        resolver: lent.resolver.clone(),
        own: interfaces::own(view, &mut Vec::new()),
        protocols: interfaces::protocols(view),
        counters: lent.counters.clone(),
        gate: lent.gate.clone(),
    };
    Smtpd::new(parts)
}

/// Commands whose work is done inside this program; their lines give limits and overrides only.
const INSIDE: &[&str] = &[
    "anvil",
    "bounce",
    "cleanup",
    "dnsblog",
    "flush",
    "pickup",
    "postlogd",
    "proxymap",
    "qmgr",
    "scache",
    "showq",
    "tlsmgr",
    "tlsproxy",
    "trivial-rewrite",
    "verify",
];

fn kind(service: &Service) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.command == service.command)
}

/// Reports services that cannot be what they are said to be.
pub fn check(config: &Config, tables: &Tables, mistakes: &mut Vec<Mistake>) {
    for service in &config.master.services {
        let view = config.view.with_overrides(&service.overrides);
        if let Some(kind) = kind(service) {
            endpoints(&view, service, mistakes);
            (kind.check)(&view, service, tables, mistakes);
        } else if deliver::agents::find(&service.command).is_none()
            && !INSIDE.contains(&service.command.as_str())
        {
            let place = Some((service.file.as_path(), service.line));
            let text =
                format!("{}: no such command: {}; the service is left out", service.name, service.command);
            mistakes.push(Mistake::new(Severity::Error, place, text));
        }
    }
}

/// `master_service_disable`: services that are left out, as `name.type` or all of a `type`.
fn is_disabled(view: &View, service: &Service) -> bool {
    let disabled = view.get("master_service_disable");
    let kind = service.kind.as_str();
    disabled.split([',', ' ', '\t', '\n']).any(|word| match word.rsplit_once('.') {
        Some((name, of)) => name == service.name && of == kind,
        None => word == kind,
    })
}

/// The services that listen in the process of the queue; without those of people who read mail, where they come to
/// another.
pub fn wanted(config: &Config, lent: &Lent, mistakes: &mut Vec<Mistake>) -> Vec<Wanted> {
    let mut wanted = vec![local(config, lent)];
    wanted.extend(listening(config, mistakes, |kind, view, service| match kind.build {
        Build::Office(build) => Some(build(config, view, service, lent)),
        Build::Mailboxes(build) => {
            let reading = lent.reading.as_ref()?;
            Some(Arc::new(build(view, reading, Share::default())))
        }
    }));
    wanted
}

/// The services of people who read mail.
pub fn read(config: &Config, reading: &Reading) -> Vec<Wanted> {
    listening(config, &mut Vec::new(), |kind, view, service| match kind.build {
        Build::Office(_) => None,
        Build::Mailboxes(build) => {
            let share = Share { keepers: reading.keepers.clone(), line: line(service), no_logins: false };
            Some(Arc::new(build(view, reading, share)))
        }
    })
}

/// The same, where sessions come from a process that takes logins: by their lines. Nobody logs in here, and nothing is
/// said in clear that was not, so that no database is opened and no key.
pub fn handed(config: &Config) -> HashMap<String, Readers> {
    let none = ["passdb", "userdb"].map(|name| (name.to_owned(), String::new()));
    let mut overrides = none.to_vec();
    overrides.push(("ssl".to_owned(), "no".to_owned()));
    let mut handed = HashMap::new();
    for service in &config.master.services {
        if let Some(Kind { build: Build::Mailboxes(build), .. }) = kind(service) {
            let view = config.view.with_overrides(&service.overrides).with_overrides(&overrides);
            let share = Share { keepers: None, line: line(service), no_logins: true };
            handed.insert(
                line(service),
                build(&view, &Reading::new(Arc::new(gate::bans::Nobody), None), share),
            );
        }
    }
    handed
}

fn line(service: &Service) -> String {
    format!("{} {}", service.name, service.kind.as_str())
}

fn listening(
    config: &Config,
    mistakes: &mut Vec<Mistake>,
    build: impl Fn(&Kind, &View, &Service) -> Option<Arc<dyn Sessions>>,
) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for service in &config.master.services {
        let Some(kind) = kind(service).filter(|_| !is_disabled(&config.view, service)) else { continue };
        let view = config.view.with_overrides(&service.overrides);
        let Some(sessions) = build(kind, &view, service) else { continue };
        wanted.push(Wanted {
            service: service.clone(),
            endpoints: endpoints(&view, service, mistakes),
            limit: match kind.counted {
                Counted::Sessions => limit(&view, service.maxproc),
                Counted::Programs => process_limit(&view, service.maxproc),
                Counted::Nothing => limit(&view, None),
            },
            sessions,
        });
    }
    wanted
}

/// Are there services of people who read mail?
pub fn has_readers(master: &MasterCf) -> bool {
    let reads = |kind: &Kind| matches!(kind.build, Build::Mailboxes(_));
    master.services.iter().any(|service| kind(service).is_some_and(reads))
}

/// Are there such, or services that bring mail into the mailboxes?
pub fn reaches_mailboxes(master: &MasterCf) -> bool {
    has_readers(master)
        || master.services.iter().any(|service| ["store", "lmtpd"].contains(&service.command.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_left_out_by_name_or_by_type() {
        let line = |text: &str| MasterCf::parse(text, Path::new("master.cf")).0.services.remove(0);
        let smtp = line("smtp inet n - n - - smtpd");
        for (value, expected) in
            [("", false), ("inet", true), ("unix, smtp.inet", true), ("smtp.unix", false), ("smtp", false)]
        {
            let (main, _) =
                conf::MainCf::parse(&format!("master_service_disable = {value}\n"), Path::new("main.cf"));
            let view = View::new(crate::params::registry(), main, conf::Facts::default());
            assert_eq!(is_disabled(&view, &smtp), expected, "{value}");
        }
    }

    #[test]
    fn what_the_local_session_sets_are_parameters() {
        let registry = crate::params::registry();
        for (name, _) in mta::smtpd::local_overrides() {
            assert!(registry.get(&name).is_some(), "{name}");
        }
    }
}
