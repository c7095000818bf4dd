//! One destination of one transport: how many deliveries it takes at a time, and whether it is alive.

use std::collections::BTreeSet;

use super::limits::TransportLimits;
use super::transport::Order;
use super::{Dead, Feedback, Health};

/// A destination.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) name: String,
    /// Deliveries that may run at a time.
    window: f64,
    success: f64,
    failure: f64,
    /// Failed rounds, each of as many deliveries as the window is wide.
    cohorts: f64,
    /// Deliveries that run.
    pub(super) busy: usize,
    /// Jobs with something for it, best first.
    pub(super) waiting: BTreeSet<Order>,
    /// When it was served last, as a serial number.
    pub(super) served: u64,
    /// Left alone until then, and why.
    pub(super) dead: Option<(i64, Dead)>,
    /// Between two deliveries (`destination_rate_delay`) until then.
    pub(super) pausing: Option<i64>,
    /// Its place among the destinations that can be served.
    pub(super) open: Option<(Order, u64)>,
}

impl Destination {
    pub(super) fn new(name: String, limits: &TransportLimits) -> Destination {
        Destination {
            name,
            window: initial(limits),
            success: 0.0,
            failure: 0.0,
            cohorts: 0.0,
            busy: 0,
            waiting: BTreeSet::new(),
            served: 0,
            dead: None,
            pausing: None,
            open: None,
        }
    }

    /// Is there room for another delivery?
    pub(super) fn has_room(&self, limits: &TransportLimits) -> bool {
        let window = if limits.rate_delay.is_zero() { self.window } else { 1.0 };
        self.dead.is_none() && self.pausing.is_none() && (self.busy as f64) < window
    }

    /// Can it be forgotten without losing anything?
    pub(super) fn is_idle(&self) -> bool {
        self.busy == 0 && self.waiting.is_empty() && self.dead.is_none() && self.pausing.is_none()
    }

    /// Comes back to life with the initial concurrency.
    pub(super) fn revive(&mut self, limits: &TransportLimits) {
        if self.dead.take().is_some() {
            self.window = initial(limits);
            (self.success, self.failure, self.cohorts) = (0.0, 0.0, 0.0);
        }
    }

    /// Learns from a delivery that has ended; `back_at` is when it is tried again should it be dead now.
    pub(super) fn learn(&mut self, health: Health, limits: &TransportLimits, back_at: i64) {
        match health {
            Health::Good => self.grow(limits),
            Health::Bad(why) => self.shrink(limits, why, back_at),
        }
    }

    fn grow(&mut self, limits: &TransportLimits) {
        self.cohorts = 0.0;
        if self.dead.is_some() {
            self.revive(limits);
            return;
        }
        let limit = limits.concurrency_limit as f64;
        let below_limit = limits.concurrency_limit == 0 || self.window < limit;
        // A window far beyond what is used would make negative feedback come too late. The delivery that has just
        // ended still counts.
        let within_reach = self.window < (self.busy + 1) as f64 + initial(limits);
        if below_limit && within_reach {
            let feedback = limits.positive_feedback.value(self.window);
            self.success += feedback;
            while feedback > 0.0 && self.success + feedback / 2.0 >= 1.0 {
                self.window += 1.0;
                self.success -= 1.0;
                self.failure = 0.0;
            }
            if limits.concurrency_limit > 0 {
                self.window = self.window.min(limit);
            }
        }
    }

    fn shrink(&mut self, limits: &TransportLimits, why: Dead, back_at: i64) {
        if self.dead.is_some() {
            return;
        }
        self.cohorts += 1.0 / self.window;
        // Rounding must not ask for one failure more than there are in a cohort.
        if limits.failed_cohort_limit > 0 && self.cohorts + 1e-9 >= limits.failed_cohort_limit as f64 {
            self.dead = Some((back_at, why));
            return;
        }
        let feedback = limits.negative_feedback.value(self.window);
        self.failure -= feedback;
        while feedback > 0.0 && self.failure - feedback / 2.0 < 0.0 {
            self.window -= 1.0;
            self.success = 0.0;
            self.failure += 1.0;
        }
        self.window = self.window.max(1.0);
    }
}

fn initial(limits: &TransportLimits) -> f64 {
    let initial = limits.initial_concurrency.max(1);
    match limits.concurrency_limit {
        0 => initial as f64,
        limit => initial.min(limit) as f64,
    }
}

impl Feedback {
    /// The amount for this window.
    fn value(self, window: f64) -> f64 {
        match self {
            Feedback::Fixed(amount) => amount,
            Feedback::Linear(amount) => amount / window.max(1.0),
            Feedback::Sqrt(amount) => amount / window.max(1.0).sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad() -> Health {
        Health::Bad(Dead { status: "4.4.1".into(), reason: "connection refused".into() })
    }

    fn destination(limits: &TransportLimits, good: usize) -> Destination {
        let mut destination = Destination::new("y.test".into(), limits);
        destination.busy = 100;
        for _ in 0..good {
            destination.learn(Health::Good, limits, 0);
        }
        destination
    }

    #[test]
    fn concurrency_grows_to_the_limit_and_no_further() {
        let limits = TransportLimits::default();
        assert_eq!(destination(&limits, 3).window, 8.0);
        assert_eq!(destination(&limits, 100).window, 20.0);
        let slow = TransportLimits { positive_feedback: Feedback::Linear(1.0), ..limits.clone() };
        let grown = destination(&slow, 12).window;
        assert!((6.0..=8.0).contains(&grown), "{grown}");
        let unlimited = TransportLimits { concurrency_limit: 0, ..limits };
        assert_eq!(destination(&unlimited, 50).window, 55.0);
    }

    #[test]
    fn an_unused_window_does_not_grow() {
        let limits = TransportLimits::default();
        let mut destination = Destination::new("y.test".into(), &limits);
        for _ in 0..50 {
            destination.learn(Health::Good, &limits, 0);
        }
        assert_eq!(destination.window, 6.0);
    }

    #[test]
    fn a_destination_dies_after_a_cohort_of_failures_and_comes_back() {
        let limits =
            TransportLimits { negative_feedback: Feedback::Fixed(0.0), ..TransportLimits::default() };
        let mut destination = destination(&limits, 0);
        for n in 0..5 {
            assert!(destination.dead.is_none(), "after {n}");
            destination.learn(bad(), &limits, 300);
        }
        assert!(destination.dead.is_some());
        assert!(!destination.has_room(&limits));
        destination.learn(Health::Good, &limits, 0);
        assert!(destination.dead.is_none());
        assert_eq!(destination.window, 5.0);
    }

    #[test]
    fn failures_narrow_the_window_and_a_limit_of_zero_never_kills() {
        let limits = TransportLimits { failed_cohort_limit: 0, ..TransportLimits::default() };
        let mut destination = destination(&limits, 0);
        for _ in 0..50 {
            destination.learn(bad(), &limits, 300);
        }
        assert!(destination.dead.is_none());
        assert_eq!(destination.window, 1.0);
    }
}
