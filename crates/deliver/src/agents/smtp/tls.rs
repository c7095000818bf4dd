//! Which TLS a destination gets: `smtp_tls_security_level`, `smtp_tls_policy_maps`, and what they ask of the
//! server's certificate.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mail::{Class, Refusal};
use net::clock;
use net::params::ClientTls as Params;
use net::tls::{ClientSettings, ClientTls, Identity, KeyFiles, Tlsa};
use tables::Maps;

use super::complaint::ours;
use super::dane::{self, Dane};
use super::mta_sts::{Mode, Sts, Web};
use super::names::Names;
use super::tlsrpt::{self, Basis, Failure, Outcome, Reports};

/// `smtp_tls_security_level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Never.
    None,
    /// When offered, whoever it is.
    May,
    /// Always, whoever it is.
    Encrypt,
    /// Always, and a fingerprint matches.
    Fingerprint,
    /// Where DNS holds validated TLSA records always, and one of them matches; otherwise when offered.
    Dane,
    /// Only where DNS holds validated TLSA records, and one of them matches.
    DaneOnly,
    /// Always, and the certificate is good for the host's name.
    Verify,
    /// Always, and the certificate is good for names that no DNS answer can change.
    Secure,
}

impl Level {
    fn parse(text: &str) -> Option<Level> {
        Some(match text {
            "none" => Level::None,
            "may" => Level::May,
            "encrypt" => Level::Encrypt,
            "fingerprint" => Level::Fingerprint,
            "dane" => Level::Dane,
            "dane-only" => Level::DaneOnly,
            "verify" => Level::Verify,
            "secure" => Level::Secure,
            _ => return None,
        })
    }

    /// Is the server refused when its certificate does not fit?
    pub fn must_match(self) -> bool {
        self >= Level::Fingerprint
    }
}

/// What one destination gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How much.
    pub level: Level,
    /// Whom we want to meet.
    pub identity: Identity,
    protocols: String,
    exclude: Vec<String>,
    /// Files whose certificates alone count.
    anchors: Vec<PathBuf>,
    /// The public authorities count, whatever the configuration says of them.
    public: bool,
    /// What of it the domain has asked for.
    pub basis: Basis,
}

impl Policy {
    /// No TLS at all: Unix-domain sockets, the retry in clear.
    pub fn none() -> Policy {
        Policy {
            level: Level::None,
            identity: Identity::default(),
            protocols: String::new(),
            exclude: Vec::new(),
            anchors: Vec::new(),
            public: false,
            basis: Basis::Nothing,
        }
    }
}

/// The server for which a policy is wanted.
pub struct Server<'a> {
    /// Next hop as written.
    pub nexthop: &'a str,
    /// The name in it.
    pub domain: &'a str,
    /// Its host name.
    pub host: &'a str,
    /// Where it is.
    pub place: SocketAddr,
    /// An MX record led here that DNSSEC does not vouch for.
    pub insecure_mx: bool,
    /// Reverse-path of the message.
    pub sender: &'a str,
}

/// Where TLSA records come from.
pub struct Dns {
    /// Asks.
    pub names: Names,
    /// Why its answers are not to be relied upon, by configuration.
    pub unfit: Option<&'static str>,
    /// What domains say of themselves (`smtp_tls_mta_sts`).
    pub sts: Option<Sts<Web>>,
    /// Who hears how it went (`smtp_tlsrpt_enable`).
    pub reports: Option<Reports>,
}

/// The TLS settings of one service.
pub struct TlsRules {
    params: Params,
    level: Level,
    maps: Maps,
    map_name: &'static str,
    engines: Mutex<HashMap<ClientSettings, ClientTls>>,
    dns: Dns,
    /// The log has heard why `dane` cannot be.
    told: AtomicBool,
    default_ca: bool,
    program: Arc<str>,
}

impl TlsRules {
    /// `maps` are the tables of `smtp_tls_policy_maps`.
    pub fn new(
        params: Params,
        maps: Maps,
        dns: Dns,
        default_ca: bool,
        lmtp: bool,
        program: Arc<str>,
    ) -> TlsRules {
        let level = match params.smtp_tls_security_level.as_str() {
            "" if params.smtp_enforce_tls && params.smtp_tls_enforce_peername => Level::Verify,
            "" if params.smtp_enforce_tls => Level::Encrypt,
            "" if params.smtp_use_tls => Level::May,
            "" => Level::None,
            other => Level::parse(other).expect("the parameter has no other values"),
        };
        let map_name = if lmtp { "lmtp_tls_policy_maps" } else { "smtp_tls_policy_maps" };
        let (engines, told) = (Mutex::default(), AtomicBool::new(false));
        TlsRules { params, level, maps, map_name, engines, dns, told, default_ca, program }
    }

