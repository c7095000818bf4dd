//! What the configuration says of bans.

use conf::{Block, Mistake, Severity, View};
use tables::{List, Parents, Tables};

use crate::params::Bans;

/// Settings, read once a configuration.
pub struct Settings {
    pub(super) enabled: bool,
    /// Failures of one account from one address.
    pub(super) account_failures: usize,
    /// Accounts that fail from one address.
    pub(super) accounts: usize,
    /// Abuses of the protocol.
    pub(super) offences: usize,
    /// Seconds.
    pub(super) find_time: i64,
    pub(super) time: i64,
    pub(super) longest: i64,
    /// Who is never banned; `None` where nobody is.
    pub(super) exceptions: Option<List>,
}

impl Settings {
    /// Reads them; what is wrong goes to `mistakes`.
    pub fn read(view: &View, tables: &Tables, mistakes: &mut Vec<Mistake>) -> Settings {
        let params = Bans::read(view, mistakes);
        let seconds = |time: std::time::Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let count = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
        let text = params.ban_exceptions.join(" ");
        let exceptions = tables.host_list("ban_exceptions", &text, Parents::Dotted);
        let exceptions = exceptions.map_err(|fault| {
            let place = view.place("ban_exceptions");
            let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
            mistakes.push(Mistake::new(Severity::Error, place, fault.to_string()));
        });
        Settings {
            // Without the list of those who must not be banned, nobody is.
            enabled: params.ban_enable && exceptions.is_ok(),
            account_failures: count(params.ban_account_failures),
            accounts: count(params.ban_address_accounts),
            offences: count(params.ban_address_offences),
            find_time: seconds(params.ban_find_time),
            time: seconds(params.ban_time),
            longest: seconds(params.ban_time_limit).max(seconds(params.ban_time)),
            exceptions: exceptions.ok(),
        }
    }

    /// Bans nobody.
    pub(super) fn off() -> Settings {
        Settings {
            enabled: false,
            account_failures: usize::MAX,
            accounts: usize::MAX,
            offences: usize::MAX,
            find_time: 0,
            time: 0,
            longest: 0,
            exceptions: None,
        }
    }
}
