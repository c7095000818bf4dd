//! Names that are neither alias nor user: `fallback_transport`, `luser_relay`, and the names that always exist.

use std::sync::Arc;

use mail::{Blame, Detail, Refusal};

use super::expand::{Values, expand};
use super::walk::{At, Step, Walk};

/// Mail to these is never refused (RFC 5321 4.5.1), even when nobody reads it.
const REQUIRED: [&str; 2] = ["mailer-daemon", "postmaster"];

impl Walk<'_> {
    /// The last resorts.
    pub async fn unknown(&mut self, at: &At) {
        let rules = self.rules;
        if self.been_here(format!("unknown {}", at.local)) {
            return;
        }
        match self.transport(at, &rules.fallback_transports, &rules.params.fallback_transport).await {
            Ok(Some(transport)) => return self.pass(at, &transport).await,
            Ok(None) => {}
            Err(refusal) => return self.settle(at, refusal),
        }
        if !rules.params.luser_relay.is_empty() {
            let values = Values::new(at, None, &rules.delimiter);
            let relay = expand(&rules.params.luser_relay, &values, None).text;
            let tokens = mail::addresses::parse(relay.as_bytes(), 0);
            let first = mail::addresses::mailboxes(&tokens).next().map(|one| one.internal().to_vec());
            let mut inner = at.clone();
            inner.unmatched = None;
            // Not a command or a file, whatever it looks like.
            return self.todo.push(Step::Address(Arc::new(inner), first.unwrap_or_default()));
        }
        if REQUIRED.iter().any(|name| name.eq_ignore_ascii_case(&at.user)) {
            log::warn!(target: &rules.program, "required alias not found: {}", at.user);
            return self.sent(at, "discarded");
        }
        let text = format!("unknown user: \"{}\"", at.user);
        self.settle(at, Refusal::never(50, Detail(1, 1), Blame::Policy, text));
    }
}