    /// `smtp_tls_loglevel`.
    pub fn loglevel(&self) -> i64 {
        self.params.smtp_tls_loglevel
    }

    /// `smtp_tls_wrappermode`.
    pub fn wrapped(&self) -> bool {
        self.params.smtp_tls_wrappermode
    }

    /// `smtp_tls_note_starttls_offer`.
    pub fn notes_offers(&self) -> bool {
        self.params.smtp_tls_note_starttls_offer
    }

    /// What a server gets.
    pub async fn policy(&self, server: &Server<'_>) -> Result<Policy, Refusal> {
        let found = self.find(server.nexthop, server.domain).await.map_err(|trouble| {
            log::warn!(target: &self.program, "{trouble}");
            ours(
                Class::Later,
                (7, 5),
                format!("client TLS configuration problem: {} lookup error", self.map_name),
            )
        })?;
        // Reports go out whatever is wrong with TLS: it may be what they are about (RFC 8460 3).
        let report = found.is_none() && self.dns.reports.as_ref().is_some_and(|to| to.is_from(server.sender));
        let level = self.level(found.as_deref(), server);
        let policy = match level.map(|level| if report { level.min(Level::May) } else { level }) {
            Ok(level @ (Level::Dane | Level::DaneOnly)) => {
                let tlsa = self.dane(level, server).await.map_err(|(failure, why)| {
                    self.note(server, &Basis::Tlsa(Vec::new()), &Outcome::Failed(failure, String::new()));
                    self.no_policy(server, why)
                })?;
                self.build(found.as_deref(), tlsa, server)
            }
            Ok(level) => self.build(found.as_deref(), (level, Vec::new()), server),
            Err(complaint) => Err(complaint),
        };
        let policy = policy.map_err(|complaint| {
            log::warn!(target: &self.program, "{}", mail::logline::printable(&complaint));
            self.no_policy(server, "client TLS configuration problem".to_owned())
        })?;
        if found.is_some() || report { Ok(policy) } else { self.with_sts(policy, server).await }
    }

    /// What the domain wants, where neither a table nor DANE says more.
    async fn with_sts(&self, mut policy: Policy, server: &Server<'_>) -> Result<Policy, Refusal> {
        let Server { nexthop, domain, host, .. } = *server;
        let open = matches!(policy.level, Level::May | Level::Encrypt) && self.level != Level::DaneOnly;
        // `[host]` and `host:port` are somebody's choice of a host, not of a domain.
        let Some(sts) = self.dns.sts.as_ref().filter(|_| open && nexthop.eq_ignore_ascii_case(domain)) else {
            return Ok(policy);
        };
        let now = clock::wall().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let wanted = match sts.policy(domain, now).await {
            Ok(Some(wanted)) if wanted.mode != Mode::None => wanted,
            Ok(_) => return Ok(policy),
            Err(fault) => {
                policy.basis = Basis::StsFault(fault);
                return Ok(policy);
            }
        };
        policy.basis = Basis::Sts(wanted.clone());
        if wanted.mode == Mode::Enforce && !wanted.allows(host) {
            self.note(server, &policy.basis, &Outcome::unlisted());
            let why = format!("MTA-STS policy of {domain} does not list host {host}");
            log::warn!(target: &self.program, "{}", mail::logline::printable(&why));
            return Err(ours(Class::Later, (7, 5), why));
        }
        // A policy under test is looked at in the same way, and then nothing comes of it but a report.
        if wanted.mode == Mode::Enforce {
            policy.level = Level::Verify;
            policy.protocols = ">=TLSv1.2".to_owned();
            policy.exclude.extend(self.params.smtp_tls_mandatory_exclude_ciphers.iter().cloned());
        }
        policy.identity.names = vec![host.to_owned()];
        policy.identity.sni = self.server_name(Some("hostname"), domain, host);
        policy.public = true;
        Ok(policy)
    }

    /// Tells of a session to a server, or of none.
    pub fn note(&self, server: &Server<'_>, basis: &Basis, outcome: &Outcome) {
        let Server { nexthop, domain, host, place, sender, .. } = *server;
        // `[host]` and `host:port` are no domains that could want a report, and of reports there are none.
        if let Some(reports) = &self.dns.reports
            && nexthop.eq_ignore_ascii_case(domain)
            && !reports.is_from(sender)
        {
            reports.note(&tlsrpt::Session { domain, host, address: place.ip(), basis }, outcome);
        }
    }

    fn no_policy(&self, server: &Server<'_>, why: String) -> Refusal {
        let printable = mail::logline::printable;
        let (nexthop, host) = (printable(server.nexthop), printable(server.host));
        log::warn!(target: &self.program, "TLS policy lookup for {nexthop}/{host}: {why}");
        ours(Class::Later, (7, 5), why)
    }

