//! What the records of the journal say. All numbers in them are absolute, so that a record may be applied twice.

use jiff::Timestamp;
use mail::envelope::DeliveryReport;
use mail::{Address, BodyType, Client, Envelope, Notify, QueueId, Recipient, RemoteReply, Ret};

use crate::wire::{Reader, Writer};
use crate::{Action, Fate, Report, State};

/// Version of the format, first byte of every record.
const VERSION: u8 = 1;

/// Kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum RecordKind {
    /// A message, with its content behind the record or in a file: accepted, or moved by compaction.
    Message = 1,
    /// New fates of recipients, and the status of the message.
    Settled = 2,
    /// The status of the message.
    Status = 3,
    /// Messages that are gone.
    Removed = 4,
}

impl RecordKind {
    pub(crate) fn from_byte(byte: u8) -> Option<RecordKind> {
        [RecordKind::Message, RecordKind::Settled, RecordKind::Status, RecordKind::Removed]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// Fates by recipient index.
pub(crate) type Fates = Vec<(u32, Fate)>;

/// The bookkeeping of a message that changes while it is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) state: State,
    /// Microseconds since 1970.
    pub(crate) next_attempt: i64,
    pub(crate) attempts: u32,
    pub(crate) forced_expire: bool,
    pub(crate) delay_warned: bool,
}

impl Status {
    fn write(&self, writer: &mut Writer) {
        // Active is a matter of one run of the program: what was active is tried again.
        let state = match self.state {
            State::Incoming => 0,
            State::Active if self.attempts == 0 => 0,
            State::Active | State::Deferred => 1,
            State::Hold => 2,
        };
        writer.number(state);
        writer.signed(self.next_attempt);
        writer.number(u64::from(self.attempts));
        writer.flags(&[self.forced_expire, self.delay_warned]);
    }

    fn read(reader: &mut Reader<'_>) -> Option<Status> {
        let state = match reader.number()? {
            0 => State::Incoming,
            1 => State::Deferred,
            2 => State::Hold,
            _ => return None,
        };
        let next_attempt = reader.signed()?;
        let attempts = reader.small()?;
        let [forced_expire, delay_warned] = reader.flags()?;
        Some(Status { state, next_attempt, attempts, forced_expire, delay_warned })
    }
}

/// The first part of a [`RecordKind::Message`]: all that replay needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageHead {
    pub(crate) id: QueueId,
    pub(crate) status: Status,
    /// Microseconds since 1970.
    pub(crate) arrival: i64,
    /// Length of the content.
    pub(crate) size: u64,
    /// The content is in a file of its own.
    pub(crate) in_file: bool,
    pub(crate) recipients: u32,
}

/// Writes a message record: its head, the fates that are not `Pending`, the envelope.
pub(crate) fn write_message(head: &MessageHead, fates: &[(u32, Fate)], envelope: &Envelope) -> Vec<u8> {
    let mut writer = Writer(Vec::with_capacity(256 + 64 * envelope.recipients.len()));
    writer.0.push(VERSION);
    writer.text(head.id.as_str());
    head.status.write(&mut writer);
    writer.signed(head.arrival);
    writer.number(head.size);
    writer.flags(&[head.in_file]);
    writer.number(u64::from(head.recipients));
    write_fates(&mut writer, fates);
    write_envelope(&mut writer, envelope);
    writer.0
}

/// Reads head and fates; the reader is left before the envelope.
pub(crate) fn read_message_head(reader: &mut Reader<'_>) -> Option<(MessageHead, Fates)> {
    version(reader)?;
    let id = QueueId::parse(reader.text()?)?;
    let status = Status::read(reader)?;
    let arrival = reader.signed()?;
    let size = reader.number()?;
    let [in_file] = reader.flags()?;
    let recipients = reader.small()?;
    let head = MessageHead { id, status, arrival, size, in_file, recipients };
    let fates = read_fates(reader)?;
    fates.iter().all(|(index, _)| *index < recipients).then_some((head, fates))
}

