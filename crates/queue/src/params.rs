//! Parameters of the queue and of its scheduler.
//!
//! A list of like things, and long for that reason: one paragraph a parameter.

conf::params! {
    /// What may enter the queue, and under what name.
    pub struct Storage {
        /// The greatest size of a message, in bytes, its envelope included; 0 means no limit.
        message_size_limit: Bytes = "10240000";
        /// How many bytes must stay free in the file system of the queue for mail to be taken in.
        ///
        /// With 0, one and a half times `message_size_limit` must be free.
        queue_minfree: Bytes = "0";
        /// Whether queue ids are of the long kind that is not used twice.
        enable_long_queue_ids: YesNo = "no";
        /// How many levels of subdirectories a queue directory has.
        hash_queue_depth: Int(1..) = "1",
            no_effect "the queue is a journal without subdirectories; an import finds any depth by itself";
        /// Which queue directories have subdirectories.
        hash_queue_names: List = "deferred, defer",
            no_effect "the queue is a journal without subdirectories; an import finds any depth by itself";
        /// How many named attributes a queue file may hold.
        queue_file_attribute_count_limit: Int(1..) = "100",
            no_effect "a journal record has a fixed set of attributes";
        /// Whether the bounce log of old releases is written too.
        backwards_bounce_logfile_compatibility: YesNo = "yes",
            no_effect "reasons of failure are records of the journal, not files of their own";
    }
}

conf::params! {
    /// When the queue manager tries again, how much at a time, and when it gives up.
    pub struct Qmgr {
        /// How often deferred mail is looked through for messages that are due, in seconds.
        queue_run_delay: Time(1..) = "300s";
        /// The shortest time between two attempts for a message, in seconds; also how long a dead host is
        /// left alone.
        minimal_backoff_time: Time(1..) = "300s";
        /// The longest time between two attempts for a message, in seconds.
        maximal_backoff_time: Time(1..) = "4000s";
        /// How long a message is tried, in days, before it is returned; 0 means one attempt.
        maximal_queue_lifetime: Time(0..=8640000) = "5d";
        /// How long a notice with the null sender is tried, in days, before it is dropped; 0 means one
        /// attempt.
        bounce_queue_lifetime: Time(0..=8640000) = "5d";
        /// How long a transport that failed as a whole is left alone, in seconds.
        transport_retry_time: Time(1..) = "60s",
            no_effect "a transport that fails defers its mail for minimal_backoff_time";
        /// Transports whose mail waits until it is asked for with `postqueue -f` or ETRN.
        defer_transports: List = "";
        /// How many messages are active, that is being delivered or next in line.
        qmgr_message_active_limit: Int(1..) = "20000";
        /// How many recipients of all active messages are held in memory.
        qmgr_message_recipient_limit: Int(1..) = "20000";
        /// How many recipients of any one active message are held in memory, however full it is.
        qmgr_message_recipient_minimum: Int(1..) = "10";
        /// How often, in seconds, a destination that clogs the active queue is warned about; 0 means never.
        qmgr_clog_warn_time: Time = "300s",
            no_effect "the scheduler gives no warnings of clogged destinations";
        /// How long taking in mail pauses, in seconds, when it arrives faster than it is scheduled; 0 means
        /// never.
        in_flow_delay: Time(0..=10) = "1s";
        /// How many deliveries to a destination run at first, before its limit is known to be too high or too
        /// low.
        initial_destination_concurrency: Int(1..) = "5";
        /// How many deliveries may run to one destination at once; 0 means no limit.
        default_destination_concurrency_limit: Int = "20";
        /// How much one good delivery raises the concurrency of its destination.
        ///
        /// A number, or one divided by `concurrency` or `sqrt_concurrency`, as in `1/concurrency`.
        default_destination_concurrency_positive_feedback: Text = "1";
        /// How much one failed delivery lowers the concurrency of its destination; written as the positive
        /// one.
        default_destination_concurrency_negative_feedback: Text = "1";
        /// After how many failed rounds, each of as many deliveries as run at once, a destination counts as
        /// dead.
        default_destination_concurrency_failed_cohort_limit: Int = "1";
        /// Whether each change of a destination's concurrency is logged.
        destination_concurrency_feedback_debug: YesNo = "no",
            no_effect "the scheduler logs no such details";
        /// How many recipients one delivery takes along.
        ///
        /// With 1, destinations are single recipients for all limits on destinations.
        default_destination_recipient_limit: Int = "50";
        /// The pause between two deliveries to one destination, in seconds; more than 0 means one at a time.
        default_destination_rate_delay: Time = "0s";
        /// The pause between two deliveries by one transport, in seconds; more than 0 means one at a time.
        default_transport_rate_delay: Time = "0s";
        /// How many recipients of the messages of one transport are held in memory.
        default_recipient_limit: Int = "20000";
        /// How many recipients beyond that a message may have in memory when it overtakes others.
        default_extra_recipient_limit: Int = "1000";
        /// How many recipients of a large list are read at once when there is room again.
        default_recipient_refill_limit: Int(1..) = "100";
        /// How long a partly delivered list waits, in seconds, before more of its recipients are read.
        default_recipient_refill_delay: Time(1..) = "5s";
        /// After how many deliveries of a large message a small one may go first; 0 turns overtaking off.
        default_delivery_slot_cost: Int = "5";
        /// How many deliveries early a small message may overtake on credit.
        default_delivery_slot_loan: Int = "3";
        /// How much of its size, in percent, a small message needs as earned slots to overtake.
        default_delivery_slot_discount: Int(0..=100) = "50";
        /// How many slots a message must be able to earn for others to overtake it at all.
        default_minimum_delivery_slots: Int = "3";
        /// How many local deliveries may run at once to one recipient.
        local_destination_concurrency_limit: Int = "2";
        /// How many recipients one local delivery takes along.
        local_destination_recipient_limit: Int = "1";
        /// By how much the old queue manager preferred new mail, in percent.
        qmgr_fudge_factor: Int(1..=100) = "100", no_effect "only Postfix's former scheduler, oqmgr, reads it";
        /// How long the queue manager may work on one thing, in seconds, before a watchdog ends it.
        qmgr_daemon_timeout: Time(1..) = "1000s",
            no_effect "every wait has its own time limit instead of a watchdog";
        /// How long the queue manager waits for another daemon, in seconds.
        qmgr_ipc_timeout: Time(1..) = "60s",
            no_effect "there are no connections between parts of one program";
        /// The master.cf entry of the queue manager.
        queue_service_name: Text = "qmgr", no_effect "the queue manager is a part of the program";
    }
}

