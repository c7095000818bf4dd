//! Logins checked by our own databases: those of `passdb` (`smtpd_sasl_type = facteur`), and those that the file of
//! options for Cyrus SASL names (`smtpd_sasl_type = cyrus`).

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use conf::{Block, Mistake, Severity, View};
use filter::{Boxed, Peer};
use mail::logline::printable;
use people::cyrus::Application;
use people::{Facts, Failure as No, Parts, People, Verdict};
use proto::dovecot::{Mechanism, Options};
use tables::{List, Tables};

use super::auth::{Authenticator, Exchange, Failure, Login, Progress};
use super::service::mistake;
use crate::build::seconds;
use crate::params::SmtpdSasl;

/// The value of `smtpd_sasl_type` that stands for `passdb`.
const TYPE: &str = "facteur";

/// The value that stands for Cyrus SASL's files, and is Postfix's default.
const CYRUS: &str = "cyrus";

/// Our own databases, as one service offers them.
pub(super) struct Own {
    people: People,
    service: String,
    in_clear: Options,
    under_tls: Options,
    filter: List,
    program: String,
}

/// Reports a type that nobody knows, and for ours what is wrong.
pub(super) fn check(view: &View, sasl: &SmtpdSasl, tables: &Tables, mistakes: &mut Vec<Mistake>) {
    if !sasl.smtpd_sasl_auth_enable {
        return;
    }
    match sasl.smtpd_sasl_type.as_str() {
        "dovecot" => {}
        TYPE => {
            super::dovecot::restrictions(view, sasl, tables, mistakes);
            if view.get("passdb").trim().is_empty() {
                let text =
                    "smtpd_sasl_type = facteur: passdb names no password database, so nobody can log in";
                mistakes.push(mistake(view, "smtpd_sasl_type", Severity::Error, text));
            }
        }
        CYRUS => {
            super::dovecot::restrictions(view, sasl, tables, mistakes);
            let parts = Parts { clock: Arc::new(|| 0) };
            let mut told = |text: String| {
                mistakes.push(mistake(view, "smtpd_sasl_path", Severity::Warning, &text));
            };
            People::of_cyrus(view, &application(view, sasl), parts, &mut told);
        }
        other => {
            let text = format!(
                "smtpd_sasl_type = {other}: no such implementation here, so nobody can log in; known: cyrus, the \
                 methods of its smtpd.conf; dovecot, a Dovecot server whose authentication socket smtpd_sasl_path \
                 names; facteur, the databases of passdb"
            );
            mistakes.push(mistake(view, "smtpd_sasl_type", Severity::Error, &text));
        }
    }
}

/// The files that `smtpd_sasl_type = cyrus` needs, as a service's parameters say.
pub fn files(view: &View) -> Vec<PathBuf> {
    let sasl = SmtpdSasl::read(view, &mut Vec::new());
    let asked = sasl.smtpd_sasl_auth_enable && sasl.smtpd_sasl_type == CYRUS;
    if asked { application(view, &sasl).files() } else { Vec::new() }
}

/// What the library is told of us.
fn application(view: &View, sasl: &SmtpdSasl) -> Application {
    Application {
        name: sasl.smtpd_sasl_path.clone(),
        places: sasl.cyrus_sasl_config_path.clone(),
        config_directory: view.facts().config_directory.clone(),
        local_domain: sasl.smtpd_sasl_local_domain.clone(),
        host: view.get("myhostname"),
        queue_directory: view.get("queue_directory").into(),
    }
}

