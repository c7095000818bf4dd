//! Builds a [`Setup`] from a configuration: every mistake is collected, with file and line, in one go.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use conf::params::{Logging, Site};
use conf::{Block, MasterCf, Mistake, Service, Severity, View};
use deliver::mailbox::crew::Crew;
use filter::milter::{Milters, Origin};
use filter::params::{AddressVerify, Checks};
use filter::{Dns, SystemDns};
use jiff::tz::TimeZone;
use mail::Address;
use net::dns::{Protocols, Resolver};
use people::People;
use queue::params::Storage;
use queue::scheduler::TransportLimits;
use route::Router;
use scan::Scanner;
use scan::attachments::Attachments;
use tables::Tables;

use crate::bounce::{Classes, Notices, Templates, template};
use crate::cleanup::{Cleaner, Skip};
use crate::desk::Desk;
use crate::dmarc_reports::Reports;
use crate::house::{CLEANUP, Carrier, Setup};
use crate::limits;
use crate::login_senders::LoginSenders;
use crate::params::Bounce;
use crate::pickup;
use crate::scanning::SpamGate;
use crate::verify::{Memory, Prober};
use crate::verp::Verp;
use crate::vouching::Vouching;

/// What a configuration is built of.
pub struct Parts<'a> {
    /// main.cf.
    pub view: &'a View,
    /// master.cf.
    pub master: &'a MasterCf,
    /// Opens tables.
    pub tables: &'a Tables,
    /// Our own network addresses (`inet_interfaces`, `proxy_interfaces`).
    pub own: Vec<IpAddr>,
    /// Asks DNS.
    pub resolver: Resolver,
    /// Lends the agents queue and neighbours.
    pub desk: Arc<Desk>,
    /// Writes mailboxes.
    pub crew: Crew,
    /// Local time zone.
    pub zone: TimeZone,
}

/// Builds everything; what is wrong is added to `mistakes`, and defaults stand in its place.
pub fn build(parts: Parts<'_>, mistakes: &mut Vec<Mistake>) -> Setup {
    let Parts { view, master, tables, own, resolver, desk, crew, zone } = parts;
    let site = Site::read(view, mistakes);
    let logging = Logging::read(view, mistakes);
    let storage = Storage::read(view, mistakes);
    let bounce = Bounce::read(view, mistakes);
    let (limits, qmgr) = limits::limits(view, mistakes);
    let router = Arc::new(Router::new(view, tables, own, mistakes));
    // What is wrong with it is told where listeners are opened.
    let protocols = Protocols::parse(&site.inet_protocols).unwrap_or(Protocols { v4: true, v6: true });
    let cleaners = cleaners(view, master, tables, &router, &resolver, protocols, mistakes);
    let mut carriers = HashMap::new();
    for service in &master.services {
        let Some(kind) = deliver::agents::find(&service.command) else { continue };
        let view = view.with_overrides(&service.overrides);
        let lent = deliver::Setup {
            service: service.clone(),
            view: view.clone(),
            tables: tables.clone(),
            router: router.clone(),
            resolver: resolver.clone(),
            reinject: desk.clone(),
            pass: desk.clone(),
            crew: crew.clone(),
            zone: zone.clone(),
        };
        match (kind.build)(&lent) {
            Ok(agent) => {
                let program = program(&view, service).into();
                let carrier = Carrier { agent, program, command: service.command.as_str().into() };
                carriers.insert(service.name.clone(), carrier);
            }
            Err(more) => mistakes.extend(more),
        }
    }
    for name in carriers.keys() {
        // Read once here so that a mistake is told at start and not at the first delivery.
        limits::transport(view, master, name, mistakes);
    }
    let people = People::read(view, people::Parts { clock: Arc::new(seconds) }, mistakes);
    let tlsrpt = crate::tlsrpt::Settings::read(view, &resolver, mistakes).map(Arc::new);
    Setup {
        people,
        tlsrpt,
        router,
        cleaners,
        carriers,
        notices: notices(view, &site, &bounce, mistakes),
        verify: memory(view, mistakes),
        pickup: pickup(view, master, tables, mistakes),
        quarantine: crate::quarantine::Settings::read(view, tables, mistakes),
        limits,
        transports: transports(view.clone(), master.clone()),
        defer_transports: qmgr.defer_transports,
        filter_nexthop: Checks::read(view, &mut Vec::new()).default_filter_nexthop,
        soft_bounce: site.soft_bounce,
        delay_resolution: u32::try_from(logging.delay_logging_resolution_limit).unwrap_or(2),
        myhostname: site.myhostname,
        mail_name: site.mail_name,
        double_bounce_sender: bounce.double_bounce_sender,
        message_size_limit: storage.message_size_limit,
        queue_minfree: storage.queue_minfree,
        zone,
    }
}

