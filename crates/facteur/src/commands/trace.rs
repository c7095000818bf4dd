//! `facteur trace`: the journey of a message, or of all that an address has to do with, refusals included.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Write};

use jiff::tz::TimeZone;

use super::Command;
use super::journal::Asked;
use crate::trace::Event;

/// The command.
pub const COMMAND: Command =
    Command { name: "trace", summary: "what happened to a message, or to mail of an address", run };

const USAGE: &str = "usage: facteur trace [-c config_dir] [--json] QUEUE_ID | MESSAGE_ID | ADDRESS | @DOMAIN | CLIENT | REFERENCE\n\
     REFERENCE is what the reply of a refusal named (smtpd_reject_reference); CLIENT is the IP address or the name of a client; ADDRESS that of a sender or recipient.\n";

/// Words in front of the id of a message that came of this one.
const LEADS: [&str; 3] = ["notification: ", "queued as ", "forwarded as "];

fn run(words: Vec<OsString>) -> u8 {
    match work(words) {
        Ok(status) => status,
        Err(what) => {
            eprintln!("facteur trace: {what}");
            1
        }
    }
}

fn work(words: Vec<OsString>) -> Result<u8, String> {
    let asked = Asked::parse(words, USAGE)?;
    let [key] = asked.words.as_slice() else {
        return Err(format!("one thing to look for, please\n{USAGE}"));
    };
    let events = asked.events()?;
    let found = journeys(&events, key);
    let mut out = io::stdout().lock();
    let printed = if asked.json { print_json(&found, &mut out) } else { print_text(&found, &mut out) };
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ if found.is_empty() => {
            Err(format!("nothing is known of {key}; the journal begins with {}", begin(&events)))
        }
        _ => Ok(0),
    }
}

fn begin(events: &[Event]) -> String {
    match events.first() {
        Some(first) => mail::date::rfc5322(first.at, &TimeZone::system()),
        None => "nothing".to_owned(),
    }
}

/// The events of each message that has to do with `key`, and the refusals, in order of their first event.
fn journeys<'a>(events: &'a [Event], key: &str) -> Vec<Vec<&'a Event>> {
    let ids = related(events, key);
    let mut found: Vec<Vec<&Event>> = Vec::new();
    for event in events {
        if event.id == "NOQUEUE" {
            if names(&event.text, key) {
                found.push(vec![event]);
            }
        } else if ids.contains(event.id.as_str()) {
            match found.iter_mut().rev().find(|journey| journey[0].id == event.id && !is_over(journey)) {
                Some(journey) => journey.push(event),
                None => found.push(vec![event]),
            }
        }
    }
    found
}

/// Ids are used again: what comes after `removed` is another message.
fn is_over(journey: &[&Event]) -> bool {
    journey.last().is_some_and(|event| event.text == "removed")
}

/// The ids of messages that the key means, and of those that came of them.
fn related<'a>(events: &'a [Event], key: &str) -> BTreeSet<&'a str> {
    let with_id = || events.iter().filter(|event| event.id != "NOQUEUE");
    let mut ids: BTreeSet<&str> = with_id()
        .filter(|event| event.id == key || names(&event.text, key))
        .map(|event| event.id.as_str())
        .collect();
    let known: BTreeSet<&str> = with_id().map(|event| event.id.as_str()).collect();
    loop {
        let came = with_id().filter(|event| ids.contains(event.id.as_str())).filter_map(|event| {
            let (_, rest) = LEADS.iter().find_map(|lead| event.text.rsplit_once(lead))?;
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            known.get(&rest[..end]).copied()
        });
        let came: Vec<&str> = came.filter(|id| !ids.contains(id)).collect();
        if came.is_empty() {
            return ids;
        }
        ids.extend(came);
    }
}

/// Does a line name this address, domain, message id or client?
fn names(text: &str, key: &str) -> bool {
    let key = key.trim_start_matches('<').trim_end_matches('>').to_lowercase();
    // What a reference stands for is a line of its own beside that of the refusal.
    if let Some((reference, _)) = text.strip_prefix("reference ").and_then(|text| text.split_once(':')) {
        return reference.eq_ignore_ascii_case(&key);
    }
    if !key.contains('@') {
        return is_from(text, &key);
    }
    let text = text.to_lowercase();
    if key.starts_with('@') {
        return text.contains(&format!("{key}>"));
    }
    ["from=<", "to=<", "message-id=<"].iter().any(|field| text.contains(&format!("{field}{key}>")))
}

