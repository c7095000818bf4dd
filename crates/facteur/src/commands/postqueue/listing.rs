//! The two forms of a queue listing.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mail::Address;
use mail::logline::printable;
use queue::maildrop::Listed;
use queue::{State, Summary, Waiting};

/// A form of listing.
pub trait Listing {
    /// Writes one message.
    fn row(&mut self, out: &mut dyn Write, row: &Row<'_>) -> io::Result<()>;
    /// Writes what stands at the end.
    fn end(&mut self, out: &mut dyn Write) -> io::Result<()>;

    /// Writes a message of the queue.
    fn message(&mut self, out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
        self.row(out, &Row::from(summary))
    }

    /// Writes a message of the maildrop.
    fn dropped(&mut self, out: &mut dyn Write, listed: &Listed) -> io::Result<()> {
        self.row(out, &Row::from(listed))
    }
}

/// A message, wherever it is.
pub struct Row<'a> {
    queue: &'static str,
    id: &'a str,
    /// What stands behind the id.
    mark: &'static str,
    arrival: Timestamp,
    size: u64,
    forced_expire: bool,
    sender: &'a Address,
    /// Each with the reason of its delay.
    recipients: Vec<(&'a Address, Option<&'a str>)>,
}

impl<'a> From<&'a Summary> for Row<'a> {
    fn from(summary: &'a Summary) -> Row<'a> {
        let brief = &summary.brief;
        let recipients = in_order(summary).into_iter();
        Row {
            queue: brief.state.name(),
            id: brief.id.as_str(),
            mark: match brief.state {
                State::Active => "*",
                State::Hold => "!",
                State::Incoming | State::Deferred => "",
            },
            arrival: brief.arrival,
            size: brief.size,
            forced_expire: brief.forced_expire,
            sender: &summary.sender,
            recipients: recipients.map(|one| (&one.address, one.reason.as_deref())).collect(),
        }
    }
}

impl<'a> From<&'a Listed> for Row<'a> {
    fn from(listed: &'a Listed) -> Row<'a> {
        Row {
            queue: "maildrop",
            id: &listed.name,
            mark: "",
            arrival: listed.arrival,
            size: listed.size,
            forced_expire: false,
            sender: &listed.sender,
            recipients: listed.recipients.iter().map(|address| (address, None)).collect(),
        }
    }
}

/// A sender as listings show it.
fn sender(address: &Address) -> String {
    if address.is_null() { "MAILER-DAEMON".to_owned() } else { address.external() }
}

/// Recipients with a reason first, in the order in which they are tried; the others as they came.
fn in_order(summary: &Summary) -> Vec<&Waiting> {
    let (mut tried, others): (Vec<_>, Vec<_>) =
        summary.recipients.iter().partition(|one| one.reason.is_some());
    tried.sort_by(|a, b| a.address.compare_by_domain(&b.address));
    tried.into_iter().chain(others).collect()
}

/// One JSON object a line (`-j`).
pub struct Json;

