//! Which messages are meant.

use std::time::Duration;

use conf::{TimeUnit, parse_time};
use jiff::Timestamp;
use mail::Address;
use queue::{State, Summary};

/// Conditions, of which all must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    sender: Option<String>,
    recipient: Option<String>,
    domain: Option<String>,
    reason: Option<String>,
    older: Option<Duration>,
    newer: Option<Duration>,
    states: Vec<State>,
}

impl Filter {
    /// Adds the condition of the option `name`. The error is a sentence.
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        let time = || {
            parse_time(value, TimeUnit::of_default("1s"))
                .ok_or_else(|| format!("--{name} {value}: that is no time; say 90s, 15m, 3h, 2d or 1w"))
        };
        let folded = || Some(value.to_lowercase());
        match name {
            "sender" => self.sender = folded(),
            "recipient" => self.recipient = folded(),
            "domain" => self.domain = folded(),
            "reason" => self.reason = folded(),
            "older" => self.older = Some(time()?),
            "newer" => self.newer = Some(time()?),
            "state" => {
                for word in value.split(',') {
                    let state = State::named(word.trim());
                    self.states.push(state.ok_or_else(|| {
                        format!("--state {word}: there are incoming, active, deferred and hold")
                    })?);
                }
            }
            other => return Err(format!("invalid option '--{other}'")),
        }
        Ok(())
    }

    /// Is there no condition?
    pub fn is_empty(&self) -> bool {
        let Filter { sender, recipient, domain, reason, older, newer, states } = self;
        [sender, recipient, domain, reason].iter().all(|text| text.is_none())
            && older.is_none()
            && newer.is_none()
            && states.is_empty()
    }

    /// Does a message pass? The conditions on recipients may be met by different ones.
    pub fn fits(&self, summary: &Summary, now: Timestamp) -> bool {
        let age = Duration::try_from(now.duration_since(summary.brief.arrival)).unwrap_or_default();
        let waiting = &summary.recipients;
        let any = |wanted: &Option<String>, fits: &dyn Fn(&str, usize) -> bool| {
            wanted.as_ref().is_none_or(|wanted| (0..waiting.len()).any(|at| fits(wanted, at)))
        };
        (self.states.is_empty() || self.states.contains(&summary.brief.state))
            && self.older.is_none_or(|older| age >= older)
            && self.newer.is_none_or(|newer| age < newer)
            && self.sender.as_ref().is_none_or(|wanted| is_address(wanted, &summary.sender))
            && any(&self.recipient, &|wanted, at| is_address(wanted, &waiting[at].address))
            && any(&self.domain, &|wanted, at| is_domain(wanted, &waiting[at].address))
            && any(&self.reason, &|wanted, at| {
                waiting[at].reason.as_ref().is_some_and(|reason| reason.to_lowercase().contains(wanted))
            })
    }
}

fn is_address(wanted: &str, address: &Address) -> bool {
    let text = address.external().to_lowercase();
    if matches!(wanted, "" | "<>" | "mailer-daemon") {
        return address.is_null();
    }
    if wanted.starts_with('@') && !wanted.contains('*') {
        return text.ends_with(wanted);
    }
    fits(wanted.as_bytes(), text.as_bytes())
}

fn is_domain(wanted: &str, address: &Address) -> bool {
    let domain = address.domain().unwrap_or_default().to_lowercase();
    if wanted.starts_with('.') { domain.ends_with(wanted) } else { domain == wanted }
}

/// Does `text` fit a pattern in which `*` is anything?
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when the last `*` has to take one more.
    let mut back = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            back = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star, from)) = back {
            back = Some((star, from + 1));
            p = star + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::QueueId;
    use queue::{Brief, Waiting};

    fn summary() -> Summary {
        let brief = Brief {
            id: QueueId::parse("ABC").unwrap(),
            state: State::Deferred,
            arrival: Timestamp::from_second(1000).unwrap(),
            next_attempt: Timestamp::UNIX_EPOCH,
            attempts: 1,
            size: 1,
            recipients: 2,
            left: 2,
            forced_expire: false,
            delay_warned: false,
        };
        let recipients = vec![
            Waiting { address: "a@y.test".into(), reason: Some("Connection refused".into()) },
            Waiting { address: "b@sub.z.test".into(), reason: None },
        ];
        Summary { brief, sender: "Joe@X.test".into(), recipients }
    }

    fn passes(conditions: &[(&str, &str)]) -> bool {
        let mut filter = Filter::default();
        for (name, value) in conditions {
            filter.add(name, value).unwrap();
        }
        assert_eq!(filter.is_empty(), conditions.is_empty());
        filter.fits(&summary(), Timestamp::from_second(1000 + 3600).unwrap())
    }

    #[test]
    fn every_condition_can_hold_and_fail() {
        for (name, good, bad) in [
            ("sender", "joe@x.TEST", "oe@x.test"),
            ("sender", "@x.test", "@y.test"),
            ("sender", "j*@x.*", "j*@y.*"),
            ("sender", "*", "<>"),
            ("recipient", "b@sub.z.test", "c@sub.z.test"),
            ("domain", "y.test", "z.test"),
            ("domain", ".z.test", ".y.test"),
            ("reason", "refused", "timed out"),
            ("older", "1h", "61m"),
            ("newer", "61m", "1h"),
            ("state", "hold,deferred", "active"),
        ] {
            assert!(passes(&[(name, good)]), "{name} {good}");
            assert!(!passes(&[(name, bad)]), "{name} {bad}");
            assert!(!passes(&[(name, good), (name.trim(), good), ("state", "hold")]) || name == "state");
        }
        assert!(passes(&[]));
    }

    #[test]
    fn what_is_no_condition_is_named() {
        for (name, value) in [("state", "lost"), ("older", "soon"), ("colour", "red")] {
            let told = Filter::default().add(name, value).unwrap_err();
            assert!(told.contains(name), "{told}");
        }
    }
}
