//! All checks of one message in one pass over its body.

use crate::arc::{self, Chain};
use crate::dkim::{Digests, Outcome, Verifier};
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
    /// DMARC fails, and those who forwarded the message, whom we trust, say that it did not when it came to them.
    pub forwarder: bool,
    /// What a seal of ours is made of, where one is wanted and the state of the chain is known.
    pub seal: Option<arc::Seal>,
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

impl Inspection {
    /// Takes the header, without line ends at the end of fields. `seals`: an ARC set is to be made of the results.
    pub fn new(checks: Checks, fields: Vec<Vec<u8>>, seals: bool) -> Inspection {
        let mut digests = Digests::default();
        let verifier = (checks.dkim || checks.dmarc).then(|| Verifier::new(&fields, &mut digests));
        let chain = (checks.arc || seals).then(|| Chain::new(&fields, &mut digests));
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

    /// Asks the DNS. `now` is in seconds. Chains are believed that domains of `trusted` alone have sealed.
    pub async fn finish(
        self,
        dns: &dyn Dns,
        question: &Question<'_>,
        now: i64,
        trusted: &[String],
    ) -> Verdicts {
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
            verdicts.dmarc = Some(dmarc::check(dns, &fields, spf, dkim, dmarc::lot(&fields)).await);
        }
        if let (Some(dmarc), Some(arc)) = (&verdicts.dmarc, &whole) {
            let failed = dmarc.verdict == dmarc::Verdict::Fail;
            verdicts.forwarder = failed && arc.vouches_for(&dmarc.domain, trusted);
        }
        verdicts.arc = whole.clone().filter(|_| checks.arc);
        if let Some(arc) = whole.filter(|arc| seals && !arc.temporary) {
            let results = results::results(&verdicts, question);
            verdicts.seal = Some(arc::Seal { arc, results });
        }
        verdicts
    }
}
