//! One smtpd line of master.cf under one configuration.

use std::net::IpAddr;
use std::sync::Arc;

use conf::{Block, Mistake, Service as Line, Severity, View};
use filter::milter::{Milters, Origin};
use filter::params::{Checks, Rates};
use filter::{Judge, Outside, SystemDns};
use gate::Gate;
use jiff::tz::TimeZone;
use net::Accepted;
use net::dns::Resolver;
use net::listener::Protocols;
use tables::{Fault, List, Maps, Parents, Tables};

use super::Counters;
use super::auth::Authenticator;
use super::bare_newline::BareNewlines;
use super::forwarding;
use super::keywords::Keywords;
use super::pace::Paces;
use super::proxy::Filter;
use super::tls::Encryption;
use super::{dovecot, people};
use crate::cleanup::Skip;
use crate::house::House;
use crate::params::{Smtpd as Params, SmtpdSasl};
use crate::{build, verify};

/// What a service is made of besides its parameters.
pub struct Parts<'a> {
    /// Parameters, with the line's own.
    pub view: &'a View,
    /// The line of master.cf.
    pub line: &'a Line,
    /// Opens tables.
    pub tables: &'a Tables,
    /// Queue and configuration.
    pub house: Arc<House>,
    /// Address probes.
    pub verifier: verify::Verifier,
    /// DNS.
    pub resolver: Resolver,
    /// Our own addresses.
    pub own: Vec<IpAddr>,
    /// `inet_protocols`.
    pub protocols: Protocols,
    /// Counts of clients.
    pub counters: Arc<Counters>,
    /// What is remembered of strangers.
    pub gate: Gate,
}

/// An SMTP service.
pub struct Smtpd(pub(super) Arc<Service>);

/// Everything its sessions share.
pub(super) struct Service {
    pub program: String,
    pub name: String,
    pub params: Params,
    pub sasl: SmtpdSasl,
    pub rates: Rates,
    pub paces: Paces,
    pub judge: Judge,
    pub house: Arc<House>,
    pub resolver: Resolver,
    pub counters: Arc<Counters>,
    pub gate: Gate,
    /// Limits of what accounts send out.
    pub outbound: gate::outbound::Settings,
    pub authenticator: Option<Arc<dyn Authenticator>>,
    pub encryption: Encryption,
    pub lists: Lists,
    pub bare_newlines: BareNewlines,
    pub milters: Milters,
    pub discarded: Keywords,
    pub cleanup: String,
    pub content_filter: Option<String>,
    pub skip: Skip,
    /// `smtpd_proxy_filter`
    pub filter: Option<Arc<Filter>>,
    pub zone: TimeZone,
    pub settings: Settings,
}

/// Match lists and tables of the session.
pub(super) struct Lists {
    pub xclient: List,
    pub xforward: List,
    pub verp: List,
    pub unlimited: List,
    pub bare_lf: List,
    pub noop: List,
    pub forbidden: List,
    pub flush: List,
    pub no_logins: List,
    /// `debug_peer_list`
    pub debug: List,
    /// `ban_trusted_proxies`
    pub proxies: List,
    pub command_filter: Maps,
    pub keywords: Maps,
}

/// Single parameters of other blocks.
pub(super) struct Settings {
    pub myhostname: String,
    pub mail_name: String,
    pub look_up_names: bool,
    pub smtputf8: bool,
    pub line_limit: usize,
    pub strict_paths: bool,
    pub helo_required: bool,
    pub process_id: u32,
}

