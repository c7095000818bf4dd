//! The queue manager's numbers, from the parameters.

use std::time::Duration;

use conf::{Block, MasterCf, Mistake, Severity, View};
use queue::params::Qmgr;
use queue::scheduler::{Feedback, Limits, TransportLimits};

/// The limits that hold for all transports.
pub fn limits(view: &View, mistakes: &mut Vec<Mistake>) -> (Limits, Qmgr) {
    let qmgr = Qmgr::read(view, mistakes);
    let limits = Limits {
        message_active_limit: count(qmgr.qmgr_message_active_limit),
        message_recipient_limit: count(qmgr.qmgr_message_recipient_limit),
        minimal_backoff: qmgr.minimal_backoff_time,
        maximal_backoff: qmgr.maximal_backoff_time,
        queue_run_delay: qmgr.queue_run_delay,
        maximal_lifetime: qmgr.maximal_queue_lifetime,
        bounce_lifetime: qmgr.bounce_queue_lifetime,
    };
    (limits, qmgr)
}

/// The limits of one transport: `<transport>_…`, or else the `default_…` of all.
pub fn transport(view: &View, master: &MasterCf, name: &str, mistakes: &mut Vec<Mistake>) -> TransportLimits {
    let mut member = Member { view, name, mistakes };
    let maxproc =
        master.services.iter().find(|service| service.name == name).and_then(|service| service.maxproc);
    let process_limit = match maxproc {
        Some(limit) => limit as usize,
        None => member.read("default_process_limit").parse().unwrap_or(100),
    };
    TransportLimits {
        process_limit,
        initial_concurrency: member
            .count("initial_destination_concurrency", "initial_destination_concurrency"),
        concurrency_limit: member.ours("destination_concurrency_limit"),
        positive_feedback: member.feedback("destination_concurrency_positive_feedback"),
        negative_feedback: member.feedback("destination_concurrency_negative_feedback"),
        failed_cohort_limit: member.ours("destination_concurrency_failed_cohort_limit"),
        recipient_limit: member.ours("destination_recipient_limit"),
        rate_delay: member.time("destination_rate_delay"),
        transport_rate_delay: member.time("transport_rate_delay"),
        memory_limit: member.ours("recipient_limit"),
        extra_memory_limit: member.ours("extra_recipient_limit"),
        refill_limit: member.ours("recipient_refill_limit"),
        refill_delay: member.time("recipient_refill_delay"),
        slot_cost: member.ours("delivery_slot_cost"),
        slot_loan: member.ours("delivery_slot_loan"),
        slot_discount: member.ours("delivery_slot_discount"),
        minimum_slots: member.count("minimum_delivery_slots", "default_minimum_delivery_slots"),
    }
}

fn count(value: i64) -> usize {
    usize::try_from(value).unwrap_or_default()
}

/// One transport's members of the families.
struct Member<'a> {
    view: &'a View,
    name: &'a str,
    mistakes: &'a mut Vec<Mistake>,
}

impl Member<'_> {
    fn read(&self, parameter: &str) -> String {
        self.view.get(parameter)
    }

    /// `<transport>_suffix`, by default `default_suffix`; where Postfix ships another default for a transport
    /// (`local_destination_recipient_limit = 1`), that is declared under the member's own name.
    fn text(&self, suffix: &str, default: &str) -> (String, String) {
        let name = format!("{}_{suffix}", self.name);
        let declared = self.view.registry().get(&name).is_some();
        let value = if declared { self.view.get(&name) } else { self.view.family(&name, default) };
        (name, value)
    }

    fn mistake(&mut self, name: &str, value: &str, wanted: &str) {
        let place = self.view.place(name);
        let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
        let text = format!("{name} = {value}: expected {wanted}; the default is used");
        self.mistakes.push(Mistake::new(Severity::Error, place, text));
    }

    fn count(&mut self, suffix: &str, default: &str) -> usize {
        let (name, value) = self.text(suffix, default);
        match value.trim().parse() {
            Ok(number) => number,
            Err(_) => {
                self.mistake(&name, &value, "a whole number");
                self.view.get(default).trim().parse().unwrap_or_default()
            }
        }
    }

    fn ours(&mut self, suffix: &str) -> usize {
        self.count(suffix, &format!("default_{suffix}"))
    }

    fn time(&mut self, suffix: &str) -> Duration {
        let (name, value) = self.text(suffix, &format!("default_{suffix}"));
        match conf::parse_time(value.trim(), conf::TimeUnit::of_default("1s")) {
            Some(time) => time,
            None => {
                self.mistake(&name, &value, "a time such as 30s or 5m");
                Duration::ZERO
            }
        }
    }

    fn feedback(&mut self, suffix: &str) -> Feedback {
        let (name, value) = self.text(suffix, &format!("default_{suffix}"));
        match parse_feedback(&value) {
            Some(feedback) => feedback,
            None => {
                self.mistake(
                    &name,
                    &value,
                    "a number, number/number, number/concurrency or number/sqrt_concurrency",
                );
                Feedback::Fixed(1.0)
            }
        }
    }
}

/// `number`, `number / number`, `number / concurrency`, `number / sqrt_concurrency`; at most 1, at least 0.
fn parse_feedback(text: &str) -> Option<Feedback> {
    let (number, divisor) = match text.split_once('/') {
        Some((number, divisor)) => (number, Some(divisor.trim())),
        None => (text, None),
    };
    let number: f64 = number.trim().parse().ok().filter(|number: &f64| (0.0..=1.0).contains(number))?;
    match divisor {
        None => Some(Feedback::Fixed(number)),
        Some("concurrency") => Some(Feedback::Linear(number)),
        Some("sqrt_concurrency") => Some(Feedback::Sqrt(number)),
        Some(divisor) => {
            let divisor: f64 = divisor.parse().ok().filter(|divisor: &f64| *divisor >= 1.0)?;
            Some(Feedback::Fixed(number / divisor))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feedback_takes_every_form_of_qmgr() {
        for (text, feedback) in [
            ("1", Some(Feedback::Fixed(1.0))),
            ("1/8", Some(Feedback::Fixed(0.125))),
            ("1 / concurrency", Some(Feedback::Linear(1.0))),
            ("0.5/sqrt_concurrency", Some(Feedback::Sqrt(0.5))),
            ("2", None),
            ("1/0", None),
            ("x", None),
        ] {
            assert_eq!(parse_feedback(text), feedback, "{text}");
        }
    }
}
