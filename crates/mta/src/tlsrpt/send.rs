//! Sends a report where its domain wants it: by mail, or to a web server.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deliver::tlsrpt;
use flate2::Compression;
use flate2::write::GzEncoder;
use mail::{Address, Envelope, Recipient};
use tables::http::{self, Limits, Request, Url};
use tables::sql::{Tls, Wanted};

use super::Settings;
use super::message::{self, Parts};
use super::report::{Head, Report};
use crate::house::House;
use crate::road::{Message, Orders, accept};

/// For a web server to take a report.
const LIMITS: Limits = Limits { time: Duration::from_secs(60), bytes: 64 << 10 };

/// Sends one report to the first kind of address that works, as RFC 8460 3 has it: one is enough.
///
/// # Errors
/// It should be tried again later.
pub async fn report(
    house: &Arc<House>,
    settings: &Settings,
    date: &str,
    report: &Report,
) -> Result<(), String> {
    let addresses = tlsrpt::addresses(&settings.resolver, &report.domain).await;
    let addresses = addresses.map_err(|missing| format!("_smtp._tls.{}: {missing}", report.domain))?;
    let id = format!("{date}-{}", house.queue.new_id(house.now()));
    let head = Head { organization: &settings.organization, contact: &settings.contact, id: &id, date };
    let packed = pack(&report.json(&head).to_string()).map_err(|error| error.to_string())?;
    let mut why = None;
    // The domain may have changed its mind: then there is nothing to do.
    for address in &addresses {
        let sent = match address.strip_prefix("mailto:") {
            Some(to) => post(house, settings, date, report, (to, &id, &packed)).await,
            None => upload(address, &packed).await,
        };
        match sent {
            Ok(()) => {
                log::info!(target: "tlsrpt", "report of {date} on {} sent to {}", report.domain,
                    mail::logline::printable(address));
                return Ok(());
            }
            Err(what) => why = Some(what),
        }
    }
    why.map_or(Ok(()), Err)
}

fn pack(text: &str) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

async fn post(
    house: &Arc<House>,
    settings: &Settings,
    date: &str,
    report: &Report,
    (to, id, packed): (&str, &str, &[u8]),
) -> Result<(), String> {
    // Parameters of a mailto address are for people who write mail.
    let to = to.split('?').next().unwrap_or_default();
    if to.is_empty() || to.len() > 320 || !to.contains('@') || to.bytes().any(|byte| !byte.is_ascii_graphic())
    {
        return Err(format!("mailto:{to} is no address"));
    }
    let parts = Parts {
        from: settings.sender.as_str(),
        to,
        domain: &report.domain,
        submitter: &settings.organization,
        id,
        date,
        report: packed,
    };
    let content = Bytes::from(message::text(&parts));
    let setup = house.setup();
    let envelope = Envelope {
        sender: settings.sender.clone(),
        recipients: vec![Recipient::new(Address::from(to))],
        rewrite_local: true,
        origin: "tlsrpt".to_owned(),
        ..Envelope::default()
    };
    let message = Message {
        id: house.queue.new_id(house.now()),
        envelope,
        orders: Orders::default(),
        origin: "local".to_owned(),
        skip: setup.pickup.skip,
        arrival: house.now(),
        stranger: None,
        prepend: String::new(),
        size_hint: content.len() as u64,
    };
    let accepted = accept(house, &setup, message, std::iter::once(Ok(content))).await;
    accepted.map(drop).map_err(|refusal| refusal.log_text().to_owned())
}

async fn upload(address: &str, packed: &[u8]) -> Result<(), String> {
    let url = Url::parse(address)?;
    let headers = [("Content-Type", "application/tlsrpt+gzip")];
    let request = Request { method: "POST", url: &url, headers: &headers, body: packed };
    // What a report says is for nobody else (RFC 8460 5.4).
    let tls = Tls { wanted: Wanted::Always, verify_chain: true, verify_name: true, ..Tls::default() };
    let answer = http::ask(&request, &tls, LIMITS).await;
    match answer.map_err(|error| format!("{}: {error}", url.host))? {
        answer if (200..300).contains(&answer.status) => Ok(()),
        answer => Err(format!("{} answers with status {}", url.host, answer.status)),
    }
}
