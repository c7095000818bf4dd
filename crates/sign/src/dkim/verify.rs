//! Verifying the signatures of a message.

use mail::header::Field;

use super::hashing::Digested;
use super::public::NoKey;
use super::signature::name;
use super::{Algorithm, Digests, Fault, Signature, fetch, header_hash_input};
use crate::outside::Dns;
use crate::tags::Tags;

/// Most signatures of a message that are looked at.
pub(crate) const SIGNATURES_MAX: usize = 8;

/// What RFC 8601 2.7.1 calls the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dkim {
    /// Good.
    Pass,
    /// It does not fit the message.
    Fail,
    /// It is of a kind that we do not accept.
    Policy,
    /// It is malformed.
    Neutral,
    /// The key could not be had now.
    TempError,
    /// There is no usable key.
    PermError,
}

impl Dkim {
    /// As Authentication-Results has it.
    pub fn word(self) -> &'static str {
        match self {
            Dkim::Pass => "pass",
            Dkim::Fail => "fail",
            Dkim::Policy => "policy",
            Dkim::Neutral => "neutral",
            Dkim::TempError => "temperror",
            Dkim::PermError => "permerror",
        }
    }
}

/// What came of one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Good or not.
    pub result: Dkim,
    /// Why not.
    pub reason: Option<String>,
    /// `d=`; empty when it could not be read.
    pub domain: String,
    /// `s=`
    pub selector: String,
    /// `i=`
    pub identity: Option<String>,
    /// The first characters of `b=`, which tell signatures apart (RFC 6008).
    pub tag: String,
    /// `a=`, when the signature could be read.
    pub algorithm: Option<Algorithm>,
    /// Bits of the key, where it was fetched.
    pub bits: Option<usize>,
    /// The owner of the key is trying things out: a failure counts for nothing.
    pub testing: bool,
}

/// The signatures of a message whose body is coming in.
pub(crate) struct Verifier {
    found: Vec<(Vec<u8>, Result<Signature, Fault>)>,
}

impl Verifier {
    /// Finds the signatures, and tells which digests of the body are needed.
    pub fn new(fields: &[Vec<u8>], digests: &mut Digests) -> Verifier {
        let mut found = Vec::new();
        for raw in fields {
            let Some(field) = Field::parse(raw).filter(|field| field.is("dkim-signature")) else { continue };
            let text = String::from_utf8_lossy(field.value());
            let signature = Signature::dkim(&text);
            if let Ok(signature) = &signature {
                digests.want(signature.canon.1);
            }
            found.push((raw.clone(), signature));
            if found.len() == SIGNATURES_MAX {
                break;
            }
        }
        Verifier { found }
    }

    /// Fetches the keys and says what came of it, in the order of the fields. `now` is in seconds.
    pub async fn finish(
        self,
        fields: &[Vec<u8>],
        digested: &Digested,
        dns: &dyn Dns,
        now: i64,
    ) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(self.found.len());
        for (raw, signature) in self.found {
            outcomes.push(match signature {
                Ok(signature) => check(&signature, &raw, fields, digested, dns, now).await,
                Err(fault) => unread(&raw, fault),
            });
        }
        outcomes
    }
}

fn unread(raw: &[u8], fault: Fault) -> Outcome {
    let (result, reason) = match fault {
        Fault::Malformed(what) => (Dkim::Neutral, what),
        Fault::Policy(what) => (Dkim::Policy, what),
    };
    let text = Field::parse(raw).map(|field| String::from_utf8_lossy(field.value())).unwrap_or_default();
    let tags = Tags::parse(&text);
    let get = |tag| tags.as_ref().and_then(|tags| tags.get(tag)).and_then(|text| name(text).ok());
    Outcome {
        result,
        reason: Some(reason.to_owned()),
        domain: get("d").unwrap_or_default(),
        selector: get("s").unwrap_or_default(),
        identity: None,
        tag: String::new(),
        algorithm: None,
        bits: None,
        testing: false,
    }
}

async fn check(
    signature: &Signature,
    raw: &[u8],
    fields: &[Vec<u8>],
    digested: &Digested,
    dns: &dyn Dns,
    now: i64,
) -> Outcome {
    let mut outcome = Outcome {
        result: Dkim::Pass,
        reason: None,
        domain: signature.domain.clone(),
        selector: signature.selector.clone(),
        identity: signature.identity.clone(),
        tag: signature.text.chars().take(8).collect(),
        algorithm: Some(signature.algorithm),
        bits: None,
        testing: false,
    };
    let say = |mut outcome: Outcome, result, reason: &str| {
        (outcome.result, outcome.reason) = (result, Some(reason.to_owned()));
        outcome
    };
    if signature.expires.is_some_and(|expires| expires < now) {
        return say(outcome, Dkim::Fail, "signature has expired");
    }
    // What the body says first: then nobody is asked in vain.
    if digested.get(signature.canon.1) != Some(&signature.body_hash[..]) {
        return say(outcome, Dkim::Fail, "body hash did not verify");
    }
    let key = match fetch(dns, signature).await {
        Ok(key) => key,
        Err(NoKey::Later(why)) => return say(outcome, Dkim::TempError, &format!("key unavailable: {why}")),
        Err(NoKey::Never(why)) => return say(outcome, Dkim::PermError, why),
    };
    outcome.bits = Some(key.bits());
    outcome.testing = key.testing;
    let input = header_hash_input(fields, &signature.headers, signature.canon.0, raw);
    match key.verify(signature, &input) {
        Ok(()) => outcome,
        Err(Fault::Policy(why)) => say(outcome, Dkim::Policy, why),
        Err(Fault::Malformed(why)) => say(outcome, Dkim::Fail, why),
    }
}
