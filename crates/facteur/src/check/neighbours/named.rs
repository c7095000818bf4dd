//! Which neighbours a configuration names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use conf::{MainCf, MasterCf, Mistake, Service, View};
use deliver::destination::{self, Destination};

use super::super::{at, tables_in, values, views, warning};
use super::MOST;
use crate::config::Config;

/// Parameters that hold `transport:nexthop`, or a transport alone.
const TRANSPORTS: [&str; 9] = [
    "content_filter",
    "default_transport",
    "fallback_transport",
    "local_transport",
    "mailbox_transport",
    "relay_transport",
    "virtual_transport",
    "address_verify_default_transport",
    "address_verify_relay_transport",
];

/// Parameters that hold next hops of the SMTP client.
const HOPS: [&str; 4] =
    ["relayhost", "smtp_fallback_relay", "lmtp_fallback_relay", "address_verify_relayhost"];

/// Parameters that hold milters.
const MILTERS: [&str; 2] = ["smtpd_milters", "non_smtpd_milters"];

/// Types of table whose text is `key transport:nexthop` when they stand in `transport_maps`.
const TEXTS: [&str; 6] = ["hash", "btree", "dbm", "lmdb", "cdb", "texthash"];

/// A neighbour, and where it is named.
#[derive(Debug)]
pub(super) struct Neighbour {
    /// Where it listens.
    pub at: Destination,
    /// File and line of the parameter.
    pub place: Option<(PathBuf, usize)>,
    /// `milter of smtpd_milters`.
    pub role: String,
}

/// Neighbours by what they are called, and mistakes that were found on the way.
#[derive(Default)]
pub(super) struct Found {
    pub neighbours: BTreeMap<String, Neighbour>,
    pub mistakes: Vec<Mistake>,
}

/// Goes through everything that is set.
pub(super) fn collect(config: &Config) -> Found {
    let mut found = Found::default();
    for view in views(config) {
        let master = &config.master;
        for parameter in TRANSPORTS {
            found.transport(&view, master, parameter, &view.get(parameter));
        }
        for parameter in HOPS {
            for hop in tables::divide(&view.get(parameter)) {
                found.add(&view, parameter, "next hop of", hop, 25);
            }
        }
        for parameter in MILTERS {
            for word in tables::divide(&view.get(parameter)) {
                found.add(&view, parameter, "milter of", endpoint(word), 0);
            }
        }
        let proxy = view.get("smtpd_proxy_filter");
        if !proxy.is_empty() {
            // A port alone is one of this machine.
            let port_alone = !proxy.contains(':');
            let proxy = if port_alone { format!("[127.0.0.1]:{proxy}") } else { literal(&proxy) };
            found.add(&view, "smtpd_proxy_filter", "filter of", &proxy, 25);
        }
        if view.get("smtpd_sasl_auth_enable").eq_ignore_ascii_case("yes")
            && view.get("smtpd_sasl_type").eq_ignore_ascii_case("dovecot")
        {
            let path = view.get("smtpd_sasl_path");
            let server = if path.contains(':') { literal(&path) } else { format!("unix:{path}") };
            found.add(&view, "smtpd_sasl_path", "login server of", &server, 0);
        }
    }
    for (view, parameter, value) in values(config) {
        found.policy_servers(&view, &parameter, &value);
        for spec in tables_in(&value) {
            found.table(&view, &config.master, &parameter, &spec);
        }
    }
    found
}

/// The first word of `{ inet:host:port, name=value, … }`, or the word itself.
fn endpoint(word: &str) -> &str {
    let inner = word.strip_prefix('{').and_then(|word| word.strip_suffix('}')).unwrap_or(word);
    tables::divide(inner).first().copied().unwrap_or_default()
}

/// `host:port` names a host and not a domain whose mail servers are meant.
fn literal(text: &str) -> String {
    let (kind, rest) = match text.split_once(':') {
        Some((kind @ ("inet" | "unix" | "local"), rest)) => (kind, rest),
        _ => ("inet", text),
    };
    match (kind, rest.rsplit_once(':')) {
        ("inet", Some((host, port))) if !host.starts_with('[') => format!("[{host}]:{port}"),
        ("inet", _) => rest.to_owned(),
        _ => format!("unix:{rest}"),
    }
}

impl Found {
    fn add(&mut self, view: &View, parameter: &str, role: &str, text: &str, port: u16) {
        // Domains are looked up for next hops alone.
        let text = if port == 0 { literal(text) } else { text.to_owned() };
        let known = view.get("known_tcp_ports");
        let known: Vec<String> = tables::divide(&known).into_iter().map(str::to_owned).collect();
        match destination::parse(&text, port, &known) {
            Ok(destination) => {
                let neighbour = || Neighbour {
                    at: destination,
                    place: view.place(parameter),
                    role: format!("{role} {parameter}:"),
                };
                self.neighbours.entry(text).or_insert_with(neighbour);
            }
            Err(why) => self.mistakes.push(at(view, parameter, format!("{parameter}: {why}"))),
        }
    }

