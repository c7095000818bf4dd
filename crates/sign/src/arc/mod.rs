//! ARC (RFC 8617): what those who forwarded a message saw when it came to them.

mod seal;
#[cfg(test)]
mod tests;
mod witness;

use mail::header::Field;

use crate::canon::{self, Canon};
use crate::dkim::{Digested, Digests, Signature, fetch, header_hash_input};
use crate::outside::Dns;
use crate::tags::{Tags, decoded, squeezed, without_b};

pub use seal::{Seal, Sealer};

/// Most sets of a chain (RFC 8617 4.2.1).
const SETS_MAX: usize = 50;

/// State of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is none.
    None,
    /// It is whole.
    Pass,
    /// It is broken.
    Fail,
}

impl Verdict {
    /// As `cv=` and Authentication-Results have it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::None => "none",
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
        }
    }
}

/// What came of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arc {
    /// The result.
    pub verdict: Verdict,
    /// Number of the last set; 0 without a chain.
    pub last: usize,
    /// `d=` of the last seal.
    pub domain: String,
    /// What is wrong.
    pub reason: Option<String>,
    /// The key could not be had now: to be taken for broken, and not for ever.
    pub temporary: bool,
    /// Of a whole chain, `d=` of each seal, the first one first.
    pub sealers: Vec<String>,
    /// Of a whole chain, what the first of them found out (the value of ARC-Authentication-Results).
    pub first_results: String,
}

impl Arc {
    fn new(verdict: Verdict, last: usize, domain: &str, reason: Option<String>) -> Arc {
        Arc {
            verdict,
            last,
            domain: domain.to_owned(),
            reason,
            temporary: false,
            sealers: Vec::new(),
            first_results: String::new(),
        }
    }

    /// Do others whom we trust say that the mail was the domain's before they changed it? All who sealed must be of
    /// `trusted`.
    pub(crate) fn vouches_for(&self, domain: &str, trusted: &[String]) -> bool {
        let is_trusted = |sealer: &String| trusted.iter().any(|one| one.eq_ignore_ascii_case(sealer));
        self.verdict == Verdict::Pass
            && self.sealers.iter().all(is_trusted)
            && witness::proves(&self.first_results, domain)
    }
}

/// The chain of a message whose body is coming in.
pub(crate) struct Chain {
    sets: Result<Vec<Set>, &'static str>,
}

/// The three fields of an instance.
struct Set {
    results: Vec<u8>,
    message: Vec<u8>,
    seal: Vec<u8>,
}

/// A seal as it stands in its field.
struct Sealed {
    verdict: Verdict,
    signature: Signature,
}

const NAMES: [&str; 3] = ["arc-authentication-results", "arc-message-signature", "arc-seal"];

impl Chain {
    /// Finds the chain, and tells which digest of the body is needed.
    pub fn new(fields: &[Vec<u8>], digests: &mut Digests) -> Chain {
        let sets = collect(fields);
        if let Ok(sets) = &sets
            && let Some(signature) = sets.last().and_then(|last| message_signature(&last.message).ok())
        {
            digests.want(signature.canon.1);
        }
        Chain { sets }
    }

    /// Validates it (RFC 8617 5.2). `now` is in seconds.
    pub async fn finish(self, fields: &[Vec<u8>], digested: &Digested, dns: &dyn Dns) -> Arc {
        let sets = match self.sets {
            Ok(sets) => sets,
            Err(reason) => return broken(0, "", reason),
        };
        let Some(last) = sets.last() else {
            return Arc::new(Verdict::None, 0, "", None);
        };
        let count = sets.len();
        let mut seals = Vec::with_capacity(count);
        for (at, set) in sets.iter().enumerate() {
            match seal_of(&set.seal) {
                Err(reason) => return broken(count, "", reason),
                Ok(seal) => {
                    let expected = if at == 0 { Verdict::None } else { Verdict::Pass };
                    if seal.verdict != expected {
                        return broken(count, &seal.signature.domain, "cv= of a seal is not as it must be");
                    }
                    seals.push(seal);
                }
            }
        }
        let domain = seals.last().map(|seal| seal.signature.domain.clone()).unwrap_or_default();
        for set in &sets[..count - 1] {
            if let Err(reason) = message_signature(&set.message) {
                return broken(count, &domain, reason);
            }
        }
        let signature = match message_signature(&last.message) {
            Ok(signature) => signature,
            Err(reason) => return broken(count, &domain, reason),
        };
        if digested.get(signature.canon.1) != Some(&signature.body_hash[..]) {
            return broken(count, &domain, "body hash of the last message signature did not verify");
        }
        let input = header_hash_input(fields, &signature.headers, signature.canon.0, &last.message);
        if let Err(wrong) = verify(dns, &signature, &input).await {
            return wrong.of(count, &domain);
        }
        for at in (0..count).rev() {
            let input = seal_input(&sets[..=at]);
            if let Err(wrong) = verify(dns, &seals[at].signature, &input).await {
                return wrong.of(count, &domain);
            }
        }
        let first = Field::parse(&sets[0].results).map(|field| String::from_utf8_lossy(field.value()));
        Arc {
            sealers: seals.into_iter().map(|seal| seal.signature.domain).collect(),
            first_results: first.unwrap_or_default().into_owned(),
            ..Arc::new(Verdict::Pass, count, &domain, None)
        }
    }
}

