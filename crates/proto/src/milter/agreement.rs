//! What server and filter settle on before anything else: version, wishes, macros.

use std::collections::HashMap;

use super::{Event, packet};

/// Asks for lists of macros of its own.
const SET_SYMBOLS: u32 = 0x100;
/// Header values are sent and taken with their leading space.
const LEADING_SPACE: u32 = 0x10_0000;
/// Wants to hear of recipients that were refused.
const REFUSED_RECIPIENTS: u32 = 0x800;
/// Most macro names of one list.
const SYMBOLS: usize = 4096;

/// What we offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The highest version.
    pub version: u32,
    /// Changes a filter may ask for.
    pub actions: u32,
    /// Events it may decline, answers it may leave out.
    pub steps: u32,
}

impl Offer {
    /// The offer of a version of `milter_protocol`; `None` for one that we do not speak.
    pub fn of_version(version: u32) -> Option<Offer> {
        let steps = match version {
            2 => 0x7f,
            3 => 0x17f,
            4 => 0x37f,
            6 => 0x1f_ffff,
            _ => return None,
        };
        Some(Offer { version, actions: 0x1ff, steps })
    }

    /// Its packet.
    pub fn packet(self) -> Vec<u8> {
        let numbers = [self.version, self.actions, self.steps];
        packet(b'O', &numbers.map(u32::to_be_bytes).concat())
    }
}

/// What was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The version both speak.
    pub version: u32,
    steps: u32,
    symbols: HashMap<Event, String>,
}

/// The filter's answer makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// It is cut short.
    Malformed,
    /// It wants a version that we do not speak.
    Version(u32),
    /// It asks for what was not offered.
    NotOffered(u32),
}

impl Agreement {
    /// Reads the data of a filter's answer to `offer`.
    pub fn parse(offer: Offer, data: &[u8]) -> Result<Agreement, Disagreement> {
        let mut rest = data;
        let version = number(&mut rest).ok_or(Disagreement::Malformed)?;
        let actions = number(&mut rest).ok_or(Disagreement::Malformed)?;
        let steps = number(&mut rest).ok_or(Disagreement::Malformed)?;
        if version > offer.version || version < 2 {
            return Err(Disagreement::Version(version));
        }
        let beyond = (steps & !offer.steps) | (actions & !offer.actions);
        if beyond != 0 {
            return Err(Disagreement::NotOffered(beyond));
        }
        let mut symbols = HashMap::new();
        if actions & SET_SYMBOLS != 0 {
            while !rest.is_empty() {
                let stage = number(&mut rest).ok_or(Disagreement::Malformed)?;
                let end = rest.iter().position(|byte| *byte == 0).ok_or(Disagreement::Malformed)?;
                let names = &rest[..end.min(SYMBOLS)];
                if let Some(event) = stage_event(stage) {
                    symbols.insert(event, String::from_utf8_lossy(names).into_owned());
                }
                rest = &rest[end + 1..];
            }
        }
        Ok(Agreement { version, steps, symbols })
    }

    /// Is the filter to be told of this?
    pub fn wants(&self, event: Event) -> bool {
        let (declined, since) = match event {
            Event::Connect => (0x1, 2),
            Event::Helo => (0x2, 2),
            Event::Mail => (0x4, 2),
            Event::Rcpt => (0x8, 2),
            Event::Body => (0x10, 2),
            Event::Header => (0x20, 2),
            Event::EndOfHeader => (0x40, 2),
            Event::Unknown => (0x100, 3),
            Event::Data => (0x200, 4),
            Event::EndOfMessage => (0, 2),
        };
        self.version >= since && self.steps & declined == 0
    }

    /// Does the filter answer this?
    pub fn answers(&self, event: Event) -> bool {
        let silent = match event {
            Event::Header => 0x80,
            Event::Connect => 0x1000,
            Event::Helo => 0x2000,
            Event::Mail => 0x4000,
            Event::Rcpt => 0x8000,
            Event::Data => 0x1_0000,
            Event::Unknown => 0x2_0000,
            Event::EndOfHeader => 0x4_0000,
            Event::Body => 0x8_0000,
            Event::EndOfMessage => 0,
        };
        self.steps & silent == 0
    }

    /// Are header values exchanged with the space behind the colon?
    pub fn leading_space(&self) -> bool {
        self.steps & LEADING_SPACE != 0
    }

    /// Is the filter to be told of recipients that were refused?
    pub fn refused_recipients(&self) -> bool {
        self.steps & REFUSED_RECIPIENTS != 0
    }

    /// The macros the filter asks for at an event, when it has a list of its own.
    pub fn symbols(&self, event: Event) -> Option<&str> {
        self.symbols.get(&event).map(String::as_str)
    }
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_be_bytes(*bytes))
}

fn stage_event(stage: u32) -> Option<Event> {
    Some(match stage {
        0 => Event::Connect,
        1 => Event::Helo,
        2 => Event::Mail,
        3 => Event::Rcpt,
        4 => Event::Data,
        5 => Event::EndOfMessage,
        6 => Event::EndOfHeader,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(version: u32, actions: u32, steps: u32, more: &[u8]) -> Result<Agreement, Disagreement> {
        let mut data = [version, actions, steps].map(u32::to_be_bytes).concat();
        data.extend_from_slice(more);
        Agreement::parse(Offer::of_version(6).unwrap(), &data)
    }

    #[test]
    fn declined_events_are_not_sent() {
        let settled = answer(6, 1, 0x21 | 0x4000, b"").unwrap();
        assert!(!settled.wants(Event::Connect) && !settled.wants(Event::Header));
        assert!(settled.wants(Event::Mail) && !settled.answers(Event::Mail));
        assert!(settled.answers(Event::Rcpt));
        let old = answer(2, 0, 0, b"").unwrap();
        assert!(!old.wants(Event::Unknown) && !old.wants(Event::Data) && old.wants(Event::Body));
    }

    #[test]
    fn symbols_are_by_stage() {
        let settled = answer(6, 0x100, 0, b"\0\0\0\x03i {rcpt_addr}\0\0\0\0\x05i\0").unwrap();
        assert_eq!(settled.symbols(Event::Rcpt), Some("i {rcpt_addr}"));
        assert_eq!(settled.symbols(Event::EndOfMessage), Some("i"));
        assert_eq!(settled.symbols(Event::Mail), None);
        assert_eq!(answer(6, 0x100, 0, b"\0\0\0\x03i"), Err(Disagreement::Malformed));
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(answer(7, 0, 0, b""), Err(Disagreement::Version(7)));
        assert_eq!(answer(1, 0, 0, b""), Err(Disagreement::Version(1)));
        assert_eq!(answer(6, 0x8000, 0, b""), Err(Disagreement::NotOffered(0x8000)));
        assert_eq!(answer(6, 0, 0x80_0000, b""), Err(Disagreement::NotOffered(0x80_0000)));
        assert_eq!(Agreement::parse(Offer::of_version(6).unwrap(), b"\0\0"), Err(Disagreement::Malformed));
        assert_eq!(Offer::of_version(5), None);
    }
}
