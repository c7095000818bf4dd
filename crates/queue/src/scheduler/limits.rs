//! The numbers the scheduler obeys; all of them are parameters of qmgr(8).

use std::time::Duration;

/// Limits of the queue manager as a whole.
#[derive(Clone, Debug)]
pub struct Limits {
    /// `qmgr_message_active_limit`.
    pub message_active_limit: usize,
    /// `qmgr_message_recipient_limit`.
    pub message_recipient_limit: usize,
    /// `minimal_backoff_time`.
    pub minimal_backoff: Duration,
    /// `maximal_backoff_time`.
    pub maximal_backoff: Duration,
    /// `queue_run_delay`.
    pub queue_run_delay: Duration,
    /// `maximal_queue_lifetime`.
    pub maximal_lifetime: Duration,
    /// `bounce_queue_lifetime`.
    pub bounce_lifetime: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            message_active_limit: 20_000,
            message_recipient_limit: 20_000,
            minimal_backoff: Duration::from_secs(300),
            maximal_backoff: Duration::from_secs(4000),
            queue_run_delay: Duration::from_secs(300),
            maximal_lifetime: Duration::from_secs(5 * 86400),
            bounce_lifetime: Duration::from_secs(5 * 86400),
        }
    }
}

/// How concurrency grows or shrinks after a delivery (`default_destination_concurrency_positive_feedback`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Feedback {
    /// A fixed amount: `1`, `1/8`, `0.3`.
    Fixed(f64),
    /// `number / concurrency`.
    Linear(f64),
    /// `number / sqrt_concurrency`.
    Sqrt(f64),
}

/// Limits of one transport; each is `<transport>_…` with its `default_…`.
#[derive(Clone, Debug)]
pub struct TransportLimits {
    /// Deliveries at a time: `default_process_limit`, or maxproc in master.cf; 0 is no limit.
    pub process_limit: usize,
    /// `initial_destination_concurrency`.
    pub initial_concurrency: usize,
    /// `destination_concurrency_limit`; 0 is no limit.
    pub concurrency_limit: usize,
    /// `destination_concurrency_positive_feedback`.
    pub positive_feedback: Feedback,
    /// `destination_concurrency_negative_feedback`.
    pub negative_feedback: Feedback,
    /// `destination_concurrency_failed_cohort_limit`; 0 never declares a destination dead.
    pub failed_cohort_limit: usize,
    /// `destination_recipient_limit`; 0 is no limit.
    pub recipient_limit: usize,
    /// `destination_rate_delay`.
    pub rate_delay: Duration,
    /// `transport_rate_delay`.
    pub transport_rate_delay: Duration,
    /// `recipient_limit`: recipients of this transport in memory.
    pub memory_limit: usize,
    /// `extra_recipient_limit`: more of them, for messages that preempt.
    pub extra_memory_limit: usize,
    /// `recipient_refill_limit`.
    pub refill_limit: usize,
    /// `recipient_refill_delay`.
    pub refill_delay: Duration,
    /// `delivery_slot_cost`; 0 switches preemption off.
    pub slot_cost: usize,
    /// `delivery_slot_loan`.
    pub slot_loan: usize,
    /// `delivery_slot_discount`, in percent.
    pub slot_discount: usize,
    /// `minimum_delivery_slots`.
    pub minimum_slots: usize,
}

impl Default for TransportLimits {
    fn default() -> TransportLimits {
        TransportLimits {
            process_limit: 100,
            initial_concurrency: 5,
            concurrency_limit: 20,
            positive_feedback: Feedback::Fixed(1.0),
            negative_feedback: Feedback::Fixed(1.0),
            failed_cohort_limit: 1,
            recipient_limit: 50,
            rate_delay: Duration::ZERO,
            transport_rate_delay: Duration::ZERO,
            memory_limit: 20_000,
            extra_memory_limit: 1000,
            refill_limit: 100,
            refill_delay: Duration::from_secs(5),
            slot_cost: 5,
            slot_loan: 3,
            slot_discount: 50,
            minimum_slots: 3,
        }
    }
}
