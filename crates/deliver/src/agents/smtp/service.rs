//! Everything the configuration says about one smtp or lmtp service.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use conf::params::{Paths, Site};
use conf::{Block, Mistake};
use filter::checks::Checks;
use mail::{Address, Refusal, Trail};
use net::dns::{Completion, HostLookup, Protocols};
use net::tls::{ClientSettings, ClientTls};
use proto::smtp::client::Settings as MachineSettings;
use proto::smtp::reply::{Received, status_of};
use route::Router;
use tables::{Keys, List, Maps};

use super::addresses::{LookUp, Prefer};
use super::destination;
use super::forwarded::Forwarding;
use super::mta_sts::{Sts, Web};
use super::names::Names;
use super::refused_logins::RefusedLogins;
use super::tls::{Dns, TlsRules};
use super::tlsrpt::Reports;
use super::transaction;
use crate::agents::open::Opener;
use crate::agents::status_filter::StatusFilter;
use crate::agents::{Setup, log_name};
use crate::params::{LMTP_NAMES, SmtpClient, SmtpSasl, SmtpTimeouts, Tlsrpt};

/// One service's settings, with its tables open.
pub struct Service {
    /// The logged program.
    pub program: Arc<str>,
    /// Speaks LMTP.
    pub lmtp: bool,
    /// Who we are.
    pub site: Site,
    /// The client's own parameters.
    pub client: SmtpClient,
    /// Time limits.
    pub times: SmtpTimeouts,
    /// Logging in.
    pub sasl: SmtpSasl,
    /// TLS.
    pub tls: TlsRules,
    /// Finding servers.
    pub look_up: LookUp,
    /// Asks DNS.
    pub names: Names,
    /// `relayhost`: when it does not answer as it should, mail waits.
    pub relayhost: String,
    /// `queue_directory`: where relative sockets are.
    pub queue_directory: PathBuf,
    /// `smtp_tcp_port`.
    pub default_port: u16,
    /// `minimal_backoff_time`: after that a broken TLS handshake may be followed by clear text.
    pub minimal_backoff: Duration,
    /// `smtp_sasl_password_maps`.
    pub passwords: Maps,
    /// `smtp_sasl_mechanism_filter`, when set.
    pub mechanism_filter: Option<List>,
    /// `smtp_connection_cache_destinations`.
    pub cache_destinations: List,
    /// `smtp_generic_maps`.
    pub generic: Maps,
    /// `smtp_header_checks` and friends.
    pub checks: Checks,
    /// Rewrites header addresses.
    pub router: Arc<Router>,
    /// `smtp_delivery_status_filter`.
    pub status_filter: StatusFilter,
    /// `notify_classes` has `protocol`: the postmaster reads of servers that find fault with ours.
    pub reports_protocol: bool,
    /// `debug_peer_list`.
    pub debug_peers: List,
    /// Logins that servers refused (`smtp_sasl_auth_cache_name`).
    pub refused_logins: RefusedLogins,
    /// Gives forwarded mail a sender of ours.
    pub forwarding: Option<Forwarding>,
    reply_filter: Maps,
    discard_maps: Maps,
    pix_maps: Maps,
    bind: (Option<IpAddr>, Option<IpAddr>),
}

