//! The two forms of a queue listing.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use mail::Address;
use mail::logline::printable;
use queue::{State, Summary, Waiting};

/// A form of listing.
pub trait Listing {
    /// Writes one message.
    fn message(&mut self, out: &mut dyn Write, summary: &Summary) -> io::Result<()>;
    /// Writes what stands at the end.
    fn end(&mut self, out: &mut dyn Write) -> io::Result<()>;
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
    fn message(&mut self, out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
        let brief = &summary.brief;
        write!(
            out,
            "{{\"queue_name\": \"{}\", \"queue_id\": \"{}\", \"arrival_time\": {}, \"message_size\": {}, \
             \"forced_expire\": {}, \"sender\": {}, \"recipients\": [",
            brief.state.name(),
            brief.id,
            brief.arrival.as_second(),
            brief.size,
            brief.forced_expire,
            quoted(&sender(&summary.sender)),
        )?;
        for (n, waiting) in in_order(summary).into_iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            write!(out, "{comma}{{\"address\": {}", quoted(&waiting.address.external()))?;
            if let Some(reason) = &waiting.reason {
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
    fn message(&mut self, out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
        let brief = &summary.brief;
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
        self.bytes += brief.size;
        let mut id = brief.id.to_string();
        match brief.state {
            State::Active => id.push('*'),
            State::Hold => id.push('!'),
            State::Incoming | State::Deferred => {}
        }
        if brief.forced_expire {
            id.push('#');
        }
        // The year is not shown.
        let date = mail::date::ctime(brief.arrival, &self.zone);
        let (date, _) = date.split_at(date.len().min(19));
        let from = printable(&sender(&summary.sender));
        let indent = match self.long_ids {
            true => {
                writeln!(out, "{id:<17} {:>8} {date:<19} {from}", brief.size)?;
                47
            }
            false => {
                writeln!(out, "{id:<11} {:>7} {date:<20} {from}", brief.size)?;
                41
            }
        };
        let mut said: Option<&str> = None;
        for waiting in in_order(summary) {
            if let Some(reason) = waiting.reason.as_deref().filter(|reason| said != Some(*reason)) {
                let text = printable(reason);
                let pad = REASON_END.saturating_sub(text.len());
                writeln!(out, "{:pad$}({text})", "")?;
                said = Some(reason);
            }
            writeln!(out, "{:indent$}{}", "", printable(&waiting.address.external()))?;
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
    use jiff::Timestamp;
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