/// Writes a record of new fates.
pub(crate) fn write_settled(id: &QueueId, status: &Status, fates: &[(u32, Fate)]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.0.push(VERSION);
    writer.text(id.as_str());
    status.write(&mut writer);
    write_fates(&mut writer, fates);
    writer.0
}

/// Reads a record of new fates.
pub(crate) fn read_settled(record: &[u8]) -> Option<(QueueId, Status, Fates)> {
    let mut reader = Reader(record);
    version(&mut reader)?;
    let id = QueueId::parse(reader.text()?)?;
    let status = Status::read(&mut reader)?;
    Some((id, status, read_fates(&mut reader)?))
}

/// Writes a record of a new status.
pub(crate) fn write_status(id: &QueueId, status: &Status) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.0.push(VERSION);
    writer.text(id.as_str());
    status.write(&mut writer);
    writer.0
}

/// Reads a record of a new status.
pub(crate) fn read_status(record: &[u8]) -> Option<(QueueId, Status)> {
    let mut reader = Reader(record);
    version(&mut reader)?;
    let id = QueueId::parse(reader.text()?)?;
    Some((id, Status::read(&mut reader)?))
}

/// Writes a record of messages that are gone.
pub(crate) fn write_removed<'a>(ids: impl IntoIterator<Item = &'a QueueId>) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.0.push(VERSION);
    for id in ids {
        writer.text(id.as_str());
    }
    writer.0
}

/// Reads a record of messages that are gone.
pub(crate) fn read_removed(record: &[u8]) -> Option<Vec<QueueId>> {
    let mut reader = Reader(record);
    version(&mut reader)?;
    let mut ids = Vec::new();
    while !reader.is_at_end() {
        ids.push(QueueId::parse(reader.text()?)?);
    }
    Some(ids)
}

fn version(reader: &mut Reader<'_>) -> Option<()> {
    (reader.byte()? == VERSION).then_some(())
}

fn write_fates(writer: &mut Writer, fates: &[(u32, Fate)]) {
    writer.number(fates.len() as u64);
    for (index, fate) in fates {
        writer.number(u64::from(*index));
        let (tag, report) = match fate {
            Fate::Pending => (0, None),
            Fate::Deferred(report) => (1, Some(report)),
            Fate::Failed(report) => (2, Some(report)),
            Fate::Delivered(report) => (3, Some(report)),
            Fate::Done => (4, None),
        };
        writer.number(tag);
        if let Some(report) = report {
            write_report(writer, report);
        }
    }
}

fn read_fates(reader: &mut Reader<'_>) -> Option<Fates> {
    let count = reader.number()?;
    let mut fates = Vec::new();
    for _ in 0..count {
        let index = reader.small()?;
        let fate = match reader.number()? {
            0 => Fate::Pending,
            1 => Fate::Deferred(read_report(reader)?),
            2 => Fate::Failed(read_report(reader)?),
            3 => Fate::Delivered(read_report(reader)?),
            4 => Fate::Done,
            _ => return None,
        };
        fates.push((index, fate));
    }
    Some(fates)
}

const ACTIONS: [Action; 5] =
    [Action::Failed, Action::Delayed, Action::Delivered, Action::Relayed, Action::Expanded];

fn write_report(writer: &mut Writer, report: &Report) {
    let action = ACTIONS.iter().position(|action| *action == report.action).unwrap_or_default();
    writer.number(action as u64);
    writer.text(&report.status);
    writer.text(&report.reason);
    writer.maybe(report.remote.as_ref().map(|remote| remote.host.as_str()));
    writer.maybe(report.remote.as_ref().map(|remote| remote.text.as_str()));
    writer.maybe(report.diagnostic.as_deref());
    writer.text(&report.relay);
    writer.signed(report.at.as_microsecond());
}

