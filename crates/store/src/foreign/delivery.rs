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
    /// Takes room for as much more, if there is any: nobody else takes the same. What becomes of it is said to
    /// [`Common::came`] or [`Common::give_back`].
    pub fn take_room(&self, more: Usage) -> Result<()> {
        let mut usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(resource) = self.limits.passed(usage.unwrap_or_default(), more) {
            return Err(Error::OverQuota(resource));
        }
        if let Some(used) = usage.as_mut() {
            *used = used.plus(more);
        }
        Ok(())
    }

    /// What room was taken for is here.
    pub fn came(&self, more: Usage) {
        let used = *self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = used {
            self.warn(used.minus(more), used);
        }
        self.note(more, true);
    }

    /// It is not.
    pub fn give_back(&self, more: Usage) {
        let mut usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = usage.as_mut() {
            *used = used.minus(more);
        }
    }

    /// Messages have come, or gone, whether there was room or not.
    pub fn counted(&self, change: Usage, more: bool) {
        let mut usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = usage.as_mut() {
            let before = *used;
            *used = if more { used.plus(change) } else { used.minus(change) };
            self.warn(before, *used);
        }
        drop(usage);
        self.note(change, more);
    }

    fn warn(&self, before: Usage, after: Usage) {
        if let Some(share) = self.limits.reached(before, after, &self.warn_at) {
            log::warn!("{}: quota reached {share} per cent", mail::logline::printable(&self.user));
        }
    }

    /// In the format's own file.
    fn note(&self, change: Usage, more: bool) {
        let sign = |value: u64| i64::try_from(value).unwrap_or(i64::MAX) * if more { 1 } else { -1 };
        if change.messages > 0
            && let Err(error) = (self.count_change)(sign(change.bytes), sign(change.messages))
        {
            log::warn!("{}: {error}", mail::logline::printable(&self.user));
        }
    }
}
