//! A policy server (SMTPD_POLICY_README): `policyd` in master.cf. Our greylist, our reading of sender policies, and our
//! limits of clients and accounts, offered to a real Postfix, or to whoever speaks its protocol.

mod answer;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use conf::{Block, Mistake, Severity, View};
use filter::Dns;
use filter::params::Rates;
use gate::Gate;
use gate::{greylist, outbound};
use net::Accepted;
use tables::{List, Parents, Tables};

use crate::params::Policyd as Params;
use crate::smtpd::Counters;

/// Told of an account whose mail is held from now on: it sent to so many recipients, where so many are usual.
pub type Held = Arc<dyn Fn(&str, u32, u32) + Send + Sync>;

/// What a service is made of besides its parameters.
pub struct Parts<'a> {
    /// Parameters, with the line's own.
    pub view: &'a View,
    /// What is remembered.
    pub gate: Gate,
    /// Asks for sender policies.
    pub dns: Arc<dyn Dns>,
    /// Opens tables.
    pub tables: &'a Tables,
    /// Counts of clients; they outlive configurations.
    pub counters: Arc<Counters>,
    /// Whom to tell of accounts that send far more than usual.
    pub held: Held,
}

/// A policy service.
#[derive(Clone)]
pub struct Policyd(Arc<Service>);

/// Everything its sessions share.
struct Service {
    checks: Vec<Check>,
    timeout: Duration,
    greylist: greylist::Settings,
    outbound: outbound::Settings,
    rates: Rates,
    /// Clients without rates; without the list, all have them.
    unlimited: Option<List>,
    gate: Gate,
    counters: Arc<Counters>,
    held: Held,
    dns: Arc<dyn Dns>,
    myhostname: String,
}

/// What can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Spf,
    Greylist,
    Rates,
    Outbound,
}

/// Reports what is wrong with a line's parameters.
pub fn check(view: &View, tables: &Tables, mistakes: &mut Vec<Mistake>) {
    let params = Params::read(view, mistakes);
    greylist::Settings::read(view, mistakes);
    outbound::Settings::read(view, tables, mistakes);
    Rates::read(view, mistakes);
    unlimited(view, tables, mistakes);
    for word in params.policyd_checks.iter().filter(|word| named(word).is_none()) {
        let place = view.place("policyd_checks");
        let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
        let text = format!(
            "policyd_checks: {word}: there are spf, greylist, rates and outbound; the word is left out"
        );
        mistakes.push(Mistake::new(Severity::Error, place, text));
    }
}

fn named(word: &str) -> Option<Check> {
    match word {
        "spf" => Some(Check::Spf),
        "greylist" => Some(Check::Greylist),
        "rates" => Some(Check::Rates),
        "outbound" => Some(Check::Outbound),
        _ => None,
    }
}

fn unlimited(view: &View, tables: &Tables, mistakes: &mut Vec<Mistake>) -> Option<List> {
    const NAME: &str = "smtpd_client_event_limit_exceptions";
    let list = tables.host_list(NAME, &view.get(NAME), Parents::Dotted).map_err(|fault| {
        let place = view.place(NAME);
        let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
        mistakes.push(Mistake::new(Severity::Error, place, fault.to_string()));
    });
    list.ok()
}

impl Policyd {
    /// Builds a service. What is wrong was told by [`check`].
    pub fn new(parts: Parts<'_>) -> Policyd {
        let Parts { view, gate, dns, tables, counters, held } = parts;
        let told = &mut Vec::new();
        let params = Params::read(view, told);
        Policyd(Arc::new(Service {
            checks: params.policyd_checks.iter().filter_map(|word| named(word)).collect(),
            timeout: params.policyd_timeout,
            greylist: greylist::Settings::read(view, told),
            outbound: outbound::Settings::read(view, tables, told),
            rates: Rates::read(view, told),
            unlimited: unlimited(view, tables, told),
            gate,
            counters,
            held,
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
