//! Searches that take long: they go on in slices, and the client is told how far they are. RFC 9585.

use super::{Query, Words, conclude};
use crate::respond::say;
use crate::session::{Answer, Fail, Session, Slices};

/// Messages that one slice looks into.
pub const SLICE: usize = 500;

/// Seconds between two words of progress.
const PAUSE: i64 = 10;

/// A search under way.
pub struct Searching {
    /// The command's words, which are read again for each slice.
    pub words: Words,
    /// The messages searched.
    pub uids: Vec<u32>,
    /// How many of them were looked into.
    pub at: usize,
    /// Those that fit.
    pub found: Vec<u32>,
    /// When the client last heard of it.
    pub told: i64,
}

impl Slices for Searching {
    fn step(&mut self, session: &mut Session) -> Option<Answer> {
        if self.at == self.uids.len() {
            return Some(conclude(session, &self.words, std::mem::take(&mut self.found)));
        }
        let now = (session.settings.clock)();
        if now - self.told >= PAUSE {
            self.told = now;
            session.out.put(b"* OK [INPROGRESS (");
            session.out.string(&self.words.tag);
            say!(session.out, " {} {})] Still searching.", self.at, self.uids.len());
            session.send_now();
        }
        self.look(session, now).err().map(Err)
    }
}

impl Searching {
    fn look(&mut self, session: &Session, now: i64) -> Result<(), Fail> {
        let end = (self.at + SLICE).min(self.uids.len());
        let parsed = self.words.parse()?;
        let query = Query { selected: session.selected()?, now, uid_only: session.enabled.uid_only };
        self.found.extend(query.of(&parsed.search().key, self.uids[self.at..end].to_vec())?);
        self.at = end;
        Ok(())
    }
}
