//! One session's conversations with its milters.

use std::collections::HashMap;
use std::sync::Arc;

use proto::milter::Event;

use super::link::{Link, Outcome};
use super::settings::Shared;

/// Values of macros, by name without braces.
pub type Values = HashMap<&'static str, String>;

/// The milters of a session, in order.
pub struct Chain {
    links: Vec<Link>,
}

impl Chain {
    pub(super) fn new(links: Vec<Link>) -> Chain {
        Chain { links }
    }

    /// Nobody knows which milters to ask: everything is refused for now.
    pub(super) fn broken(shared: &Arc<Shared>) -> Chain {
        Chain { links: vec![Link::broken(shared.clone())] }
    }

    /// Tells an event until somebody has something to say.
    pub async fn event(&mut self, event: Event, data: &[u8], values: &Values) -> Outcome {
        for link in &mut self.links {
            let outcome = link.event(event, data, values).await;
            if outcome != Outcome::Continue {
                return outcome;
            }
        }
        Outcome::Continue
    }

    /// Has a milter accepted a message that there was not? Nobody knows what it would say of the next one.
    pub fn is_lost(&self) -> bool {
        self.links.iter().any(Link::is_lost)
    }

    /// Tells of a recipient that we refused, whoever wants to know.
    pub async fn refused_recipient(&mut self, data: &[u8], values: &Values) {
        for link in &mut self.links {
            if link.hears_refused_recipients() {
                // There is nothing left to decide.
                link.event(Event::Rcpt, data, values).await;
            }
        }
    }

    /// The message under way comes to nothing.
    pub async fn abort(&mut self) {
        for link in &mut self.links {
            link.abort().await;
        }
    }

    /// The session is over.
    pub async fn quit(&mut self) {
        for link in &mut self.links {
            link.quit().await;
        }
    }

    /// Each conversation, for the content of a message.
    pub fn links(&mut self) -> &mut [Link] {
        &mut self.links
    }
}
