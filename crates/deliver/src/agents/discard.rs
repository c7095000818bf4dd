//! discard(8): takes mail and forgets it.

use std::sync::Arc;

use mail::{Detail, Outcome};

use super::{AgentKind, Setup};
use crate::{Agent, Boxed, Delivered, Report, Request};

/// The line of the list.
pub const AGENT: AgentKind = AgentKind {
    command: "discard",
    doc: "Reports every recipient as delivered and forgets the message.",
    build: |_: &Setup| Ok(Arc::new(Discard)),
};

struct Discard;

impl Agent for Discard {
    fn deliver(&self, request: Request) -> Boxed<'_, Report> {
        // The next hop is a remark for the log: "transport discard:spam trap".
        let text = if request.nexthop.is_empty() { "discarded".to_owned() } else { request.nexthop.clone() };
        let outcome = Outcome::Delivered { detail: Detail(0, 0), text, relayed_dsn: false };
        let delivered = request
            .targets
            .iter()
            .map(|target| Delivered::new(target.index, outcome.clone(), "none"))
            .collect();
        Box::pin(std::future::ready(Report { delivered, ..Report::default() }))
    }
}
