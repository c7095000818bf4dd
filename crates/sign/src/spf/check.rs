//! Evaluates policies: `check_host()` of RFC 7208 4, with its limits.

use std::net::IpAddr;

use net::dns::{Answer, Data, Kind, Missing};

use super::macros::{Template, Values};
use super::record::{Directive, Mechanism, Prefixes, Record, is_policy};
use super::{Identity, Question, Spf, Verdict};
use crate::outside::{Boxed, Dns, texts};

/// Terms that ask the DNS (RFC 7208 4.6.4).
const LOOKUPS_MAX: u32 = 10;
/// Questions that have no answer.
const VOIDS_MAX: u32 = 2;
/// Names of one MX or PTR.
const NAMES_MAX: usize = 10;

/// Asks whether the client may use the sender's domain; `now` is in seconds, for explanations.
pub async fn check(dns: &dyn Dns, question: &Question<'_>, now: i64) -> Spf {
    let (identity, local, domain) = match question.sender.rsplit_once('@') {
        _ if question.sender.is_empty() => (Identity::Helo, "postmaster", question.helo),
        Some(("", domain)) => (Identity::MailFrom, "postmaster", domain),
        Some((local, domain)) => (Identity::MailFrom, local, domain),
        None => (Identity::MailFrom, "postmaster", question.sender),
    };
    let domain = domain.strip_suffix('.').unwrap_or(domain).to_ascii_lowercase();
    let mut asking = Asking {
        dns,
        question,
        client: plain(question.client),
        local,
        sender_domain: &domain,
        now,
        lookups: 0,
        voids: 0,
        name: None,
        because: String::new(),
    };
    let mut explanation = None;
    let verdict = if is_name(&domain) {
        match asking.host(&domain, true).await {
            Ok((verdict, text)) => {
                explanation = text;
                verdict
            }
            Err(Stop::Later(why)) => {
                asking.because = why;
                Verdict::TempError
            }
            Err(Stop::Wrong(why)) => {
                asking.because = why;
                Verdict::PermError
            }
        }
    } else {
        asking.because = "not a domain name".to_owned();
        Verdict::None
    };
    let because = asking.because;
    Spf { verdict, domain, identity, explanation, because }
}

/// A name that can have a policy: several labels, none too long.
fn is_name(domain: &str) -> bool {
    let fits = |label: &str| (1..=63).contains(&label.len());
    domain.len() <= 253 && domain.contains('.') && domain.split('.').all(fits) && !domain.starts_with('[')
}

/// An IPv4 address that came in IPv6 clothes.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Why evaluation ends before its end.
enum Stop {
    Later(String),
    Wrong(String),
}

fn wrong<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Wrong(why.into()))
}

struct Asking<'a> {
    dns: &'a dyn Dns,
    question: &'a Question<'a>,
    client: IpAddr,
    local: &'a str,
    sender_domain: &'a str,
    now: i64,
    lookups: u32,
    voids: u32,
    /// The validated name of the client, once it was asked for.
    name: Option<String>,
    because: String,
}

