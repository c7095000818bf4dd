//! Named attributes of a queue file, and the parts of an envelope they stand for.

use mail::envelope::DeliveryReport;
use mail::{BodyType, Envelope, Notify, Ret};

/// Bits of `notify_flags`.
const NEVER: u32 = 1;
const SUCCESS: u32 = 2;
const FAILURE: u32 = 4;
const DELAY: u32 = 8;

/// Bits of `trace_flags`: report what would be done, or what was done.
const PROBE: u32 = 1 << 9;
const VERBOSE: u32 = 1 << 10;

/// What attributes say of the next recipient.
#[derive(Debug, Default)]
pub(super) struct OfRecipient {
    pub orcpt: Option<String>,
    pub notify: Notify,
}

/// Takes one attribute. Those that are not known say nothing we need.
pub(super) fn take(envelope: &mut Envelope, next: &mut OfRecipient, name: &str, value: &str) {
    let client = &mut envelope.client;
    let text = value.to_owned();
    match name {
        "rewrite_context" => envelope.rewrite_local = value == "local",
        "envelope_id" => envelope.envid = Some(text),
        "ret_flags" => {
            envelope.ret = match value {
                "1" => Some(Ret::Full),
                "2" => Some(Ret::Headers),
                _ => None,
            }
        }
        "encoding" => {
            envelope.body_type = match value {
                "8bit" => BodyType::EightBitMime,
                "7bit" => BodyType::SevenBit,
                _ => BodyType::Unspecified,
            }
        }
        "trace_flags" => {
            let flags = value.parse().unwrap_or(0);
            envelope.report = match flags {
                flags if flags & PROBE != 0 => DeliveryReport::Probe,
                flags if flags & VERBOSE != 0 => DeliveryReport::Verbose,
                _ => DeliveryReport::No,
            }
        }
        "log_client_name" => client.name = text,
        "log_client_address" => client.address = text,
        "log_client_port" => client.port = value.parse().ok(),
        "log_helo_name" => client.helo = text,
        "log_protocol_name" => client.protocol = text,
        "log_ident" => client.ident = text,
        "reverse_client_name" => client.reverse_name = text,
        "sasl_method" => client.sasl_method = text,
        "sasl_username" => client.sasl_username = text,
        "sasl_sender" => client.sasl_sender = text,
        "dsn_orig_rcpt" => next.orcpt = Some(text).filter(|orcpt| !orcpt.is_empty()),
        "notify_flags" => {
            let flags: u32 = value.parse().unwrap_or(0);
            next.notify = Notify {
                never: flags & NEVER != 0,
                success: flags & SUCCESS != 0,
                failure: flags & FAILURE != 0,
                delay: flags & DELAY != 0,
            };
        }
        _ => {}
    }
}

/// `notify_flags` of a recipient; 0 when nothing was asked for.
pub(super) fn notify_flags(notify: Notify) -> u32 {
    let bit = |set: bool, bit: u32| if set { bit } else { 0 };
    bit(notify.never, NEVER)
        | bit(notify.success, SUCCESS)
        | bit(notify.failure, FAILURE)
        | bit(notify.delay, DELAY)
}

/// The attributes that stand before the sender, and those that stand behind it.
pub(super) fn of_envelope(envelope: &Envelope) -> (Vec<String>, Vec<String>) {
    let mut before =
        vec![format!("rewrite_context={}", if envelope.rewrite_local { "local" } else { "remote" })];
    if let Some(envid) = &envelope.envid {
        before.push(format!("envelope_id={envid}"));
    }
    match envelope.ret {
        Some(Ret::Full) => before.push("ret_flags=1".to_owned()),
        Some(Ret::Headers) => before.push("ret_flags=2".to_owned()),
        None => {}
    }
    match envelope.report {
        DeliveryReport::Probe => before.push(format!("trace_flags={PROBE}")),
        DeliveryReport::Verbose => before.push(format!("trace_flags={VERBOSE}")),
        DeliveryReport::No => {}
    }
    let client = &envelope.client;
    let mut after = Vec::new();
    match envelope.body_type {
        BodyType::EightBitMime => after.push("encoding=8bit".to_owned()),
        BodyType::SevenBit => after.push("encoding=7bit".to_owned()),
        BodyType::Unspecified => {}
    }
    let port = client.port.map(|port| port.to_string()).unwrap_or_default();
    let origin = match client.name.is_empty() {
        true => String::new(),
        false => format!("{}[{}]", client.name, client.address),
    };
    for (name, value) in [
        ("log_client_name", client.name.as_str()),
        ("log_client_address", &client.address),
        ("log_client_port", &port),
        ("log_message_origin", &origin),
        ("log_helo_name", &client.helo),
        ("log_protocol_name", &client.protocol),
        ("client_name", &client.name),
        ("reverse_client_name", &client.reverse_name),
        ("client_address", &client.address),
        ("client_port", &port),
        ("helo_name", &client.helo),
        ("protocol_name", &client.protocol),
        ("sasl_method", &client.sasl_method),
        ("sasl_username", &client.sasl_username),
        ("sasl_sender", &client.sasl_sender),
    ] {
        if !value.is_empty() {
            after.push(format!("{name}={value}"));
        }
    }
    (before, after)
}