impl Service {
    /// Reads the settings; all mistakes are collected.
    pub fn new(setup: &Setup, lmtp: bool) -> Result<Service, Vec<Mistake>> {
        let view = if lmtp { setup.view.under_names(LMTP_NAMES) } else { setup.view.clone() };
        let name = |smtp: &str| if lmtp { lmtp_name(smtp) } else { smtp.to_owned() };
        let program = log_name(setup, if lmtp { "lmtp" } else { "smtp" });
        let mut open = Opener::new(&view, &setup.tables);
        let site: Site = open.block();
        let client: SmtpClient = open.block();
        let times: SmtpTimeouts = open.block();
        let sasl: SmtpSasl = open.block();
        let paths: Paths = open.block();
        let tls: net::params::ClientTls = open.block();
        let general: net::params::Tls = open.block();
        let policy_maps = open.maps(&name("smtp_tls_policy_maps"), &tls.smtp_tls_policy_maps);
        let look_up = look_up(&client, &site, lmtp, &setup.router, &program);
        let names = names(&mut open, &client, name, setup, &program);
        let sts = (tls.smtp_tls_mta_sts && look_up.mx)
            .then(|| mta_sts(&mut open, &tls, &paths, look_up.protocols, setup, &program))
            .flatten();
        let tlsrpt: Tlsrpt = open.block();
        let reports = (tlsrpt.smtp_tlsrpt_enable && look_up.mx)
            .then(|| Reports::new(&tlsrpt, &paths.data_directory, setup.resolver.clone(), program.clone()));
        let dns = Dns { names: names.clone(), unfit: unfit_for_dane(&client, lmtp), sts, reports };
        let tls =
            TlsRules::new(tls, policy_maps, dns, general.tls_append_default_CA, lmtp, Arc::clone(&program));
        let default_port = destination::port(&client.smtp_tcp_port, &site.known_tcp_ports);
        if default_port.is_none() {
            open.complain(&name("smtp_tcp_port"), format!("unknown port {:?}", client.smtp_tcp_port));
        }
        let filter = &sasl.smtp_sasl_mechanism_filter;
        let mechanism_filter =
            (!filter.is_empty()).then(|| open.names(&name("smtp_sasl_mechanism_filter"), filter));
        let bind = (
            bind_address(&mut open, &name("smtp_bind_address"), &client.smtp_bind_address),
            bind_address(&mut open, &name("smtp_bind_address6"), &client.smtp_bind_address6),
        );
        let status_maps =
            open.maps(&name("smtp_delivery_status_filter"), &client.smtp_delivery_status_filter);
        let classes = view.get("notify_classes").to_ascii_lowercase();
        // A content filter is shown the sender as he is; what it gives back goes out by another service.
        let leaves = !lmtp && !client.smtp_send_xforward_command;
        let logging: conf::params::Logging = open.block();
        let service = Service {
            forwarding: leaves.then(|| Forwarding::read(&view, &setup.router, &program)).flatten(),
            debug_peers: open.hosts("debug_peer_list", &logging.debug_peer_list),
            reports_protocol: classes.split([',', ' ', '\t', '\n']).any(|class| class == "protocol"),
            refused_logins: RefusedLogins::default(),
            lmtp,
            look_up,
            names,
            relayhost: route::params::Transport::read(&view, &mut Vec::new()).relayhost,
            minimal_backoff: queue::params::Qmgr::read(&view, &mut Vec::new()).minimal_backoff_time,
            queue_directory: paths.queue_directory,
            default_port: default_port.unwrap_or_default(),
            passwords: open.maps(&name("smtp_sasl_password_maps"), &sasl.smtp_sasl_password_maps),
            mechanism_filter,
            cache_destinations: open.domains(
                &name("smtp_connection_cache_destinations"),
                &client.smtp_connection_cache_destinations,
            ),
            generic: open.maps(&name("smtp_generic_maps"), &client.smtp_generic_maps),
            checks: checks(&mut open, &client, name, &program),
            router: Arc::clone(&setup.router),
            status_filter: StatusFilter::new(status_maps, Arc::clone(&program)),
            reply_filter: open.maps(&name("smtp_reply_filter"), &client.smtp_reply_filter),
            discard_maps: open.maps(
                &name("smtp_discard_ehlo_keyword_address_maps"),
                &client.smtp_discard_ehlo_keyword_address_maps,
            ),
            pix_maps: open.maps(&name("smtp_pix_workaround_maps"), &client.smtp_pix_workaround_maps),
            bind,
            tls,
            program,
            site,
            client,
            times,
            sasl,
        };
        let mistakes = open.finish();
        if mistakes.iter().any(|mistake| mistake.severity != conf::Severity::Warning) {
            return Err(mistakes);
        }
        Ok(service)
    }

    /// The machine's settings.
    pub fn machine(&self) -> MachineSettings {
        let times = &self.times;
        MachineSettings {
            lmtp: self.lmtp,
            helo_timeout: times.smtp_helo_timeout,
            starttls_timeout: times.smtp_starttls_timeout,
            auth_timeout: times.smtp_helo_timeout,
            xforward_timeout: times.smtp_xforward_timeout,
            mail_timeout: times.smtp_mail_timeout,
            rcpt_timeout: times.smtp_rcpt_timeout,
            data_init_timeout: times.smtp_data_init_timeout,
            data_xfer_timeout: times.smtp_data_xfer_timeout,
            data_done_timeout: times.smtp_data_done_timeout,
            rset_timeout: times.smtp_rset_timeout,
            quit_timeout: times.smtp_quit_timeout,
            per_request: times.smtp_per_request_deadline,
            min_data_rate: u32::try_from(times.smtp_min_data_rate).unwrap_or(u32::MAX),
            remember: self.reports_protocol || !self.debug_peers.is_empty(),
            content_line_limit: usize::try_from(self.client.smtp_line_length_limit).unwrap_or(0),
            ..MachineSettings::default()
        }
    }

