//! The messages that a past day owes.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use mail::Trouble;

use super::addresses::{Destination, willing};
use super::xml::escaped;
use super::{Pending, Settings, Store};
use crate::outside::Dns;
use crate::tags::encoded;

/// Bytes of a packed report that anybody is sent.
const MOST: usize = 20 << 20;

const DAY: i64 = 86_400;

/// A report on its way to one address.
#[derive(Clone, Debug)]
pub struct Letter {
    /// To whom.
    pub to: String,
    /// The message, lines ended by LF.
    pub text: String,
}

/// One domain's day, and who is to hear of it.
#[derive(Clone, Debug)]
pub struct Owed {
    /// What it is.
    pub pending: Pending,
    /// What is to be sent still; when that is done, [`Store::done`].
    pub letters: Vec<Letter>,
    /// Addresses that take no report of this size.
    pub too_large: Vec<String>,
}

/// What is owed for a past day. The error: it cannot be told now who wants it, or the file failed.
pub async fn finished(
    store: &Store,
    dns: &dyn Dns,
    settings: &Settings,
    pending: Pending,
) -> Result<Owed, Trouble> {
    let destinations = willing(dns, &pending.domain, &pending.reports).await.map_err(Trouble::new)?;
    let mut owed = Owed { pending, letters: Vec::new(), too_large: Vec::new() };
    let mut left = Vec::new();
    for destination in destinations {
        if !store.was_sent(owed.pending.id, &destination.address)? {
            left.push(destination);
        }
    }
    if left.is_empty() {
        return Ok(owed);
    }
    let id = name(settings, &owed.pending);
    let document = document(settings, &owed.pending, &id, &store.document(owed.pending.id)?);
    let packed = packed(document.as_bytes());
    for Destination { address, most } in left {
        let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(MOST).min(MOST);
        // The limit is one of the message, in which three octets are four.
        if packed.len() / 3 * 4 > most {
            owed.too_large.push(address);
            continue;
        }
        let text = message(settings, &owed.pending, &id, &packed, &address);
        owed.letters.push(Letter { to: address, text });
    }
    Ok(owed)
}

/// The same for the same day of the same policy, so that one who hears of it twice knows.
fn name(settings: &Settings, pending: &Pending) -> String {
    format!("{}.{}.{}", pending.day, pending.id, settings.host)
}

fn document(settings: &Settings, pending: &Pending, id: &str, inside: &str) -> String {
    let begin = pending.day * DAY;
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feedback>\n<version>1.0</version>\n<report_metadata>\
         <org_name>{}</org_name><email>{}</email><report_id>{}</report_id>\
         <date_range><begin>{begin}</begin><end>{}</end></date_range></report_metadata>\n{inside}</feedback>\n",
        escaped(&settings.organization),
        escaped(&settings.sender),
        escaped(id),
        begin + DAY - 1,
    )
}

fn packed(text: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text).and_then(|()| packer.finish()).expect("memory takes everything")
}

/// As RFC 7489 7.2.1.1 has it.
fn message(settings: &Settings, pending: &Pending, id: &str, packed: &[u8], to: &str) -> String {
    let Settings { host, sender, .. } = settings;
    let Pending { day, domain, .. } = pending;
    let (begin, end) = (day * DAY, day * DAY + DAY - 1);
    let file = format!("{host}!{domain}!{begin}!{end}.xml.gz");
    let boundary = format!("dmarc-{id}");
    let mut text = format!(
        "From: <{sender}>\nTo: <{to}>\nSubject: Report Domain: {domain}\n Submitter: {host}\n Report-ID: <{id}>\n\
         Message-ID: <{id}.dmarc@{host}>\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed;\n boundary=\"{boundary}\"\n\n\
         --{boundary}\nContent-Type: text/plain; charset=us-ascii\n\n\
         This is an aggregate report of DMARC about mail of {domain}\nthat came to {host}.\n\n\
         --{boundary}\nContent-Type: application/gzip;\n name=\"{file}\"\n\
         Content-Disposition: attachment;\n filename=\"{file}\"\nContent-Transfer-Encoding: base64\n\n"
    );
    for line in encoded(packed).as_bytes().chunks(76) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text.push_str(&format!("--{boundary}--\n"));
    text
}
