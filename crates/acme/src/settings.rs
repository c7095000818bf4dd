//! What is asked for, of whom, and how: the parameters, checked.

use std::path::PathBuf;
use std::time::Duration;

use conf::{Block, Mistake, Severity, View};
use instant_acme::ChallengeType;
use tables::http::Url;
use tables::sql::{Tls, Wanted};

use crate::params::Acme;

/// How the authority makes sure whose a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A page on port 80. RFC 8555 8.3.
    Http,
    /// A certificate on port 443. RFC 8737.
    TlsAlpn,
    /// A TXT record. RFC 8555 8.4.
    Dns,
}

impl Challenge {
    /// Its name in the protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Challenge::Http => "http-01",
            Challenge::TlsAlpn => "tls-alpn-01",
            Challenge::Dns => "dns-01",
        }
    }

    /// What the library calls it.
    pub(crate) fn kind(self) -> ChallengeType {
        match self {
            Challenge::Http => ChallengeType::Http01,
            Challenge::TlsAlpn => ChallengeType::TlsAlpn01,
            Challenge::Dns => ChallengeType::Dns01,
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The names, in lower case.
    pub domains: Vec<String>,
    /// Where the authority is.
    pub directory: Url,
    /// The same as it was written.
    pub directory_url: String,
    /// Whom to believe that it is.
    pub tls: Tls,
    /// `mailto:…`
    pub contact: Option<String>,
    /// How it makes sure.
    pub challenge: Challenge,
    /// Changes DNS.
    pub hook: PathBuf,
    /// With whose rights.
    pub hook_user: String,
    /// Where everything lies.
    pub folder: PathBuf,
    /// How long before the end a certificate is renewed.
    pub renew_before: Duration,
}

impl Settings {
    /// Reads the parameters; `None` when no certificate is asked for.
    pub fn read(view: &View, mistakes: &mut Vec<Mistake>) -> Option<Settings> {
        let params = Acme::read(view, mistakes);
        if params.acme_domains.is_empty() {
            return None;
        }
        let mut told = |parameter: &str, text: &str| {
            let place = view.place(parameter);
            let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
            mistakes.push(Mistake::new(Severity::Error, place, format!("{parameter}: {text}")));
        };
        let challenge = match params.acme_challenge_type.as_str() {
            "tls-alpn-01" => Challenge::TlsAlpn,
            "dns-01" => Challenge::Dns,
            _ => Challenge::Http,
        };
        let domains: Vec<String> = params.acme_domains.iter().map(|name| name.to_ascii_lowercase()).collect();
        for name in &domains {
            if !is_name(name.strip_prefix("*.").unwrap_or(name)) {
                told("acme_domains", &format!("\"{}\": no name of a host", mail::logline::printable(name)));
            } else if name.starts_with('*') && challenge != Challenge::Dns {
                told("acme_domains", &format!("{name}: names with * need acme_challenge_type = dns-01"));
            }
        }
        if challenge == Challenge::Dns && params.acme_dns_hook.as_os_str().is_empty() {
            told("acme_challenge_type", "dns-01 needs a program that changes DNS: set acme_dns_hook");
        }
        let directory = Url::parse(&params.acme_directory_url)
            .inspect_err(|wrong| told("acme_directory_url", wrong))
            .ok()?;
        let ca_file = Some(params.acme_CAfile).filter(|file| !file.as_os_str().is_empty());
        let tls =
            Tls { wanted: Wanted::Always, ca_file, verify_chain: true, verify_name: true, ..Tls::default() };
        let contact = params.acme_contact_address;
        Some(Settings {
            domains,
            directory,
            directory_url: params.acme_directory_url,
            tls,
            contact: (!contact.is_empty()).then(|| format!("mailto:{contact}")),
            challenge,
            hook: params.acme_dns_hook,
            hook_user: params.acme_dns_hook_user,
            folder: params.acme_certificate_directory,
            renew_before: params.acme_renew_before,
        })
    }
}

/// Letters, digits, `-` and dots where they may stand: the name becomes one of a file.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Settings>, String) {
        let (main, _) = conf::MainCf::parse(text, std::path::Path::new("main.cf"));
        let registry = conf::Registry::new(&[Acme::DECLARATIONS, conf::params::Paths::DECLARATIONS]);
        let view = View::new(registry, main, conf::Facts::default());
        let mut mistakes = Vec::new();
        let settings = Settings::read(&view, &mut mistakes);
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        (settings, told.join("\n"))
    }

    #[test]
    fn wrong_settings_are_named() {
        assert!(read("").0.is_none());
        let (settings, told) =
            read("acme_domains = Mail.x.test, x.test\nacme_contact_address = root@x.test\n");
        let settings = settings.unwrap();
        assert_eq!(
            (settings.domains, told.as_str()),
            (vec!["mail.x.test".to_owned(), "x.test".to_owned()], "")
        );
        assert_eq!(settings.contact.as_deref(), Some("mailto:root@x.test"));
        for (text, expected) in [
            ("acme_domains = ../x\n", "no name of a host"),
            ("acme_domains = *.x.test\n", "need acme_challenge_type = dns-01"),
            ("acme_domains = x.test\nacme_challenge_type = dns-01\n", "set acme_dns_hook"),
            ("acme_domains = x.test\nacme_directory_url = ftp://x\n", "acme_directory_url"),
        ] {
            let told = read(text).1;
            assert!(told.contains(expected), "{text}: {told}");
        }
    }
}
