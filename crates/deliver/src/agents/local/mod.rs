//! local(8): mail to users of this machine, through aliases, `.forward` files, commands, files and mailboxes.
//!
//! A [`Walk`] goes through one queued recipient: what it delivers itself is reported entry by entry; what leaves
//! for elsewhere is collected and queued as new messages at its end, when nothing has to be tried again.

mod alias;
mod command;
mod expand;
mod file;
mod forward;
mod include;
mod mailbox;
mod rules;
mod tokens;
mod unknown;
mod user;
mod walk;

pub(crate) use self::command::VARIABLES;
pub(crate) use self::forward::read as read_forward;
pub(crate) use self::include::read_list;
pub(crate) use self::rules::default_rights;

use std::sync::Arc;

use self::rules::Rules;
use self::walk::{At, Walk};
use super::{AgentKind, Built, Setup};
use crate::{Agent, Boxed, Report, Request};

/// The line of the list.
pub const AGENT: AgentKind = AgentKind {
    command: "local",
    doc: "Delivers to users of this machine: aliases, .forward files, commands, files, mailboxes.",
    build,
};

struct Local {
    rules: Arc<Rules>,
}

fn build(setup: &Setup) -> Built {
    Ok(Arc::new(Local { rules: Arc::new(Rules::new(setup)?) }))
}

impl Agent for Local {
    fn deliver(&self, request: Request) -> Boxed<'_, Report> {
        Box::pin(async move {
            let mut delivered = Vec::with_capacity(request.targets.len());
            for target in &request.targets {
                let mut walk = Walk::new(&self.rules, &request, target.index);
                let at = At::start(&request.sender, &target.recipient);
                match walk.look_for_loops().await {
                    Ok(()) => walk.run(at).await,
                    Err(refusal) => walk.settle(&at, refusal),
                }
                delivered.extend(walk.finish(&target.recipient).await);
            }
            let report = Report { delivered, ..Report::default() };
            self.rules.filter.apply(report).await
        })
    }
}

#[cfg(test)]
mod tests;
