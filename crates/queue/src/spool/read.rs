//! From a queue file to an envelope and its content.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use jiff::Timestamp;
use mail::{Address, Envelope, Recipient};

use super::attributes::{self, OfRecipient};
use super::records::{Record, Records, kind};
use crate::Failure;

/// A message as its queue file tells it.
#[derive(Debug, Default)]
pub struct Letter {
    /// Sender, recipients that are not done, options.
    pub envelope: Envelope,
    /// Where the record of each of these recipients is: the defer log names it.
    pub offsets: Vec<u64>,
    /// Recipients that are done, with the places of their records: some may be owed a notice.
    pub done: Vec<(u64, Recipient)>,
    /// When it arrived.
    pub arrival: Timestamp,
    /// Bytes of content.
    pub size: u64,
}

/// Why a queue file gave no message.
#[derive(Debug)]
pub enum Wrong {
    /// The file cannot be read, or is no queue file: what is wrong, with its place.
    Damaged(String),
    /// The content could not be stored.
    Ours(Failure),
}

impl From<String> for Wrong {
    fn from(what: String) -> Wrong {
        Wrong::Damaged(what)
    }
}

/// Reads a queue file; content goes to `take`, lines ended by LF.
///
/// # Errors
/// The file is damaged or cut off; or what `take` says.
pub fn read(path: &Path, take: &mut dyn FnMut(&[u8]) -> Result<(), Failure>) -> Result<Letter, Wrong> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut records = Records::new(BufReader::with_capacity(1 << 16, file));
    let mut reading = Reading { letter: Letter::default(), ..Reading::default() };
    loop {
        let record = records.next()?;
        if record.kind == kind::CONTENT {
            break;
        }
        reading.envelope(&record)?;
    }
    loop {
        let record = records.next()?;
        let ending: &[u8] = match record.kind {
            kind::LINE => b"\n",
            kind::FILTER_OR_PART => b"",
            kind::EXTRACTED => break,
            other if kind::IDLE.contains(&other) => continue,
            _ => return Err(unknown(&record).into()),
        };
        for piece in [&record.data, ending] {
            take(piece).map_err(Wrong::Ours)?;
            reading.letter.size += piece.len() as u64;
        }
    }
    loop {
        let record = records.next()?;
        if record.kind == kind::END {
            break;
        }
        reading.envelope(&record)?;
    }
    Ok(reading.finish()?)
}

fn unknown(record: &Record) -> String {
    format!("unknown record '{}' at byte {}", char::from(record.kind).escape_default(), record.at)
}

/// A file half read.
#[derive(Default)]
struct Reading {
    letter: Letter,
    sender: bool,
    next: OfRecipient,
    original: Option<Address>,
    redirect: Option<Address>,
}

impl Reading {
    /// A record before or behind the content.
    fn envelope(&mut self, record: &Record) -> Result<(), String> {
        let text = String::from_utf8_lossy(&record.data);
        let envelope = &mut self.letter.envelope;
        match record.kind {
            kind::SIZE => {
                let smtputf8 = text.split_ascii_whitespace().nth(5).and_then(|flags| flags.parse().ok());
                envelope.smtputf8 = smtputf8.unwrap_or(0_u32) & 1 != 0;
            }
            kind::TIME => self.letter.arrival = time(&text).ok_or_else(|| unknown(record))?,
            kind::ATTRIBUTE => {
                if let Some((name, value)) = text.split_once('=') {
                    attributes::take(envelope, &mut self.next, name, value);
                }
            }
            kind::FULL_NAME => envelope.full_name = Some(text.into_owned()),
            kind::SENDER => {
                envelope.sender = Address::from_internal(text);
                self.sender = true;
            }
            kind::FILTER_OR_PART => envelope.content_filter = Some(text.into_owned()),
            kind::VERP => envelope.verp = Some(text.into_owned()),
            kind::REDIRECT => self.redirect = Some(Address::from_internal(text)),
            kind::ORIGINAL => self.original = Some(Address::from_internal(text)),
            kind::RECIPIENT | kind::DONE | kind::CANCELLED => {
                let address = Address::from_internal(text);
                let told = std::mem::take(&mut self.next);
                let recipient = Recipient {
                    original: self.original.take().unwrap_or_else(|| address.clone()),
                    address,
                    orcpt: told.orcpt,
                    notify: told.notify,
                };
                match record.kind {
                    kind::RECIPIENT => {
                        envelope.recipients.push(recipient);
                        self.letter.offsets.push(record.at);
                    }
                    kind::DONE => self.letter.done.push((record.at, recipient)),
                    _ => {}
                }
            }
            other if kind::IDLE.contains(&other) => {}
            _ => return Err(unknown(record)),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Letter, String> {
        if !self.sender {
            return Err("there is no sender".to_owned());
        }
        if let Some(address) = self.redirect {
            self.letter.envelope.recipients = vec![Recipient::new(address)];
            self.letter.offsets = vec![0];
        }
        Ok(self.letter)
    }
}

/// Seconds and microseconds; the latter may be missing.
fn time(text: &str) -> Option<Timestamp> {
    let mut words = text.split_ascii_whitespace();
    let seconds: i64 = words.next()?.parse().ok()?;
    let micros: i64 = words.next().map_or(Some(0), |word| word.parse().ok())?;
    Timestamp::from_microsecond(seconds.checked_mul(1_000_000)?.checked_add(micros)?).ok()
}