/// The program a service is logged as: its command, below `-o syslog_name` when it has one.
pub fn program(view: &View, service: &Service) -> String {
    if service.overrides.iter().any(|(name, _)| name == "syslog_name") {
        format!("{}/{}", view.get("syslog_name"), service.command)
    } else {
        service.command.clone()
    }
}

fn cleaners(
    view: &View,
    master: &MasterCf,
    tables: &Tables,
    router: &Arc<Router>,
    resolver: &Resolver,
    protocols: Protocols,
    mistakes: &mut Vec<Mistake>,
) -> HashMap<String, Arc<Cleaner>> {
    let mut cleaners = HashMap::new();
    let dns: Arc<dyn Dns> = Arc::new(SystemDns { resolver: resolver.clone(), protocols });
    let reports = Reports::read(view, resolver, mistakes).map(Arc::new);
    let build = |view: &View, router: &Arc<Router>, mistakes: &mut Vec<Mistake>| {
        let milters = Milters::read(view, tables, Origin::Local, dns.clone(), "cleanup", mistakes);
        let host = view.get("myhostname");
        let vouching = sign::Settings::read(view, mistakes);
        let vouching = vouching.map(|settings| {
            Arc::new(Vouching::new(settings, resolver.clone(), host).with_reports(reports.clone()))
        });
        let scanners = Scanner::read(view, resolver, mistakes);
        let attachments = Attachments::read(view, tables, mistakes);
        let spam = SpamGate::read(view, tables, resolver, mistakes);
        let cleaner = Cleaner::new(view, tables, router, mistakes);
        let cleaner =
            cleaner.with_attachments(attachments).with_spam_gate(spam).with_reports(reports.clone());
        Arc::new(cleaner.with_milters(milters).with_vouching(vouching).with_scanners(scanners))
    };
    for service in master.services.iter().filter(|service| service.command == "cleanup") {
        let view = view.with_overrides(&service.overrides);
        // `-o virtual_alias_maps=` and the like mean this service alone.
        let router = match service.overrides.is_empty() {
            true => router.clone(),
            false => Arc::new(router.of_service(&view, tables, mistakes)),
        };
        cleaners.insert(service.name.clone(), build(&view, &router, mistakes));
    }
    if !cleaners.contains_key(CLEANUP) {
        cleaners.insert(CLEANUP.to_owned(), build(view, router, mistakes));
    }
    cleaners
}

/// What `receive_override_options` leaves to cleanup.
pub fn skip(options: &[String]) -> Skip {
    let has = |name: &str| options.iter().any(|one| one == name);
    Skip {
        mappings: has("no_address_mappings"),
        checks: has("no_header_body_checks"),
        milters: has("no_milters"),
        guards: has("no_milters"),
        ..Skip::default()
    }
}

fn pickup(view: &View, master: &MasterCf, tables: &Tables, mistakes: &mut Vec<Mistake>) -> pickup::Settings {
    let service = master.services.iter().find(|service| service.command == "pickup");
    let view = service.map_or_else(|| view.clone(), |service| view.with_overrides(&service.overrides));
    let checks = Checks::read(&view, mistakes);
    let parameter = "authorized_submit_users";
    let users = tables.string_list(parameter, &view.get(parameter)).unwrap_or_else(|fault| {
        let place = view.place(parameter);
        let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
        mistakes.push(Mistake::new(
            Severity::Error,
            place,
            format!("{parameter}: {fault}; nobody may submit mail"),
        ));
        tables.string_list(parameter, "").expect("an empty list can always be opened")
    });
    let parameter = "local_login_sender_maps";
    let maps = tables.maps(parameter, &view.get(parameter)).unwrap_or_else(|fault| {
        let place = view.place(parameter);
        let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
        mistakes.push(Mistake::new(Severity::Error, place, format!("{fault}; nobody may submit mail")));
        tables.maps(parameter, "").expect("an empty list can always be opened")
    });
    let null_key = view.get("empty_address_local_login_sender_maps_lookup_key");
    let senders = LoginSenders { maps, null_key, delimiter: view.get("recipient_delimiter") };
    let filter = checks.content_filter.trim();
    pickup::Settings {
        senders,
        content_filter: (!filter.is_empty()).then(|| filter.to_owned()),
        skip: skip(&checks.receive_override_options),
        users,
    }
}