impl Own {
    /// What the service's parameters say; `None` when logins are not for us to check, or a parameter makes no sense.
    pub fn read(
        view: &View,
        sasl: &SmtpdSasl,
        tables: &Tables,
        people: &People,
        program: &str,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<Own> {
        let people = match sasl.smtpd_sasl_type.as_str() {
            _ if !sasl.smtpd_sasl_auth_enable => return None,
            TYPE => people.clone(),
            CYRUS => {
                let parts = Parts { clock: Arc::new(seconds) };
                People::of_cyrus(view, &application(view, sasl), parts, &mut |_| ())
            }
            _ => return None,
        };
        let (in_clear, under_tls, filter) = super::dovecot::restrictions(view, sasl, tables, mistakes)?;
        let service = sasl.smtpd_sasl_service.clone();
        Some(Own { people, service, in_clear, under_tls, filter, program: program.to_owned() })
    }

    /// May a session like this use the mechanism?
    fn allows(&self, peer: &Peer, mechanism: &people::sasl::Mechanism) -> bool {
        let options = if peer.tls.is_some() { self.under_tls } else { self.in_clear };
        let words = std::iter::once(mechanism.name).chain(mechanism.traits.iter().copied());
        Mechanism::read(words).is_some_and(|mechanism| options.allow(&mechanism))
    }

    fn facts(&self, peer: &Peer) -> Facts {
        let certificate = peer.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
        Facts {
            service: self.service.clone(),
            local: peer.server_address.parse().ok(),
            local_port: Some(peer.server_port),
            remote: peer.ip,
            remote_port: peer.client.port,
            tls: peer.tls.is_some(),
            certificate_name: certificate.filter(|it| it.trusted).map(|it| it.subject.clone()),
            binding: peer.tls.as_ref().map(|tls| binding(&tls.binding)).unwrap_or_default(),
            password_only: true,
            ..Facts::default()
        }
    }
}

/// What ties a login to its TLS session.
fn binding(found: &net::tls::Binding) -> people::Binding {
    people::Binding { exporter: found.exporter.clone(), server_end_point: found.server_end_point.clone() }
}

impl Authenticator for Own {
    fn mechanisms<'a>(&'a self, peer: &'a Peer) -> Boxed<'a, Option<String>> {
        Box::pin(async move {
            let mut offered = Vec::new();
            for mechanism in self.people.mechanisms(&self.facts(peer)) {
                if !self.allows(peer, mechanism) {
                    continue;
                }
                match self.filter.matches(mechanism.name).await {
                    Ok(true) => offered.push(mechanism.name),
                    Ok(false) => {}
                    Err(trouble) => {
                        log::warn!(target: &self.program, "{}: {trouble}", self.filter.parameter());
                        return None;
                    }
                }
            }
            // Nothing in clear, everything under TLS, is no mistake.
            Some(offered.join(" "))
        })
    }

    fn begin<'a>(
        self: Arc<Self>,
        peer: &'a Peer,
        mechanism: &'a str,
        initial: Option<&'a str>,
    ) -> Boxed<'a, Progress> {
        Box::pin(async move {
            let exchange = people::sasl::find(mechanism)
                .filter(|mechanism| self.allows(peer, mechanism))
                .and_then(|mechanism| self.people.begin(mechanism.name, self.facts(peer)));
            match exchange {
                Some(exchange) => step(exchange, initial).await,
                None => Progress::Failed(Failure::of("Invalid authentication mechanism")),
            }
        })
    }
}

struct Conversation(people::Exchange);

impl Exchange for Conversation {
    fn answer<'a>(self: Box<Self>, answer: &'a str) -> Boxed<'a, Progress> {
        Box::pin(step(self.0, Some(answer)))
    }

    fn give_up<'a>(self: Box<Self>) -> Boxed<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

async fn step(mut exchange: people::Exchange, answer: Option<&str>) -> Progress {
    // A lone `=` is an empty initial response (RFC 4954 4).
    let decoded = answer.map(|text| if text == "=" { Ok(Vec::new()) } else { BASE64_STANDARD.decode(text) });
    let Ok(decoded) = decoded.transpose() else {
        return Progress::Failed(Failure::of("Invalid base64 data in continued response"));
    };
    match exchange.step(decoded.as_deref()).await {
        people::Progress::Ask(question) => {
            Progress::Ask(Box::new(Conversation(exchange)), BASE64_STANDARD.encode(question))
        }
        people::Progress::Done(Verdict::Ok(account)) => {
            Progress::Done(Login { username: printable(&account.user) })
        }
        people::Progress::Done(Verdict::Failed(failure)) => refused(&failure),
    }
}

fn refused(failure: &No) -> Progress {
    if failure.is_temporary() {
        return Progress::Trouble(failure.say().to_owned());
    }
    // What Postfix says of a Dovecot that gives no reason.
    let why = failure.reason.as_deref().map_or_else(|| "(reason unavailable)".to_owned(), printable);
    Progress::Failed(Failure { why, username: failure.user.clone() })
}
