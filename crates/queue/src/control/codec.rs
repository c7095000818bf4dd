//! Requests and answers as bytes.

use bytes::Bytes;
use mail::{Address, QueueId};

use super::{Alteration, Answer, Reason, Request, Shown};
use crate::maildrop::Listed;
use crate::record::{read_envelope, timestamp, write_envelope};
use crate::wire::{Reader, Writer};
use crate::{Brief, Flush, Selection, State, Summary, Waiting};

const ALTERATIONS: [Alteration; 5] =
    [Alteration::Delete, Alteration::Hold, Alteration::Release, Alteration::Requeue, Alteration::Expire];

const REASONS: [Reason; 4] = [Reason::Denied, Reason::NotFound, Reason::NotFlushed, Reason::Failed];

fn write_one_of<T: PartialEq>(writer: &mut Writer, all: &[T], one: &T) {
    let at = all.iter().position(|other| other == one).expect("all are listed");
    writer.number(at as u64);
}

fn read_one_of<T: Copy>(reader: &mut Reader<'_>, all: &[T]) -> Option<T> {
    all.get(usize::try_from(reader.number()?).ok()?).copied()
}

fn read_id(reader: &mut Reader<'_>) -> Option<QueueId> {
    QueueId::parse(reader.text()?)
}

impl Request {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        match self {
            Request::List => writer.number(1),
            Request::Show(id) => {
                writer.number(2);
                writer.text(id.as_str());
            }
            Request::Flush(flush) => {
                writer.number(3);
                match flush {
                    Flush::All => writer.number(0),
                    Flush::Site(site) => {
                        writer.number(1);
                        writer.text(site);
                    }
                    Flush::Message(id) => {
                        writer.number(2);
                        writer.text(id.as_str());
                    }
                }
            }
            Request::Alter(alteration, selection) => {
                writer.number(4);
                write_one_of(&mut writer, &ALTERATIONS, alteration);
                let (ids, states) = match selection {
                    Selection::One(id, states) => (std::slice::from_ref(id), states),
                    Selection::These(ids, states) => (ids.as_slice(), states),
                    Selection::All(states) => (&[][..], states),
                };
                let kind = match selection {
                    Selection::All(_) => 0,
                    Selection::One(..) => 1,
                    Selection::These(..) => 2,
                };
                writer.number(kind);
                writer.flags(&State::ALL.map(|state| states.contains(&state)));
                for id in ids {
                    writer.text(id.as_str());
                }
            }
        }
        writer.0
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Request> {
        let mut reader = Reader(bytes);
        let request = match reader.number()? {
            1 => Request::List,
            2 => Request::Show(read_id(&mut reader)?),
            3 => Request::Flush(match reader.number()? {
                0 => Flush::All,
                1 => Flush::Site(reader.text()?.to_owned()),
                2 => Flush::Message(read_id(&mut reader)?),
                _ => return None,
            }),
            4 => {
                let alteration = read_one_of(&mut reader, &ALTERATIONS)?;
                let kind = reader.number()?;
                let chosen: [bool; 4] = reader.flags()?;
                let states = State::ALL.into_iter().zip(chosen).filter(|(_, chosen)| *chosen);
                let states = states.map(|(state, _)| state).collect();
                let selection = match kind {
                    0 => Selection::All(states),
                    1 => Selection::One(read_id(&mut reader)?, states),
                    2 => {
                        let mut ids = Vec::new();
                        while !reader.is_at_end() {
                            ids.push(read_id(&mut reader)?);
                        }
                        Selection::These(ids, states)
                    }
                    _ => return None,
                };
                Request::Alter(alteration, selection)
            }
            _ => return None,
        };
        reader.is_at_end().then_some(request)
    }
}

