//! How patient a service is: the parameters that change under stress.

use std::time::Duration;

use conf::{Block, Mistake, View};

use crate::params::Smtpd;

/// The patient and the impatient values.
#[derive(Clone, Debug)]
pub(super) struct Paces {
    calm: Pace,
    stressed: Pace,
}

/// One set of values.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// `smtpd_timeout`.
    pub timeout: Duration,
    /// `smtpd_starttls_timeout`.
    pub starttls_timeout: Duration,
    /// `smtpd_per_request_deadline`.
    pub per_request: bool,
    /// `smtpd_hard_error_limit`.
    pub hard_error_limit: i64,
    /// `smtpd_junk_command_limit`.
    pub junk_command_limit: i64,
}

impl Paces {
    /// Reads both; mistakes are told once.
    pub fn read(view: &View, mistakes: &mut Vec<Mistake>) -> (Smtpd, Paces) {
        let calm = Smtpd::read(view, mistakes);
        let stressed = view.with_overrides(&[("stress".to_owned(), "yes".to_owned())]);
        let stressed = Smtpd::read(&stressed, &mut Vec::new());
        let paces = Paces { calm: Pace::of(&calm), stressed: Pace::of(&stressed) };
        (calm, paces)
    }

    /// The values for a session.
    pub fn of(&self, stress: bool) -> &Pace {
        if stress { &self.stressed } else { &self.calm }
    }
}

impl Pace {
    fn of(params: &Smtpd) -> Pace {
        Pace {
            timeout: params.smtpd_timeout,
            starttls_timeout: params.smtpd_starttls_timeout,
            per_request: params.smtpd_per_request_deadline,
            hard_error_limit: params.smtpd_hard_error_limit,
            junk_command_limit: params.smtpd_junk_command_limit,
        }
    }
}