/// Reports what is wrong with a line's parameters; nothing is asked of anybody.
pub fn check(view: &View, line: &Line, tables: &Tables, mistakes: &mut Vec<Mistake>) {
    let (params, _) = Paces::read(view, mistakes);
    let sasl = SmtpdSasl::read(view, mistakes);
    dovecot::Settings::read(view, &sasl, tables, mistakes);
    people::check(view, &sasl, tables, mistakes);
    Rates::read(view, mistakes);
    BareNewlines::check(view, mistakes);
    gate::outbound::Settings::read(view, tables, mistakes);
    Judge::new(view, tables, Outside::nobody(), &build::program(view, line), mistakes);
    Lists::open(view, tables, mistakes);
    Milters::read(view, tables, Origin::Smtp, Outside::nobody().dns, &build::program(view, line), mistakes);
    keywords(view, &params, mistakes);
    Encryption::read(view, tables, mistakes);
    if let Err(text) = Filter::check(view, &params) {
        mistakes.push(mistake(view, "smtpd_proxy_filter", Severity::Error, &text));
    }
}

impl Smtpd {
    /// Builds a service. What is wrong was told by [`check`]; defaults stand in its place.
    pub fn new(parts: Parts<'_>) -> Smtpd {
        let Parts { view, line, tables, house, verifier, resolver, own, protocols, counters, gate } = parts;
        let told = &mut Vec::new();
        let program = build::program(view, line);
        let (params, paces) = Paces::read(view, told);
        // `-o virtual_alias_maps=` and the like decide which recipients this line knows.
        let router = house.setup().router.clone();
        let router = match line.overrides.is_empty() {
            true => router,
            false => Arc::new(router.of_service(view, tables, told)),
        };
        let dns = SystemDns { resolver: resolver.clone(), protocols };
        let filter = Filter::read(view, &params, dns.clone(), &program).ok().flatten();
        let clock = house.clone();
        let outside = Outside {
            dns: Arc::new(dns),
            addresses: forwarding::addresses(view, router, move || clock.now().as_second(), told),
            verifier: Arc::new(verifier),
            greylist: Some(gate.greylist.clone()),
            own_addresses: own.into(),
        };
        let dns = outside.dns.clone();
        let judge = Judge::new(view, tables, outside, &program, told);
        let sasl = SmtpdSasl::read(view, told);
        let own = people::Own::read(view, &sasl, tables, &house.setup().people, &program, told);
        let server = dovecot::Settings::read(view, &sasl, tables, told)
            .map(|settings| dovecot::Server::new(settings, resolver.clone(), protocols, &program));
        let authenticator = match (own, server) {
            (Some(own), _) => Some(Arc::new(own) as Arc<dyn Authenticator>),
            (None, server) => server.map(|server| Arc::new(server) as Arc<dyn Authenticator>),
        };
        let checks = Checks::read(view, told);
        let discarded = keywords(view, &params, told);
        let asked = |option: &str| checks.receive_override_options.iter().any(|word| word == option);
        let skip = Skip {
            mappings: asked("no_address_mappings"),
            bcc: asked("no_address_mappings"),
            checks: asked("no_header_body_checks"),
            // These have milters of their own.
            milters: true,
            guards: asked("no_milters"),
        };
        let setup = house.setup();
        Smtpd(Arc::new(Service {
            name: line.name.clone(),
            sasl,
            rates: Rates::read(view, told),
            bare_newlines: BareNewlines::read(view),
            lists: Lists::open(view, tables, told),
            milters: Milters::read(view, tables, Origin::Smtp, dns, &program, told),
            encryption: Encryption::read(view, tables, told),
            cleanup: view.get("cleanup_service_name"),
            content_filter: Some(checks.content_filter.clone()).filter(|filter| !filter.is_empty()),
            zone: setup.zone.clone(),
            settings: Settings::read(view, &judge),
            program,
            params,
            paces,
            judge,
            house,
            resolver,
            counters,
            gate,
            outbound: gate::outbound::Settings::read(view, tables, told),
            authenticator,
            discarded,
            skip,
            filter: filter.map(Arc::new),
        }))
    }

    /// Talks to one client until it is gone.
    pub async fn session(&self, accepted: Accepted) {
        super::session::run(self.0.clone(), accepted, None).await;
    }

    /// Talks to a user of this machine (`sendmail -bs`): what he sends comes in as if pickup had found it.
    pub async fn local_session(&self, accepted: Accepted) {
        super::local::run(self.0.clone(), accepted).await;
    }
}