impl Answer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        match self {
            Answer::Summary(summary) => {
                writer.number(1);
                write_summary(&mut writer, summary);
            }
            Answer::Message(shown) => {
                writer.number(2);
                writer.text(shown.id.as_str());
                write_one_of(&mut writer, &State::ALL, &shown.state);
                writer.signed(shown.arrival.as_microsecond());
                writer.number(shown.size);
                for done in &shown.done {
                    writer.flags(&[true, *done]);
                }
                writer.flags(&[]);
                write_envelope(&mut writer, &shown.envelope);
            }
            Answer::Content(content) => {
                writer.number(3);
                writer.0.extend_from_slice(content);
            }
            Answer::Altered(ids) => {
                writer.number(4);
                for id in ids {
                    writer.text(id.as_str());
                }
            }
            Answer::Dropped(listed) => {
                writer.number(7);
                writer.text(&listed.name);
                writer.signed(listed.arrival.as_microsecond());
                writer.number(listed.size);
                writer.text(listed.sender.as_str());
                listed.recipients.iter().for_each(|address| writer.text(address.as_str()));
            }
            Answer::Done => writer.number(5),
            Answer::Refused(reason, text) => {
                writer.number(6);
                write_one_of(&mut writer, &REASONS, reason);
                writer.text(text);
            }
        }
        writer.0
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Answer> {
        let mut reader = Reader(bytes);
        Some(match reader.number()? {
            1 => Answer::Summary(read_summary(&mut reader)?),
            2 => {
                let id = read_id(&mut reader)?;
                let state = read_one_of(&mut reader, &State::ALL)?;
                let arrival = timestamp(reader.signed()?);
                let size = reader.number()?;
                let mut done = Vec::new();
                while let [true, is_done] = reader.flags()? {
                    done.push(is_done);
                }
                let envelope = read_envelope(&mut reader)?;
                Answer::Message(Box::new(Shown { id, state, arrival, size, envelope, done }))
            }
            3 => Answer::Content(Bytes::copy_from_slice(reader.0)),
            4 => {
                let mut ids = Vec::new();
                while !reader.is_at_end() {
                    ids.push(read_id(&mut reader)?);
                }
                Answer::Altered(ids)
            }
            7 => {
                let name = reader.text()?.to_owned();
                let arrival = timestamp(reader.signed()?);
                let size = reader.number()?;
                let sender = Address::from(reader.text()?);
                let mut recipients = Vec::new();
                while !reader.is_at_end() {
                    recipients.push(Address::from(reader.text()?));
                }
                Answer::Dropped(Listed { name, arrival, size, sender, recipients })
            }
            5 => Answer::Done,
            6 => Answer::Refused(read_one_of(&mut reader, &REASONS)?, reader.text()?.to_owned()),
            _ => return None,
        })
    }
}

fn write_summary(writer: &mut Writer, summary: &Summary) {
    let Summary { brief, sender, recipients } = summary;
    writer.text(brief.id.as_str());
    write_one_of(writer, &State::ALL, &brief.state);
    writer.signed(brief.arrival.as_microsecond());
    writer.signed(brief.next_attempt.as_microsecond());
    writer.number(brief.attempts.into());
    writer.number(brief.size);
    writer.number(brief.recipients.into());
    writer.number(brief.left.into());
    writer.flags(&[brief.forced_expire, brief.delay_warned]);
    writer.text(sender.as_str());
    writer.number(recipients.len() as u64);
    for waiting in recipients {
        writer.text(waiting.address.as_str());
        writer.maybe(waiting.reason.as_deref());
    }
}

fn read_summary(reader: &mut Reader<'_>) -> Option<Summary> {
    let id = read_id(reader)?;
    let state = read_one_of(reader, &State::ALL)?;
    let arrival = timestamp(reader.signed()?);
    let next_attempt = timestamp(reader.signed()?);
    let attempts = reader.small()?;
    let size = reader.number()?;
    let recipients = reader.small()?;
    let left = reader.small()?;
    let [forced_expire, delay_warned] = reader.flags()?;
    let sender = Address::from(reader.text()?);
    let count = reader.number()?;
    let mut waiting = Vec::new();
    for _ in 0..count {
        let address = Address::from(reader.text()?);
        waiting.push(Waiting { address, reason: reader.maybe()?.map(str::to_owned) });
    }
    let brief = Brief {
        id,
        state,
        arrival,
        next_attempt,
        attempts,
        size,
        recipients,
        left,
        forced_expire,
        delay_warned,
    };
    Some(Summary { brief, sender, recipients: waiting })
}