impl Listing for Json {
    fn row(&mut self, out: &mut dyn Write, row: &Row<'_>) -> io::Result<()> {
        write!(
            out,
            "{{\"queue_name\": \"{}\", \"queue_id\": \"{}\", \"arrival_time\": {}, \"message_size\": {}, \
             \"forced_expire\": {}, \"sender\": {}, \"recipients\": [",
            row.queue,
            row.id,
            row.arrival.as_second(),
            row.size,
            row.forced_expire,
            quoted(&sender(row.sender)),
        )?;
        for (n, (address, reason)) in row.recipients.iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            write!(out, "{comma}{{\"address\": {}", quoted(&address.external()))?;
            if let Some(reason) = reason {
                write!(out, ", \"delay_reason\": {}", quoted(reason))?;
            }
            write!(out, "}}")?;
        }
        writeln!(out, "]}}")
    }

    fn end(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The table of sendmail (`-p`).
pub struct Text {
    zone: TimeZone,
    long_ids: bool,
    count: u64,
    bytes: u64,
}

/// Reasons end in this column, if they are short enough.
const REASON_END: usize = 76;

impl Text {
    /// Columns for long queue ids, or for short ones.
    pub fn new(long_ids: bool) -> Text {
        Text { zone: TimeZone::system(), long_ids, count: 0, bytes: 0 }
    }
}

impl Listing for Text {
    fn row(&mut self, out: &mut dyn Write, row: &Row<'_>) -> io::Result<()> {
        match (self.count, self.long_ids) {
            (0, false) => {
                writeln!(out, "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------")?;
            }
            (0, true) => {
                writeln!(out, "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------")?;
            }
            _ => writeln!(out)?,
        }
        self.count += 1;
        self.bytes += row.size;
        let expired = if row.forced_expire { "#" } else { "" };
        let id = [row.id, row.mark, expired].concat();
        // The year is not shown.
        let date = mail::date::ctime(row.arrival, &self.zone);
        let (date, _) = date.split_at(date.len().min(19));
        let from = printable(&sender(row.sender));
        let indent = match self.long_ids {
            true => {
                writeln!(out, "{id:<17} {:>8} {date:<19} {from}", row.size)?;
                47
            }
            false => {
                writeln!(out, "{id:<11} {:>7} {date:<20} {from}", row.size)?;
                41
            }
        };
        let mut said: Option<&str> = None;
        for (address, reason) in &row.recipients {
            if let Some(reason) = reason.filter(|reason| said != Some(*reason)) {
                let text = printable(reason);
                let pad = REASON_END.saturating_sub(text.len());
                writeln!(out, "{:pad$}({text})", "")?;
                said = Some(reason);
            }
            writeln!(out, "{:indent$}{}", "", printable(&address.external()))?;
        }
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.count == 0 {
            return writeln!(out, "Mail queue is empty");
        }
        let plural = if self.count == 1 { "" } else { "s" };
        writeln!(out, "\n-- {} Kbytes in {} Request{plural}.", self.bytes / 1024, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::QueueId;
    use queue::{Brief, Waiting};

    fn summary() -> Summary {
        let waiting = |address: &str, reason: Option<&str>| Waiting {
            address: address.into(),
            reason: reason.map(str::to_owned),
        };
        let brief = Brief {
            id: QueueId::parse("6E19698E075").unwrap(),
            state: State::Hold,
            arrival: Timestamp::from_second(1_795_270_867).unwrap(),
            next_attempt: Timestamp::UNIX_EPOCH,
            attempts: 1,
            size: 245,
            recipients: 3,
            left: 3,
            forced_expire: true,
            delay_warned: false,
        };
        let recipients = vec![
            waiting("new@y.test", None),
            waiting("a@y.test", Some("busy")),
            waiting("b c@z.test", Some("busy")),
        ];
        Summary { brief, sender: "s@x.test".into(), recipients }
    }

    fn listed(form: &mut dyn Listing, count: usize) -> String {
        let mut out = Vec::new();
        for _ in 0..count {
            form.message(&mut out, &summary()).unwrap();
        }
        form.end(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_table_has_the_columns_of_postfix() {
        let mut text = Text { zone: TimeZone::UTC, ..Text::new(false) };
        let lines = [
            "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------",
            "6E19698E075!#     245 Sat Nov 21 14:21:07  s@x.test",
            "                                                                        (busy)",
            "                                         a@y.test",
            "                                         \"b c\"@z.test",
            "                                         new@y.test",
            "",
            "-- 0 Kbytes in 1 Request.",
            "",
        ];
        assert_eq!(listed(&mut text, 1), lines.join("\n"));
        assert_eq!(listed(&mut Text::new(false), 0), "Mail queue is empty\n");
        assert!(listed(&mut Text::new(false), 5).ends_with("\n-- 1 Kbytes in 5 Requests.\n"));
        let mut long = Text { zone: TimeZone::UTC, ..Text::new(true) };
        assert!(listed(&mut long, 1).contains("\n6E19698E075!#          245 Sat Nov 21 14:21:07 s@x.test\n"));
    }

    #[test]
    fn mail_in_the_maildrop_is_listed_as_well() {
        let listed = Listed {
            name: "1795270867123456.77".to_owned(),
            arrival: Timestamp::from_second(1_795_270_867).unwrap(),
            size: 14,
            sender: "root".into(),
            recipients: vec!["joe".into()],
        };
        let (mut json, mut table) = (Vec::new(), Vec::new());
        Json.dropped(&mut json, &listed).unwrap();
        assert_eq!(
            String::from_utf8(json).unwrap(),
            "{\"queue_name\": \"maildrop\", \"queue_id\": \"1795270867123456.77\", \"arrival_time\": 1795270867, \
             \"message_size\": 14, \"forced_expire\": false, \"sender\": \"root\", \"recipients\": \
             [{\"address\": \"joe\"}]}\n"
        );
        let mut text = Text { zone: TimeZone::UTC, ..Text::new(false) };
        text.dropped(&mut table, &listed).unwrap();
        assert!(
            String::from_utf8(table)
                .unwrap()
                .contains("1795270867123456.77      14 Sat Nov 21 14:21:07  root\n")
        );
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = listed(&mut Json, 2);
        assert_eq!(
            text.lines().next().unwrap(),
            "{\"queue_name\": \"hold\", \"queue_id\": \"6E19698E075\", \"arrival_time\": 1795270867, \
             \"message_size\": 245, \"forced_expire\": true, \"sender\": \"s@x.test\", \"recipients\": \
             [{\"address\": \"a@y.test\", \"delay_reason\": \"busy\"}, {\"address\": \"\\\"b c\\\"@z.test\", \
             \"delay_reason\": \"busy\"}, {\"address\": \"new@y.test\"}]}"
        );
        assert_eq!(text.lines().count(), 2);
        assert_eq!(listed(&mut Json, 0), "");
    }
}
