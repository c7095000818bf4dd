//! What happens to the mail of an account that sends far more than it uses to: it is held, and somebody is told; and what
//! the administrator says to do with it.

use std::sync::Arc;

use mail::QueueId;
use queue::{Flush, Selection, State};

use crate::bounce::post;
use crate::house::House;

/// Messages looked at with one look at the queue's index.
const AT_ONCE: usize = 1000;

/// Where mail is that waits to be delivered.
const WAITING: [State; 3] = [State::Incoming, State::Active, State::Deferred];

/// The account's mail in these queues. It reads the disk.
fn of_account(house: &House, account: &str, states: &[State]) -> Vec<QueueId> {
    let (mut found, mut last) = (Vec::new(), None);
    loop {
        let briefs = house.queue.briefs(last.as_ref(), AT_ONCE);
        let Some(end) = briefs.last() else { return found };
        last = Some(end.id.clone());
        for brief in briefs.into_iter().filter(|brief| states.contains(&brief.state)) {
            // A message that has gone meanwhile is nobody's.
            let of = house.queue.load(&brief.id).ok();
            if of.is_some_and(|stored| stored.envelope.client.sasl_username.eq_ignore_ascii_case(account)) {
                found.push(brief.id);
            }
        }
    }
}

/// Holds what the account has in the queue, and tells the postmaster: in the last time span it sent to `sent` recipients,
/// where `usual` are usual.
pub async fn hold(house: Arc<House>, account: String, sent: u32, usual: u32) {
    let (of, name) = (house.clone(), account.clone());
    let held = tokio::task::spawn_blocking(move || {
        let ids = of_account(&of, &name, &WAITING);
        of.queue.hold(&Selection::These(ids, WAITING.to_vec())).now().len()
    });
    let held = held.await.unwrap_or_default();
    let shown = mail::logline::printable(&account);
    log::warn!(
        target: "qmgr",
        "account {shown} sent to {sent} recipients where {usual} are usual: its mail is held, {held} messages so far"
    );
    let setup = house.setup();
    let subject = format!("{}: mail of account {shown} is held", setup.mail_name);
    let text = format!(
        "The account {shown} has just sent to {sent} recipients; {usual} are usual. Perhaps somebody else knows its\n\
         password. All its mail is on hold from now on: {held} messages that were in the queue, and what it sends.\n\n\
         To see it:                          postqueue -p\n\
         To let the mail and the account go: facteur outbound release {shown}\n\
         To delete the mail that is held:    facteur outbound drop {shown}\n"
    );
    let to = &setup.notices.error_recipient;
    if let Err(refusal) = post::to_postmaster(&house, &setup, to, &subject, &text).await {
        log::warn!(target: "qmgr", "postmaster notification: {}", refusal.log_text());
    }
}

/// Lets the account's mail go that is on hold; how many messages. It reads the disk.
pub fn release(house: &House, account: &str) -> usize {
    let ids = of_account(house, account, &[State::Hold]);
    let released = house.queue.release(&Selection::These(ids, vec![State::Hold])).now();
    released.iter().for_each(|id| house.queue.flush(Flush::Message(id.clone())));
    released.len()
}

/// Deletes the account's mail that is on hold; how many messages. It reads the disk.
pub fn delete(house: &House, account: &str) -> usize {
    let ids = of_account(house, account, &[State::Hold]);
    house.queue.delete(&Selection::These(ids, vec![State::Hold])).now().len()
}
