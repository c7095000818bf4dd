//! What a client hears when it is refused; with `smtpd_reject_reference`, where the administrator finds out why.

use std::sync::atomic::{AtomicU64, Ordering};

use filter::Facts;
use jiff::Timestamp;
use mail::{Because, Refusal, Trail};

use super::said::Said;
use super::session::Session;

/// Letters and digits that are not taken for each other (Crockford's base 32).
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How many of them: 45 bits of microseconds, which begin anew after more than a year.
const LENGTH: u32 = 9;

/// Longest explanation in the log, in bytes.
const LONGEST: usize = 800;

/// The last reference: none is given twice, even within a microsecond.
static LAST: AtomicU64 = AtomicU64::new(0);

fn fresh(now: Timestamp) -> String {
    let now = u64::try_from(now.as_microsecond()).unwrap_or(0);
    let next = |last: u64| Some(now.max(last.saturating_add(1)));
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or(now);
    let number = now.max(last.saturating_add(1));
    (0..LENGTH).rev().map(|at| char::from(LETTERS[(number >> (5 * at)) as usize & 31])).collect()
}

/// The steps that led to a refusal, the last ones where there are many.
fn explained(because: &[Because]) -> String {
    let steps = because.iter().filter(|step| !step.found.ends_with("no opinion"));
    let mut text = String::new();
    for step in steps.rev() {
        let step = step.to_string();
        if text.len() + step.len() > LONGEST {
            break;
        }
        text = if text.is_empty() { step } else { format!("{step}; {text}") };
    }
    text
}

impl Session {
    /// Takes down how it is decided where somebody may ask for it.
    pub(super) fn trail(&self) -> Trail {
        if self.service.params.smtpd_reject_reference { Trail::on() } else { Trail::off() }
    }

    /// The judge, the queue or the road said no.
    pub(super) fn refused(&self, refusal: &Refusal, facts: &Facts<'_>) -> Said {
        let mut said = Said::refused(refusal);
        if !self.service.params.smtpd_reject_reference {
            return said;
        }
        let reference = fresh(self.setup_now());
        let text = format!("{} {} {}", refusal.smtp_code(), refusal.status(), refusal.say);
        let mut line = facts.log_line(&format!("reference {reference}"), &text);
        let why = explained(&refusal.because);
        if !why.is_empty() {
            line = format!("{line}; because {why}");
        }
        log::info!(target: self.program(), "{}", mail::logline::printable(&line));
        if let Some(reply) = said.reply_mut() {
            *reply = reply.clone().with_footer(&format!("Reference {reference}"));
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reference_comes_twice() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let (one, other) = (fresh(now), fresh(now));
        assert_ne!(one, other);
        assert_eq!(one.len(), 9);
        assert_ne!(fresh(Timestamp::UNIX_EPOCH), other);
    }

    #[test]
    fn an_explanation_keeps_what_decided() {
        let step = |found: &str| Because {
            parameter: "smtpd_client_restrictions".to_owned(),
            found: found.to_owned(),
            ..Because::default()
        };
        let steps = [step(&"x".repeat(900)), step("no opinion"), step("a"), step("b")];
        assert_eq!(explained(&steps), "smtpd_client_restrictions: a; smtpd_client_restrictions: b");
    }
}