    /// `transport:nexthop`: the transport must exist, and if it is a client, its next hop answer.
    fn transport(&mut self, view: &View, master: &MasterCf, parameter: &str, value: &str) {
        let (transport, nexthop) = value.split_once(':').unwrap_or((value, ""));
        if transport.is_empty() || transport.contains('$') {
            return;
        }
        let Some(service) = master.services.iter().find(|service| service.name == transport) else {
            if !view.is_set(parameter) {
                return;
            }
            let text =
                format!("{parameter}: transport {transport} is no service of master.cf: mail for it waits");
            if !self.mistakes.iter().any(|mistake| mistake.text == text) {
                self.mistakes.push(at(view, parameter, text));
            }
            return;
        };
        let port = match service.command.as_str() {
            "smtp" => 25,
            "lmtp" => view.for_service(service).get("lmtp_tcp_port").parse().unwrap_or(24),
            "pipe" => return self.program(service),
            _ => return,
        };
        if !nexthop.is_empty() {
            let lmtp = service.command == "lmtp";
            let nexthop = if lmtp { literal_host(nexthop) } else { nexthop.to_owned() };
            self.add(view, parameter, "next hop of", &nexthop, port);
        }
    }

    fn policy_servers(&mut self, view: &View, parameter: &str, value: &str) {
        for pair in tables::divide(value).windows(2) {
            if pair[0].eq_ignore_ascii_case("check_policy_service") {
                self.add(view, parameter, "policy server of", endpoint(pair[1]), 0);
            }
        }
    }

    /// A table behind a server, or one whose text names next hops.
    fn table(&mut self, view: &View, master: &MasterCf, parameter: &str, spec: &tables::Spec) {
        match spec.kind.as_str() {
            "socketmap" | "tcp" => {
                let server = match spec.kind.as_str() {
                    "socketmap" => spec.name.rsplit_once(':').map_or("", |(server, _)| server),
                    _ => &spec.name,
                };
                self.add(view, parameter, "table server of", server, 0);
            }
            "mysql" | "pgsql" | "ldap" | "memcache" => {
                for server in database(spec) {
                    self.add(view, parameter, &format!("{} server of", spec.kind), &server, 0);
                }
            }
            kind if parameter == "transport_maps" && TEXTS.contains(&kind) => {
                let Ok(text) = fs::read_to_string(&spec.name) else { return };
                for line in text.lines().filter(|line| !line.starts_with(['#', ' ', '\t'])) {
                    let value = line.split_once([' ', '\t']).map_or("", |(_, value)| value.trim());
                    if self.neighbours.len() > MOST {
                        return;
                    }
                    self.transport(view, master, parameter, value);
                }
            }
            _ => {}
        }
    }

    /// The program of a pipe service.
    fn program(&mut self, service: &Service) {
        let argv = service.args.iter().find_map(|word| word.strip_prefix("argv="));
        let Some(program) = argv.and_then(|argv| argv.split_whitespace().next()) else { return };
        if !Path::new(program).exists() {
            let place = Some((service.file.as_path(), service.line));
            let mistake = warning(place, format!("{}: there is no program {program}", service.name));
            if !self.mistakes.contains(&mistake) {
                self.mistakes.push(mistake);
            }
        }
    }
}

/// LMTP looks up hosts, not domains: `inet:host:port` and `host:port` are literal.
fn literal_host(nexthop: &str) -> String {
    let bare = nexthop.strip_prefix("inet:").unwrap_or(nexthop);
    match bare.split_once(':') {
        _ if bare.starts_with(['[', '/']) || nexthop.starts_with("unix:") => nexthop.to_owned(),
        Some((host, port)) => format!("[{host}]:{port}"),
        None => format!("[{bare}]"),
    }
}

/// The servers that the configuration file of a database names, as `inet:host:port` or `unix:path`.
fn database(spec: &tables::Spec) -> Vec<String> {
    let Ok(text) = fs::read_to_string(&spec.name) else { return Vec::new() };
    let (settings, _) = MainCf::parse(&text, Path::new(&spec.name));
    let get = |name: &str| settings.get(name).map(|setting| setting.value.clone()).unwrap_or_default();
    let (hosts, port) = match spec.kind.as_str() {
        "mysql" => (get("hosts"), "3306".to_owned()),
        "pgsql" => (get("hosts"), "5432".to_owned()),
        "memcache" => (get("memcache"), "11211".to_owned()),
        _ => (
            get("server_host"),
            Some(get("server_port")).filter(|port| !port.is_empty()).unwrap_or("389".into()),
        ),
    };
    let server = |word: &str| {
        let (kind, rest) = word.split_once("://").unwrap_or(("", word));
        let rest = rest.trim_end_matches('/');
        let port = if kind == "ldaps" { "636" } else { &port };
        match rest.strip_prefix("unix:").or_else(|| rest.starts_with('/').then_some(rest)) {
            Some(path) if spec.kind == "pgsql" && !path.contains(".s.PGSQL") => {
                format!("unix:{path}/.s.PGSQL.{port}")
            }
            Some(path) => format!("unix:{path}"),
            None if rest.strip_prefix("inet:").unwrap_or(rest).contains(':') => rest.to_owned(),
            None => format!("{rest}:{port}"),
        }
    };
    tables::divide(&hosts).into_iter().filter(|word| !word.contains('%')).map(server).collect()
}
