//! XFORWARD: an authorised client says where a message came from. Logs show it; judges do not believe it.

use mail::Client;
use proto::smtp::{Command, Reply, path};
use proto::xclient::Value;

use super::said::Said;
use super::session::Session;
use super::xclient::{address, read};

/// What an authorised client said of where a message came from.
pub(super) struct Forward {
    /// The original client.
    pub client: Client,
    /// `SOURCE=LOCAL`: its headers are rewritten as those of local mail. Where nothing is said, the client that speaks
    /// decides.
    pub local: Option<bool>,
}

const NAMES: [&str; 7] = ["NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE"];

impl Session {
    /// XFORWARD.
    pub(super) fn xforward(&mut self, command: &Command<'_>) -> Said {
        if self.transaction.is_some() {
            return Said::error(Reply::new(503, (5, 1), "Error: MAIL transaction in progress"));
        }
        if command.args().is_empty() {
            return Said::error(Reply::new(501, (5, 4), "Syntax: XFORWARD attribute=value..."));
        }
        if !self.may_xforward {
            return Said::error(Reply::new(550, (7, 0), "Error: insufficient authorization"));
        }
        let mut forward = self.forward.take().unwrap_or_else(|| {
            let unknown = || "unknown".to_owned();
            let (name, address) = (unknown(), unknown());
            let client = Client { reverse_name: name.clone(), name, address, ..Client::default() };
            Box::new(Forward { client, local: None })
        });
        for token in command.args() {
            let read = read(token.text(), "XFORWARD", &NAMES);
            if let Err(reply) = read.and_then(|(name, value)| set(&mut forward, &name, value)) {
                return Said::error(reply);
            }
        }
        self.forward = Some(forward);
        Said::ok(Reply::new(250, (0, 0), "Ok"))
    }
}

fn set(forward: &mut Forward, name: &str, value: Value) -> Result<(), Reply> {
    let bad = |value: &str| Reply::new(501, (5, 4), format!("Bad {name} syntax: {value}"));
    match (name, value) {
        ("NAME", Value::Known(value)) => {
            if !path::is_hostname(&value) {
                return Err(bad(&value));
            }
            forward.client.name = value;
        }
        ("NAME", _) => forward.client.name = "unknown".to_owned(),
        ("ADDR", Value::Known(value)) => {
            forward.client.address = address(&value).ok_or_else(|| bad(&value))?.to_string();
        }
        ("ADDR", _) => forward.client.address = "unknown".to_owned(),
        ("PORT", Value::Known(value)) => {
            if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
                return Err(bad(&value));
            }
            forward.client.port = value.parse().ok();
        }
        ("PORT", _) => forward.client.port = None,
        ("PROTO", Value::Known(value)) => {
            if value.len() > 64 {
                return Err(bad(&value));
            }
            forward.client.protocol = super::hello::harmless(&value);
        }
        ("PROTO", _) => forward.client.protocol.clear(),
        ("HELO", Value::Known(value)) => {
            if value.len() > 255 {
                return Err(bad(&value));
            }
            forward.client.helo = super::hello::harmless(&value);
        }
        ("HELO", _) => forward.client.helo.clear(),
        ("IDENT", Value::Known(value)) => forward.client.ident = super::hello::harmless(&value),
        ("IDENT", _) => forward.client.ident.clear(),
        ("SOURCE", Value::Known(value)) => match value.to_ascii_uppercase().as_str() {
            "LOCAL" => forward.local = Some(true),
            "REMOTE" => forward.local = Some(false),
            _ => return Err(bad(&value)),
        },
        _ => {}
    }
    Ok(())
}
