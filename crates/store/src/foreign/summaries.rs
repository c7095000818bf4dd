//! Summaries and headers: from the ledger where they are kept, else from the messages, and kept then.

use bytes::Bytes;

use super::{Files, Shared};
use crate::{Error, Mailbox, Result, Summary};

/// How many are read at a time: what is held in memory, and how long others wait for the ledger.
const AT_ONCE: usize = 512;

impl<F: Files> Shared<F> {
    pub(super) fn read_summaries(
        &self,
        uids: &[u32],
        each: &mut dyn FnMut(u32, Summary) -> bool,
    ) -> Result<()> {
        self.kept(
            uids,
            |first, last| self.ledger().summaries(self.id, first, last),
            |summary, _| summary,
            each,
        )
    }

    pub(super) fn read_headers(&self, uids: &[u32], each: &mut dyn FnMut(u32, Bytes) -> bool) -> Result<()> {
        self.kept(uids, |first, last| self.ledger().headers(self.id, first, last), |_, header| header, each)
    }

    /// Gives each message's value, from the ledger or made anew.
    fn kept<T>(
        &self,
        uids: &[u32],
        read: impl Fn(u32, u32) -> Result<Vec<(u32, T)>>,
        pick: impl Fn(Summary, Bytes) -> T,
        each: &mut dyn FnMut(u32, T) -> bool,
    ) -> Result<()> {
        for part in runs(uids) {
            let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
            let mut kept = read(*first, *last)?.into_iter().peekable();
            let mut made = Vec::new();
            let mut values = Vec::with_capacity(part.len());
            for uid in part {
                while kept.next_if(|(known, _)| known < uid).is_some() {}
                if let Some((_, value)) = kept.next_if(|(known, _)| known == uid) {
                    values.push((*uid, value));
                    continue;
                }
                match self.body(*uid) {
                    Ok(message) => {
                        let summary = Summary::of(&message);
                        let header = header(&message);
                        values.push((*uid, pick(summary.clone(), header.clone())));
                        made.push((*uid, summary, header));
                    }
                    Err(Error::NoMessage) => {}
                    Err(error) => return Err(error),
                }
            }
            if !made.is_empty() {
                self.ledger().keep(self.id, &made)?;
            }
            for (uid, value) in values {
                if !each(uid, value) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// The header of a message with CRLF line ends, the empty line included.
fn header(message: &Bytes) -> Bytes {
    if message.starts_with(b"\r\n") {
        return message.slice(..2);
    }
    memchr::memmem::find(message, b"\r\n\r\n").map_or_else(|| message.clone(), |at| message.slice(..at + 4))
}

/// Splits ascending UIDs where a range would hold much that is not asked for, or too much.
fn runs(uids: &[u32]) -> impl Iterator<Item = &[u32]> {
    let mut rest = uids;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let far = rest.iter().enumerate().position(|(n, uid)| {
            n == AT_ONCE || uid.saturating_sub(*first) as usize > 64 + 4 * n || (n > 0 && *uid <= rest[n - 1])
        });
        let (run, after) = rest.split_at(far.unwrap_or(rest.len()));
        rest = after;
        Some(run)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_near_each_other() {
        let uids: Vec<u32> = (1..=1000).chain([9000, 9001, 5]).collect();
        let lengths: Vec<usize> = runs(&uids).map(<[u32]>::len).collect();
        assert_eq!(lengths, [512, 488, 2, 1]);
    }

    #[test]
    fn headers_end_with_their_empty_line() {
        assert_eq!(header(&Bytes::from_static(b"A: b\r\n\r\nc\r\n")), &b"A: b\r\n\r\n"[..]);
        assert_eq!(header(&Bytes::from_static(b"\r\nbody")), &b"\r\n"[..]);
        assert_eq!(header(&Bytes::from_static(b"A: b\r\n")), &b"A: b\r\n"[..]);
    }
}
