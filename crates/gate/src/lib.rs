//! What is remembered of strangers, and of those who send through us: the greylist, bans, limits of outgoing mail.
//!
//! Each part is a memory that outlives configurations and restarts ([`ledger`]), is bounded, and is asked without
//! waiting; what a configuration says of it is read apart, by every service for itself. [`Gate`] holds all of them and
//! does what the administrator's commands ask ([`orders`]).
//!
//! Never: sockets, DNS, replies, the queue. Times are seconds since 1970, from the clock the house was given.
#![deny(unsafe_code)]

pub mod bans;
pub mod greylist;
pub mod ledger;
pub mod messages;
pub mod orders;
pub mod outbound;
pub mod params;
pub mod policy;

use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;

/// Gives the time: seconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// All memories of a program.
#[derive(Clone)]
pub struct Gate {
    /// Whom the greylist has seen.
    pub greylist: Arc<greylist::Memory>,
    /// Who failed to log in, and who is banned.
    pub bans: Arc<bans::Memory>,
    /// What accounts send out.
    pub outbound: Arc<outbound::Memory>,
    /// Messages that have their header of a policy server.
    pub headers: Arc<messages::Messages>,
}

impl Gate {
    /// Opens the memories in a directory (`data_directory`).
    ///
    /// # Errors
    /// A sentence: a file cannot be read or written, or another program has it.
    pub fn open(directory: &Path, clock: &Clock, zone: &TimeZone) -> Result<Gate, String> {
        let greylist = greylist::Memory::open(directory, clock.clone(), zone.clone())?;
        let bans = bans::Memory::open(directory, clock.clone(), zone.clone())?;
        let outbound = outbound::Memory::open(directory, clock.clone(), zone.clone())?;
        Ok(Gate {
            greylist: Arc::new(greylist),
            bans: Arc::new(bans),
            outbound: Arc::new(outbound),
            headers: Arc::default(),
        })
    }

    /// Memories that end with the program.
    pub fn forgetful(clock: &Clock) -> Gate {
        let greylist = greylist::Memory::forgetful(clock.clone());
        let bans = bans::Memory::forgetful(clock.clone());
        let outbound = outbound::Memory::forgetful(clock.clone());
        Gate {
            greylist: Arc::new(greylist),
            bans: Arc::new(bans),
            outbound: Arc::new(outbound),
            headers: Arc::default(),
        }
    }
}
