//! DMARC (RFC 7489): does the domain that people see in From vouch for the message?
//!
//! Organizational domains are found by walking up the DNS as the revision of the standard has it, not by a list of
//! public suffixes: what counts is what the owners publish.

mod record;

use net::dns::{Kind, Missing};

use crate::dkim::{Dkim, Outcome};
use crate::outside::Dns;
use crate::spf::{self, Spf};

pub use record::Published;
pub(crate) use record::{Organization, addresses};

/// What a domain wants done with mail that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// Nothing.
    None,
    /// It is suspicious.
    Quarantine,
    /// It is to be refused.
    Reject,
}

impl Policy {
    /// `none`, `quarantine`, `reject`.
    pub fn parse(word: &str) -> Option<Policy> {
        match word.to_ascii_lowercase().as_str() {
            "none" => Some(Policy::None),
            "quarantine" => Some(Policy::Quarantine),
            "reject" => Some(Policy::Reject),
            _ => None,
        }
    }

    /// As in records.
    pub fn word(self) -> &'static str {
        match self {
            Policy::None => "none",
            Policy::Quarantine => "quarantine",
            Policy::Reject => "reject",
        }
    }

    fn weaker(self) -> Policy {
        match self {
            Policy::Reject => Policy::Quarantine,
            _ => Policy::None,
        }
    }
}

/// The result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is published.
    None,
    /// The domain vouches for it.
    Pass,
    /// It does not.
    Fail,
    /// Not known now.
    TempError,
    /// From names no single domain.
    PermError,
}

impl Verdict {
    /// As Authentication-Results has it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::None => "none",
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::TempError => "temperror",
            Verdict::PermError => "permerror",
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dmarc {
    /// The result.
    pub verdict: Verdict,
    /// The domain of From; empty when there is none.
    pub domain: String,
    /// What its owner asks for when it fails.
    pub policy: Policy,
    /// What is wrong.
    pub reason: Option<String>,
    /// What the owner of the domain, or of the one above it, publishes.
    pub published: Option<Published>,
    /// A DKIM signature of the domain is good.
    pub by_dkim: bool,
    /// SPF says so of the domain.
    pub by_spf: bool,
    /// The policy is weaker than published: only a part of the mail is to be treated so (`pct=`).
    pub sampled_out: bool,
}

impl Dmarc {
    /// Nothing is published, and nothing known.
    pub fn new(verdict: Verdict, domain: String, reason: Option<String>) -> Dmarc {
        Dmarc {
            verdict,
            domain,
            policy: Policy::None,
            reason,
            published: None,
            by_dkim: false,
            by_spf: false,
            sampled_out: false,
        }
    }
}

/// Evaluates a message by its From fields and what was found out before. `lot` is the message's number for `pct=`, below
/// 100.
pub async fn check(dns: &dyn Dns, fields: &[Vec<u8>], spf: &Spf, dkim: &[Outcome], lot: u8) -> Dmarc {
    let domain = match crate::author::domain(fields) {
        Ok(domain) => domain,
        Err(reason) => return Dmarc::new(Verdict::PermError, String::new(), Some(reason.to_owned())),
    };
    match evaluate(dns, &domain, spf, dkim, lot).await {
        Ok(dmarc) => dmarc,
        Err(why) => Dmarc::new(Verdict::TempError, domain, Some(why)),
    }
}

async fn evaluate(
    dns: &dyn Dns,
    domain: &str,
    spf: &Spf,
    dkim: &[Outcome],
    lot: u8,
) -> Result<Dmarc, String> {
    let mut dmarc = Dmarc::new(Verdict::None, domain.to_owned(), None);
    let organization = Organization::of(dns, domain).await?;
    let (published, policy) = match (organization.own, organization.record) {
        (Some(record), _) => {
            let policy = record.policy;
            (record, policy)
        }
        (None, Some(record)) => {
            let exists = !matches!(dns.lookup(domain, Kind::A).await, Err(Missing::NoSuchName));
            let policy = if exists { record.subdomains } else { record.missing };
            (record, policy)
        }
        (None, None) => return Ok(dmarc),
    };
    dmarc.sampled_out = lot >= published.percent;
    dmarc.policy = if published.testing || dmarc.sampled_out { policy.weaker() } else { policy };
    let mut unsure = None;
    for outcome in dkim.iter().filter(|outcome| !outcome.domain.is_empty()) {
        if !matches!(outcome.result, Dkim::Pass | Dkim::TempError) {
            continue;
        }
        match aligned(dns, &outcome.domain, domain, &organization.name, published.strict_dkim).await {
            Ok(true) if outcome.result == Dkim::Pass => dmarc.by_dkim = true,
            Ok(true) => unsure = Some(outcome.reason.clone().unwrap_or_default()),
            Ok(false) => {}
            Err(why) => unsure = Some(why),
        }
    }
    if matches!(spf.verdict, spf::Verdict::Pass | spf::Verdict::TempError) {
        match aligned(dns, &spf.domain, domain, &organization.name, published.strict_spf).await {
            Ok(true) if spf.verdict == spf::Verdict::Pass => dmarc.by_spf = true,
            Ok(true) => unsure = Some(spf.because.clone()),
            Ok(false) => {}
            Err(why) => unsure = Some(why),
        }
    }
    dmarc.verdict = match unsure {
        _ if dmarc.by_dkim || dmarc.by_spf => Verdict::Pass,
        None => Verdict::Fail,
        Some(_) => Verdict::TempError,
    };
    dmarc.reason = unsure.filter(|_| dmarc.verdict == Verdict::TempError);
    dmarc.published = Some(published);
    Ok(dmarc)
}

/// A message's lot among a hundred: the same for the same fields, which nobody but us writes the first of.
pub(crate) fn lot(fields: &[Vec<u8>]) -> u8 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in fields.iter().flatten() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    u8::try_from((hash >> 32) % 100).expect("a number below 100")
}

async fn aligned(
    dns: &dyn Dns,
    other: &str,
    domain: &str,
    organization: &str,
    strict: bool,
) -> Result<bool, String> {
    if other == domain {
        return Ok(true);
    }
    if strict || !crate::dkim::is_within(other, organization) {
        return Ok(false);
    }
    Ok(Organization::of(dns, other).await?.name == organization)
}

#[cfg(test)]
mod tests;
