//! `facteur refused`: what was refused that was meant for somebody, and why.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Command;
use super::journal::Asked;
use crate::trace::Event;

/// The command.
pub const COMMAND: Command =
    Command { name: "refused", summary: "what was refused that was meant for somebody, and why", run };

const USAGE: &str = "usage: facteur refused [-c config_dir] [--json] ADDRESS | @DOMAIN ...\n";

/// Something that did not come in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refused {
    at: Timestamp,
    /// `name[address]`; empty when it is not known any more.
    client: String,
    sender: String,
    recipient: String,
    /// `RCPT`, `END-OF-MESSAGE`: where in the dialogue.
    stage: String,
    reason: String,
}

fn run(words: Vec<OsString>) -> u8 {
    match work(words) {
        Ok(()) => 0,
        Err(what) => {
            eprintln!("facteur refused: {what}");
            1
        }
    }
}

fn work(words: Vec<OsString>) -> Result<(), String> {
    let asked = Asked::parse(words, USAGE)?;
    let addresses: Vec<_> = asked.words.iter().map(|address| address.to_lowercase()).collect();
    if addresses.is_empty() || addresses.iter().any(|address| !address.contains('@')) {
        return Err(format!("an address has an @\n{USAGE}"));
    }
    let events = asked.events()?;
    let mut out = io::stdout().lock();
    let printed = refusals(&events, &addresses)
        .iter()
        .try_for_each(|one| if asked.json { print_json(one, &mut out) } else { print_text(one, &mut out) });
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// What was refused for these addresses, the oldest first.
fn refusals(events: &[Event], addresses: &[String]) -> Vec<Refused> {
    // Refusals of content are told without the client, who came before.
    let mut clients: HashMap<&str, &str> = HashMap::new();
    let mut found = Vec::new();
    for event in events {
        if let Some(client) = event.text.strip_prefix("client=") {
            clients.insert(&event.id, client.split(',').next().unwrap_or(client));
            continue;
        }
        let Some(text) = ["reject: ", "milter-reject: ", "discard: "]
            .iter()
            .find_map(|start| event.text.strip_prefix(start))
        else {
            continue;
        };
        let wanted = |recipient: &str| {
            let recipient = recipient.to_lowercase();
            addresses
                .iter()
                .any(|one| if one.starts_with('@') { recipient.ends_with(one) } else { recipient == *one })
        };
        let Some(recipient) = named(text, " to=<").into_iter().find(|recipient| wanted(recipient)) else {
            continue;
        };
        let (told, rest) = text.split_once("; from=<").unwrap_or((text, ""));
        // Header and body checks say why at the end, all others before the envelope.
        let (before, reason) = match rest.rsplit_once(">: ") {
            Some((_, reason)) => (told, reason),
            None => told.split_once(": ").unwrap_or((told, "")),
        };
        let (stage, client) = before.rsplit_once(" from ").unwrap_or((before, ""));
        let client = if client.is_empty() { clients.get(event.id.as_str()).unwrap_or(&"") } else { client };
        found.push(Refused {
            at: event.at,
            client: client.to_owned(),
            sender: named(text, "; from=<").pop().unwrap_or_default().to_owned(),
            recipient: recipient.to_owned(),
            stage: stage.to_owned(),
            reason: reason.to_owned(),
        });
    }
    found
}

/// What stands in angle brackets behind each of these.
fn named<'t>(text: &'t str, lead: &str) -> Vec<&'t str> {
    text.split(lead).skip(1).filter_map(|rest| rest.split('>').next()).collect()
}

fn print_text(one: &Refused, out: &mut dyn Write) -> io::Result<()> {
    let date = mail::date::rfc5322(one.at, &TimeZone::system());
    let Refused { client, sender, recipient, stage, reason, .. } = one;
    writeln!(out, "{date}  from <{sender}> to <{recipient}>")?;
    writeln!(out, "  {stage} from {}: {reason}", if client.is_empty() { "unknown" } else { client })
}

fn print_json(one: &Refused, out: &mut dyn Write) -> io::Result<()> {
    let line = serde_json::json!({
        "time": one.at.as_microsecond() as f64 / 1e6,
        "client": one.client,
        "sender": one.sender,
        "recipient": one.recipient,
        "stage": one.stage,
        "reason": one.reason,
    });
    writeln!(out, "{line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_refusing_is_told() {
        let lines = [
            "NOQUEUE: reject: RCPT from h[192.0.2.1]: 554 5.7.1 <b@y.test>: Relay: access denied; from=<s@x.test> \
             to=<B@y.test> proto=SMTP helo=<h>",
            "AAAAAA1: client=far[192.0.2.9], sasl_method=PLAIN",
            "AAAAAA1: reject: END-OF-MESSAGE: 5.7.1 message looks like spam (score 9.1); from=<t@x.test> to=<a@y.test> \
             to=<b@y.test>",
            "AAAAAA2: milter-reject: END-OF-MESSAGE from m[192.0.2.2]: 5.7.1 no; from=<> to=<b@y.test> proto=ESMTP",
            "AAAAAA3: reject: RCPT from h[192.0.2.1]: 554 no; from=<s@x.test> to=<c@y.test> proto=SMTP",
            "AAAAAA5: reject: header Subject: buy: pills from h[192.0.2.3]; from=<s@x.test> to=<b@y.test> \
             proto=ESMTP helo=<h>: 5.7.1 no: pills",
            "AAAAAA4: to=<b@y.test>, relay=none, status=bounced (reject: no)",
        ];
        let events: Vec<Event> = lines
            .iter()
            .map(|line| Event::of_log(Timestamp::UNIX_EPOCH, "smtpd", line).expect("it is about a message"))
            .collect();
        let found = refusals(&events, &["b@y.test".to_owned()]);
        let told: Vec<(&str, &str, &str, &str)> = found
            .iter()
            .map(|one| (one.client.as_str(), one.sender.as_str(), one.stage.as_str(), one.reason.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("h[192.0.2.1]", "s@x.test", "RCPT", "554 5.7.1 <b@y.test>: Relay: access denied"),
                ("far[192.0.2.9]", "t@x.test", "END-OF-MESSAGE", "5.7.1 message looks like spam (score 9.1)"),
                ("m[192.0.2.2]", "", "END-OF-MESSAGE", "5.7.1 no"),
                ("h[192.0.2.3]", "s@x.test", "header Subject: buy: pills", "5.7.1 no: pills"),
            ]
        );
        assert_eq!(refusals(&events, &["@y.test".to_owned()]).len(), 5);
        assert!(refusals(&events, &["d@y.test".to_owned()]).is_empty());
    }
}