fn read_report(reader: &mut Reader<'_>) -> Option<Report> {
    let action = *ACTIONS.get(usize::try_from(reader.number()?).ok()?)?;
    let status = reader.text()?.to_owned();
    let reason = reader.text()?.to_owned();
    let remote = match (reader.maybe()?, reader.maybe()?) {
        (Some(host), Some(text)) => Some(RemoteReply { host: host.to_owned(), text: text.to_owned() }),
        _ => None,
    };
    let diagnostic = reader.maybe()?.map(str::to_owned);
    let relay = reader.text()?.to_owned();
    let at = timestamp(reader.signed()?);
    Some(Report { action, status, reason, remote, diagnostic, relay, at })
}

/// Microseconds since 1970 as a time; what is out of range is the beginning of time.
pub(crate) fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or_default()
}

pub(crate) fn write_envelope(writer: &mut Writer, envelope: &Envelope) {
    let Envelope {
        sender,
        full_name,
        recipients,
        body_type,
        smtputf8,
        envid,
        ret,
        client,
        rewrite_local,
        content_filter,
        verp,
        withdrawn,
        report,
        origin,
    } = envelope;
    writer.text(sender.as_str());
    writer.number(recipients.len() as u64);
    for recipient in recipients {
        let Recipient { address, original, orcpt, notify } = recipient;
        let Notify { never, success, failure, delay } = *notify;
        let same = address == original;
        writer.flags(&[never, success, failure, delay, same]);
        writer.text(address.as_str());
        if !same {
            writer.text(original.as_str());
        }
        writer.maybe(orcpt.as_deref());
    }
    writer.maybe(full_name.as_deref());
    writer.number(match body_type {
        BodyType::Unspecified => 0,
        BodyType::SevenBit => 1,
        BodyType::EightBitMime => 2,
    });
    writer.flags(&[*smtputf8, *rewrite_local]);
    writer.maybe(envid.as_deref());
    writer.number(match ret {
        None => 0,
        Some(Ret::Full) => 1,
        Some(Ret::Headers) => 2,
    });
    writer.maybe(content_filter.as_deref());
    writer.maybe(verp.as_deref());
    writer.number(u64::from(*withdrawn));
    writer.number(match report {
        DeliveryReport::No => 0,
        DeliveryReport::Verbose => 1,
        DeliveryReport::Probe => 2,
    });
    writer.text(origin);
    let Client {
        name,
        reverse_name,
        address,
        port,
        helo,
        protocol,
        sasl_username,
        sasl_method,
        sasl_sender,
        ident,
    } = client;
    for text in [name, reverse_name, address, helo, protocol, sasl_username, sasl_method, sasl_sender, ident]
    {
        writer.text(text);
    }
    writer.number(port.map_or(0, |port| u64::from(port) + 1));
}

