//! Several deliveries that wait for the disk once.

use std::sync::Arc;

use crate::facteur::{FacteurAccount, Written, settle};
use crate::{Account, Delivered, Delivery, Result};

/// Deliveries to any number of accounts: all are written first, then made durable together.
///
/// What was added and is dropped before [`Round::settle`] may or may not be there later; its delivery is repeated by
/// whoever was not told that it is, and found by its name.
#[derive(Default)]
pub struct Round {
    handed_in: Vec<HandedIn>,
    /// To be told of what has come.
    told: Vec<Arc<FacteurAccount>>,
}

/// A message that an account has taken and not yet acknowledged.
pub struct HandedIn(Step);

enum Step {
    Durable(Delivered),
    Written(Written),
}

impl HandedIn {
    /// There is nothing to wait for.
    pub fn durable(delivered: Delivered) -> HandedIn {
        HandedIn(Step::Durable(delivered))
    }

    pub(crate) fn written(written: Written) -> HandedIn {
        HandedIn(Step::Written(written))
    }
}

impl Round {
    /// Hands a message to an account.
    ///
    /// # Errors
    /// As of [`Account::deliver`]; then it is not of the round.
    pub fn add(&mut self, account: &dyn Account, delivery: &Delivery<'_>) -> Result<()> {
        self.handed_in.push(account.hand_in(delivery)?);
        Ok(())
    }

    /// Returns when all messages of the round are durable; gives what became of each, in the order they were added.
    pub fn settle(&mut self) -> Vec<Result<Delivered>> {
        let mut written = Vec::new();
        let mut said: Vec<Option<Result<Delivered>>> = Vec::with_capacity(self.handed_in.len());
        for handed_in in self.handed_in.drain(..) {
            said.push(match handed_in.0 {
                Step::Written(one) => {
                    written.push(one);
                    None
                }
                Step::Durable(delivered) => Some(Ok(delivered)),
            });
        }
        let mut settled = settle(written).into_iter();
        let mut next = || {
            let (account, outcome) = settled.next().expect("one for each that was written");
            if outcome.is_ok() {
                self.told.push(account);
            }
            outcome
        };
        said.into_iter().map(|said| said.unwrap_or_else(&mut next)).collect()
    }

    /// Tells those who look at the mailboxes. The messages are safe before and without it.
    pub fn announce(self) {
        self.told.iter().for_each(|account| account.tell_of_delivery());
    }

    /// A round of one.
    pub(crate) fn of_one(account: &dyn Account, delivery: &Delivery<'_>) -> Result<Delivered> {
        let mut round = Round::default();
        round.add(account, delivery)?;
        let outcome = round.settle().pop().expect("one was added");
        round.announce();
        outcome
    }
}