impl Settings {
    fn read(view: &View, judge: &Judge) -> Settings {
        let yes = |name: &str| view.get(name).trim().eq_ignore_ascii_case("yes");
        let restrictions = &judge.settings().restrictions;
        Settings {
            myhostname: view.get("myhostname"),
            mail_name: view.get("mail_name"),
            look_up_names: yes("smtpd_peername_lookup"),
            smtputf8: yes("smtputf8_enable"),
            line_limit: view.get("line_length_limit").trim().parse().unwrap_or(2048),
            strict_paths: restrictions.strict_rfc821_envelopes,
            helo_required: restrictions.smtpd_helo_required,
            process_id: std::process::id(),
        }
    }
}

impl Lists {
    fn open(view: &View, tables: &Tables, mistakes: &mut Vec<Mistake>) -> Lists {
        let parents = |name: &str| {
            let listed = view.get("parent_domain_matches_subdomains");
            let listed = listed.split([',', ' ', '\t', '\n']).any(|word| word == name);
            if listed { Parents::Match } else { Parents::Dotted }
        };
        let mut open = Opener { view, mistakes };
        let mut hosts = |parameter: &str| {
            let host_list = |text: &str| tables.host_list(parameter, text, parents(parameter));
            open.open(parameter, host_list)
        };
        let (xclient, xforward) =
            (hosts("smtpd_authorized_xclient_hosts"), hosts("smtpd_authorized_xforward_hosts"));
        let (verp, unlimited) =
            (hosts("smtpd_authorized_verp_clients"), hosts("smtpd_client_event_limit_exceptions"));
        let (proxies, debug) = (hosts("ban_trusted_proxies"), hosts("debug_peer_list"));
        let (bare_lf, no_logins) =
            (hosts("smtpd_forbid_bare_newline_exclusions"), hosts("smtpd_sasl_exceptions_networks"));
        Lists {
            xclient,
            xforward,
            verp,
            unlimited,
            bare_lf,
            no_logins,
            debug,
            proxies,
            noop: open.open("smtpd_noop_commands", |text| tables.string_list("smtpd_noop_commands", text)),
            forbidden: open.open("smtpd_forbidden_commands", |text| {
                tables.string_list("smtpd_forbidden_commands", text)
            }),
            flush: open.open("fast_flush_domains", |text| {
                tables.domain_list("fast_flush_domains", text, parents("fast_flush_domains"))
            }),
            command_filter: open
                .open("smtpd_command_filter", |text| tables.maps("smtpd_command_filter", text)),
            keywords: open.open("smtpd_discard_ehlo_keyword_address_maps", |text| {
                tables.maps("smtpd_discard_ehlo_keyword_address_maps", text)
            }),
        }
    }
}

struct Opener<'a> {
    view: &'a View,
    mistakes: &'a mut Vec<Mistake>,
}

impl Opener<'_> {
    fn open<T>(&mut self, parameter: &str, open: impl Fn(&str) -> Result<T, Fault>) -> T {
        open(&self.view.get(parameter)).unwrap_or_else(|fault| {
            self.mistakes.push(mistake(self.view, parameter, Severity::Error, &fault.to_string()));
            open("").expect("an empty list is no fault")
        })
    }
}

fn keywords(view: &View, params: &Params, mistakes: &mut Vec<Mistake>) -> Keywords {
    let text = params.smtpd_discard_ehlo_keywords.join(" ");
    let (keywords, unknown) = Keywords::parse(&text);
    for word in unknown {
        let text = format!("unknown EHLO keyword \"{word}\" in smtpd_discard_ehlo_keywords");
        mistakes.push(mistake(view, "smtpd_discard_ehlo_keywords", Severity::Warning, &text));
    }
    keywords
}

/// A mistake at the place of a parameter.
pub(super) fn mistake(view: &View, parameter: &str, severity: Severity, text: &str) -> Mistake {
    let place = view.place(parameter);
    let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
    Mistake::new(severity, place, text)
}
