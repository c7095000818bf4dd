//! The list of agents. To add one: a file here, and a line in [`AGENTS`].

mod discard;
mod error;
pub(crate) mod local;
pub(crate) mod open;
pub(crate) mod pipe;
pub(crate) mod smtp;
mod status_filter;
mod store;
mod virtual_mailbox;

use std::sync::Arc;

use conf::{Mistake, Service, View};
use jiff::tz::TimeZone;
use net::dns::Resolver;
use route::Router;
use tables::Tables;

use crate::mailbox::crew::Crew;
use crate::{Agent, Pass, Reinject};

pub(crate) use error::split_status;

/// What agents are made of: one service of master.cf and what the house lends it.
#[derive(Clone)]
pub struct Setup {
    /// The service.
    pub service: Service,
    /// The configuration with the service's own `-o` settings in force.
    pub view: View,
    /// Opens tables.
    pub tables: Tables,
    /// Rewrites and resolves addresses.
    pub router: Arc<Router>,
    /// Asks DNS.
    pub resolver: Resolver,
    /// The door into the queue.
    pub reinject: Arc<dyn Reinject>,
    /// The door to other agents.
    pub pass: Arc<dyn Pass>,
    /// Writes mailboxes; one for all agents.
    pub crew: Crew,
    /// The local time zone, for `From ` lines.
    pub zone: TimeZone,
}

/// An agent, or everything that is wrong with its configuration.
pub type Built = Result<Arc<dyn Agent>, Vec<Mistake>>;

/// A delivery agent that master.cf may name.
pub struct AgentKind {
    /// The command in master.cf.
    pub command: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Makes one. All mistakes are reported, not only the first.
    pub build: fn(&Setup) -> Built,
}

/// Every agent there is.
pub const AGENTS: &[AgentKind] = &[
    smtp::SMTP,
    smtp::LMTP,
    virtual_mailbox::AGENT,
    store::AGENT,
    local::AGENT,
    pipe::AGENT,
    error::AGENT,
    discard::AGENT,
];

/// The agent for a master.cf command.
pub fn find(command: &str) -> Option<&'static AgentKind> {
    AGENTS.iter().find(|kind| kind.command == command)
}

/// The name a service is logged under: its `syslog_name` and the program, or the program alone.
pub(crate) fn log_name(setup: &Setup, program: &str) -> Arc<str> {
    match setup.service.overrides.iter().any(|(name, _)| name == "syslog_name") {
        true => format!("{}/{program}", setup.view.get("syslog_name")).into(),
        false => program.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_named_once_and_documented() {
        for (at, kind) in AGENTS.iter().enumerate() {
            assert!(AGENTS[at + 1..].iter().all(|other| other.command != kind.command), "{}", kind.command);
            assert!(kind.doc.ends_with('.') && find(kind.command).is_some(), "{}", kind.command);
        }
    }
}