/// Limits by transport name, read when a transport is first seen and kept.
fn transports(view: View, master: MasterCf) -> crate::house::TransportTable {
    let known: Mutex<HashMap<String, TransportLimits>> = Mutex::default();
    Arc::new(move |name: &str| {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limits) = known.get(name) {
            return limits.clone();
        }
        // Mistakes were told when the configuration was built.
        let limits = limits::transport(&view, &master, name, &mut Vec::new());
        known.insert(name.to_owned(), limits.clone());
        limits
    })
}

fn notices(view: &View, site: &Site, bounce: &Bounce, mistakes: &mut Vec<Mistake>) -> Notices {
    let templates = templates(view, bounce, mistakes);
    let recipient = |name: &str| complete(&view.get(name), view);
    let expander = {
        let view = view.clone();
        move |text: &str| expand(&view, text)
    };
    Notices {
        templates,
        expander: Arc::new(expander),
        size_limit: bounce.bounce_size_limit,
        checked: Checks::read(view, &mut Vec::new())
            .internal_mail_filter_classes
            .iter()
            .any(|class| class.eq_ignore_ascii_case("bounce")),
        smtputf8_enable: site.smtputf8_enable,
        delay_warning_time: bounce.delay_warning_time,
        obsolete_from: view.get("header_from_format") == "obsolete",
        confirm_delay_cleared: bounce.confirm_delay_cleared,
        threaded: bounce.enable_threaded_bounces,
        verp: Verp {
            default: bounce.default_verp_delimiters.clone(),
            filter: bounce.verp_delimiter_filter.clone(),
            notices: !bounce.disable_verp_bounces,
        },
        classes: Classes::read(&bounce.notify_classes),
        error_recipient: recipient("error_notice_recipient"),
        bounce_recipient: recipient("bounce_notice_recipient"),
        double_bounce_recipient: recipient("2bounce_notice_recipient"),
        delay_recipient: recipient("delay_notice_recipient"),
    }
}

fn templates(view: &View, bounce: &Bounce, mistakes: &mut Vec<Mistake>) -> Templates {
    let built_in = match view.get("header_from_format").as_str() {
        "obsolete" => Templates::obsolete(),
        _ => Templates::default(),
    };
    let file = &bounce.bounce_template_file;
    if file.as_os_str().is_empty() {
        return built_in;
    }
    let place = view.place("bounce_template_file");
    let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
    match std::fs::read_to_string(file) {
        Ok(text) => {
            let (templates, wrong) = built_in.parse(&text, &file.to_string_lossy());
            mistakes
                .extend(wrong.into_iter().map(|trouble| Mistake::new(Severity::Error, None, trouble.what)));
            templates
        }
        Err(error) => {
            let text =
                format!("bounce_template_file = {}: {error}; the built-in texts are used", file.display());
            mistakes.push(Mistake::new(Severity::Error, place, text));
            built_in
        }
    }
}

/// A text of a template: parameters, and times in the unit that a suffix names.
fn expand(view: &View, text: &str) -> String {
    let time = |name: &str| {
        let value = view.get(name);
        conf::parse_time(value.trim(), conf::TimeUnit::of_default("1d")).map(|time| time.as_secs())
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let braced = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let bare = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, after) = braced.unwrap_or((&rest[..bare], &rest[bare..]));
        match template::time_in_unit(name, time) {
            Some(number) => out.push_str(&number),
            None => out.push_str(&view.get(name)),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// An address from a parameter, completed with `myorigin`.
fn complete(text: &str, view: &View) -> Address {
    let text = text.trim();
    if text.is_empty() || text.contains('@') {
        return Address::from(text);
    }
    Address::from(format!("{text}@{}", view.get("myorigin")))
}

fn memory(view: &View, mistakes: &mut Vec<Mistake>) -> Memory {
    let verify = AddressVerify::read(view, mistakes);
    let _ = crate::verify::file(view, mistakes);
    let sender = verify.address_verify_sender.trim();
    let sender = if sender == "<>" { Address::null() } else { complete(sender, view) };
    Memory {
        positive_expire: verify.address_verify_positive_expire_time,
        positive_refresh: verify.address_verify_positive_refresh_time,
        negative: verify.address_verify_negative_cache,
        negative_expire: verify.address_verify_negative_expire_time,
        negative_refresh: verify.address_verify_negative_refresh_time,
        pending_limit: usize::try_from(verify.address_verify_pending_request_limit).unwrap_or(usize::MAX),
        prober: Prober::new(sender, verify.address_verify_sender_ttl),
        clean_up: verify.address_verify_cache_cleanup_interval,
    }
}

/// Seconds since 1970.
pub(crate) fn seconds() -> u64 {
    let since = net::clock::wall().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
