//! Where reports go: `rua=`, and whether those it names want them (RFC 7489 7.1).

use net::dns::Missing;

use crate::dmarc::{Organization, addresses};
use crate::outside::{Dns, texts};
use crate::tags::Tags;

/// A place that takes reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    /// The address.
    pub address: String,
    /// Bytes of the largest report it takes.
    pub most: Option<u64>,
}

/// `mailto:address!10m`. Other schemes are not spoken here.
fn parse(uri: &str) -> Option<Destination> {
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("mailto") {
        return None;
    }
    let (address, size) = match rest.rsplit_once('!') {
        Some((address, size)) => (address, Some(bytes(size)?)),
        None => (rest, None),
    };
    let address = unescaped(address.split('?').next()?)?;
    let (user, host) = address.rsplit_once('@')?;
    let odd = |c: char| c.is_control() || c.is_whitespace() || "<>\",;".contains(c);
    let plain = !user.is_empty() && !host.is_empty() && address.len() <= 254 && !address.contains(odd);
    plain.then(|| Destination { address: address.clone(), most: size })
}

/// A number with `k`, `m`, `g` or `t`.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// `%40` and its like.
fn unescaped(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        let digits = std::str::from_utf8(after.get(..2)?).ok()?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &after[2..];
    }
    String::from_utf8(out).ok()
}

/// Of the URIs in the record of `domain`, those that may have reports about it. The error: the DNS does not answer now.
pub(super) async fn willing(
    dns: &dyn Dns,
    domain: &str,
    uris: &[String],
) -> Result<Vec<Destination>, String> {
    let mut out: Vec<Destination> = Vec::new();
    for destination in uris.iter().filter_map(|uri| parse(uri)) {
        for destination in verified(dns, domain, destination).await? {
            if out.iter().all(|known| known.address != destination.address) {
                out.push(destination);
            }
        }
    }
    Ok(out)
}

/// An address of another organization must be known there to take reports about the domain; what is published there may
/// name another address of the same host.
async fn verified(dns: &dyn Dns, domain: &str, destination: Destination) -> Result<Vec<Destination>, String> {
    let host = destination.address.rsplit_once('@').map_or("", |(_, host)| host).to_ascii_lowercase();
    let ours = Organization::of(dns, domain).await?.name;
    if host == domain || Organization::of(dns, &host).await?.name == ours {
        return Ok(vec![destination]);
    }
    let found = match texts(dns, &format!("{domain}._report._dmarc.{host}")).await {
        Ok(found) => found,
        Err(Missing::Temporary(why)) => return Err(why),
        Err(_) => return Ok(Vec::new()),
    };
    let mut records = found.iter().filter_map(|text| Tags::parse(text));
    let Some(record) = records.find(|tags| tags.first() == Some("v") && tags.get("v") == Some("DMARC1"))
    else {
        return Ok(Vec::new());
    };
    let others = addresses(record.get("rua").unwrap_or_default());
    let others: Vec<Destination> = others.iter().filter_map(|uri| parse(uri)).collect();
    let stays = |other: &Destination| {
        other.address.rsplit_once('@').is_some_and(|(_, other)| other.eq_ignore_ascii_case(&host))
    };
    let usable = !others.is_empty() && others.iter().all(stays);
    Ok(if usable { others } else { vec![destination] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Names;

    #[test]
    fn uris() {
        let of = |uri: &str| parse(uri).map(|found| (found.address, found.most));
        assert_eq!(of("mailto:a@b.test"), Some(("a@b.test".into(), None)));
        assert_eq!(of("MAILTO:a%2Bb@b.test!10m"), Some(("a+b@b.test".into(), Some(10 << 20))));
        for other in [
            "https://b.test/",
            "mailto:a",
            "mailto:a@b.test!10q",
            "mailto:a@b.test%0d%0aBcc:x",
            "mailto:a%zz@b.test",
            "mailto:a@b.test!99999999999999999t",
            "a@b.test",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[tokio::test]
    async fn strangers_must_want_reports() {
        let names = Names::new(&[
            ("_dmarc.a.test", "v=DMARC1; p=none"),
            ("_dmarc.b.test", "v=DMARC1; p=none"),
            ("a.test._report._dmarc.wants.test", "v=DMARC1;"),
            ("a.test._report._dmarc.other.test", "v=DMARC1; rua=mailto:two@other.test"),
            ("a.test._report._dmarc.sly.test", "v=DMARC1; rua=mailto:x@victim.test"),
            ("a.test._report._dmarc.odd.test", "hello"),
        ]);
        let uris: Vec<String> = ["x@a.test", "y@m.a.test", "z@b.test", "v@wants.test", "one@other.test"]
            .iter()
            .chain(&["s@sly.test", "o@odd.test", "x@a.test"])
            .map(|address| format!("mailto:{address}"))
            .collect();
        let willing = willing(&names, "a.test", &uris).await.unwrap();
        let told: Vec<&str> = willing.iter().map(|one| one.address.as_str()).collect();
        assert_eq!(told, ["x@a.test", "y@m.a.test", "v@wants.test", "two@other.test", "s@sly.test"]);
    }
}
