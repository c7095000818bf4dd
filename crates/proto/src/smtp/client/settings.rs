//! Time-outs and limits of a client.

use std::time::Duration;

use super::Stage;

/// Time-outs (`smtp_helo_timeout`, …) and limits.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Speak LMTP: one reply per recipient after the content.
    pub lmtp: bool,
    /// Greeting, EHLO, HELO, LHLO (`smtp_helo_timeout`).
    pub helo_timeout: Duration,
    /// STARTTLS reply (`smtp_starttls_timeout`).
    pub starttls_timeout: Duration,
    /// AUTH (`smtp_sasl_…` has none: Postfix uses `smtp_helo_timeout`).
    pub auth_timeout: Duration,
    /// XFORWARD (`smtp_xforward_timeout`).
    pub xforward_timeout: Duration,
    /// MAIL FROM (`smtp_mail_timeout`).
    pub mail_timeout: Duration,
    /// RCPT TO (`smtp_rcpt_timeout`).
    pub rcpt_timeout: Duration,
    /// DATA (`smtp_data_init_timeout`).
    pub data_init_timeout: Duration,
    /// A write of content (`smtp_data_xfer_timeout`).
    pub data_xfer_timeout: Duration,
    /// The reply to the end of data (`smtp_data_done_timeout`).
    pub data_done_timeout: Duration,
    /// RSET (`smtp_rset_timeout`).
    pub rset_timeout: Duration,
    /// QUIT (`smtp_quit_timeout`).
    pub quit_timeout: Duration,
    /// Longest content line; longer ones are broken with CR LF SPACE (`smtp_line_length_limit`, 0 is none).
    pub content_line_limit: usize,
    /// `data_xfer_timeout` is for the whole content, not for each write (`smtp_per_request_deadline`).
    pub per_request: bool,
    /// Then so many bytes win a second more (`smtp_min_data_rate`).
    pub min_data_rate: u32,
    /// Keep what is said ([`super::Machine::dialogue`]).
    pub remember: bool,
    /// Bytes of a reply line that are kept (`line_length_limit`).
    pub reply_line_limit: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Settings {
            lmtp: false,
            helo_timeout: minutes(5),
            starttls_timeout: minutes(5),
            auth_timeout: minutes(5),
            xforward_timeout: minutes(5),
            mail_timeout: minutes(5),
            rcpt_timeout: minutes(5),
            data_init_timeout: minutes(2),
            data_xfer_timeout: minutes(3),
            data_done_timeout: minutes(10),
            rset_timeout: Duration::from_secs(20),
            quit_timeout: minutes(5),
            content_line_limit: 998,
            per_request: false,
            min_data_rate: 500,
            remember: false,
            reply_line_limit: 2048,
        }
    }
}

impl Settings {
    /// How long the reply may take.
    pub(super) fn timeout(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Greeting | Stage::Ehlo | Stage::Helo | Stage::Lhlo | Stage::Other => self.helo_timeout,
            Stage::StartTls => self.starttls_timeout,
            Stage::Auth => self.auth_timeout,
            Stage::Xforward => self.xforward_timeout,
            Stage::Mail => self.mail_timeout,
            Stage::Rcpt => self.rcpt_timeout,
            Stage::Data => self.data_init_timeout,
            Stage::Content => self.data_xfer_timeout,
            Stage::EndOfData => self.data_done_timeout,
            Stage::Rset => self.rset_timeout,
            Stage::Quit => self.quit_timeout,
        }
    }
}