    /// `smtp_reply_filter`: replaces lines of a reply.
    pub async fn filter_reply(&self, mut reply: Received) -> Received {
        if self.reply_filter.is_empty() {
            return reply;
        }
        for line in &mut reply.lines {
            match self.reply_filter.find(line.as_str()).await {
                Ok(Some(found)) => *line = found.value,
                Ok(None) => {}
                Err(trouble) => log::warn!(target: &self.program, "{trouble}"),
            }
        }
        let last = reply.lines.last().map(String::as_str).unwrap_or_default();
        if let Some(code) = last.get(..3).and_then(|code| code.parse().ok()) {
            reply.code = code;
            reply.status = reply.lines.iter().find_map(|line| status_of(code, line.get(4..)?));
        }
        reply
    }

    /// EHLO keywords that are not to be seen, for a server's address.
    pub async fn discarded_keywords(&self, address: &str) -> Result<Vec<String>, Refusal> {
        if !self.discard_maps.is_empty()
            && let Some(found) = self.discard_maps.find(address).await?
        {
            return Ok(words(&found.value));
        }
        Ok(self.client.smtp_discard_ehlo_keywords.clone())
    }

    /// PIX workarounds for a server's address.
    pub async fn pix_workarounds(&self, address: &str) -> Vec<String> {
        match self.pix_maps.find(address).await {
            Ok(Some(found)) => words(&found.value),
            Ok(None) => self.client.smtp_pix_workarounds.clone(),
            Err(trouble) => {
                log::warn!(target: &self.program, "{trouble}");
                self.client.smtp_pix_workarounds.clone()
            }
        }
    }

    /// The source address of a connection to `to`.
    pub fn bind_address(&self, to: IpAddr) -> Option<IpAddr> {
        if to.is_ipv4() { self.bind.0 } else { self.bind.1 }
    }

    /// An envelope address after `smtp_generic_maps`.
    pub async fn outgoing_address(&self, address: &Address) -> Result<Address, Refusal> {
        if self.generic.is_empty() || address.is_null() {
            return Ok(address.clone());
        }
        let extension = self.router.extension("generic");
        let mapped = self.router.map(&self.generic, address, extension, &mut Trail::off()).await?;
        Ok(mapped.unwrap_or_else(|| address.clone()))
    }

    /// An address as commands carry it (`smtp_quote_rfc821_envelope`).
    pub fn written(&self, address: &Address) -> String {
        transaction::path(address, self.client.smtp_quote_rfc821_envelope)
    }
}

