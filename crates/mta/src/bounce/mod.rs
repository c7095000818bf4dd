//! bounce(8): notices of failure, delay and success, so that nothing ever ends in silence.

pub mod notice;
pub mod post;
pub mod template;

use std::sync::Arc;
use std::time::Duration;

use mail::Address;

pub use notice::{Action, Fate, Notice, Order, Original, Reader, Returned, Site, compose};
pub use template::{Kind, Template, Templates};

/// What notices are made with: one configuration's part of bounce(8).
#[derive(Clone)]
pub struct Notices {
    /// `bounce_template_file`, or the built-in texts.
    pub templates: Templates,
    /// Replaces the `$name`s of a text.
    pub expander: Arc<dyn Fn(&str) -> String + Send + Sync>,
    /// `bounce_size_limit`, bytes; 0 is no limit.
    pub size_limit: u64,
    /// `internal_mail_filter_classes` names `bounce`: header checks, body checks and milters see notices.
    pub checked: bool,
    /// `smtputf8_enable`.
    pub smtputf8_enable: bool,
    /// `delay_warning_time`; zero is never.
    pub delay_warning_time: Duration,
    /// `notify_classes`, as far as notices obey it.
    pub classes: Classes,
    /// `bounce_notice_recipient`.
    pub bounce_recipient: Address,
    /// `2bounce_notice_recipient`.
    pub double_bounce_recipient: Address,
    /// `delay_notice_recipient`.
    pub delay_recipient: Address,
}

/// What the postmaster is told of (`notify_classes`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// `bounce`: copies of failure notices, without the body.
    pub bounce: bool,
    /// `2bounce`: failure notices that could not be delivered.
    pub double_bounce: bool,
    /// `delay`: copies of delay notices.
    pub delay: bool,
}
