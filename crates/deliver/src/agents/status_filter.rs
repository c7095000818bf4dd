//! `*_delivery_status_filter`: tables that have the last word on the status and the text of an outcome.

use mail::{Class, Detail, Outcome};
use tables::Maps;

use super::error::split_status;
use crate::{Delivered, Report};

/// The tables of one service.
pub(crate) struct StatusFilter {
    maps: Maps,
    program: std::sync::Arc<str>,
}

impl StatusFilter {
    /// A filter; without tables it changes nothing.
    pub fn new(maps: Maps, program: std::sync::Arc<str>) -> StatusFilter {
        StatusFilter { maps, program }
    }

    /// Replaces outcomes that a table has something to say about.
    pub async fn apply(&self, mut report: Report) -> Report {
        if !self.maps.is_empty() {
            for delivered in &mut report.delivered {
                self.one(delivered).await;
            }
        }
        report
    }

    async fn one(&self, delivered: &mut Delivered) {
        let key = match &delivered.outcome {
            Outcome::Delivered { detail, text, .. } => format!("2.{}.{} {text}", detail.0, detail.1),
            Outcome::Later(refusal) | Outcome::Never(refusal) => {
                format!("{} {}", refusal.status(), refusal.log_text())
            }
            Outcome::Expanded { .. } => return,
        };
        let found = match self.maps.find(&key).await {
            Ok(Some(found)) => found,
            Ok(None) => return,
            // The outcome is known; a broken filter does not change it.
            Err(trouble) => return log::warn!(target: &self.program, "{trouble}"),
        };
        let (Some((class, detail)), text) = split_status(&found.value) else {
            let value = mail::logline::printable(&found.value);
            return log::warn!(target: &self.program, "{}: bad status and text \"{value}\"", self.maps.parameter());
        };
        replace(&mut delivered.outcome, class, detail, text);
    }
}

/// Success stays success, and a refusal a refusal: only its class may change between now and never.
fn replace(outcome: &mut Outcome, class: char, new: Detail, new_text: &str) {
    match (outcome, class) {
        (Outcome::Delivered { detail, text, .. }, '2') => {
            *detail = new;
            *text = new_text.to_owned();
        }
        (outcome @ (Outcome::Later(_) | Outcome::Never(_)), '4' | '5') => {
            let (Outcome::Later(old) | Outcome::Never(old)) = &*outcome else { return };
            let class = if class == '4' { Class::Later } else { Class::Never };
            let mut refusal = mail::Refusal::new(class, old.code, new, old.blame, new_text);
            refusal.remote.clone_from(&old.remote);
            refusal.diagnostic.clone_from(&old.diagnostic);
            *outcome = refusal.into();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use mail::{Blame, Refusal};

    use super::*;

    #[test]
    fn a_refusal_never_becomes_a_success() {
        let refusal = Refusal::never(50, Detail(1, 1), Blame::NextHop, "no");
        let mut outcome = Outcome::from(refusal);
        replace(&mut outcome, '2', Detail(0, 0), "fine");
        assert!(matches!(&outcome, Outcome::Never(refusal) if refusal.say == "no"));
        replace(&mut outcome, '4', Detail(7, 1), "wait");
        assert!(matches!(&outcome, Outcome::Later(refusal) if refusal.status().to_string() == "4.7.1"));
    }
}
