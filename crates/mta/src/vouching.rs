//! Who vouches for a message: strangers' mail is checked (SPF, DKIM, ARC, DMARC) before the milters see it, and ours is
//! signed after they have changed it.
//!
//! What was found out of strangers' mail is sealed (ARC) after that, too: a seal holds for what is passed on.
//!
//! A message is a stranger's when its client is neither logged in nor in `mynetworks`, and its mail is ours when it is
//! not a stranger's, or comes from a host that `InternalHosts` names.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mail::logline::printable;
use mail::{Address, Blame, Detail, Refusal};
use net::dns::Resolver;
use sign::aggregate::Seen;
use sign::arc::{Seal, Sealer};
use sign::dmarc::{Policy, Verdict};
use sign::{Inspection, Question, Settings, Verdicts, results};

use crate::cleanup::Clean;
use crate::dmarc_reports::Reports;
use crate::house::House;
use crate::milters::edit::Letter;
use crate::scanning::{hold_as_it_is, replace};

/// How much of a body is read at a time.
const PIECE: usize = 64 << 10;

/// All questions about a message together take no longer; who publishes names that do not answer learns nothing by it,
/// and his mail passes with nothing said for it.
const WHOLE: Duration = Duration::from_secs(60);

/// A client that is nobody of ours, and what it said.
#[derive(Clone, Debug)]
pub struct Stranger {
    /// Its address.
    pub address: IpAddr,
    /// HELO.
    pub helo: String,
    /// MAIL FROM as given.
    pub sender: Address,
}

/// What one configuration says of checks and signatures, and who answers questions.
pub struct Vouching {
    settings: Settings,
    resolver: Resolver,
    host: String,
    reports: Option<Arc<Reports>>,
}

/// What was found out of a stranger's message.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// The sending domain, when it is proven.
    pub proven: Option<String>,
    /// What a seal of ours is to say.
    pub seal: Option<Seal>,
}

impl Vouching {
    /// Puts them together; `host` is `myhostname`.
    pub fn new(settings: Settings, resolver: Resolver, host: String) -> Vouching {
        Vouching { settings, resolver, host, reports: None }
    }

    /// Has what DMARC finds kept for the owners of domains.
    pub(crate) fn with_reports(mut self, reports: Option<Arc<Reports>>) -> Vouching {
        self.reports = reports;
        self
    }

    /// Checks a stranger's message: results are told in its header, and DMARC may have it refused or held.
    pub(crate) async fn check(
        &self,
        house: &House,
        clean: &mut Clean<queue::Draft>,
        stranger: &Stranger,
    ) -> Result<Checked, Refusal> {
        let settings = &self.settings;
        if !settings.checks.any() && settings.arc_seal.is_none() {
            return Ok(Checked::default());
        }
        if self.is_internal(clean) {
            self.sign(house, clean).await?;
            return Ok(Checked::default());
        }
        let mut letter = Letter::open(clean.content.body()?)?;
        let fields: Vec<Vec<u8>> = letter.fields().map(<[u8]>::to_vec).collect();
        let mut inspection = Inspection::new(settings.checks, fields, settings.arc_seal.is_some());
        if inspection.wants_body() {
            read(&letter, |piece| inspection.body(piece)).await?;
        }
        let sender = stranger.sender.external().to_string();
        let question = Question {
            client: stranger.address,
            helo: &stranger.helo,
            sender: &sender,
            receiver: &self.host,
        };
        let now = house.now().as_second();
        let asking = inspection.finish(&self.resolver, &question, now, &settings.trusted_sealers);
        let mut verdicts = tokio::time::timeout(WHOLE, asking).await.unwrap_or_else(|_| {
            log::warn!(target: "cleanup", "{}: the DNS is too slow to say who sends this", clean.id);
            Verdicts::default()
        });
        let policy = followed(&verdicts, settings.dmarc_action);
        if let Some(reports) = &self.reports
            && let Some(seen) = Seen::new(&verdicts, &question, policy)
        {
            reports.note(now, seen).await;
        }
        let held = act(clean, &verdicts, policy)?;
        letter.remove(|raw| results::is_forged(raw, &settings.authserv_id));
        if settings.checks.any() {
            let told = results::results(&verdicts, &question);
            let line = told.replace("\n\t", " ");
            log::info!(target: "cleanup", "{}: authentication results: {}", clean.id, printable(&line));
            // Behind our own Received, which comes first.
            letter.insert(1, results::field(&settings.authserv_id, &told));
        }
        replace(house, clean, &letter)?;
        if let Some(why) = held {
            hold_as_it_is(house, clean, &why)?;
        }
        let seal = verdicts.seal.take();
        Ok(Checked { proven: proven(&verdicts, &sender), seal })
    }

    /// Puts our seal on a message of a stranger's, as it is now.
    pub(crate) async fn seal(
        &self,
        house: &House,
        clean: &mut Clean<queue::Draft>,
        seal: &Seal,
    ) -> Result<(), Refusal> {
        let Some(key) = &self.settings.arc_seal else { return Ok(()) };
        let mut letter = Letter::open(clean.content.body()?)?;
        let fields: Vec<Vec<u8>> = letter.fields().map(<[u8]>::to_vec).collect();
        let mut sealer = Sealer::default();
        read(&letter, |piece| sealer.body(piece)).await?;
        let (server, now) = (&self.settings.authserv_id, house.now().as_second());
        let headers = sign::dkim::Recipe::default().headers;
        let Some(set) = sealer.finish(seal, key, &fields, &headers, server, now) else { return Ok(()) };
        for (at, field) in set.into_iter().enumerate() {
            letter.insert(1 + at, field);
        }
        replace(house, clean, &letter)
    }

