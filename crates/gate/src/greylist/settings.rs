//! What one service's configuration says of greylisting.

use conf::{Block, Mistake, View};

use super::memory::Limits;
use super::whitelist::{Clients, Recipients};
use crate::params::Greylist;

/// Settings, and the lists of those who are never put off.
#[derive(Debug)]
pub struct Settings {
    pub(super) params: Greylist,
    pub(super) limits: Limits,
    pub(super) clients: Clients,
    pub(super) recipients: Recipients,
    pub(super) myhostname: String,
    pub(super) version: String,
}

impl Settings {
    /// Reads everything; what is wrong goes to `mistakes`.
    pub fn read(view: &View, mistakes: &mut Vec<Mistake>) -> Settings {
        let params = Greylist::read(view, mistakes);
        let seconds = |time: std::time::Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        for word in &params.greylist_pools {
            if !matches!(word.as_str(), "name" | "spf") {
                let place = view.place("greylist_pools");
                let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
                let text = format!("greylist_pools: {word}: there are name and spf; the word is left out");
                mistakes.push(Mistake::new(conf::Severity::Error, place, text));
            }
        }
        Settings {
            limits: Limits {
                delay: seconds(params.greylist_delay),
                max_age: seconds(params.greylist_max_age),
                retry_window: seconds(params.greylist_retry_window),
                entries: usize::try_from(params.greylist_entry_limit).unwrap_or(usize::MAX),
            },
            clients: Clients::read(&params.greylist_whitelist_clients, mistakes),
            recipients: Recipients::read(&params.greylist_whitelist_recipients, mistakes),
            myhostname: view.get("myhostname"),
            version: view.get("mail_version"),
            params,
        }
    }

    /// Are the hosts of one provider's domain one client?
    pub(super) fn pools_by_name(&self) -> bool {
        self.params.greylist_pools.iter().any(|word| word == "name")
    }

    /// Are all whom the sender's policy permits one client?
    pub(super) fn pools_by_policy(&self) -> bool {
        self.params.greylist_pools.iter().any(|word| word == "spf")
    }
}
