//! The order of SORT. RFC 5256, RFC 5957.

use std::cmp::Ordering;

use mime::{Address, Envelope};

use crate::grammar::search::SortKey;
use crate::session::{Fail, Selected};

/// What one message is compared by.
#[derive(Clone, Debug, Default)]
struct Row {
    uid: u32,
    values: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Number(i64),
    Text(String),
}

/// Sorts UIDs; where the keys do not decide, the order of the mailbox does.
///
/// # Errors
/// The store fails.
pub fn sort(selected: &Selected, uids: Vec<u32>, keys: &[(SortKey, bool)]) -> Result<Vec<u32>, Fail> {
    let needs_header = |key: &SortKey| !matches!(key, SortKey::Arrival | SortKey::Size);
    let known = &selected.known;
    let row = |uid: u32, header: Option<&[u8]>| {
        let structure = header.map(|header| mime::parse(header, &mime::Limits::default()));
        let none = Envelope::default();
        let envelope =
            structure.as_ref().and_then(|structure| structure.root().envelope.as_deref()).unwrap_or(&none);
        let received = known.find(uid).map_or(0, |entry| entry.received);
        let size = known.find(uid).map_or(0, |entry| i64::from(entry.size));
        let values = keys.iter().map(|(key, _)| value(*key, envelope, received, size)).collect();
        Row { uid, values }
    };
    let mut rows = Vec::with_capacity(uids.len());
    if keys.iter().any(|(key, _)| needs_header(key)) {
        selected.mailbox.headers(&uids, &mut |uid, header| {
            rows.push(row(uid, Some(&header)));
            true
        })?;
    } else {
        rows.extend(uids.iter().map(|uid| row(*uid, None)));
    }
    rows.sort_by(|one, other| {
        let compared = one.values.iter().zip(&other.values).zip(keys);
        compared
            .map(|((one, other), (_, reverse))| if *reverse { other.cmp(one) } else { one.cmp(other) })
            .find(|order| *order != Ordering::Equal)
            .unwrap_or_else(|| one.uid.cmp(&other.uid))
    });
    Ok(rows.into_iter().map(|row| row.uid).collect())
}

fn value(key: SortKey, envelope: &Envelope, received: i64, size: i64) -> Value {
    match key {
        SortKey::Arrival => Value::Number(received),
        SortKey::Size => Value::Number(size),
        SortKey::Date => Value::Number(sent(envelope).unwrap_or(received)),
        SortKey::Subject => Value::Text(base_subject(envelope)),
        SortKey::From => Value::Text(mailbox(&envelope.from)),
        SortKey::To => Value::Text(mailbox(&envelope.to)),
        SortKey::Cc => Value::Text(mailbox(&envelope.cc)),
        SortKey::DisplayFrom => Value::Text(display(&envelope.from)),
        SortKey::DisplayTo => Value::Text(display(&envelope.to)),
    }
}

/// When it was sent, in seconds since 1970.
pub fn sent(envelope: &Envelope) -> Option<i64> {
    envelope.date.as_deref().and_then(mime::date::parse).map(|date| date.seconds)
}

/// The base subject, for comparing.
pub fn base_subject(envelope: &Envelope) -> String {
    let base = envelope.subject.as_deref().map(mime::subject::base);
    base.map_or_else(String::new, |base| mime::fold::casemap(&base.text))
}

fn mailbox(list: &[Address]) -> String {
    let first = list.first().and_then(|address| address.mailbox.as_deref()).unwrap_or_default();
    mime::fold::casemap(&mime::charset::to_utf8(first, None))
}

fn display(list: &[Address]) -> String {
    let Some(first) = list.first() else { return String::new() };
    if first.domain.is_none() {
        // A group is shown by its name.
        return mailbox(list);
    }
    let name = first.name.as_deref().map(mime::words::decode).filter(|name| !name.is_empty());
    let shown = name.or_else(|| first.addr_spec().map(|spec| String::from_utf8_lossy(&spec).into_owned()));
    mime::fold::casemap(&shown.unwrap_or_default())
}
