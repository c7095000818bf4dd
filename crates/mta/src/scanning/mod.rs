//! Messages looked at once they are complete: what is in them may have them refused, held, marked or discarded.

mod files;
mod lists;
mod spam;
mod virus;

use mail::logline::printable;
use mail::{Blame, Detail, Refusal, Trouble};
use scan::OnFailure;

use crate::cleanup::Clean;
use crate::house::House;
use crate::milters::edit::Letter;

pub(crate) use files::check as check_files;
pub(crate) use spam::{SpamGate, check as check_spam};
pub(crate) use virus::scan as scan_for_viruses;

/// How much of a message is read and shown at a time.
const PIECE: usize = 64 << 10;

/// Who keeps mail from delivery says why on top of it, above our own Received, where no stranger can write.
pub(crate) fn hold(clean: &mut Clean<queue::Draft>, letter: &mut Letter, why: &str) {
    log(clean, "hold", why);
    clean.hold = true;
    let why: String = printable(why).chars().take(300).collect();
    letter.insert(0, format!("X-Quarantine: {why}").into_bytes());
}

/// Holds a message that is not otherwise changed.
pub(crate) fn hold_as_it_is(
    house: &House,
    clean: &mut Clean<queue::Draft>,
    why: &str,
) -> Result<(), Refusal> {
    let mut letter = Letter::open(clean.content.body()?)?;
    hold(clean, &mut letter, why);
    replace(house, clean, &letter)
}

/// The message with its new header.
pub(crate) fn replace(
    house: &House,
    clean: &mut Clean<queue::Draft>,
    letter: &Letter,
) -> Result<(), Refusal> {
    if let Some(draft) = letter.rewritten(&house.queue)? {
        clean.size = draft.len();
        clean.content = draft;
    }
    Ok(())
}

/// Somebody who looks at messages failed.
fn failed(
    house: &House,
    action: OnFailure,
    clean: &mut Clean<queue::Draft>,
    trouble: &Trouble,
) -> Result<(), Refusal> {
    log::warn!(target: "cleanup", "{}: {}", clean.id, printable(&trouble.to_string()));
    match action {
        OnFailure::Accept => Ok(()),
        OnFailure::Quarantine => hold_as_it_is(house, clean, "scanner failed"),
        OnFailure::TempFail => {
            let text = "Service unavailable - try again later";
            log(clean, "reject", &format!("4.7.1 {text}"));
            Err(Refusal::later(51, Detail(7, 1), Blame::Policy, text))
        }
    }
}

/// Recipients that a line names; more are not worth it.
const NAMED: usize = 20;

/// Says what becomes of a message, for whom it was.
pub(crate) fn log(clean: &Clean<queue::Draft>, word: &str, text: &str) {
    let envelope = &clean.envelope;
    let recipients = envelope.recipients.iter().take(NAMED);
    let to: String = recipients.map(|one| format!(" to=<{}>", one.address.external())).collect();
    let line = format!("{word}: END-OF-MESSAGE: {text}; from=<{}>{to}", envelope.sender.external());
    log::info!(target: "cleanup", "{}: {}", clean.id, printable(&line));
}
