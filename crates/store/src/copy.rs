//! Copies between stores that know nothing of each other: by reading and writing.

use bytes::Bytes;

use crate::{CopyOutcome, Error, FlagChange, Flags, Mailbox, Mode, NewMessage, Result, UidSet};

/// Bytes put together for one APPEND. A copy of more is not all or none: what was copied is told.
const TOGETHER: usize = 64 << 20;

/// Copies messages into a mailbox of any store, with flags, keywords and dates.
///
/// # Errors
/// When nothing could be copied. Messages that are gone meanwhile are passed over.
pub fn by_reading(from: &dyn Mailbox, uids: &UidSet, to: &dyn Mailbox) -> Result<CopyOutcome> {
    let view = from.view();
    let mut outcome = CopyOutcome { uidvalidity: to.view().uidvalidity, ..CopyOutcome::default() };
    let (mut batch, mut batch_uids, mut held) = (Vec::new(), Vec::new(), 0);
    let mut put = |batch: &mut Vec<NewMessage>, uids: &mut Vec<u32>| -> Result<()> {
        outcome.to.extend(to.append(batch)?);
        outcome.from.append(uids);
        batch.clear();
        Ok(())
    };
    for entry in view.iter().filter(|entry| uids.contains(entry.uid)) {
        let content: Bytes = match from.body(entry.uid) {
            Err(Error::NoMessage) => continue,
            body => body?,
        };
        held += content.len();
        batch_uids.push(entry.uid);
        batch.push(NewMessage {
            content,
            flags: entry.flags,
            keywords: view.keyword_names(entry.keywords).map(str::to_owned).collect(),
            received: entry.received,
        });
        if held > TOGETHER {
            put(&mut batch, &mut batch_uids)?;
            held = 0;
        }
    }
    if !batch.is_empty() {
        put(&mut batch, &mut batch_uids)?;
    }
    Ok(outcome)
}

/// Moves messages into a mailbox of any store: each is removed here once it is safe there.
///
/// # Errors
/// When they could not be copied; nothing is removed then.
pub fn move_by_reading(from: &dyn Mailbox, uids: &UidSet, to: &dyn Mailbox) -> Result<CopyOutcome> {
    let outcome = by_reading(from, uids, to)?;
    let copied: UidSet = outcome.from.iter().copied().collect();
    from.store(&copied, &FlagChange::new(Mode::Add, Flags::DELETED))?;
    from.expunge(Some(&copied))?;
    Ok(outcome)
}
