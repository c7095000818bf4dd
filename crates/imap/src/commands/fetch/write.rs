//! One FETCH response after another.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::Offset;
use mime::{Section, Structure, What};
use store::{Entry, Summary, UidSet};

use super::plan::{Plan, Wanted};
use crate::grammar::dates;
use crate::grammar::fetch::Partial;
use crate::respond::Out;
use crate::session::{Enabled, Fail, Selected};

/// Writes the responses of a slice.
pub struct Writer<'a> {
    /// Where to.
    pub out: &'a mut Out,
    /// What.
    pub plan: &'a Plan,
    /// The mailbox.
    pub selected: &'a Selected,
    /// What the client has switched on.
    pub enabled: Enabled,
    /// Messages whose flags changed by reading them.
    pub marked: &'a UidSet,
    /// Some were gone.
    pub missing: bool,
}

/// What was read of a message.
#[derive(Default)]
struct Read {
    summary: Option<Summary>,
    header: Option<Bytes>,
    message: Option<Bytes>,
    structure: Option<Structure>,
}

impl Writer<'_> {
    /// The responses for these messages.
    ///
    /// # Errors
    /// The store fails.
    pub fn write(&mut self, uids: &[u32]) -> Result<(), Fail> {
        let needs = self.plan.needs;
        let mailbox = self.selected.mailbox.clone();
        if needs.message {
            for uid in uids {
                match mailbox.body(*uid) {
                    Ok(message) => self.one(*uid, Read { message: Some(message), ..Read::default() })?,
                    Err(store::Error::NoMessage) => self.missing = true,
                    Err(error) => return Err(error.into()),
                }
            }
            return Ok(());
        }
        if !needs.summary && !needs.header {
            return uids.iter().try_for_each(|uid| self.one(*uid, Read::default()));
        }
        let mut result = Ok(());
        let mut written = 0;
        if !needs.header {
            mailbox.summaries(uids, &mut |uid, summary| {
                written += 1;
                result = self.one(uid, Read { summary: Some(summary), ..Read::default() });
                result.is_ok()
            })?;
        } else {
            let mut summaries = HashMap::new();
            if needs.summary {
                mailbox.summaries(uids, &mut |uid, summary| {
                    summaries.insert(uid, summary);
                    true
                })?;
            }
            mailbox.headers(uids, &mut |uid, header| {
                written += 1;
                let summary = summaries.remove(&uid);
                result = self.one(uid, Read { summary, header: Some(header), ..Read::default() });
                result.is_ok()
            })?;
        }
        self.missing |= result.is_ok() && written < uids.len();
        result
    }

    fn one(&mut self, uid: u32, mut read: Read) -> Result<(), Fail> {
        let known = self.selected.known.clone();
        let (Some(number), Some(entry)) = (known.sequence(uid), known.find(uid)) else {
            self.missing = true;
            return Ok(());
        };
        let start = self.out.len();
        self.out.fetch_head(number, uid, self.enabled.uid_only);
        let plan = self.plan;
        // Flags that changed by reading are told first, as Dovecot does, but for the UID.
        let marked: &[Wanted] = match self.marked.contains(uid) && !plan.flags {
            true if self.enabled.condstore && !plan.mod_seq => &[Wanted::Flags, Wanted::ModSeq],
            true => &[Wanted::Flags],
            false => &[],
        };
        let (uids, others) =
            plan.wanted.split_at(usize::from(matches!(plan.wanted.first(), Some(Wanted::Uid))));
        let uids = if self.enabled.uid_only { &[] } else { uids };
        let mut first = true;
        for wanted in uids.iter().chain(marked).chain(others) {
            if !std::mem::replace(&mut first, false) {
                self.out.put(b" ");
            }
            if let Err(fail) = self.item(wanted, entry, &mut read) {
                // Nothing of a response that cannot be completed.
                self.out.bytes().truncate(start);
                if matches!(&fail, Fail::No { code, .. } if code == "EXPUNGEISSUED") {
                    self.missing = true;
                    return Ok(());
                }
                return Err(fail);
            }
        }
        self.out.put(b")\r\n");
        Ok(())
    }

    fn item(&mut self, wanted: &Wanted, entry: &Entry, read: &mut Read) -> Result<(), Fail> {
        match wanted {
            Wanted::Uid => self.numbered(b"UID ", entry.uid.into()),
            Wanted::Size => self.numbered(b"RFC822.SIZE ", entry.size.into()),
            Wanted::Flags => {
                let recent = !self.enabled.rev2 && self.selected.recent.contains(entry.uid);
                self.out.put(b"FLAGS ");
                self.out.flags(entry.flags, entry.keywords, &self.selected.known, recent);
            }
            Wanted::InternalDate => {
                self.out.put(b"INTERNALDATE ");
                self.date(entry.received);
            }
            Wanted::SaveDate => {
                self.out.put(b"SAVEDATE ");
                if entry.saved > 0 { self.date(entry.saved) } else { self.out.put(b"NIL") }
            }
            Wanted::ModSeq => {
                self.out.put(b"MODSEQ (");
                self.out.number(entry.modseq);
                self.out.put(b")");
            }
            Wanted::EmailId => self.identified(b"EMAILID ", self.selected.mailbox.email_id(entry)),
            Wanted::ThreadId => self.identified(b"THREADID ", self.selected.mailbox.thread_id(entry)?),
            Wanted::Envelope => {
                self.out.put(b"ENVELOPE ");
                if let Some(summary) = &read.summary {
                    self.out.put(&summary.envelope);
                    return Ok(());
                }
                let structure = self.structure(entry.uid, read)?;
                let empty = mime::Envelope::default();
                mime::imap::envelope(
                    structure.root().envelope.as_deref().unwrap_or(&empty),
                    self.out.bytes(),
                );
            }
            Wanted::Structure { extended: true } => {
                self.out.put(b"BODYSTRUCTURE ");
                if let Some(summary) = &read.summary {
                    self.out.put(&summary.bodystructure);
                    return Ok(());
                }
                mime::imap::bodystructure(self.structure(entry.uid, read)?, self.out.bytes());
            }
            Wanted::Structure { extended: false } => {
                let structure = self.structure(entry.uid, read)?;
                self.out.put(b"BODY ");
                mime::imap::body(structure, self.out.bytes());
            }
            Wanted::Preview => {
                let preview = self.preview(entry.uid, read)?;
                self.out.put(b"PREVIEW ");
                self.out.string(preview.as_bytes());
            }
            Wanted::Section { name, section, partial } => {
                self.section(name, section, *partial, entry.uid, read)?
            }
            Wanted::Binary { name, part, partial } => {
                let decoded = self.decoded(part, entry.uid, read)?;
                self.out.put(name.as_bytes());
                self.out.put(b" ");
                match decoded {
                    Some(decoded) => self.out.binary(cut(&decoded, *partial)),
                    None => self.out.put(b"NIL"),
                }
            }
            Wanted::BinarySize { name, part } => {
                let size = self.decoded(part, entry.uid, read)?.map_or(0, |decoded| decoded.len());
                self.out.put(name.as_bytes());
                self.numbered(b" ", size as u64);
            }
        }
        Ok(())
    }

    fn numbered(&mut self, name: &[u8], number: u64) {
        self.out.put(name);
        self.out.number(number);
    }

    fn identified(&mut self, name: &[u8], id: Option<String>) {
        self.out.put(name);
        match id {
            Some(id) => {
                self.out.put(b"(");
                self.out.put(id.as_bytes());
                self.out.put(b")");
            }
            None => self.out.put(b"NIL"),
        }
    }

    fn date(&mut self, seconds: i64) {
        let at = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
        dates::write(at, Offset::UTC, self.out.bytes());
    }

    fn message<'r>(&self, uid: u32, read: &'r mut Read) -> Result<&'r Bytes, Fail> {
        if read.message.is_none() {
            read.message = Some(self.selected.mailbox.body(uid)?);
        }
        Ok(read.message.as_ref().expect("it was just read"))
    }

    fn structure<'r>(&self, uid: u32, read: &'r mut Read) -> Result<&'r Structure, Fail> {
        if read.structure.is_none() {
            let message = self.message(uid, read)?;
            read.structure = Some(mime::parse(message, &mime::Limits::default()));
        }
        Ok(read.structure.as_ref().expect("it was just made"))
    }

    /// A part of the message with its transfer encoding undone.
    fn decoded(&self, part: &[u32], uid: u32, read: &mut Read) -> Result<Option<Vec<u8>>, Fail> {
        let message = self.message(uid, read)?.clone();
        let structure = self.structure(uid, read)?;
        match structure.binary(&message, part) {
            None => Ok(None),
            Some(Ok(decoded)) => Ok(Some(decoded)),
            Some(Err(mime::UnknownEncoding)) => {
                Err(Fail::no("UNKNOWN-CTE", "The transfer encoding of this part is not known."))
            }
        }
    }

    fn preview(&self, uid: u32, read: &mut Read) -> Result<String, Fail> {
        let message = self.message(uid, read)?.clone();
        let structure = self.structure(uid, read)?;
        Ok(mime::text::preview(&message, structure))
    }

    fn section(
        &mut self,
        name: &str,
        section: &Section,
        partial: Partial,
        uid: u32,
        read: &mut Read,
    ) -> Result<(), Fail> {
        let whole = section.path.is_empty() && section.what == What::All;
        let header = section.path.is_empty()
            && matches!(section.what, What::Header | What::Fields(_) | What::FieldsNot(_));
        let text: Option<Cow<'_, [u8]>> = match &read.header {
            _ if whole => Some(Cow::Borrowed(self.message(uid, read)?)),
            Some(bytes) if header => of_header(bytes, section),
            _ => {
                let message = self.message(uid, read)?.clone();
                let structure = self.structure(uid, read)?;
                structure.section(&message, section).map(|text| Cow::Owned(text.into_owned()))
            }
        };
        self.out.put(name.as_bytes());
        self.out.put(b" ");
        match text {
            Some(text) => self.out.literal(cut(&text, partial)),
            None => self.out.put(b"NIL"),
        }
        Ok(())
    }
}

/// Header fields out of a header alone.
fn of_header<'h>(header: &'h [u8], section: &Section) -> Option<Cow<'h, [u8]>> {
    mime::section::of_header(header, &section.what)
}

fn cut(text: &[u8], partial: Partial) -> &[u8] {
    let Some((start, length)) = partial else { return text };
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
    &text[at(start)..at(start.saturating_add(length))]
}
