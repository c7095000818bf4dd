//! Which TLS a destination gets: `smtp_tls_security_level`, `smtp_tls_policy_maps`, and what they ask of the
//! server's certificate.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use mail::{Class, Refusal};
use net::params::ClientTls as Params;
use net::tls::{ClientSettings, ClientTls, Identity, KeyFiles};
use tables::Maps;

use super::complaint::ours;

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
}

impl Policy {
    /// No TLS at all: Unix-domain sockets, the retry in clear.
    pub fn none() -> Policy {
        Policy {
            level: Level::None,
            identity: Identity::default(),
            protocols: String::new(),
            exclude: Vec::new(),
        }
    }
}

/// The TLS settings of one service.
pub struct TlsRules {
    params: Params,
    level: Level,
    maps: Maps,
    map_name: &'static str,
    engines: Mutex<HashMap<ClientSettings, ClientTls>>,
    default_ca: bool,
    program: Arc<str>,
}

impl TlsRules {
    /// `maps` are the tables of `smtp_tls_policy_maps`.
    pub fn new(
        params: Params,
        maps: Maps,
        default_ca: bool,
        lmtp: bool,
        program: Arc<str>,
    ) -> Result<TlsRules, String> {
        let level = match params.smtp_tls_security_level.as_str() {
            "" if params.smtp_enforce_tls && params.smtp_tls_enforce_peername => Level::Verify,
            "" if params.smtp_enforce_tls => Level::Encrypt,
            "" if params.smtp_use_tls => Level::May,
            "" => Level::None,
            // Without a validating resolver of our own a DANE destination is an opportunistic one.
            "dane" => Level::May,
            other => Level::parse(other).ok_or_else(|| {
                format!("security level {other:?} needs DNSSEC validation, which is not available; use \"secure\" or \"dane\"")
            })?,
        };
        let map_name = if lmtp { "lmtp_tls_policy_maps" } else { "smtp_tls_policy_maps" };
        Ok(TlsRules { params, level, maps, map_name, engines: Mutex::default(), default_ca, program })
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

    /// What `host` gets, as a server for `nexthop` (as written) whose bare name is `domain`.
    pub async fn policy(&self, nexthop: &str, domain: &str, host: &str) -> Result<Policy, Refusal> {
        let problem = || ours(Class::Later, (7, 5), "client TLS configuration problem");
        let found = self.find(nexthop, domain).await.map_err(|trouble| {
            log::warn!(target: &self.program, "{trouble}");
            ours(
                Class::Later,
                (7, 5),
                format!("client TLS configuration problem: {} lookup error", self.map_name),
            )
        })?;
        let policy = self.build(found.as_deref(), domain, host, nexthop);
        policy.map_err(|complaint| {
            let printable = mail::logline::printable;
            log::warn!(target: &self.program, "{}", printable(&complaint));
            log::warn!(target: &self.program, "TLS policy lookup for {}/{}: client TLS configuration problem",
                printable(nexthop), printable(host));
            problem()
        })
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

    fn build(&self, entry: Option<&str>, domain: &str, host: &str, nexthop: &str) -> Result<Policy, String> {
        let complaint =
            |what: String| format!("{}, next-hop destination \"{nexthop}\": {what}", self.map_name);
        let mut words =
            entry.unwrap_or_default().split([' ', '\t', ',', '\r', '\n']).filter(|word| !word.is_empty());
        let level = match (entry, words.next()) {
            (None, _) => self.level,
            (_, Some("dane")) => Level::May,
            (_, Some(word)) => {
                Level::parse(word).ok_or_else(|| complaint(format!("invalid security level \"{word}\"")))?
            }
            (_, None) => return Err(complaint("invalid empty policy entry".to_owned())),
        };
        let params = &self.params;
        let mandatory = level > Level::May;
        let mut protocols =
            if mandatory { &params.smtp_tls_mandatory_protocols } else { &params.smtp_tls_protocols }.clone();
        let mut exclude = params.smtp_tls_exclude_ciphers.clone();
        if mandatory {
            exclude.extend(params.smtp_tls_mandatory_exclude_ciphers.iter().cloned());
        }
        let mut matches: Option<Vec<String>> = None;
        let mut sni = Some(params.smtp_tls_servername.clone()).filter(|name| !name.is_empty());
        for word in words {
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
                "connection_reuse" => {}
                _ => return Err(complaint(format!("invalid attribute name: \"{name}\""))),
            }
        }
        let mut identity =
            Identity { sni: self.server_name(sni.as_deref(), domain, host), ..Identity::default() };
        match level {
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
        Ok(Policy { level, identity, protocols, exclude })
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
            default_ca: self.default_ca,
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
