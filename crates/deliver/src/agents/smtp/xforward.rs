//! XFORWARD: tells a filter behind us where the message came from. XFORWARD_README.

use mail::{Client, Refusal};
use proto::smtp::client::Stage;
use proto::smtp::xtext;

use super::service::Service;
use super::session::Session;
use crate::Request;

/// Sends what the server asked for and we know. A server that refuses it is not worth a failed delivery.
pub async fn send(service: &Service, session: &mut Session, request: &Request) -> Result<(), Refusal> {
    if session.extensions.xforward.is_empty() {
        return Ok(());
    }
    // Two commands, so that neither line grows too long.
    let (client, session_attributes) = attributes(&request.client, request);
    for group in [&client[..], &session_attributes[..]] {
        let wanted = |name: &str| session.extensions.xforward.iter().any(|keyword| keyword == name);
        let line: String = group
            .iter()
            .filter(|(name, value)| wanted(name) && !value.is_empty())
            .map(|(name, value)| format!(" {name}={}", xtext::encode(value.as_bytes())))
            .collect();
        if line.is_empty() {
            continue;
        }
        let reply = session.ask(service, Stage::Xforward, &format!("XFORWARD{line}")).await?;
        if !reply.is_ok() {
            log::warn!(target: &service.program, "host {} said: {} (in reply to XFORWARD command)",
                session.name, reply.text());
        }
    }
    Ok(())
}

type Attributes<const N: usize> = [(&'static str, String); N];

fn attributes(client: &Client, request: &Request) -> (Attributes<3>, Attributes<4>) {
    // `unknown` means that there is no name.
    let known = |text: &str| if text == "unknown" { String::new() } else { text.to_owned() };
    let address = match client.address.contains(':') {
        true => format!("IPv6:{}", client.address),
        false => known(&client.address),
    };
    let source = if request.rewrite_local { "LOCAL" } else { "REMOTE" };
    let ident = match (client.ident.as_str(), client.address.as_str()) {
        ("", "") => String::new(),
        ("", _) => request.id.as_str().to_owned(),
        (ident, _) => ident.to_owned(),
    };
    let port = client.port.map(|port| port.to_string()).unwrap_or_default();
    (
        [("NAME", known(&client.name)), ("ADDR", address), ("PORT", port)],
        [
            ("PROTO", client.protocol.clone()),
            ("HELO", client.helo.clone()),
            ("IDENT", ident),
            ("SOURCE", source.to_owned()),
        ],
    )
}
