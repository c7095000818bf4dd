//! The sender of probes (`address_verify_sender`, `address_verify_sender_ttl`).

use std::time::Duration;

use jiff::Timestamp;
use mail::Address;

/// Digits of the part of the sender that changes: no vowels, so that no words come out.
const DIGITS: &[u8; 31] = b"0123456789BCDFGHJKLMNPQRSTVWXYZ";

/// Who sends probes. With a time to live its local part ends in a number that grows with each such time, so that
/// spammers who have seen it cannot use it for long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prober {
    sender: Address,
    ttl: Duration,
}

impl Prober {
    /// A sender, completed, and how long each form of it lives; zero is for ever.
    pub fn new(sender: Address, ttl: Duration) -> Prober {
        Prober { sender, ttl }
    }

    /// The reverse-path of a probe that is sent now.
    pub fn address(&self, now: Timestamp) -> Address {
        match self.epoch(now) {
            Some(epoch) => self.in_epoch(epoch),
            None => self.sender.clone(),
        }
    }

    /// Is this the sender itself, without a number?
    pub fn is(&self, address: &Address) -> bool {
        !self.sender.is_null() && address.as_str().eq_ignore_ascii_case(self.sender.as_str())
    }

    /// The sender itself, when `address` is one of its forms of now; clocks may differ by one time to live.
    pub fn behind(&self, address: &Address, now: Timestamp) -> Option<&Address> {
        let epoch = self.epoch(now)?;
        let near = [epoch.checked_sub(1), Some(epoch), epoch.checked_add(1)];
        let is_form = |epoch: u64| self.in_epoch(epoch).as_str().eq_ignore_ascii_case(address.as_str());
        near.into_iter().flatten().any(is_form).then_some(&self.sender)
    }

    fn epoch(&self, now: Timestamp) -> Option<u64> {
        let seconds = u64::try_from(now.as_second()).ok()?;
        (!self.sender.is_null()).then(|| seconds.checked_div(self.ttl.as_secs())).flatten()
    }

    fn in_epoch(&self, mut epoch: u64) -> Address {
        let mut digits = Vec::new();
        while epoch > 0 {
            digits.push(char::from(DIGITS[(epoch % 31) as usize]));
            epoch /= 31;
        }
        let number: String = digits.into_iter().rev().collect();
        Address::from(match self.sender.as_str().rsplit_once('@') {
            Some((local, domain)) => format!("{local}{number}@{domain}"),
            None => format!("{}{number}", self.sender.as_str()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_changes_with_time_and_is_known_for_a_while() {
        let at = |seconds: i64| Timestamp::from_second(seconds).expect("a date");
        let prober = Prober::new(Address::from("probe@mail.test"), Duration::from_secs(7200));
        // As a Postfix of that time was seen to send it.
        let now = 1_795_305_540;
        let form = prober.address(at(now));
        assert_eq!(form.as_str(), "probe8CGG@mail.test");
        for (seconds, known) in [(0, true), (7200, true), (-7200, true), (14400, false), (-14400, false)] {
            assert_eq!(prober.behind(&form, at(now + seconds)).is_some(), known, "after {seconds} s");
        }
        let shouted = Address::from("PROBE8cgg@mail.test");
        assert_eq!(prober.behind(&shouted, at(now)).map(Address::as_str), Some("probe@mail.test"));
        assert!(prober.behind(&Address::from("probe@mail.test"), at(now)).is_none());
        assert!(prober.is(&Address::from("Probe@mail.test")) && !prober.is(&form));
    }

    #[test]
    fn without_a_time_to_live_it_stays() {
        let now = Timestamp::from_second(1_795_305_540).expect("a date");
        let prober = Prober::new(Address::from("double-bounce@x"), Duration::ZERO);
        assert_eq!(prober.address(now).as_str(), "double-bounce@x");
        let null = Prober::new(Address::null(), Duration::from_secs(60));
        assert!(null.address(now).is_null() && !null.is(&Address::null()));
    }
}
