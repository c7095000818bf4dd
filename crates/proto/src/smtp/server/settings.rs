//! Limits of a session, and what ends a line.

use std::time::Duration;

/// Whether a line may end in a bare LF.
///
/// Unless it is [`Any`](BareLf::Any), a client that ends its commands in CR LF ends its data only with CR LF `.` CR LF, so
/// that nobody can smuggle a second message through it; and a bare CR never ends a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BareLf {
    /// A bare LF ends a line. A client that never sent CR LF before DATA may end its data in LF `.` LF.
    #[default]
    Normalize,
    /// A command or content line that ends in a bare LF is an event of its own: [`Event::BareLf`](super::Event::BareLf).
    Reject,
    /// A bare LF ends a line, and any line that holds a dot ends data. Never without the administrator's own word: a server
    /// before us that passes such a line on lets others smuggle mail through it.
    Any,
}

/// Limits of a session. They can change while it lasts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bytes kept of a command line (`line_length_limit`); the rest of a longer one is dropped.
    pub line_limit: usize,
    /// The same for a line asked for by [`Answer::Ask`](super::Answer::Ask) (`smtpd_sasl_response_limit`, RFC 4954 4).
    pub asked_line_limit: usize,
    /// How long a read may take (`smtpd_timeout`).
    pub timeout: Duration,
    /// Does `timeout` hold for a whole command or message instead of a read (`smtpd_per_request_deadline`)?
    pub per_request: bool,
    /// With `per_request`: bytes of content per second that buy more time (`smtpd_min_data_rate`).
    pub min_data_rate: u32,
    /// Line ends.
    pub bare_lf: BareLf,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            line_limit: 2048,
            asked_line_limit: 12288,
            timeout: Duration::from_secs(300),
            per_request: false,
            min_data_rate: 500,
            bare_lf: BareLf::Normalize,
        }
    }
}