    fn level(&self, entry: Option<&str>, server: &Server<'_>) -> Result<Level, String> {
        let Some(entry) = entry else { return Ok(self.level) };
        match words(entry).next() {
            Some(word) => Level::parse(word)
                .ok_or_else(|| self.complaint(server, &format!("invalid security level \"{word}\""))),
            None => Err(self.complaint(server, "invalid empty policy entry")),
        }
    }

    fn complaint(&self, server: &Server<'_>, what: &str) -> String {
        format!("{}, next-hop destination \"{}\": {what}", self.map_name, server.nexthop)
    }

    /// What becomes of the levels `dane` and `dane-only` for a server. The error says why mail must wait.
    async fn dane(&self, level: Level, server: &Server<'_>) -> Result<(Level, Vec<Tlsa>), (Failure, String)> {
        let without = |instead: Level, why: &str| match level {
            Level::DaneOnly => Err((Failure::DaneRequired, why.to_owned())),
            _ => Ok((instead, Vec::new())),
        };
        if let Some(unfit) = self.dns.unfit {
            let name = if level == Level::DaneOnly { "dane-only" } else { "dane" };
            let why = format!("{}: {name} configured with {unfit}", server.nexthop);
            // Once is enough where mail goes out all the same.
            if level == Level::Dane && !self.told.swap(true, Ordering::Relaxed) {
                log::warn!(target: &self.program, "{}", mail::logline::printable(&why));
            }
            return without(Level::May, &why);
        }
        let insecure = match self.params.smtp_tls_dane_insecure_mx_policy.as_str() {
            _ if !server.insecure_mx => None,
            "dane" => Some(Level::Dane),
            "encrypt" => Some(Level::Encrypt),
            _ => Some(Level::May),
        };
        if insecure == Some(Level::May) || insecure.is_some() && level == Level::DaneOnly {
            return without(Level::May, "non DNSSEC destination");
        }
        let force = self.params.smtp_tls_force_insecure_host_tlsa_lookup;
        match dane::look_up(&self.dns.names, server.host, server.place, force).await {
            Ok(Dane::None) => without(Level::May, "no TLSA records found"),
            Ok(Dane::Unusable) => without(Level::Encrypt, "TLSA records unusable"),
            Ok(Dane::Records(_)) if insecure == Some(Level::Encrypt) => Ok((Level::Encrypt, Vec::new())),
            Ok(Dane::Records(records)) => Ok((level, records)),
            Err(_) => {
                let why = format!("TLSA lookup error for {}:{}", server.host, server.place.port());
                Err((Failure::DnssecInvalid, why))
            }
        }
    }

    async fn find(&self, nexthop: &str, domain: &str) -> Result<Option<String>, mail::Trouble> {
        if self.maps.is_empty() {
            return Ok(None);
        }
        if let Some(found) = self.maps.find(nexthop).await? {
            return Ok(Some(found.value));
        }
        // Parent domains are for plain domains only: `[host]` and `host:port` mean what they say.
        let mut rest = if nexthop.eq_ignore_ascii_case(domain) { domain } else { "" };
        while let Some((_, parent)) = rest.split_once('.') {
            if let Some(found) = self.maps.find_part(&format!(".{parent}")).await? {
                return Ok(Some(found.value));
            }
            rest = parent;
        }
        Ok(None)
    }