impl Asking<'_> {
    /// The policy of a domain applied to the client. `first`: it is the sender's own, and may explain.
    fn host<'b>(
        &'b mut self,
        domain: &'b str,
        first: bool,
    ) -> Boxed<'b, Result<(Verdict, Option<String>), Stop>> {
        Box::pin(async move {
            let found = match texts(self.dns, domain).await {
                Ok(found) => found,
                Err(Missing::Temporary(why)) => return Err(Stop::Later(format!("{domain}: {why}"))),
                Err(_) => Vec::new(),
            };
            let mut policies = found.iter().filter(|text| is_policy(text));
            let Some(policy) = policies.next() else {
                self.because = format!("{domain} publishes no policy");
                return Ok((Verdict::None, None));
            };
            if policies.next().is_some() {
                return wrong(format!("{domain} publishes several policies"));
            }
            let Some(record) = Record::parse(policy) else {
                return wrong(format!("the policy of {domain} is malformed"));
            };
            for directive in &record.directives {
                if !self.matches(directive, domain).await? {
                    continue;
                }
                self.because = format!("{} of {domain}", directive.text);
                let mut explanation = None;
                if directive.verdict == Verdict::Fail
                    && first
                    && let Some(template) = &record.explanation
                {
                    explanation = self.explain(template, domain).await;
                }
                return Ok((directive.verdict, explanation));
            }
            let Some(redirect) = &record.redirect else {
                self.because = format!("no term of {domain} is about this client");
                return Ok((Verdict::Neutral, None));
            };
            self.count()?;
            let target = self.expand(redirect, domain).await;
            if !is_name(&target) {
                return wrong(format!("redirect of {domain} leads nowhere"));
            }
            match self.host(&target, first).await? {
                (Verdict::None, _) => wrong(format!("redirect of {domain} leads nowhere")),
                answer => Ok(answer),
            }
        })
    }

    /// One more term that asks the DNS.
    fn count(&mut self) -> Result<(), Stop> {
        self.lookups += 1;
        if self.lookups > LOOKUPS_MAX { wrong("the policy needs too many look-ups") } else { Ok(()) }
    }

    /// Asks; an answer without records counts.
    async fn ask(&mut self, name: &str, kind: Kind) -> Result<Vec<Data>, Stop> {
        match self.dns.lookup(name, kind).await {
            Ok(Answer { records, .. }) => Ok(records),
            Err(Missing::Temporary(why)) => Err(Stop::Later(format!("{name}: {why}"))),
            Err(Missing::Invalid(_)) => Ok(Vec::new()),
            Err(Missing::NoSuchName | Missing::NoSuchRecord) => {
                self.voids += 1;
                if self.voids > VOIDS_MAX {
                    wrong("the policy asks for too many names without records")
                } else {
                    Ok(Vec::new())
                }
            }
        }
    }

    async fn matches(&mut self, directive: &Directive, domain: &str) -> Result<bool, Stop> {
        match &directive.mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip4(network, length) => Ok(self.is_in(IpAddr::V4(*network), (*length, 0))),
            Mechanism::Ip6(network, length) => Ok(self.is_in(IpAddr::V6(*network), (0, *length))),
            Mechanism::Include(target) => {
                self.count()?;
                let target = self.expand(target, domain).await;
                if !is_name(&target) {
                    return wrong(format!("include of {domain} leads nowhere"));
                }
                match self.host(&target, false).await?.0 {
                    Verdict::Pass => Ok(true),
                    Verdict::None => wrong(format!("include of {domain}: {target} publishes no policy")),
                    _ => Ok(false),
                }
            }
            Mechanism::A(target, prefixes) => {
                self.count()?;
                let target = self.target(target.as_ref(), domain).await;
                self.host_is_client(&target, *prefixes).await
            }
            Mechanism::Mx(target, prefixes) => {
                self.count()?;
                let target = self.target(target.as_ref(), domain).await;
                if !is_askable(&target) {
                    return Ok(false);
                }
                let records = self.ask(&target, Kind::Mx).await?;
                if records.len() > NAMES_MAX {
                    return wrong(format!("{target} has too many MX records"));
                }
                for record in records {
                    if let Data::Mx { host, .. } = record
                        && self.host_is_client(&host, *prefixes).await?
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Mechanism::Ptr(target) => {
                self.count()?;
                let target = self.target(target.as_ref(), domain).await.to_ascii_lowercase();
                let names = self.validated_names().await;
                Ok(names.iter().any(|name| crate::dkim::is_within(name, &target)))
            }
            Mechanism::Exists(target) => {
                self.count()?;
                let target = self.expand(target, domain).await;
                Ok(is_askable(&target) && !self.ask(&target, Kind::A).await?.is_empty())
            }
        }
    }

    async fn target(&mut self, template: Option<&Template>, domain: &str) -> String {
        match template {
            Some(template) => self.expand(template, domain).await,
            None => domain.to_owned(),
        }
    }

    async fn host_is_client(&mut self, host: &str, prefixes: Prefixes) -> Result<bool, Stop> {
        if !is_askable(host) {
            return Ok(false);
        }
        let kind = if self.client.is_ipv4() { Kind::A } else { Kind::Aaaa };
        let records = self.ask(host, kind).await?;
        Ok(records.iter().any(|record| match record {
            Data::A(address) => self.is_in(IpAddr::V4(*address), prefixes),
            Data::Aaaa(address) => self.is_in(IpAddr::V6(*address), prefixes),
            _ => false,
        }))
    }

    fn is_in(&self, network: IpAddr, (v4, v6): Prefixes) -> bool {
        match (self.client, network) {
            (IpAddr::V4(client), IpAddr::V4(network)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(v4)).unwrap_or(0);
                u32::from(client) & mask == u32::from(network) & mask
            }
            (IpAddr::V6(client), IpAddr::V6(network)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(v6)).unwrap_or(0);
                u128::from(client) & mask == u128::from(network) & mask
            }
            _ => false,
        }
    }

    /// Names of the client that lead back to it. What fails here is no name (RFC 7208 5.5).
    async fn validated_names(&mut self) -> Vec<String> {
        let reverse = match self.client {
            IpAddr::V4(address) => {
                let [a, b, c, d] = address.octets();
                format!("{d}.{c}.{b}.{a}.in-addr.arpa")
            }
            IpAddr::V6(address) => {
                let nibbles = address.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
                let digits: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
                format!("{}.ip6.arpa", digits.join("."))
            }
        };
        let Ok(answer) = self.dns.lookup(&reverse, Kind::Ptr).await else { return Vec::new() };
        let kind = if self.client.is_ipv4() { Kind::A } else { Kind::Aaaa };
        let mut names = Vec::new();
        for record in answer.records.into_iter().take(NAMES_MAX) {
            let Data::Ptr(name) = record else { continue };
            let Ok(answer) = self.dns.lookup(&name, kind).await else { continue };
            let leads_back = answer.records.iter().any(|record| match record {
                Data::A(address) => IpAddr::V4(*address) == self.client,
                Data::Aaaa(address) => IpAddr::V6(*address) == self.client,
                _ => false,
            });
            if leads_back {
                names.push(name.to_ascii_lowercase());
            }
        }
        names
    }

    async fn expand(&mut self, template: &Template, domain: &str) -> String {
        self.name_if_wanted(template, domain).await;
        template.name(&self.values(domain))
    }

    async fn name_if_wanted(&mut self, template: &Template, domain: &str) {
        if !template.wants_name() || self.name.is_some() {
            return;
        }
        let names = self.validated_names().await;
        let own = names.iter().find(|name| *name == domain);
        let below = || names.iter().find(|name| crate::dkim::is_within(name, domain));
        let chosen = own.or_else(below).or_else(|| names.first());
        self.name = Some(chosen.cloned().unwrap_or_else(|| "unknown".to_owned()));
    }

    fn values<'b>(&'b self, domain: &'b str) -> Values<'b> {
        Values {
            sender_local: self.local,
            sender_domain: self.sender_domain,
            domain,
            helo: self.question.helo,
            client: self.client,
            receiver: self.question.receiver,
            name: self.name.as_deref().unwrap_or("unknown"),
            now: self.now,
        }
    }

    /// What `exp=` leads to. Whatever goes wrong, there is no explanation then.
    async fn explain(&mut self, template: &Template, domain: &str) -> Option<String> {
        let name = self.expand(template, domain).await;
        let found = texts(self.dns, &name).await.ok().filter(|_| is_askable(&name))?;
        let [text] = found.as_slice() else { return None };
        let template = Template::explanation(text)?;
        self.name_if_wanted(&template, domain).await;
        Some(template.expand(&self.values(domain)))
    }
}

/// Can the DNS be asked for this name?
fn is_askable(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.len() <= 253 && !name.is_empty() && name.split('.').all(|label| (1..=63).contains(&label.len()))
}
