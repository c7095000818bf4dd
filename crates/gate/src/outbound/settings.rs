//! What one service's configuration says of outgoing mail.

use conf::{Block, Mistake, View};

use crate::params::Outbound;

/// Limits; 0 is none.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) span: i64,
    /// Messages and recipients of an account.
    pub(super) account: [u32; 2],
    /// Messages and recipients of a domain.
    pub(super) domain: [u32; 2],
    pub(super) factor: u32,
    pub(super) minimum: u32,
    exceptions: Vec<String>,
}

impl Settings {
    /// Reads them; what is wrong goes to `mistakes`.
    pub fn read(view: &View, mistakes: &mut Vec<Mistake>) -> Settings {
        let params = Outbound::read(view, mistakes);
        let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        Settings {
            span: i64::try_from(params.outbound_time_unit.as_secs()).unwrap_or(i64::MAX),
            account: [
                count(params.outbound_account_message_limit),
                count(params.outbound_account_recipient_limit),
            ],
            domain: [
                count(params.outbound_domain_message_limit),
                count(params.outbound_domain_recipient_limit),
            ],
            factor: count(params.outbound_habit_factor),
            minimum: count(params.outbound_habit_minimum),
            exceptions: params.outbound_limit_exceptions.iter().map(|name| name.to_lowercase()).collect(),
        }
    }

    /// Is there anything to count for this account?
    pub(super) fn concern(&self, account: &str) -> bool {
        let limited = self.factor > 0 || self.account.iter().chain(&self.domain).any(|limit| *limit > 0);
        limited && !account.is_empty() && !self.exceptions.iter().any(|name| name == account)
    }
}
