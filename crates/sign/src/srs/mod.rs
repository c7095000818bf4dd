//! SRS: forwarded mail leaves with a sender of ours, so that SPF holds, and notices about it find their way back.
//!
//! The addresses are those of Mail::SRS, libsrs2 and postsrsd (`SRS0=hash=day=domain=user@ours`, `SRS1` for mail that was
//! forwarded to us with such an address already): a site that leaves postsrsd keeps its secrets, and addresses that are
//! under way stay good.

mod settings;
#[cfg(test)]
mod tests;

use aws_lc_rs::hmac;

pub(crate) use settings::secret_file;

use crate::tags::encoded;

/// Digits of a day, five bits each.
const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Days are told modulo this.
const DAYS: i64 = 1024;

/// Octets of an address that SMTP has room for (RFC 5321 4.5.3.1.3, without the angle brackets).
const ADDRESS_MAX: usize = 254;

/// How senders are rewritten.
pub struct Srs {
    domain: String,
    /// The first signs; all are believed.
    secrets: Vec<hmac::Key>,
    separator: char,
    /// Characters of a hash.
    length: usize,
    /// Days for which an address is good.
    lifetime: i64,
    /// Domains that are left alone; one with a dot before it is what is below it.
    excluded: Vec<String>,
    /// Foreign senders are rewritten although nothing shows that their mail is forwarded.
    always: bool,
}

impl std::fmt::Debug for Srs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Srs({})", self.domain)
    }
}

/// Why an address of ours is not to be reversed.
pub type Wrong = &'static str;

impl Srs {
    /// Is mail rewritten that is not known to be forwarded (`srs_scope = foreign`)?
    pub fn always(&self) -> bool {
        self.always
    }

    /// The sender under which mail of `sender` is forwarded at `now` (seconds). `None`: he keeps his own.
    pub fn forward(&self, sender: &str, now: i64) -> Option<String> {
        let (user, host) = sender.rsplit_once('@')?;
        let kept = user.is_empty() || host.is_empty() || host.eq_ignore_ascii_case(&self.domain);
        if kept || self.is_excluded(host) {
            return None;
        }
        let separator = self.separator;
        let local = match kind(user) {
            Some(('0', opaque)) => self.guarded(host, opaque),
            // Whoever made it knows the way from there; what lies between is left out.
            Some((_, rest)) => {
                let (_, rest) = rest[1..].split_once('=')?;
                let (host, opaque) = rest.split_once('=')?;
                self.guarded(host, opaque)
            }
            None => {
                let day = day(now);
                let hash = self.hash(&self.secrets[0], &[&day, host, user]);
                format!("SRS0{separator}{hash}={day}={host}={user}")
            }
        };
        let address = format!("{local}@{}", self.domain);
        (address.len() <= ADDRESS_MAX).then_some(address)
    }

    fn guarded(&self, host: &str, opaque: &str) -> String {
        let hash = self.hash(&self.secrets[0], &[host, opaque]);
        format!("SRS1{}{hash}={host}={opaque}", self.separator)
    }

    /// To whom mail for an address of ours goes. `None`: it is no such address.
    pub fn reverse(&self, address: &str, now: i64) -> Option<Result<String, Wrong>> {
        let (user, domain) = address.rsplit_once('@')?;
        if !domain.eq_ignore_ascii_case(&self.domain) {
            return None;
        }
        let (kind, rest) = kind(user)?;
        Some(if kind == '0' { self.direct(&rest[1..], now) } else { self.through(&rest[1..]) })
    }

    fn direct(&self, text: &str, now: i64) -> Result<String, Wrong> {
        let (hash, rest) = text.split_once('=').ok_or("it has no day")?;
        let (day, rest) = rest.split_once('=').ok_or("it has no domain")?;
        let (host, user) = rest.split_once('=').ok_or("it has no user")?;
        if !self.is_good(hash, &[day, host, user]) {
            return Err("its signature is not ours");
        }
        let made = number(day).ok_or("its day is none")?;
        let today = now.div_euclid(86_400).rem_euclid(DAYS);
        if (today - made).rem_euclid(DAYS) > self.lifetime {
            return Err("it is too old");
        }
        Ok(format!("{user}@{host}"))
    }

    fn through(&self, text: &str) -> Result<String, Wrong> {
        let (hash, rest) = text.split_once('=').ok_or("it has no domain")?;
        let (host, opaque) = rest.split_once('=').ok_or("it has no user")?;
        if !self.is_good(hash, &[host, opaque]) {
            return Err("its signature is not ours");
        }
        Ok(format!("SRS0{opaque}@{host}"))
    }

    fn is_excluded(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.excluded.iter().any(|one| match one.strip_prefix('.') {
            Some(_) => host.ends_with(one.as_str()),
            None => host == *one,
        })
    }

    /// On the way to us letters may have lost their case.
    fn is_good(&self, hash: &str, parts: &[&str]) -> bool {
        let is = |secret: &hmac::Key| self.hash(secret, parts).eq_ignore_ascii_case(hash);
        self.secrets.iter().any(is)
    }

    fn hash(&self, secret: &hmac::Key, parts: &[&str]) -> String {
        let text: String = parts.iter().map(|part| part.to_ascii_lowercase()).collect();
        let mut hash = encoded(hmac::sign(secret, text.as_bytes()).as_ref());
        hash.truncate(self.length);
        hash
    }
}

/// `0` or `1`, and the rest from its separator on.
fn kind(user: &str) -> Option<(char, &str)> {
    let (tag, rest) = user.split_at_checked(4)?;
    let kind = tag.chars().last()?;
    let known = tag[..3].eq_ignore_ascii_case("SRS") && matches!(kind, '0' | '1');
    (known && rest.starts_with(['=', '+', '-'])).then_some((kind, rest))
}

fn day(now: i64) -> String {
    let day = now.div_euclid(86_400).rem_euclid(DAYS);
    let digit = |value: i64| char::from(DIGITS[usize::try_from(value & 31).expect("five bits")]);
    [digit(day >> 5), digit(day)].iter().collect()
}

fn number(day: &str) -> Option<i64> {
    let digit = |byte: u8| DIGITS.iter().position(|digit| *digit == byte.to_ascii_uppercase());
    let [high, low] = day.as_bytes() else { return None };
    i64::try_from(digit(*high)? << 5 | digit(*low)?).ok()
}
