//! A conversation: a machine, and the people it is about.

use super::{Machine, Mechanism, Step};
use crate::people::Claim;
use crate::{Facts, Failure, People, Verdict, Why};

/// A login under way.
pub struct Exchange {
    people: People,
    facts: Facts,
    mechanism: &'static Mechanism,
    machine: Box<dyn Machine>,
    /// Who is proving that he is who, while a secret is used.
    claim: Option<Claim>,
    /// How it ends when the client has heard why.
    end: Option<Verdict>,
    begun: bool,
}

/// Where a login stands.
#[derive(Debug)]
pub enum Progress {
    /// The client is asked this.
    Ask(Vec<u8>),
    /// It is over. Where it failed, the answer has already waited for `auth_failure_delay`.
    Done(Verdict),
}

/// Longest response of a client, in bytes.
const LONGEST: usize = 16 * 1024;

impl Exchange {
    pub(crate) fn new(people: People, facts: Facts, mechanism: &'static Mechanism) -> Exchange {
        let machine = (mechanism.start)(&facts);
        Exchange { people, facts, mechanism, machine, claim: None, end: None, begun: false }
    }

    /// The mechanism.
    pub fn mechanism(&self) -> &'static Mechanism {
        self.mechanism
    }

    /// The client's response, decoded. At first: the initial response, or `None` where there is none.
    pub async fn step(&mut self, response: Option<&[u8]>) -> Progress {
        let initial = !std::mem::replace(&mut self.begun, true);
        if initial && response.is_none() && self.mechanism.client_first {
            return Progress::Ask(Vec::new());
        }
        let pause = self.people.pause();
        let verdict = match self.advance(response.unwrap_or_default()).await {
            Ok(question) => return Progress::Ask(question),
            Err(verdict) => verdict,
        };
        if let Verdict::Failed(failure) = &verdict {
            self.people.told(failure, &self.facts, self.mechanism.name);
            // Counted from the beginning, so that the time of the answer tells nothing.
            pause.await;
        }
        Progress::Done(verdict)
    }

    /// The client gave up.
    pub fn cancel(self) -> Failure {
        Failure::new(Why::Protocol, None, "the client gave up")
    }

    /// A question, or the end.
    async fn advance(&mut self, response: &[u8]) -> Result<Vec<u8>, Verdict> {
        if response.len() > LONGEST {
            return Err(Verdict::Failed(Failure::new(Why::Protocol, None, "endless response")));
        }
        if let Some(verdict) = self.end.take() {
            return Err(verdict);
        }
        let mut step = self.machine.step(response);
        loop {
            step = match step {
                Step::Ask(question) => return Ok(question),
                Step::Check { user, authzid, password } => {
                    let claim = self.people.claim(&user, &authzid, self.mechanism.name);
                    let verdict = match claim {
                        Ok(claim) => self.people.check_password(&claim, &password, &self.facts).await,
                        Err(failure) => Verdict::Failed(failure),
                    };
                    if let (Verdict::Failed(_), Some(why)) = (&verdict, self.machine.refused()) {
                        self.end = Some(verdict);
                        return Ok(why.to_vec());
                    }
                    return Err(verdict);
                }
                Step::Secret { user, authzid, scheme } => {
                    let claim = self.people.claim(&user, &authzid, self.mechanism.name);
                    let mut claim = claim.map_err(Verdict::Failed)?;
                    let known = self.people.secret(&mut claim, scheme, &self.facts).await;
                    let temporary = claim.failure.as_ref().is_some_and(Failure::is_temporary);
                    if temporary && let Some(failure) = claim.failure.take() {
                        return Err(Verdict::Failed(failure));
                    }
                    self.claim = Some(claim);
                    self.machine.secret(known.as_deref())
                }
                Step::Proved => {
                    let verdict = match self.claim.take() {
                        Some(claim) => self.people.proved(claim, &self.facts).await,
                        None => Verdict::Failed(Failure::new(Why::Protocol, None, "nobody was named")),
                    };
                    return Err(verdict);
                }
                Step::Wrong => {
                    let claim = self.claim.take();
                    let user = claim.as_ref().map(|claim| claim.user.clone());
                    let otherwise = || Failure::new(Why::Credentials, user.as_deref(), "password mismatch");
                    return Err(Verdict::Failed(
                        claim.and_then(|claim| claim.failure).unwrap_or_else(otherwise),
                    ));
                }
                Step::Outside { user } => {
                    let verdict = match self.people.claim(&user, "", self.mechanism.name) {
                        Ok(claim) => self.people.exists(claim, &self.facts).await,
                        Err(failure) => Verdict::Failed(failure),
                    };
                    return Err(verdict);
                }
                Step::Broken(why) => return Err(Verdict::Failed(Failure::new(Why::Protocol, None, why))),
            };
        }
    }
}