/// Why a signature of a chain is not good.
struct Wrong {
    reason: String,
    temporary: bool,
}

impl Wrong {
    fn of(self, last: usize, domain: &str) -> Arc {
        let Wrong { reason, temporary } = self;
        Arc { temporary, ..Arc::new(Verdict::Fail, last, domain, Some(reason)) }
    }
}

async fn verify(dns: &dyn Dns, signature: &Signature, input: &[u8]) -> Result<(), Wrong> {
    use crate::dkim::NoKey;
    let key = fetch(dns, signature).await.map_err(|missing| match missing {
        NoKey::Later(reason) => Wrong { reason, temporary: true },
        NoKey::Never(reason) => Wrong { reason: reason.to_owned(), temporary: false },
    })?;
    key.verify(signature, input).map_err(|fault| Wrong { reason: reason(fault).to_owned(), temporary: false })
}

fn broken(last: usize, domain: &str, reason: &str) -> Arc {
    Arc::new(Verdict::Fail, last, domain, Some(reason.to_owned()))
}

/// The sets in order, each once, none missing.
fn collect(fields: &[Vec<u8>]) -> Result<Vec<Set>, &'static str> {
    let mut found: Vec<[Option<Vec<u8>>; 3]> = Vec::new();
    for raw in fields {
        let Some(field) = Field::parse(raw) else { continue };
        let Some(kind) = NAMES.iter().position(|name| field.is(name)) else { continue };
        let at = instance(field).ok_or("a field without a usable i=")?;
        if found.len() < at {
            found.resize_with(at, Default::default);
        }
        if found[at - 1][kind].replace(raw.clone()).is_some() {
            return Err("a set has a field twice");
        }
    }
    found
        .into_iter()
        .map(|set| match set {
            [Some(results), Some(message), Some(seal)] => Ok(Set { results, message, seal }),
            _ => Err("a set is not complete"),
        })
        .collect()
}

/// `i=` of a field: the first thing in ARC-Authentication-Results, a tag in the others.
fn instance(field: Field<'_>) -> Option<usize> {
    let text = String::from_utf8_lossy(field.value()).into_owned();
    let number = if field.is(NAMES[0]) {
        let first = squeezed(text.split(';').next()?);
        first.strip_prefix("i=")?.to_owned()
    } else {
        Tags::parse(&text)?.get("i")?.to_owned()
    };
    let digits = !number.is_empty() && number.len() <= 2 && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|_| digits)?;
    (1..=SETS_MAX).contains(&number).then_some(number)
}

fn message_signature(raw: &[u8]) -> Result<Signature, &'static str> {
    let text = Field::parse(raw).map(|field| String::from_utf8_lossy(field.value())).unwrap_or_default();
    let tags = Tags::parse(&text).ok_or("a message signature is no tag list")?;
    let signature = Signature::common(&tags, "relaxed/relaxed").map_err(reason)?;
    if signature.headers.iter().any(|name| name.eq_ignore_ascii_case("arc-seal")) {
        return Err("a message signature covers ARC-Seal");
    }
    Ok(signature)
}

fn reason(fault: crate::dkim::Fault) -> &'static str {
    let (crate::dkim::Fault::Malformed(reason) | crate::dkim::Fault::Policy(reason)) = fault;
    reason
}

fn seal_of(raw: &[u8]) -> Result<Sealed, &'static str> {
    let text = Field::parse(raw).map(|field| String::from_utf8_lossy(field.value())).unwrap_or_default();
    let tags = Tags::parse(&text).ok_or("a seal is no tag list")?;
    if tags.get("h").is_some() || tags.get("bh").is_some() {
        return Err("a seal has a tag h= or bh=");
    }
    let verdict = match tags.get("cv").map(str::to_ascii_lowercase).as_deref() {
        Some("none") => Verdict::None,
        Some("pass") => Verdict::Pass,
        Some("fail") => Verdict::Fail,
        _ => return Err("a seal without a usable cv="),
    };
    let text = squeezed(tags.get("b").ok_or("a seal without b=")?);
    let algorithm = match tags.get("a") {
        Some("rsa-sha256") => crate::dkim::Algorithm::Rsa,
        Some("ed25519-sha256") => crate::dkim::Algorithm::Ed25519,
        _ => return Err("a seal of an unknown algorithm"),
    };
    let name = |tag| crate::dkim::name(tags.get(tag).unwrap_or_default()).map_err(reason);
    Ok(Sealed {
        verdict,
        signature: Signature {
            algorithm,
            canon: (Canon::Relaxed, Canon::Relaxed),
            domain: name("d")?,
            selector: name("s")?,
            headers: Vec::new(),
            body_hash: Vec::new(),
            bytes: decoded(&text).ok_or("b= of a seal is not base64")?,
            text,
            identity: None,
            expires: None,
        },
    })
}

/// What a seal is computed over: all sets so far, and itself without its `b=` (RFC 8617 5.1.1).
fn seal_input(sets: &[Set]) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, set) in sets.iter().enumerate() {
        canon::header(Canon::Relaxed, &set.results, &mut out);
        canon::header(Canon::Relaxed, &set.message, &mut out);
        match at + 1 == sets.len() {
            true => canon::field(Canon::Relaxed, &without_b(&set.seal), &mut out),
            false => canon::header(Canon::Relaxed, &set.seal, &mut out),
        }
    }
    out
}