conf::params! {
    /// What one transport says about itself, under its master.cf name in place of `<transport>`.
    pub struct PerTransport {
        /// How many deliveries to a destination this transport runs at first.
        family "<transport>_initial_destination_concurrency": Int(1..) = "$initial_destination_concurrency";
        /// How many deliveries this transport runs to one destination at once.
        family "<transport>_destination_concurrency_limit": Int = "$default_destination_concurrency_limit";
        /// How much one good delivery raises the concurrency of a destination of this transport.
        family "<transport>_destination_concurrency_positive_feedback": Text
            = "$default_destination_concurrency_positive_feedback";
        /// How much one failed delivery lowers the concurrency of a destination of this transport.
        family "<transport>_destination_concurrency_negative_feedback": Text
            = "$default_destination_concurrency_negative_feedback";
        /// After how many failed rounds a destination of this transport counts as dead.
        family "<transport>_destination_concurrency_failed_cohort_limit": Int
            = "$default_destination_concurrency_failed_cohort_limit";
        /// How many recipients one delivery of this transport takes along.
        family "<transport>_destination_recipient_limit": Int = "$default_destination_recipient_limit";
        /// The pause between two deliveries of this transport to one destination, in seconds.
        family "<transport>_destination_rate_delay": Time = "$default_destination_rate_delay";
        /// The pause between two deliveries of this transport, in seconds.
        family "<transport>_transport_rate_delay": Time = "$default_transport_rate_delay";
        /// How many recipients beyond its limit a message of this transport may have when it overtakes
        /// others.
        family "<transport>_extra_recipient_limit": Int = "$default_extra_recipient_limit";
        /// How many recipients of this transport's messages are held in memory.
        family "<transport>_recipient_limit": Int = "$default_recipient_limit";
        /// How many recipients of a large list for this transport are read at once.
        family "<transport>_recipient_refill_limit": Int(1..) = "$default_recipient_refill_limit";
        /// How long a partly delivered list for this transport waits, in seconds, before more is read.
        family "<transport>_recipient_refill_delay": Time = "$default_recipient_refill_delay";
        /// After how many deliveries of a large message of this transport a small one may go first.
        family "<transport>_delivery_slot_cost": Int = "$default_delivery_slot_cost";
        /// How many deliveries early a small message of this transport may overtake on credit.
        family "<transport>_delivery_slot_loan": Int = "$default_delivery_slot_loan";
        /// How much of its size, in percent, a small message of this transport needs as earned slots.
        family "<transport>_delivery_slot_discount": Int(0..=100) = "$default_delivery_slot_discount";
        /// How many slots a message of this transport must be able to earn to be overtaken.
        family "<transport>_minimum_delivery_slots": Int = "$default_minimum_delivery_slots";
    }
}
