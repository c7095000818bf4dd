//! `facteur queue list` and `show`.

use std::io::{self, BufWriter, Write};

use jiff::tz::TimeZone;
use mail::QueueId;
use mail::logline::printable;
use queue::control::{Answer, Reason, Request, Shown};

use super::options::Options;
use super::{Intent, matching, within_reach};
use crate::commands::postqueue::listing::{Json, Listing, Text};
use crate::config::Config;

/// The messages that pass, as postqueue(1) lists them.
pub fn list(config: &Config, options: &Options) -> Result<u8, String> {
    if let Some(name) = options.names.first() {
        return Err(format!("'{name}': list takes filters; 'show' takes queue ids"));
    }
    let found = matching(&mut within_reach(config, Intent::Look)?, options)?;
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut text = Text::new(config.view.get("enable_long_queue_ids") == "yes");
    let form: &mut dyn Listing = if options.json { &mut Json } else { &mut text };
    let mut print = || -> io::Result<()> {
        for summary in &found {
            form.message(&mut out, summary)?;
        }
        form.end(&mut out)?;
        out.flush()
    };
    printed(print())
}

/// Whoever reads only the first lines has what it wants.
fn printed(result: io::Result<()>) -> Result<u8, String> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
        _ => Ok(0),
    }
}

/// Messages by id: all that is known, then header and body.
pub fn show(config: &Config, options: &Options) -> Result<u8, String> {
    if options.names.is_empty() {
        return Err("show needs a queue id".to_owned());
    }
    let mut reach = within_reach(config, Intent::Look)?;
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut status = 0;
    for name in &options.names {
        let id = QueueId::parse(name).ok_or_else(|| format!("'{name}' is no queue id"))?;
        let mut shown = None;
        let mut content = Vec::new();
        let mut refused = None;
        let asked = reach.ask(Request::Show(id), &mut |answer| {
            match answer {
                Answer::Message(message) => shown = Some(message),
                Answer::Content(piece) => content.extend_from_slice(&piece),
                Answer::Refused(Reason::NotFound, _) => refused = Some("no such message".to_owned()),
                Answer::Refused(_, text) => refused = Some(text),
                _ => {}
            }
            Ok(())
        });
        asked.map_err(|error| format!("{name}: {error}"))?;
        let Some(shown) = shown.filter(|_| refused.is_none()) else {
            eprintln!("facteur queue: {name}: {}", refused.unwrap_or_default());
            status = 1;
            continue;
        };
        let print = match options.json {
            true => json(&shown, &content, &mut out),
            false => text(&shown, &content, &mut out),
        };
        printed(print)?;
    }
    printed(out.flush())?;
    Ok(status)
}

fn text(shown: &Shown, content: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let envelope = &shown.envelope;
    let date = mail::date::rfc5322(shown.arrival, &TimeZone::system());
    writeln!(out, "Queue id:   {} ({})", shown.id, shown.state.name())?;
    writeln!(out, "Arrived:    {date}, {} bytes", shown.size)?;
    if !envelope.client.name.is_empty() {
        let client = &envelope.client;
        writeln!(out, "Client:     {}[{}]", printable(&client.name), printable(&client.address))?;
    }
    writeln!(out, "Sender:     <{}>", printable(&envelope.sender.external()))?;
    for (recipient, done) in envelope.recipients.iter().zip(&shown.done) {
        let address = printable(&recipient.address.external());
        writeln!(out, "Recipient:  <{address}>{}", if *done { " (done)" } else { "" })?;
    }
    writeln!(out)?;
    out.write_all(content)
}

fn json(shown: &Shown, content: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let envelope = &shown.envelope;
    let recipients: Vec<_> = envelope.recipients.iter().zip(&shown.done).collect();
    let recipients: Vec<serde_json::Value> = recipients
        .into_iter()
        .map(|(recipient, done)| {
            serde_json::json!({
                "address": recipient.address.external(),
                "original": recipient.original.external(),
                "done": done,
            })
        })
        .collect();
    let value = serde_json::json!({
        "queue_name": shown.state.name(),
        "queue_id": shown.id.as_str(),
        "arrival_time": shown.arrival.as_second(),
        "message_size": shown.size,
        "sender": envelope.sender.external(),
        "client_name": envelope.client.name,
        "client_address": envelope.client.address,
        "recipients": recipients,
        "content": String::from_utf8_lossy(content),
    });
    writeln!(out, "{value}")
}
