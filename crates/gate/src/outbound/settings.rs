//! What one service's configuration says of outgoing mail.

use conf::{Block, Mistake, Severity, View};
use tables::{Maps, Tables};

use crate::params::Outbound;

/// Limits of one account and its domain; 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(super) span: i64,
    /// Messages and recipients of an account.
    pub(super) account: [u32; 2],
    /// Messages and recipients of a domain.
    pub(super) domain: [u32; 2],
    pub(super) factor: u32,
    pub(super) minimum: u32,
}

/// The limits of all accounts.
#[derive(Clone)]
pub struct Settings {
    limits: Limits,
    exceptions: Vec<String>,
    maps: Option<Maps>,
}

impl Settings {
    /// Reads them; what is wrong goes to `mistakes`.
    pub fn read(view: &View, tables: &Tables, mistakes: &mut Vec<Mistake>) -> Settings {
        let params = Outbound::read(view, mistakes);
        let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        let limits = Limits {
            span: i64::try_from(params.outbound_time_unit.as_secs()).unwrap_or(i64::MAX),
            account: [
                count(params.outbound_account_message_limit),
                count(params.outbound_account_recipient_limit),
            ],
            domain: [
                count(params.outbound_domain_message_limit),
                count(params.outbound_domain_recipient_limit),
            ],
            factor: count(params.outbound_habit_factor),
            minimum: count(params.outbound_habit_minimum),
        };
        let maps = tables.maps("outbound_limit_maps", &params.outbound_limit_maps).map_err(|fault| {
            let place = view.place("outbound_limit_maps");
            let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
            mistakes.push(Mistake::new(Severity::Error, place, fault.to_string()));
        });
        Settings {
            limits,
            exceptions: params.outbound_limit_exceptions.iter().map(|name| name.to_lowercase()).collect(),
            maps: maps.ok().filter(|maps| !maps.is_empty()),
        }
    }

    /// The limits of an account; `None` where nothing is to be counted. When the table of exceptions does not
    /// answer, those of everybody hold.
    pub async fn of(&self, account: &str) -> Option<Limits> {
        let account = account.to_lowercase();
        if account.is_empty() || self.exceptions.contains(&account) {
            return None;
        }
        let mut limits = self.limits;
        if let Some(maps) = &self.maps {
            let domain = account.rsplit_once('@').map(|(_, domain)| format!("@{domain}"));
            for key in [Some(account), domain].into_iter().flatten() {
                match maps.find(&key).await {
                    Ok(None) => continue,
                    Ok(Some(found)) => limits.set(&key, &found.value),
                    Err(trouble) => log::warn!(target: "smtpd", "outbound_limit_maps: {trouble}"),
                }
                break;
            }
        }
        let limited = limits.account.iter().chain(&limits.domain).any(|limit| *limit > 0);
        (limited || limits.factor > 0).then_some(limits)
    }
}

impl Limits {
    /// Takes `messages=N`, `recipients=N`, `habit=no`, or `none` for no limit of any kind.
    fn set(&mut self, key: &str, text: &str) {
        for word in text.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
            let number = |text: &str| text.parse::<u32>().ok();
            let known = match word.split_once('=') {
                None if word.eq_ignore_ascii_case("none") => {
                    (self.account, self.factor) = ([0; 2], 0);
                    Some(())
                }
                Some(("messages", count)) => number(count).map(|count| self.account[0] = count),
                Some(("recipients", count)) => number(count).map(|count| self.account[1] = count),
                Some(("habit", "no")) => {
                    self.factor = 0;
                    Some(())
                }
                _ => None,
            };
            if known.is_none() {
                let (key, word) = (mail::logline::printable(key), mail::logline::printable(word));
                log::warn!(
                    target: "smtpd",
                    "outbound_limit_maps: {key}: \"{word}\" is passed over: messages=N, recipients=N, habit=no or none \
                     is expected"
                );
            }
        }
    }
}