pub(crate) fn read_envelope(reader: &mut Reader<'_>) -> Option<Envelope> {
    let sender = Address::from(reader.text()?);
    let count = reader.number()?;
    let mut recipients = Vec::new();
    for _ in 0..count {
        let [never, success, failure, delay, same] = reader.flags()?;
        let address = Address::from(reader.text()?);
        let original = if same { address.clone() } else { Address::from(reader.text()?) };
        let orcpt = reader.maybe()?.map(str::to_owned);
        recipients.push(Recipient {
            address,
            original,
            orcpt,
            notify: Notify { never, success, failure, delay },
        });
    }
    let full_name = reader.maybe()?.map(str::to_owned);
    let body_type = match reader.number()? {
        0 => BodyType::Unspecified,
        1 => BodyType::SevenBit,
        2 => BodyType::EightBitMime,
        _ => return None,
    };
    let [smtputf8, rewrite_local] = reader.flags()?;
    let envid = reader.maybe()?.map(str::to_owned);
    let ret = match reader.number()? {
        0 => None,
        1 => Some(Ret::Full),
        2 => Some(Ret::Headers),
        _ => return None,
    };
    let content_filter = reader.maybe()?.map(str::to_owned);
    let verp = reader.maybe()?.map(str::to_owned);
    let withdrawn = u32::try_from(reader.number()?).ok()?;
    let report = match reader.number()? {
        0 => DeliveryReport::No,
        1 => DeliveryReport::Verbose,
        2 => DeliveryReport::Probe,
        _ => return None,
    };
    let mut text = || reader.text().map(str::to_owned);
    let origin = text()?;
    let mut client = Client {
        name: text()?,
        reverse_name: text()?,
        address: text()?,
        helo: text()?,
        protocol: text()?,
        sasl_username: text()?,
        sasl_method: text()?,
        sasl_sender: text()?,
        ident: text()?,
        port: None,
    };
    client.port = match reader.number()? {
        0 => None,
        port => Some(u16::try_from(port - 1).ok()?),
    };
    Some(Envelope {
        sender,
        full_name,
        recipients,
        body_type,
        smtputf8,
        envid,
        ret,
        client,
        rewrite_local,
        content_filter,
        verp,
        withdrawn,
        report,
        origin,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            sender: "s@x.test".into(),
            full_name: Some("Sam".into()),
            recipients: vec![
                Recipient::new("a@y.test"),
                Recipient {
                    address: "b@y.test".into(),
                    original: "c@z.test".into(),
                    orcpt: Some("rfc822;c@z.test".into()),
                    notify: Notify { success: true, delay: true, ..Notify::default() },
                },
            ],
            body_type: BodyType::EightBitMime,
            smtputf8: true,
            envid: Some("e".into()),
            ret: Some(Ret::Headers),
            client: Client { name: "unknown".into(), port: Some(0), ident: "i".into(), ..Client::default() },
            rewrite_local: true,
            content_filter: Some("smtp:[127.0.0.1]:10025".into()),
            verp: Some("+=".into()),
            withdrawn: 3,
            report: DeliveryReport::Probe,
            origin: "smtpd".into(),
        }
    }

    #[test]
    fn a_message_record_survives_and_no_cut_of_it_is_taken_for_one() {
        let id = QueueId::parse("ABC123").expect("an id");
        let status = Status {
            state: State::Deferred,
            next_attempt: 17,
            attempts: 3,
            forced_expire: true,
            delay_warned: false,
        };
        let head = MessageHead { id, status, arrival: 5, size: 1000, in_file: true, recipients: 2 };
        let report = Report {
            action: Action::Delayed,
            status: "4.2.0".into(),
            reason: "not now".into(),
            remote: Some(RemoteReply { host: "h[1]".into(), text: "450 4.2.0 not now".into() }),
            diagnostic: Some("x-unix; 75".into()),
            relay: "h[1]:25".into(),
            at: timestamp(9),
        };
        let fates = vec![(0, Fate::Done), (1, Fate::Deferred(report))];
        let record = write_message(&head, &fates, &envelope());
        let mut reader = Reader(&record);
        assert_eq!(read_message_head(&mut reader), Some((head, fates)));
        assert_eq!(read_envelope(&mut reader), Some(envelope()));
        for len in 0..record.len() {
            let mut reader = Reader(&record[..len]);
            let whole = read_message_head(&mut reader).is_some() && read_envelope(&mut reader).is_some();
            assert!(!whole, "cut at {len}");
        }
    }

    #[test]
    fn an_index_out_of_range_is_refused() {
        let id = QueueId::parse("ABC123").expect("an id");
        let status = Status {
            state: State::Hold,
            next_attempt: 0,
            attempts: 0,
            forced_expire: false,
            delay_warned: true,
        };
        let head = MessageHead { id, status, arrival: 5, size: 1, in_file: false, recipients: 2 };
        let record = write_message(&head, &[(2, Fate::Done)], &envelope());
        assert_eq!(read_message_head(&mut Reader(&record)), None);
    }
}