    fn is_internal(&self, clean: &Clean<queue::Draft>) -> bool {
        let client = &clean.envelope.client;
        let Some(signing) = &self.settings.signing else { return false };
        client.address.parse().is_ok_and(|address| signing.is_internal(address, &client.name))
    }

    /// Signs a message of ours with every key for the address in From.
    pub(crate) async fn sign(&self, house: &House, clean: &mut Clean<queue::Draft>) -> Result<(), Refusal> {
        let Some(signing) = &self.settings.signing else { return Ok(()) };
        let mut letter = Letter::open(clean.content.body()?)?;
        let fields: Vec<Vec<u8>> = letter.fields().map(<[u8]>::to_vec).collect();
        let Some(author) = sign::author(&fields) else { return Ok(()) };
        let keys = signing.keys(&author);
        if keys.is_empty() {
            return Ok(());
        }
        let mut signer = sign::dkim::Signer::new(&signing.recipe);
        read(&letter, |piece| signer.body(piece)).await?;
        let Some(signatures) = signer.finish(&keys, &fields, house.now().as_second()) else {
            let text = "message could not be signed";
            log::warn!(target: "cleanup", "{}: {text}: a key does not work", clean.id);
            return Err(Refusal::later(51, Detail(3, 5), Blame::Admin, text));
        };
        for (key, signature) in keys.iter().zip(signatures) {
            let (selector, domain) = (&key.selector, &key.domain);
            log::info!(
                target: "cleanup",
                "{}: DKIM-Signature field added (s={selector}, d={domain})", clean.id
            );
            letter.insert(0, signature);
        }
        replace(house, clean, &letter)
    }
}

/// The domain that vouches for a message: by DMARC, or else by a DKIM signature, or else by SPF.
fn proven(verdicts: &Verdicts, sender: &str) -> Option<String> {
    let dmarc = verdicts.dmarc.as_ref().filter(|dmarc| dmarc.verdict == Verdict::Pass);
    let mut signatures = verdicts.dkim.iter().flatten();
    let signed = signatures.find(|outcome| outcome.result == sign::dkim::Dkim::Pass);
    let sent = verdicts.spf.as_ref().filter(|spf| spf.verdict.word() == "pass");
    let domain = match (dmarc, signed, sent) {
        (Some(dmarc), _, _) => dmarc.domain.clone(),
        (None, Some(signed), _) => signed.domain.clone(),
        (None, None, Some(_)) => sender.trim_end_matches('>').rsplit_once('@')?.1.to_owned(),
        (None, None, None) => return None,
    };
    Some(domain.to_ascii_lowercase()).filter(|domain| !domain.is_empty())
}

/// The policy that is followed: of a message that fails, what the domain asks for, and no more than `limit`; nothing, where
/// forwarders whom we trust say that it was good when it came to them.
fn followed(verdicts: &Verdicts, limit: Policy) -> Policy {
    match &verdicts.dmarc {
        Some(dmarc) if dmarc.verdict == Verdict::Fail && !verdicts.forwarder => dmarc.policy.min(limit),
        _ => Policy::None,
    }
}

/// Does what the domain of From asks for. Gives why the message is to be held.
fn act(clean: &Clean<queue::Draft>, verdicts: &Verdicts, policy: Policy) -> Result<Option<String>, Refusal> {
    let domain = verdicts.dmarc.as_ref().map(|dmarc| dmarc.domain.as_str()).unwrap_or_default();
    match policy {
        Policy::None => Ok(None),
        Policy::Quarantine => Ok(Some(format!("DMARC policy for {domain}"))),
        Policy::Reject => {
            let said = format!("rejected by DMARC policy for {domain}");
            crate::scanning::log(clean, "reject", &format!("5.7.1 {said}"));
            Err(Refusal::never(50, Detail(7, 1), Blame::Policy, said))
        }
    }
}

/// Gives the body piece by piece, and others a turn between.
async fn read(letter: &Letter, mut take: impl FnMut(&[u8])) -> Result<(), Refusal> {
    let mut at = letter.body_start();
    loop {
        let piece = letter.body().read_at(at, PIECE)?;
        if piece.is_empty() {
            return Ok(());
        }
        at += piece.len() as u64;
        take(&piece);
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use sign::dmarc::Dmarc;

    use super::*;

    #[test]
    fn a_policy_is_followed_as_far_as_it_is_set_and_never_in_doubt() {
        let told = |verdict, policy| {
            let dmarc = Dmarc { policy, ..Dmarc::new(verdict, "a.test".into(), None) };
            Verdicts { dmarc: Some(dmarc), ..Verdicts::default() }
        };
        for (policy, limit, expected) in [
            (Policy::Reject, Policy::Reject, Policy::Reject),
            (Policy::Reject, Policy::Quarantine, Policy::Quarantine),
            (Policy::Reject, Policy::None, Policy::None),
            (Policy::Quarantine, Policy::Reject, Policy::Quarantine),
            (Policy::None, Policy::Reject, Policy::None),
        ] {
            let failed = told(Verdict::Fail, policy);
            assert_eq!(followed(&failed, limit), expected);
            assert_eq!(followed(&Verdicts { forwarder: true, ..failed }, limit), Policy::None);
        }
        for verdict in [Verdict::None, Verdict::Pass, Verdict::TempError, Verdict::PermError] {
            assert_eq!(followed(&told(verdict, Policy::Reject), Policy::Reject), Policy::None);
        }
        assert_eq!(followed(&Verdicts::default(), Policy::Reject), Policy::None);
    }
}
