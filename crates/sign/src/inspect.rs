//! All checks of one message in one pass over its body.

use crate::arc::{self, Chain};
use crate::canon::Canon;
use crate::dkim::{self, Digests, Outcome, SignAs, Verifier};
use crate::dmarc::{self, Dmarc};
use crate::outside::Dns;
use crate::results;
use crate::spf::{self, Question, Spf};

/// What is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// SPF.
    pub spf: bool,
    /// DKIM.
    pub dkim: bool,
    /// DMARC; needs the results of the two before.
    pub dmarc: bool,
    /// ARC.
    pub arc: bool,
}

impl Checks {
    /// Is anything?
    pub fn any(self) -> bool {
        self.spf || self.dkim || self.dmarc || self.arc
    }
}

/// What was found out; `None` was not asked for.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    /// SPF.
    pub spf: Option<Spf>,
    /// DKIM, one for each signature.
    pub dkim: Option<Vec<Outcome>>,
    /// ARC.
    pub arc: Option<arc::Arc>,
    /// DMARC.
    pub dmarc: Option<Dmarc>,
}

/// A message whose body is coming in.
pub struct Inspection {
    checks: Checks,
    fields: Vec<Vec<u8>>,
    digests: Digests,
    verifier: Option<Verifier>,
    chain: Option<Chain>,
    seals: bool,
}

/// A seal to be put on a message that was checked.
pub struct Seal<'a> {
    /// In whose name.
    pub key: &'a SignAs,
    /// Fields that are covered where they are there.
    pub headers: &'a [String],
    /// Our name in Authentication-Results.
    pub server: &'a str,
}

impl Inspection {
    /// Takes the header, without line ends at the end of fields. `seals`: an ARC set may be wanted at the end.
    pub fn new(checks: Checks, fields: Vec<Vec<u8>>, seals: bool) -> Inspection {
        let mut digests = Digests::default();
        let verifier = (checks.dkim || checks.dmarc).then(|| Verifier::new(&fields, &mut digests));
        let chain = (checks.arc || seals).then(|| Chain::new(&fields, &mut digests));
        if seals {
            digests.want(Canon::Relaxed);
        }
        Inspection { checks, fields, digests, verifier, chain, seals }
    }

    /// Does anything depend on the body?
    pub fn wants_body(&self) -> bool {
        !self.digests.is_empty()
    }

    /// A piece of the body, lines ended by LF.
    pub fn body(&mut self, piece: &[u8]) {
        self.digests.feed(piece);
    }

    /// Asks the DNS. `now` is in seconds. With a seal, the fields to put on top come with the answer.
    pub async fn finish(
        self,
        dns: &dyn Dns,
        question: &Question<'_>,
        now: i64,
        seal: Option<Seal<'_>>,
    ) -> (Verdicts, Vec<Vec<u8>>) {
        let Inspection { checks, fields, digests, verifier, chain, seals } = self;
        let digested = digests.finish();
        let mut verdicts = Verdicts::default();
        if checks.spf || checks.dmarc {
            verdicts.spf = Some(spf::check(dns, question, now).await);
        }
        if let Some(verifier) = verifier {
            verdicts.dkim = Some(verifier.finish(&fields, &digested, dns, now).await);
        }
        let mut whole = None;
        if let Some(chain) = chain {
            whole = Some(chain.finish(&fields, &digested, dns).await);
        }
        if checks.dmarc
            && let (Some(spf), Some(dkim)) = (&verdicts.spf, &verdicts.dkim)
        {
            verdicts.dmarc = Some(dmarc::check(dns, &fields, spf, dkim).await);
        }
        verdicts.arc = whole.clone().filter(|_| checks.arc);
        let mut set = Vec::new();
        if let (Some(seal), Some(arc), true) = (seal, whole, seals)
            && !arc.temporary
        {
            let results = results::results(&verdicts, question);
            let body = digested.get(Canon::Relaxed).unwrap_or_default();
            let names = dkim::Recipe { headers: seal.headers.to_vec(), ..dkim::Recipe::default() };
            let names: Vec<String> = names.names(&fields);
            let told = (seal.server, results.as_str());
            let made = arc::seal_message(seal.key, &arc, &fields, &names, body, told, now);
            set.extend(made.into_iter().flatten());
        }
        (verdicts, set)
    }
}
