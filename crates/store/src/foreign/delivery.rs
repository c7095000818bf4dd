//! What the mailboxes of an account share: ledger, quota, clock.

use std::sync::Mutex;
use std::sync::PoisonError;

use super::ledger::Ledger;
use crate::{Clock, Error, Limits, Result, Usage, Watch};

/// Counts a quota file's changes in (`Tree::count_change`).
pub(super) type CountChange = Box<dyn Fn(i64, i64) -> Result<()> + Send + Sync>;

/// Shared by an account and its mailboxes.
pub(super) struct Common {
    /// What the format has no place for.
    pub ledger: Ledger,
    /// What the account may hold.
    pub limits: Limits,
    /// At how many per cent of them a warning is logged.
    pub warn_at: Vec<u8>,
    /// Whose it is, for the log.
    pub user: String,
    /// The time.
    pub clock: Clock,
    /// What it holds, once counted.
    pub usage: Mutex<Option<Usage>>,
    /// Notes changes in the format's quota file.
    pub count_change: CountChange,
    /// Rings when a message has come to any mailbox, or mailboxes change.
    pub watch: Watch,
}

impl Common {
    /// Is there room for as much more? Accounts without limits always have it.
    pub fn room_for(&self, more: Usage) -> Result<()> {
        if self.limits.is_unlimited() {
            return Ok(());
        }
        let used = self.usage.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or_default();
        self.limits.passed(used, more).map_or(Ok(()), |resource| Err(Error::OverQuota(resource)))
    }

    /// Messages have come, or gone.
    pub fn counted(&self, change: Usage, more: bool) {
        let mut usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = usage.as_mut() {
            let before = *used;
            let count = |used: u64, change: u64| match more {
                true => used.saturating_add(change),
                false => used.saturating_sub(change),
            };
            *used = Usage {
                bytes: count(used.bytes, change.bytes),
                messages: count(used.messages, change.messages),
            };
            if let Some(share) = self.limits.reached(before, *used, &self.warn_at) {
                log::warn!("{}: quota reached {share} per cent", mail::logline::printable(&self.user));
            }
        }
        let sign = |value: u64| i64::try_from(value).unwrap_or(i64::MAX) * if more { 1 } else { -1 };
        if change.messages > 0
            && let Err(error) = (self.count_change)(sign(change.bytes), sign(change.messages))
        {
            log::warn!("{}: {error}", mail::logline::printable(&self.user));
        }
    }
}