fn words(text: &str) -> Vec<String> {
    text.split([' ', '\t', ',', '\r', '\n']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn bind_address(open: &mut Opener<'_>, parameter: &str, text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if bare.is_empty() {
        return None;
    }
    let address = bare.parse().ok();
    if address.is_none() {
        open.complain(
            parameter,
            format!("bad {parameter} {text:?}: use the numerical address of an interface"),
        );
    }
    address
}

fn look_up(client: &SmtpClient, site: &Site, lmtp: bool, router: &Arc<Router>, program: &Arc<str>) -> LookUp {
    let has = |list: &[String], word: &str| list.iter().any(|one| one.eq_ignore_ascii_case(word));
    let all = has(&site.inet_protocols, "all");
    let disabled = client.smtp_dns_support_level == "disabled"
        || client.smtp_dns_support_level.is_empty() && client.disable_dns_lookups;
    let router = Arc::clone(router);
    LookUp {
        // LMTP goes to hosts, not to mail domains.
        mx: !disabled && !lmtp,
        hosts: HostLookup {
            dns: !disabled && has(&client.smtp_host_lookup, "dns"),
            native: disabled || has(&client.smtp_host_lookup, "native"),
        },
        protocols: Protocols {
            v4: all || has(&site.inet_protocols, "ipv4"),
            v6: all || has(&site.inet_protocols, "ipv6"),
        },
        prefer: match client.smtp_address_preference.as_str() {
            "ipv4" => Prefer::V4,
            "ipv6" => Prefer::V6,
            _ => Prefer::Any,
        },
        shuffle: client.smtp_randomize_addresses,
        balance: client
            .smtp_balance_inet_protocols
            .then(|| usize::try_from(client.smtp_mx_address_limit).unwrap_or(0)),
        ignore_mx_error: client.ignore_mx_lookup_error,
        defer_without_address: client.smtp_defer_if_no_mx_address_found,
        own: Arc::new(move |address| router.is_own(address)),
        program: Arc::clone(program),
    }
}

/// The DNS as this service sees it; `name` gives the parameters' names as this service has them.
fn names(
    open: &mut Opener<'_>,
    client: &SmtpClient,
    name: impl Fn(&str) -> String,
    setup: &Setup,
    program: &Arc<str>,
) -> Names {
    let (mut completion, parameter) = (Completion::default(), name("smtp_dns_resolver_options"));
    for option in &client.smtp_dns_resolver_options {
        match option.to_ascii_lowercase().as_str() {
            "res_defnames" => completion.short = true,
            "res_dnsrch" => completion.search = true,
            _ => open.complain(
                &parameter,
                format!("{parameter}: unknown option {option:?}; there are res_defnames and res_dnsrch"),
            ),
        }
    }
    let parameter = name("smtp_dns_reply_filter");
    let filter = open.maps(&parameter, &client.smtp_dns_reply_filter);
    Names {
        resolver: setup.resolver.clone(),
        filter: (parameter, filter),
        completion,
        real_names: client.smtp_cname_overrides_servername,
        program: Arc::clone(program),
    }
}

/// `smtp_tls_mta_sts`: pages are believed by the public authorities, and those of `smtp_tls_CAfile`.
fn mta_sts(
    open: &mut Opener<'_>,
    tls: &net::params::ClientTls,
    paths: &Paths,
    protocols: Protocols,
    setup: &Setup,
    program: &Arc<str>,
) -> Option<Sts<Web>> {
    let path = |text: &std::path::Path| (!text.as_os_str().is_empty()).then(|| text.to_owned());
    let settings = ClientSettings {
        ca_file: path(&tls.smtp_tls_CAfile),
        ca_path: path(&tls.smtp_tls_CApath),
        default_ca: true,
        protocols: ">=TLSv1.2".to_owned(),
        fingerprint_digest: "sha256".to_owned(),
        ..ClientSettings::default()
    };
    match ClientTls::new(settings) {
        Ok((tls, _)) => {
            let web = Web { resolver: setup.resolver.clone(), tls, protocols, port: 443 };
            Some(Sts::new(web, paths.data_directory.join("mta-sts"), Arc::clone(program)))
        }
        Err(trouble) => {
            open.complain("smtp_tls_mta_sts", trouble.to_string());
            None
        }
    }
}

/// Why DNS answers are no ground for DANE with these settings.
fn unfit_for_dane(client: &SmtpClient, lmtp: bool) -> Option<&'static str> {
    let asks_dns = client.smtp_host_lookup.iter().any(|word| word.eq_ignore_ascii_case("dns"));
    if client.smtp_dns_support_level != "dnssec" || !asks_dns {
        Some("dnssec lookups disabled")
    } else if client.ignore_mx_lookup_error && !lmtp {
        // Whoever hides the MX records chooses the server.
        Some("MX lookup errors ignored")
    } else {
        None
    }
}

/// `smtp_helo_name` is `lmtp_lhlo_name` in LMTP, and so on.
fn lmtp_name(smtp: &str) -> String {
    let renamed = LMTP_NAMES.iter().find_map(|(from, to)| Some(format!("{to}{}", smtp.strip_prefix(from)?)));
    renamed.unwrap_or_else(|| smtp.to_owned())
}

/// `smtp_header_checks` and the others; `name` gives the parameters' names as this service has them.
fn checks(
    open: &mut Opener<'_>,
    client: &SmtpClient,
    name: impl Fn(&str) -> String,
    program: &Arc<str>,
) -> Checks {
    let mut maps = |parameter: &str, text: &str| open.maps_with(&name(parameter), text, Keys::RAW);
    Checks::sending(
        maps("smtp_header_checks", &client.smtp_header_checks),
        maps("smtp_mime_header_checks", &client.smtp_mime_header_checks),
        maps("smtp_nested_header_checks", &client.smtp_nested_header_checks),
        maps("smtp_body_checks", &client.smtp_body_checks),
        Arc::clone(program),
    )
}
