//! error(8): refuses mail with the text of the next hop.

use std::sync::Arc;

use mail::{Blame, Class, Detail, Outcome, Refusal};

use super::{AgentKind, Setup};
use crate::{Agent, Boxed, Delivered, Report, Request};

/// The line of the list.
pub const AGENT: AgentKind = AgentKind {
    command: "error",
    doc: "Refuses every recipient with the text of the next hop: `error:5.1.1 user unknown`.",
    build: |setup: &Setup| {
        // The retry service of master.cf runs the same program, and only ever defers.
        let class = if setup.service.name == "retry" { Class::Later } else { Class::Never };
        Ok(Arc::new(Refuse { class }))
    },
};

struct Refuse {
    class: Class,
}

impl Agent for Refuse {
    fn deliver(&self, request: Request) -> Boxed<'_, Report> {
        let outcome = Outcome::from(self.refusal(&request.nexthop));
        let delivered = request
            .targets
            .iter()
            .map(|target| Delivered::new(target.index, outcome.clone(), "none"))
            .collect();
        Box::pin(std::future::ready(Report { delivered, ..Report::default() }))
    }
}

impl Refuse {
    fn refusal(&self, nexthop: &str) -> Refusal {
        let (status, text) = split_status(nexthop);
        // A status of the other class is not believed: the service says whether it is for ever.
        let detail = match status {
            Some((digit, detail)) if digit == self.class.digit() => detail,
            _ => Detail(0, 0),
        };
        let code = if self.class == Class::Later { 51 } else { 54 };
        Refusal::new(self.class, code, detail, Blame::Policy, text)
    }
}

/// Divides `5.7.1 text` into status and text (RFC 3463 2).
pub(crate) fn split_status(text: &str) -> (Option<(char, Detail)>, &str) {
    let text = text.trim_start();
    let (first, rest) = text.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((text, ""));
    let mut parts = first.split('.');
    let status = (|| {
        let class = parts.next().filter(|c| matches!(*c, "2" | "4" | "5"))?.chars().next()?;
        let mut number = || {
            parts
                .next()
                .filter(|n| n.len() <= 3 && n.bytes().all(|b| b.is_ascii_digit()))?
                .parse::<u16>()
                .ok()
        };
        let detail = Detail(number()?, number()?);
        parts.next().is_none().then_some((class, detail))
    })();
    match status {
        Some(status) => (Some(status), rest.trim_start()),
        None => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_taken_from_the_text() {
        assert_eq!(split_status("5.1.1 user unknown"), (Some(('5', Detail(1, 1))), "user unknown"));
        assert_eq!(split_status("4.2.100 x"), (Some(('4', Detail(2, 100))), "x"));
        for odd in ["5.1 x", "3.1.1 x", "5.1.1.1 x", "5.1.1000 x", "five", "5..1 x", ""] {
            assert_eq!(split_status(odd), (None, odd), "{odd}");
        }
    }

    #[test]
    fn error_gives_up_and_retry_does_not() {
        let check = |class, nexthop, expected: &str| {
            assert_eq!(Refuse { class }.refusal(nexthop).status().to_string(), expected, "{nexthop}");
        };
        check(Class::Never, "no mail here", "5.0.0");
        check(Class::Never, "5.7.2 no mail here", "5.7.2");
        check(Class::Never, "4.4.1 later", "5.0.0");
        check(Class::Later, "5.4.1 dead", "4.0.0");
    }
}