    /// The policy at a level, with the attributes of a table entry, whose first word is a level, too.
    fn build(
        &self,
        entry: Option<&str>,
        (level, tlsa): (Level, Vec<Tlsa>),
        server: &Server<'_>,
    ) -> Result<Policy, String> {
        let Server { nexthop, domain, host, .. } = *server;
        let complaint = |what: String| self.complaint(server, &what);
        let params = &self.params;
        let mandatory = level > Level::May;
        let mut protocols =
            if mandatory { &params.smtp_tls_mandatory_protocols } else { &params.smtp_tls_protocols }.clone();
        let mut exclude = params.smtp_tls_exclude_ciphers.clone();
        if mandatory {
            exclude.extend(params.smtp_tls_mandatory_exclude_ciphers.iter().cloned());
        }
        let mut matches: Option<Vec<String>> = None;
        let mut anchors: Vec<PathBuf> = Vec::new();
        let mut sni = Some(params.smtp_tls_servername.clone()).filter(|name| !name.is_empty());
        for word in words(entry.unwrap_or_default()).skip(1) {
            let Some((name, value)) = word.split_once('=') else {
                return Err(complaint(format!("malformed attribute/value pair \"{word}\"")));
            };
            match name {
                "protocols" => protocols = value.replace(':', " "),
                "exclude" => exclude = value.split([':', '|']).map(str::to_owned).collect(),
                // The library offers strong ciphers only: every grade is honoured.
                "ciphers" => {}
                "match" if level == Level::Fingerprint => {
                    matches.get_or_insert_default().extend(value.split('|').map(str::to_owned));
                }
                "match" => matches.get_or_insert_default().extend(value.split(':').map(str::to_owned)),
                "servername" => sni = Some(value.to_owned()),
                "tafile" if matches!(level, Level::Verify | Level::Secure) => {
                    anchors.push(PathBuf::from(value))
                }
                "connection_reuse" => {}
                _ => return Err(complaint(format!("invalid attribute name: \"{name}\""))),
            }
        }
        // A server may choose by name the certificate that its TLSA records are about (RFC 7672 8.1).
        let sni = if tlsa.is_empty() { sni } else { Some("hostname".to_owned()) };
        let basis = match tlsa.as_slice() {
            [] => Basis::Nothing,
            records => Basis::Tlsa(records.iter().map(Tlsa::to_string).collect()),
        };
        let mut identity =
            Identity { sni: self.server_name(sni.as_deref(), domain, host), tlsa, ..Identity::default() };
        match level {
            Level::Dane | Level::DaneOnly => identity.names = vec![host.to_owned(), domain.to_owned()],
            Level::Fingerprint => {
                identity.fingerprints =
                    matches.unwrap_or_else(|| params.smtp_tls_fingerprint_cert_match.clone());
                if identity.fingerprints.is_empty() {
                    return Err(format!(
                        "nexthop domain {nexthop}: configured at fingerprint security level, but with no fingerprints to match."
                    ));
                }
            }
            Level::Verify => {
                let names = matches.unwrap_or_else(|| params.smtp_tls_verify_cert_match.clone());
                identity.names = strategies(&names, domain, host);
            }
            Level::Secure => {
                let names = matches.unwrap_or_else(|| params.smtp_tls_secure_cert_match.clone());
                identity.names = strategies(&names, domain, host);
            }
            Level::None | Level::May | Level::Encrypt => {}
        }
        if anchors.is_empty() && matches!(level, Level::Verify | Level::Secure) {
            anchors = params.smtp_tls_trust_anchor_file.iter().map(PathBuf::from).collect();
        }
        Ok(Policy { level, identity, protocols, exclude, anchors, public: false, basis })
    }

    /// SNI is sent only when asked for, as Postfix does without DANE.
    fn server_name(&self, configured: Option<&str>, domain: &str, host: &str) -> Option<String> {
        let name = match configured? {
            "hostname" => host,
            "nexthop" => domain,
            other => other,
        };
        name.parse::<std::net::IpAddr>().is_err().then(|| name.to_owned())
    }

    /// The engine for a policy; made when first needed. It reads files, so call it off the hot path.
    pub fn engine(&self, policy: &Policy) -> Result<ClientTls, String> {
        let params = &self.params;
        let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
        let pairs = [
            (&params.smtp_tls_eccert_file, &params.smtp_tls_eckey_file),
            (&params.smtp_tls_cert_file, &params.smtp_tls_key_file),
        ];
        let pairs = pairs
            .into_iter()
            .filter_map(|(cert, key)| Some((path(&cert.to_string_lossy())?, path(&key.to_string_lossy())?)));
        let settings = ClientSettings {
            keys: KeyFiles {
                chain_files: params.smtp_tls_chain_files.iter().map(PathBuf::from).collect(),
                pairs: pairs.collect(),
            },
            ca_file: path(&params.smtp_tls_CAfile.to_string_lossy()),
            ca_path: path(&params.smtp_tls_CApath.to_string_lossy()),
            default_ca: self.default_ca || policy.public,
            anchors: policy.anchors.clone(),
            protocols: policy.protocols.clone(),
            exclude_ciphers: policy.exclude.join(" "),
            fingerprint_digest: params.smtp_tls_fingerprint_digest.clone(),
        };
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = engines.get(&settings) {
            return Ok(engine.clone());
        }
        let (engine, remarks) = ClientTls::new(settings.clone()).map_err(|trouble| trouble.to_string())?;
        for remark in remarks {
            log::warn!(target: &self.program, "{remark}");
        }
        engines.insert(settings, engine.clone());
        Ok(engine)
    }
}

fn words(entry: &str) -> impl Iterator<Item = &str> {
    entry.split([' ', '\t', ',', '\r', '\n']).filter(|word| !word.is_empty())
}

/// `hostname`, `nexthop`, `dot-nexthop`, or a name.
fn strategies(words: &[String], domain: &str, host: &str) -> Vec<String> {
    let name = |word: &String| match word.as_str() {
        "hostname" => host.to_owned(),
        "nexthop" => domain.to_owned(),
        "dot-nexthop" => format!(".{domain}"),
        other => other.to_owned(),
    };
    words.iter().map(name).collect()
}
