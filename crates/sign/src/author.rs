//! From: whom people see.

use mail::addresses;
use mail::header::Field;

fn mailboxes(value: &[u8]) -> Vec<String> {
    let tokens = addresses::parse(value, 1000);
    let text = |internal: &[u8]| String::from_utf8_lossy(internal).into_owned();
    addresses::mailboxes(&tokens).map(|mailbox| text(mailbox.internal())).collect()
}

/// The first address of From, when it has a domain.
pub fn author(fields: &[Vec<u8>]) -> Option<String> {
    let from = fields.iter().filter_map(|raw| Field::parse(raw)).find(|field| field.is("from"))?;
    mailboxes(from.value()).into_iter().next().filter(|address| address.contains('@'))
}

/// The one domain of From, in lower case, or why there is none.
pub(crate) fn domain(fields: &[Vec<u8>]) -> Result<String, &'static str> {
    let mut from = fields.iter().filter_map(|raw| Field::parse(raw)).filter(|field| field.is("from"));
    let field = from.next().ok_or("no From field")?;
    if from.next().is_some() {
        return Err("several From fields");
    }
    let mut domain: Option<String> = None;
    for address in mailboxes(field.value()) {
        let (_, host) = address.rsplit_once('@').ok_or("From without a domain")?;
        let host = host.trim_end_matches('.').to_lowercase();
        if host.is_empty() || domain.as_ref().is_some_and(|known| *known != host) {
            return Err("From names several domains");
        }
        domain = Some(host);
    }
    domain.ok_or("From names nobody")
}
