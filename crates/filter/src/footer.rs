//! `smtpd_reject_footer`: what every 4xx and 5xx reply says besides.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::macros::{Expansion, Macros};
use crate::{Facts, Judge};

/// When a footer is made, for `$localtime`.
#[derive(Clone, Debug)]
pub struct Footer {
    /// Now.
    pub now: Timestamp,
    /// The zone of our clock.
    pub zone: TimeZone,
}

impl Judge {
    /// Is there any footer? Most sites have none, and need not ask for one.
    pub fn has_footer(&self) -> bool {
        !self.settings.footer_maps.is_empty() || !self.settings.restrictions.smtpd_reject_footer.is_empty()
    }

    /// The footer of a reply (`550 5.1.1 text`), with its names filled in.
    pub async fn footer(&self, reply: &str, facts: &Facts<'_>, footer: &Footer) -> Option<String> {
        let template = match self.settings.footer_maps.find(reply).await {
            Ok(Some(found)) => found.value,
            Ok(None) => self.settings.restrictions.smtpd_reject_footer.clone(),
            Err(trouble) => {
                log::warn!(target: self.program.as_str(), "{trouble}");
                return None;
            }
        };
        if template.is_empty() {
            return None;
        }
        let local = footer.now.to_zoned(footer.zone.clone()).strftime("%b %d %H:%M:%S").to_string();
        let own = [("localtime", local), ("server_name", self.settings.myhostname.clone())];
        let macros = Macros::new(facts, &self.settings.restrictions.smtpd_expansion_filter, &own);
        match macros.expand(&template) {
            Expansion::Whole(text) => Some(text),
            Expansion::Partly(text, unknown) => {
                log::warn!(
                    target: self.program.as_str(),
                    "unknown macro name \"{unknown}\" in expansion request"
                );
                Some(text)
            }
        }
    }
}