/// Does a message come from this client, or was it refused? `client=name[address]`, ` from name[address]: `.
fn is_from(text: &str, key: &str) -> bool {
    let key = key.trim_start_matches('[').trim_end_matches(']');
    // A word without a dot or colon is a queue id, or too common a name.
    if !key.contains(['.', ':']) {
        return false;
    }
    let client = match text.strip_prefix("client=") {
        Some(client) => Some(client),
        None => text.split_once(" from ").map(|(_, client)| client).filter(|_| text.contains("reject")),
    };
    let Some((name, rest)) = client.and_then(|client| client.split_once('[')) else { return false };
    let address = rest.split(']').next().unwrap_or_default();
    name.eq_ignore_ascii_case(key) || address.eq_ignore_ascii_case(key)
}

fn print_text(found: &[Vec<&Event>], out: &mut dyn Write) -> io::Result<()> {
    let zone = TimeZone::system();
    for (n, journey) in found.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        let first = journey[0];
        writeln!(out, "{}", if first.id == "NOQUEUE" { "refused" } else { first.id.as_str() })?;
        for event in journey {
            let time = event.at.to_zoned(zone.clone()).strftime("%b %e %H:%M:%S%.3f");
            writeln!(out, "  {time}  {:<8} {}", event.program, event.text)?;
        }
    }
    Ok(())
}

fn print_json(found: &[Vec<&Event>], out: &mut dyn Write) -> io::Result<()> {
    for event in found.iter().flatten() {
        let line = serde_json::json!({
            "time": event.at.as_microsecond() as f64 / 1e6,
            "program": event.program,
            "queue_id": (event.id != "NOQUEUE").then_some(&event.id),
            "text": event.text,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn events() -> Vec<Event> {
        let lines = [
            "AAAAAA1: client=h[192.0.2.1]",
            "AAAAAA1: message-id=<m1@x.test>",
            "NOQUEUE: reject: RCPT from h[192.0.2.1]: 554 no; from=<S@x.test> to=<b@y.test> proto=SMTP helo=<h>",
            "AAAAAA1: from=<s@x.test>, size=1, nrcpt=1 (queue active)",
            "AAAAAA2: from=<other@x.test>, size=1, nrcpt=1 (queue active)",
            "AAAAAA1: to=<b@y.test>, relay=none, status=bounced (no)",
            "AAAAAA3: message-id=<m3@x.test>",
            "AAAAAA1: sender non-delivery notification: AAAAAA3",
            "AAAAAA3: from=<>, size=1, nrcpt=1 (queue active)",
            "AAAAAA1: removed",
            "AAAAAA1: client=again[192.0.2.2]",
        ];
        lines.iter().filter_map(|line| Event::of_log(Timestamp::UNIX_EPOCH, "smtpd", line)).collect()
    }

    fn shape(key: &str) -> Vec<(String, usize)> {
        let events = events();
        let found = journeys(&events, key);
        found.iter().map(|journey| (journey[0].id.clone(), journey.len())).collect()
    }

    #[test]
    fn a_message_is_followed_to_the_notice_that_came_of_it() {
        let whole = [("AAAAAA1", 6), ("AAAAAA3", 2), ("AAAAAA1", 1)].map(|(id, n)| (id.to_owned(), n));
        assert_eq!(shape("AAAAAA1"), whole);
        assert_eq!(shape("<m1@x.test>"), whole);
        assert_eq!(shape("AAAAAA3"), [("AAAAAA3".to_owned(), 2)]);
        assert_eq!(shape("nobody@x.test"), []);
    }

    #[test]
    fn refusals_are_found_by_address_and_domain() {
        let ids = |key: &str| shape(key).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(ids("b@Y.test"), ["AAAAAA1", "NOQUEUE", "AAAAAA3", "AAAAAA1"]);
        assert_eq!(ids("other@x.test"), ["AAAAAA2"]);
        assert_eq!(ids("@y.test"), ["AAAAAA1", "NOQUEUE", "AAAAAA3", "AAAAAA1"]);
    }

    #[test]
    fn mail_and_refusals_are_found_by_client() {
        let ids = |key: &str| shape(key).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(ids("192.0.2.1"), ["AAAAAA1", "NOQUEUE", "AAAAAA3", "AAAAAA1"]);
        assert_eq!(ids("[192.0.2.2]"), ["AAAAAA1", "AAAAAA3", "AAAAAA1"]);
        assert_eq!(ids("192.0.2.3"), Vec::<String>::new());
    }
}
