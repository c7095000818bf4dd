//! What a message from a name server means. No I/O here.

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::{Answer, Data, Kind, Missing};

/// CNAMEs followed before it is called a loop.
const MOST_ALIASES: usize = 10;
/// Longest stay of a "no" in the cache, in seconds.
const MOST_NEGATIVE_TTL: u32 = 300;

/// What became of one question to one server.
#[derive(Debug)]
pub(super) enum Meaning {
    /// Records.
    Found(Answer),
    /// A chain of aliases that ends outside the message: ask for this name.
    Alias(Name, u32),
    /// No such name or record, good for some seconds (0: do not keep).
    No(Missing, u32),
    /// This server does not know: ask another one.
    NextServer(String),
    /// Nonsense.
    Invalid(String),
}

/// The name as it goes into a question: IDNA for non-ASCII labels, any bytes otherwise.
pub(super) fn to_name(text: &str) -> Result<Name, Missing> {
    let bad = || Missing::Invalid(format!("bad name: {}", mail::logline::printable(text)));
    let trimmed = text.strip_suffix('.').unwrap_or(text);
    let ascii;
    let trimmed = if trimmed.is_ascii() {
        trimmed
    } else {
        ascii = idna::domain_to_ascii(trimmed).map_err(|_| bad())?;
        &ascii
    };
    if trimmed.is_empty() || trimmed.len() > 253 || trimmed.bytes().any(|b| b <= b' ' || b == 127) {
        return Err(bad());
    }
    let mut name = Name::from_labels(trimmed.split('.').map(str::as_bytes)).map_err(|_| bad())?;
    name.set_fqdn(true);
    Ok(name)
}

pub(super) fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
        Kind::Mx => RecordType::MX,
        Kind::Ptr => RecordType::PTR,
        Kind::Txt => RecordType::TXT,
        Kind::Ns => RecordType::NS,
        Kind::Cname => RecordType::CNAME,
        Kind::Soa => RecordType::SOA,
        Kind::Tlsa => RecordType::TLSA,
    }
}

/// Is this message the answer to our question? Others (late, forged) are not looked at.
pub(super) fn belongs(message: &Message, id: u16, name: &Name, kind: Kind) -> bool {
    message.metadata.id == id
        && message.metadata.message_type == MessageType::Response
        && match message.queries.as_slice() {
            [query] => query.name().eq_ignore_root(name) && query.query_type() == record_type(kind),
            // Some servers send errors without the question.
            [] => message.metadata.response_code != ResponseCode::NoError,
            _ => false,
        }
}

/// Reads the answer to a question for `name`.
pub(super) fn meaning(message: &Message, name: &Name, kind: Kind) -> Meaning {
    let head = &message.metadata;
    match head.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => {}
        code => return Meaning::NextServer(format!("{code}")),
    }
    let wanted = record_type(kind);
    let (mut owner, mut ttl, mut aliases) = (name.clone(), u32::MAX, 0);
    loop {
        let records: Vec<&Record> = message
            .answers
            .iter()
            .filter(|record| record.dns_class == DNSClass::IN && record.name.eq_ignore_root(&owner))
            .collect();
        let found: Vec<&Record> =
            records.iter().filter(|record| record.record_type() == wanted).copied().collect();
        if !found.is_empty() {
            let ttl = found.iter().fold(ttl, |ttl, record| ttl.min(record.ttl));
            let records: Vec<Data> = found.iter().filter_map(|record| data(&record.data)).collect();
            if records.is_empty() {
                return Meaning::Invalid(format!("malformed {kind} record"));
            }
            return Meaning::Found(Answer {
                name: text(&owner),
                records,
                ttl,
                authentic: head.authentic_data,
            });
        }
        let alias = records.iter().find_map(|record| match &record.data {
            RData::CNAME(target) => Some((target.0.clone(), record.ttl)),
            _ => None,
        });
        let Some((target, alias_ttl)) = alias else { break };
        aliases += 1;
        if aliases > MOST_ALIASES || target.eq_ignore_root(name) {
            return Meaning::Invalid(format!("name server loop for {}", text(name)));
        }
        ttl = ttl.min(alias_ttl);
        owner = target;
    }
    if head.response_code == ResponseCode::NXDomain {
        return Meaning::No(Missing::NoSuchName, negative_ttl(message));
    }
    if aliases > 0 {
        return Meaning::Alias(owner, ttl);
    }
    let soa = message.authorities.iter().any(|record| record.record_type() == RecordType::SOA);
    if message.answers.is_empty() && !head.authoritative && !head.recursion_available && !soa {
        return Meaning::NextServer("lame server".to_owned());
    }
    Meaning::No(Missing::NoSuchRecord, negative_ttl(message))
}

/// RFC 2308 5: without an SOA a "no" is not kept.
fn negative_ttl(message: &Message) -> u32 {
    let soa = message.authorities.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
        _ => None,
    });
    soa.unwrap_or(0).min(MOST_NEGATIVE_TTL)
}

/// A name as text: lower case, no final dot, odd bytes escaped.
pub(super) fn text(name: &Name) -> String {
    let mut out = String::with_capacity(name.len());
    for label in name.iter() {
        if !out.is_empty() {
            out.push('.');
        }
        for &b in label {
            match b {
                b'!'..=b'~' if b != b'.' && b != b'\\' => out.push(char::from(b.to_ascii_lowercase())),
                b'.' | b'\\' => out.extend(['\\', char::from(b)]),
                _ => out.push_str(&format!("\\{b:03}")),
            }
        }
    }
    out
}

/// `None` leaves a record out: an exchanger, name server or pointer that is no host name. An address in place of the name
/// of an exchanger is what some spam senders publish: whoever judges them must see it.
fn data(rdata: &RData) -> Option<Data> {
    let host = |name: &Name| Some(text(name)).filter(|host| proto::smtp::path::is_hostname(host));
    let exchanger = |name: &Name| {
        let address = Some(text(name)).filter(|host| host.parse::<std::net::Ipv4Addr>().is_ok());
        address.or_else(|| host(name))
    };
    Some(match rdata {
        RData::A(a) => Data::A(a.0),
        RData::AAAA(aaaa) => Data::Aaaa(aaaa.0),
        RData::MX(mx) if mx.exchange.is_root() => Data::Mx { preference: mx.preference, host: String::new() },
        RData::MX(mx) => Data::Mx { preference: mx.preference, host: exchanger(&mx.exchange)? },
        RData::PTR(name) => Data::Ptr(host(&name.0)?),
        RData::NS(name) => Data::Ns(host(&name.0)?),
        RData::CNAME(name) => Data::Cname(text(&name.0)),
        RData::SOA(soa) => Data::Soa(text(&soa.mname)),
        RData::TXT(txt) => {
            let bytes = txt.txt_data.iter().flat_map(|part| part.iter().copied());
            Data::Txt(bytes.map(|b| if matches!(b, b' '..=b'~') { char::from(b) } else { '?' }).collect())
        }
        RData::TLSA(tlsa) => Data::Tlsa {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching: tlsa.matching.into(),
            data: tlsa.cert_data.clone(),
        },
        _ => return None,
    })
}
