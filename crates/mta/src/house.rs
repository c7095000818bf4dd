//! The house as the office sees it: the queue, the clock, and one configuration at a time.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use deliver::Agent;
use jiff::{Timestamp, tz::TimeZone};
use people::People;
use queue::Queue;
use queue::scheduler::{Limits, TransportLimits};
use route::Router;
use tokio::sync::Notify;

use crate::bounce::Notices;
use crate::cleanup::Cleaner;

/// Gives the time: the system's, or a test's.
pub type Clock = fn() -> Timestamp;

/// Limits of a transport, by name.
pub type TransportTable = Arc<dyn Fn(&str) -> TransportLimits + Send + Sync>;

/// A delivery agent under the name of a transport.
#[derive(Clone)]
pub struct Carrier {
    /// The agent.
    pub agent: Arc<dyn Agent>,
    /// Program that is logged: `smtp`, or `postfix/slow/smtp` with `-o syslog_name=postfix/slow`.
    pub program: Arc<str>,
    /// Command in master.cf: `smtp`, `virtual`, `pipe`.
    pub command: Arc<str>,
}

/// One configuration, checked and built. Never changes; reload makes a new one.
pub struct Setup {
    /// Addresses to next stops.
    pub router: Arc<Router>,
    /// cleanup(8) services by name; `cleanup` is always there.
    pub cleaners: HashMap<String, Arc<Cleaner>>,
    /// Transports by name.
    pub carriers: HashMap<String, Carrier>,
    /// What notices are made with.
    pub notices: Notices,
    /// How long answers about addresses hold.
    pub verify: crate::verify::Memory,
    /// What local submission obeys.
    pub pickup: crate::pickup::Settings,
    /// The queue manager's limits.
    pub limits: Limits,
    /// The transports' limits.
    pub transports: TransportTable,
    /// `defer_transports`.
    pub defer_transports: Vec<String>,
    /// `default_filter_nexthop`
    pub filter_nexthop: String,
    /// `soft_bounce`.
    pub soft_bounce: bool,
    /// `delay_logging_resolution_limit`.
    pub delay_resolution: u32,
    /// `myhostname`.
    pub myhostname: String,
    /// `mail_name`.
    pub mail_name: String,
    /// `double_bounce_sender`, without domain.
    pub double_bounce_sender: String,
    /// `message_size_limit`, bytes; 0 is no limit.
    pub message_size_limit: u64,
    /// `queue_minfree`, bytes.
    pub queue_minfree: u64,
    /// What is done for mail in quarantine.
    pub quarantine: crate::quarantine::Settings,
    /// Zone of the dates in headers.
    pub zone: TimeZone,
    /// Who may log in.
    pub people: People,
    /// Who hears how TLS went, when anybody does.
    pub tlsrpt: Option<Arc<crate::tlsrpt::Settings>>,
}

impl Setup {
    /// The cleanup service of that name, or the usual one.
    ///
    /// # Panics
    /// When the configuration was built without a service `cleanup`, which the builder rules out.
    pub fn cleaner(&self, service: &str) -> &Arc<Cleaner> {
        let found = self.cleaners.get(service).or_else(|| self.cleaners.get(CLEANUP));
        found.expect("every configuration is built with a cleanup service")
    }
}

/// Name of the cleanup service that is always there.
pub const CLEANUP: &str = "cleanup";

/// What the office works with.
pub struct House {
    /// The durable queue.
    pub queue: Queue,
    /// The clock.
    pub clock: Clock,
    setup: RwLock<Arc<Setup>>,
    renewed: Notify,
}

impl House {
    /// Opens the office.
    pub fn new(queue: Queue, clock: Clock, setup: Setup) -> Arc<House> {
        Arc::new(House { queue, clock, setup: RwLock::new(Arc::new(setup)), renewed: Notify::new() })
    }

    /// The configuration in force. Who holds it finishes on it.
    pub fn setup(&self) -> Arc<Setup> {
        self.setup.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a new configuration in force.
    pub fn renew(&self, setup: Setup) {
        *self.setup.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(setup);
        self.renewed.notify_one();
    }

    /// Waits for [`House::renew`]. For the queue manager alone.
    pub async fn renewed(&self) {
        self.renewed.notified().await;
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
