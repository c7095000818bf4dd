//! DNS lists of addresses and of domains: what is asked, which answers count, what is said.

use std::net::{IpAddr, Ipv4Addr};

use mail::{Blame, Detail, Refusal};
use net::dns::{Data, Kind, Missing};

use crate::access;
use crate::case::Case;
use crate::macros::{Expansion, Macros};
use crate::reply_filter;
use crate::restriction::Decision;

/// Most answers a session remembers.
const REMEMBERED: usize = 64;

/// A list: `domain`, or `domain=d.d.d.d` with the answers that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The list's domain.
    pub domain: String,
    /// Which answers count; empty for all.
    filter: Option<[Octet; 4]>,
}

/// Which numbers one octet of an answer may be: ranges, both ends included.
type Octet = Vec<(u8, u8)>;

impl Zone {
    /// Reads `domain`, `domain=127.0.0.2` or `domain=127.0.[0..2].[1;5]`.
    pub fn parse(text: &str) -> Result<Zone, String> {
        let Some((domain, pattern)) = text.split_once('=') else {
            return Ok(Zone { domain: text.to_owned(), filter: None });
        };
        Ok(Zone { domain: domain.to_owned(), filter: Some(octets(pattern)?) })
    }

    /// Does this answer count?
    pub fn counts(&self, answer: Ipv4Addr) -> bool {
        self.filter.as_ref().is_none_or(|filter| {
            filter
                .iter()
                .zip(answer.octets())
                .all(|(ranges, octet)| ranges.iter().any(|(low, high)| (*low..=*high).contains(&octet)))
        })
    }
}

/// Four patterns divided by dots: a number, or `[low..high;number;…]`.
fn octets(pattern: &str) -> Result<[Octet; 4], String> {
    let wrong = || {
        format!("bad DNS list address pattern \"{pattern}\": d.d.d.d is expected, each a number or [a..b;c]")
    };
    let mut found = Vec::new();
    let mut rest = pattern;
    while found.len() < 4 {
        let (octet, after) = if let Some(inner) = rest.strip_prefix('[') {
            let (inner, after) = inner.split_once(']').ok_or_else(wrong)?;
            let ranges: Option<Octet> = inner.split(';').map(range).collect();
            (ranges.filter(|ranges| !ranges.is_empty()), after)
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            (rest[..end].parse().ok().map(|number| vec![(number, number)]), &rest[end..])
        };
        found.push(octet.ok_or_else(wrong)?);
        rest = match after.strip_prefix('.') {
            Some(after) if found.len() < 4 => after,
            None if found.len() == 4 && after.is_empty() => after,
            _ => return Err(wrong()),
        };
    }
    found.try_into().map_err(|_| wrong())
}

fn range(text: &str) -> Option<(u8, u8)> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    let range = (low.trim().parse().ok()?, high.trim().parse().ok()?);
    (range.0 <= range.1).then_some(range)
}

/// What a list said of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    /// Listed with these answers.
    Listed { addresses: Vec<Ipv4Addr>, text: String },
    /// Not listed.
    Absent,
    /// It did not answer.
    Unknown,
}

/// `1.2.0.192` for 192.0.2.1; nibbles for IPv6.
pub fn reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(v6) => {
            let mut text = String::with_capacity(63);
            for octet in v6.octets().iter().rev() {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&format!("{:x}.{:x}", octet & 15, octet >> 4));
            }
            text
        }
    }
}

/// Asks a list about `subject` (a reversed address, or a domain). Only answers that count are listings.
pub(crate) async fn ask(case: &mut Case<'_>, zone: &Zone, subject: &str) -> Listing {
    let query = format!("{subject}.{}", zone.domain);
    let known =
        case.standing.listings.iter().find(|(name, _)| *name == query).map(|(_, listing)| listing.clone());
    let listing = match known {
        Some(listing) => listing,
        None => {
            let listing = look_up(case, &query).await;
            if case.standing.listings.len() < REMEMBERED {
                case.standing.listings.push((query.clone(), listing.clone()));
            }
            listing
        }
    };
    match listing {
        Listing::Listed { addresses, text } if addresses.iter().any(|address| zone.counts(*address)) => {
            case.note(&zone.domain, &query, None, &format!("{addresses:?} {text}"));
            Listing::Listed { addresses, text }
        }
        Listing::Listed { addresses, .. } => {
            case.note(&zone.domain, &query, None, &format!("{addresses:?} does not count"));
            Listing::Absent
        }
        Listing::Absent => {
            case.note(&zone.domain, &query, None, "not listed");
            Listing::Absent
        }
        Listing::Unknown => {
            case.note(&zone.domain, &query, None, "no answer");
            Listing::Unknown
        }
    }
}

