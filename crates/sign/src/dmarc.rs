//! DMARC (RFC 7489): does the domain that people see in From vouch for the message?
//!
//! Organizational domains are found by walking up the DNS as the revision of the standard has it, not by a list of
//! public suffixes: what counts is what the owners publish.

use net::dns::{Kind, Missing};

use crate::dkim::{Dkim, Outcome};
use crate::outside::{Dns, texts};
use crate::spf::{self, Spf};
use crate::tags::{Tags, squeezed};

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
}

/// A record.
#[derive(Clone, Debug)]
struct Record {
    policy: Policy,
    subdomains: Policy,
    missing: Policy,
    strict_dkim: bool,
    strict_spf: bool,
    /// `psd=y`: mail domains are registered below it; `psd=n`: it is one itself.
    public: Option<bool>,
    testing: bool,
}

impl Record {
    fn parse(text: &str) -> Option<Record> {
        let tags = Tags::parse(text)?;
        if tags.first() != Some("v") || tags.get("v") != Some("DMARC1") {
            return None;
        }
        let policy = match tags.get("p").map(Policy::parse) {
            Some(Some(policy)) => policy,
            // Without a usable policy it is a request for reports, if anything.
            _ if tags.get("rua").is_some() => Policy::None,
            _ => return None,
        };
        let subdomains = tags.get("sp").and_then(Policy::parse).unwrap_or(policy);
        let strict = |tag| tags.get(tag).is_some_and(|mode| mode.eq_ignore_ascii_case("s"));
        Some(Record {
            policy,
            subdomains,
            missing: tags.get("np").and_then(Policy::parse).unwrap_or(subdomains),
            strict_dkim: strict("adkim"),
            strict_spf: strict("aspf"),
            public: match tags.get("psd") {
                Some("y") => Some(true),
                Some("n") => Some(false),
                _ => None,
            },
            testing: tags.get("t") == Some("y") || tags.get("pct").map(squeezed).as_deref() == Some("0"),
        })
    }
}

/// Labels of a name at most that are walked.
const WALK_MAX: usize = 8;

/// Evaluates a message by its From fields and what was found out before.
pub async fn check(dns: &dyn Dns, fields: &[Vec<u8>], spf: &Spf, dkim: &[Outcome]) -> Dmarc {
    let domain = match crate::author::domain(fields) {
        Ok(domain) => domain,
        Err(reason) => {
            let reason = Some(reason.to_owned());
            return Dmarc {
                verdict: Verdict::PermError,
                domain: String::new(),
                policy: Policy::None,
                reason,
            };
        }
    };
    match evaluate(dns, &domain, spf, dkim).await {
        Ok(Some((verdict, policy))) => Dmarc { verdict, domain, policy, reason: None },
        Ok(None) => Dmarc { verdict: Verdict::None, domain, policy: Policy::None, reason: None },
        Err(why) => Dmarc { verdict: Verdict::TempError, domain, policy: Policy::None, reason: Some(why) },
    }
}

