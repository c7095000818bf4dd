//! Messages from one mailbox of an account to another: the body is shared.

use super::change::Change;
use crate::{Entry, Result, View};

/// Puts copies of `entries`, which are in `from`, into the mailbox `to`; gives their UIDs, in order.
pub(super) fn put(
    change: &mut Change<'_>,
    entries: &[Entry],
    from: &View,
    to: i64,
    now: i64,
) -> Result<Vec<u32>> {
    let first = change.take_uids(to, entries.len() as u32)?;
    let modseq = change.modseq(to)?;
    // Keywords have other bits there; few combinations of them occur.
    let mut known: Vec<(u64, u64)> = vec![(0, 0)];
    let mut uids = Vec::with_capacity(entries.len());
    for (uid, entry) in (first..).zip(entries) {
        let keywords = match known.iter().find(|known| known.0 == entry.keywords) {
            Some(known) => known.1,
            None => {
                let names: Vec<String> = from.keyword_names(entry.keywords).map(str::to_owned).collect();
                let bits = change.keyword_bits(to, &names)?;
                known.push((entry.keywords, bits));
                bits
            }
        };
        change.insert(to, Entry { uid, keywords, modseq, saved: now, ..*entry })?;
        uids.push(uid);
    }
    Ok(uids)
}

/// Cuts the messages that are wanted into pieces that follow one another in the mailbox.
pub(super) fn runs(view: &View, mut wanted: impl FnMut(&Entry) -> bool) -> Vec<Vec<Entry>> {
    let mut runs: Vec<Vec<Entry>> = Vec::new();
    let mut open = false;
    for entry in view.iter() {
        match (wanted(entry), open) {
            (false, _) => open = false,
            (true, true) => runs.last_mut().expect("one is open").push(*entry),
            (true, false) => {
                runs.push(vec![*entry]);
                open = true;
            }
        }
    }
    runs
}
