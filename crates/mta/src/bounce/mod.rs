//! bounce(8): notices of failure, delay and success, so that nothing ever ends in silence.

pub mod dialogue;
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
    /// `header_from_format = obsolete`.
    pub obsolete_from: bool,
    /// `confirm_delay_cleared`.
    pub confirm_delay_cleared: bool,
    /// `enable_threaded_bounces`.
    pub threaded: bool,
    /// What is said of VERP.
    pub verp: crate::verp::Verp,
    /// `notify_classes`.
    pub classes: Classes,
    /// `error_notice_recipient`.
    pub error_recipient: Address,
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
    /// `bounce`: copies of failure notices, without the body, and SMTP sessions that gave the wrong recipients.
    pub bounce: bool,
    /// `2bounce`: failure notices that could not be delivered; `bounce` means these, too.
    pub double_bounce: bool,
    /// `delay`: copies of delay notices.
    pub delay: bool,
    /// `policy`: SMTP sessions in which a rule of the site said no.
    pub policy: bool,
    /// `protocol`: SMTP sessions with errors of protocol.
    pub protocol: bool,
    /// `resource`: mail that was not taken for want of disk or memory.
    pub resource: bool,
    /// `data`: SMTP sessions in which a table of the site could not be asked.
    pub data: bool,
    /// `software`: mail that was not taken as something of ours failed.
    pub software: bool,
}

/// What went wrong in a session, as `notify_classes` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A recipient that does not exist, or a message that would be returned.
    Bounce,
    /// A rule of the site said no.
    Policy,
    /// The other side broke the protocol.
    Protocol,
    /// There was no room.
    Resource,
    /// A table could not be asked.
    Data,
    /// Something of ours failed.
    Software,
}

impl Classes {
    /// Is the postmaster told of this?
    pub fn wants(&self, class: Class) -> bool {
        match class {
            Class::Bounce => self.bounce,
            Class::Policy => self.policy,
            Class::Protocol => self.protocol,
            Class::Resource => self.resource,
            Class::Data => self.data,
            Class::Software => self.software,
        }
    }

    /// Reads `notify_classes`.
    pub fn read(words: &[String]) -> Classes {
        let has = |class: &str| words.iter().any(|word| word.eq_ignore_ascii_case(class));
        Classes {
            bounce: has("bounce"),
            double_bounce: has("2bounce") || has("bounce"),
            delay: has("delay"),
            policy: has("policy"),
            protocol: has("protocol"),
            resource: has("resource"),
            data: has("data"),
            software: has("software"),
        }
    }
}