async fn evaluate(
    dns: &dyn Dns,
    domain: &str,
    spf: &Spf,
    dkim: &[Outcome],
) -> Result<Option<(Verdict, Policy)>, String> {
    let organization = Organization::of(dns, domain).await?;
    let (record, policy) = match (organization.own, organization.record) {
        (Some(record), _) => {
            let policy = record.policy;
            (record, policy)
        }
        (None, Some(record)) => {
            let exists = !matches!(dns.lookup(domain, Kind::A).await, Err(Missing::NoSuchName));
            let policy = if exists { record.subdomains } else { record.missing };
            (record, policy)
        }
        (None, None) => return Ok(None),
    };
    let policy = if record.testing { policy.weaker() } else { policy };
    let mut unsure = None;
    for outcome in dkim.iter().filter(|outcome| !outcome.domain.is_empty()) {
        if !matches!(outcome.result, Dkim::Pass | Dkim::TempError) {
            continue;
        }
        match aligned(dns, &outcome.domain, domain, &organization.name, record.strict_dkim).await {
            Ok(true) if outcome.result == Dkim::Pass => return Ok(Some((Verdict::Pass, policy))),
            Ok(true) => unsure = outcome.reason.clone(),
            Ok(false) => {}
            Err(why) => unsure = Some(why),
        }
    }
    if matches!(spf.verdict, spf::Verdict::Pass | spf::Verdict::TempError) {
        match aligned(dns, &spf.domain, domain, &organization.name, record.strict_spf).await {
            Ok(true) if spf.verdict == spf::Verdict::Pass => return Ok(Some((Verdict::Pass, policy))),
            Ok(true) => unsure = Some(spf.because.clone()),
            Ok(false) => {}
            Err(why) => unsure = Some(why),
        }
    }
    match unsure {
        Some(why) => Err(why),
        None => Ok(Some((Verdict::Fail, policy))),
    }
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

/// Who a domain belongs to.
struct Organization {
    name: String,
    /// The record of the domain itself.
    own: Option<Record>,
    /// That of the organization, or of the registry above it.
    record: Option<Record>,
}

impl Organization {
    /// Walks up the tree, one label after the other.
    async fn of(dns: &dyn Dns, domain: &str) -> Result<Organization, String> {
        let labels: Vec<&str> = domain.split('.').collect();
        let (mut own, mut found): (Option<Record>, Option<(usize, Record)>) = (None, None);
        let mut at = 0;
        while at < labels.len() {
            let name = labels[at..].join(".");
            if let Some(record) = published(dns, &name).await? {
                if at == 0 {
                    own = Some(record.clone());
                }
                match record.public {
                    Some(false) => {
                        found = Some((at, record));
                        break;
                    }
                    Some(true) if at > 0 => {
                        found = Some((at - 1, record));
                        break;
                    }
                    _ => found = Some((at, record)),
                }
            }
            // Of long names only the last labels are walked.
            at = if at == 0 { 1.max(labels.len().saturating_sub(WALK_MAX - 1)) } else { at + 1 };
        }
        Ok(match found {
            Some((at, record)) => Organization { name: labels[at..].join("."), own, record: Some(record) },
            None => Organization { name: domain.to_owned(), own, record: None },
        })
    }
}

/// The record of a name. Several are none.
async fn published(dns: &dyn Dns, name: &str) -> Result<Option<Record>, String> {
    let found = match texts(dns, &format!("_dmarc.{name}")).await {
        Ok(found) => found,
        Err(Missing::Temporary(why)) => return Err(format!("_dmarc.{name}: {why}")),
        Err(_) => return Ok(None),
    };
    let mut records = found.iter().filter(|text| text.trim_start().starts_with("v=DMARC1"));
    let first = records.next().and_then(|text| Record::parse(text));
    Ok(if records.next().is_some() { None } else { first })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Names;

    fn spf(domain: &str, verdict: spf::Verdict) -> Spf {
        let identity = spf::Identity::MailFrom;
        Spf { verdict, domain: domain.into(), identity, explanation: None, because: String::new() }
    }

    fn signed(domain: &str, result: Dkim) -> Outcome {
        Outcome {
            result,
            reason: None,
            domain: domain.into(),
            selector: "s".into(),
            identity: None,
            tag: String::new(),
            algorithm: None,
            bits: None,
            testing: false,
        }
    }

    fn names() -> Names {
        Names::new(&[
            ("_dmarc.a.test", "v=DMARC1; p=reject; sp=quarantine; np=reject"),
            ("_dmarc.strict.test", "v=DMARC1; p=reject; adkim=s; aspf=s"),
            ("_dmarc.try.test", "v=DMARC1; p=reject; t=y"),
            ("_dmarc.bank", "v=DMARC1; p=reject; psd=y"),
            ("_dmarc.two.test", "v=DMARC1; p=none"),
            ("_dmarc.two.test", "v=DMARC1; p=reject"),
            ("mail.a.test", "here it is"),
        ])
    }

    async fn told(from: &str, spf: Spf, dkim: &[Outcome]) -> (Verdict, Policy) {
        let fields = vec![format!("From: {from}").into_bytes()];
        let dmarc = check(&names(), &fields, &spf, dkim).await;
        (dmarc.verdict, dmarc.policy)
    }

    #[tokio::test]
    async fn who_vouches() {
        use spf::Verdict::{Fail, Pass, TempError};
        let good = |domain| [signed(domain, Dkim::Pass)];
        assert_eq!(told("x@a.test", spf("a.test", Pass), &[]).await, (Verdict::Pass, Policy::Reject));
        assert_eq!(told("x@a.test", spf("b.test", Pass), &[]).await, (Verdict::Fail, Policy::Reject));
        assert_eq!(told("x@a.test", spf("b.test", Fail), &good("m.a.test")).await.0, Verdict::Pass);
        assert_eq!(
            told("x@mail.a.test", spf("b.test", Pass), &[]).await,
            (Verdict::Fail, Policy::Quarantine)
        );
        assert_eq!(told("x@none.a.test", spf("b.test", Pass), &[]).await, (Verdict::Fail, Policy::Reject));
        assert_eq!(told("x@strict.test", spf("m.strict.test", Pass), &[]).await.0, Verdict::Fail);
        assert_eq!(told("x@try.test", spf("b.test", Pass), &[]).await, (Verdict::Fail, Policy::Quarantine));
        assert_eq!(told("x@c.test", spf("c.test", Pass), &[]).await.0, Verdict::None);
        assert_eq!(told("x@two.test", spf("b.test", Pass), &[]).await.0, Verdict::None);
        assert_eq!(told("x@a.test", spf("a.test", TempError), &[]).await.0, Verdict::TempError);
        // Two customers of one registry are not one organization.
        assert_eq!(told("x@one.bank", spf("two.bank", Pass), &[]).await.0, Verdict::Fail);
        assert_eq!(told("x@one.bank", spf("m.one.bank", Pass), &[]).await.0, Verdict::Pass);
    }

    #[tokio::test]
    async fn from_fields_that_name_nobody() {
        let spf = || spf("a.test", spf::Verdict::Pass);
        assert_eq!(told("x@a.test, y@b.test", spf(), &[]).await.0, Verdict::PermError);
        assert_eq!(told("x", spf(), &[]).await.0, Verdict::PermError);
        assert_eq!(told("", spf(), &[]).await.0, Verdict::PermError);
        assert_eq!(told("x@a.test, y@A.test", spf(), &[]).await.0, Verdict::Pass);
        let twice = vec![b"From: x@a.test".to_vec(), b"From: y@a.test".to_vec()];
        assert_eq!(check(&names(), &twice, &spf(), &[]).await.verdict, Verdict::PermError);
    }
}
