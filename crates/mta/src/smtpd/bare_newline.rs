//! `smtpd_forbid_bare_newline`: what a site writes is what it gets; what it does not write is safe.
//!
//! Postfix 3.7 lets any line with a dot end a message unless it is told otherwise. Here the defaults of both parameters let
//! nobody smuggle: neither everybody, as without a word on the matter, nor the clients of mynetworks.

use conf::{Mistake, Severity, View};
use proto::smtp::server::BareLf;

use super::greeting::listed;
use super::service::{Service, mistake};

const FORBID: &str = "smtpd_forbid_bare_newline";

/// What was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct BareNewlines {
    usual: BareLf,
    /// `smtpd_forbid_bare_newline_exclusions` names clients that need any end of data.
    excludes: bool,
}

impl BareNewlines {
    /// Reads both parameters.
    pub fn read(view: &View) -> BareNewlines {
        let usual = match view.get(FORBID).to_ascii_lowercase().as_str() {
            "reject" => BareLf::Reject,
            "no" if view.is_set(FORBID) => BareLf::Any,
            _ => BareLf::Normalize,
        };
        BareNewlines { usual, excludes: view.is_set("smtpd_forbid_bare_newline_exclusions") }
    }

    /// Reports what is dangerous.
    pub fn check(view: &View, mistakes: &mut Vec<Mistake>) {
        if BareNewlines::read(view).usual == BareLf::Any {
            let text = "a message may end in a bare newline, so that mail can be smuggled in through other servers; \
                        remove the line, or name the clients that need it in smtpd_forbid_bare_newline_exclusions";
            mistakes.push(mistake(view, FORBID, Severity::Warning, text));
        }
    }

    /// What holds for a client.
    pub async fn of(self, service: &Service, peer: &filter::Peer) -> BareLf {
        let asked = self.excludes || self.usual == BareLf::Reject;
        match asked && listed(service, &service.lists.bare_lf, peer).await {
            true if self.excludes => BareLf::Any,
            true => BareLf::Normalize,
            false => self.usual,
        }
    }
}