async fn look_up(case: &Case<'_>, query: &str) -> Listing {
    let addresses: Vec<Ipv4Addr> = match reply_filter::lookup(case, query, Kind::A).await {
        Ok(answer) => answer
            .records
            .iter()
            .filter_map(|data| if let Data::A(a) = data { Some(*a) } else { None })
            .collect(),
        Err(Missing::NoSuchName | Missing::NoSuchRecord) => return Listing::Absent,
        Err(missing) => {
            case.warning(&format!(
                "{query}: RBL lookup error: Host or domain name not found. Name service error for name={query} \
                 type=A: {missing}"
            ));
            return if missing.is_temporary() { Listing::Unknown } else { Listing::Absent };
        }
    };
    if addresses.is_empty() {
        return Listing::Absent;
    }
    let text = match reply_filter::lookup(case, query, Kind::Txt).await {
        Ok(answer) => answer
            .records
            .into_iter()
            .find_map(|data| if let Data::Txt(text) = data { Some(text) } else { None }),
        Err(_) => None,
    };
    Listing::Listed { addresses, text: text.unwrap_or_default() }
}

/// Refuses what a list has: `554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zone; text`.
pub(crate) async fn reject(
    case: &mut Case<'_>,
    zone: &Zone,
    text: &str,
    what: &str,
    class: &'static str,
) -> Decision {
    let judge = case.judge;
    let template = match judge.settings.rbl_replies.find(&zone.domain).await {
        Ok(Some(found)) => found.value,
        Ok(None) => judge.settings.restrictions.default_rbl_reply.clone(),
        Err(trouble) => {
            case.warning(&trouble.to_string());
            return case.misconfigured();
        }
    };
    let code = judge.settings.codes.maps_rbl_reject_code;
    let own = [
        ("rbl_code", code.to_string()),
        ("rbl_domain", zone.domain.clone()),
        ("rbl_reason", text.to_owned()),
        ("rbl_txt", text.to_owned()),
        ("rbl_what", what.to_owned()),
        ("rbl_class", class.to_owned()),
    ];
    let macros = Macros::new(case.facts, &judge.settings.restrictions.smtpd_expansion_filter, &own);
    let reply = match macros.expand(&template) {
        Expansion::Whole(reply) => reply,
        Expansion::Partly(reply, unknown) => {
            case.warning(&format!("unknown macro name \"{unknown}\" in expansion request"));
            reply
        }
    };
    let refusal = read_reply(case, &reply, class);
    case.refuse(refusal)
}

/// A reply template starts with its code, perhaps followed by an enhanced status.
fn read_reply(case: &Case<'_>, reply: &str, class: &'static str) -> Refusal {
    let (code, rest) = reply.split_once(' ').unwrap_or((reply, ""));
    let Some(code) = code.parse::<i64>().ok().filter(|code| (400..600).contains(code)) else {
        case.warning(&format!("response code configuration error: {reply}"));
        return Refusal::later(50, Detail(7, 1), Blame::Policy, "Service unavailable");
    };
    let (status, rest) = access::split_status(rest.trim_start());
    let detail = status.map_or((7, 1), |status| access::fit_status(case, status, class));
    let rest = if rest.is_empty() { "Service unavailable" } else { rest };
    case.refusal(code, detail, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_patterns() {
        let counts = |zone: &str, address: [u8; 4]| Zone::parse(zone).unwrap().counts(address.into());
        assert!(counts("x", [127, 0, 0, 2]));
        assert!(counts("x=127.0.0.2", [127, 0, 0, 2]) && !counts("x=127.0.0.2", [127, 0, 0, 3]));
        assert!(counts("x=127.0.[0..2].[1;5]", [127, 0, 2, 5]));
        assert!(!counts("x=127.0.[0..2].[1;5]", [127, 0, 3, 1]));
        assert!(
            counts("x=127.0.0.[3;5..7]", [127, 0, 0, 6]) && !counts("x=127.0.0.[3;5..7]", [127, 0, 0, 4])
        );
        for bad in [
            "x=",
            "x=127.0.0",
            "x=127.0.0.[1;2",
            "x=127.0.0.1.2",
            "x=a.b.c.d",
            "x=127.0.0.[]",
            "x=1.2.3.[5..1]",
        ] {
            assert!(Zone::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn queries() {
        assert_eq!(reversed("192.0.2.1".parse().unwrap()), "1.2.0.192");
        assert!(reversed("2001:db8::1".parse().unwrap()).starts_with("1.0.0.0."));
        assert!(reversed("2001:db8::1".parse().unwrap()).ends_with("8.b.d.0.1.0.0.2"));
    }
}
