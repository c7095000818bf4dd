//! What sessions are told by the configuration.

use std::time::Duration;

use crate::grammar::Limits;

/// Bytes of a command before the login: a SASL token fits, and the longest ID (RFC 2971 3.3).
const COMMAND_BEFORE_LOGIN: usize = 32 * 1024;

/// Bytes of a refused literal that are read and thrown away before the login.
const SWALLOW_BEFORE_LOGIN: u64 = 64 * 1024;

/// Settings of an IMAP service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The greeting's text (`login_greeting`).
    pub greeting: String,
    /// STARTTLS can be done.
    pub tls: bool,
    /// `imap_max_line_length`, in bytes.
    pub max_line: usize,
    /// The largest message of an APPEND, in bytes.
    pub append_limit: usize,
    /// Pause between signs of life in IDLE; zero for none (`imap_idle_notify_interval`).
    pub idle_notify: Duration,
    /// `imap_capability`: another capability line after the login, or what is added to ours (`+…`).
    pub capability: String,
    /// What ID tells of us.
    pub id: Vec<(String, String)>,
    /// `imap_client_workarounds`
    pub quirks: crate::quirks::Quirks,
    /// Logins are taken by another process, so that nobody else can log in on the same connection.
    pub no_logins: bool,
    /// Where messages are left that the spam filter is to learn.
    pub training: Option<scan::Training>,
    /// Gives the time, in seconds since 1970.
    pub clock: fn() -> i64,
}

impl Settings {
    /// Limits of input before the login.
    pub fn limits_before_login(&self) -> Limits {
        Limits { command: COMMAND_BEFORE_LOGIN, message: 0, messages: 0, swallow: SWALLOW_BEFORE_LOGIN }
    }

    /// Limits of input after it.
    pub fn limits(&self) -> Limits {
        let message = self.append_limit;
        Limits {
            command: self.max_line,
            message,
            messages: message.saturating_mul(4),
            swallow: message as u64 * 4,
        }
    }
}
