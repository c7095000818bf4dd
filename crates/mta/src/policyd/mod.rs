//! A policy server (SMTPD_POLICY_README): `policyd` in master.cf. Our greylist and our reading of sender policies, offered
//! to a real Postfix, or to whoever speaks its protocol.

mod answer;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use conf::{Block, Mistake, Severity, View};
use filter::Dns;
use gate::Gate;
use gate::greylist::Settings;
use net::Accepted;

use crate::params::Policyd as Params;

/// What a service is made of besides its parameters.
pub struct Parts<'a> {
    /// Parameters, with the line's own.
    pub view: &'a View,
    /// What is remembered.
    pub gate: Gate,
    /// Asks for sender policies.
    pub dns: Arc<dyn Dns>,
}

/// A policy service.
#[derive(Clone)]
pub struct Policyd(Arc<Service>);

/// Everything its sessions share.
struct Service {
    checks: Vec<Check>,
    timeout: Duration,
    greylist: Settings,
    gate: Gate,
    dns: Arc<dyn Dns>,
    myhostname: String,
}

/// What can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Spf,
    Greylist,
}

/// Reports what is wrong with a line's parameters.
pub fn check(view: &View, mistakes: &mut Vec<Mistake>) {
    let params = Params::read(view, mistakes);
    Settings::read(view, mistakes);
    for word in params.policyd_checks.iter().filter(|word| named(word).is_none()) {
        let place = view.place("policyd_checks");
        let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
        let text = format!("policyd_checks: {word}: there are spf and greylist; the word is left out");
        mistakes.push(Mistake::new(Severity::Error, place, text));
    }
}

fn named(word: &str) -> Option<Check> {
    match word {
        "spf" => Some(Check::Spf),
        "greylist" => Some(Check::Greylist),
        _ => None,
    }
}

impl Policyd {
    /// Builds a service. What is wrong was told by [`check`].
    pub fn new(parts: Parts<'_>) -> Policyd {
        let Parts { view, gate, dns } = parts;
        let told = &mut Vec::new();
        let params = Params::read(view, told);
        Policyd(Arc::new(Service {
            checks: params.policyd_checks.iter().filter_map(|word| named(word)).collect(),
            timeout: params.policyd_timeout,
            greylist: Settings::read(view, told),
            gate,
            dns,
            myhostname: view.get("myhostname"),
        }))
    }

    /// Talks to one client until it is gone.
    pub async fn session(&self, accepted: Accepted) {
        let Accepted { stream, place, .. } = accepted;
        session::run(&self.0, stream).await;
        drop(place);
    }
}
