//! What DNS says, validated, about the certificate of a server: TLSA records (RFC 7672).

use std::net::{IpAddr, SocketAddr};

use net::dns::{Answer, Data, Kind, Missing};
use net::tls::Tlsa;

use super::names::{Names, NoAnswer};

/// What there is for a server.
#[derive(Debug, PartialEq, Eq)]
pub enum Dane {
    /// No records that DNSSEC vouches for.
    None,
    /// Records, none of which can be used: encryption is promised, and nobody in particular.
    Unusable,
    /// Records, one of which must vouch for the server.
    Records(Vec<Tlsa>),
}

/// Asks for the TLSA records of a host at a port. `force`: even when the host's address is not validated
/// (`smtp_tls_force_insecure_host_tlsa_lookup`). The error is temporary: without an answer, mail must wait.
pub async fn look_up(names: &Names, host: &str, place: SocketAddr, force: bool) -> Result<Dane, NoAnswer> {
    // A zone without DNSSEC has nothing to say, and some of their servers choke on the question.
    if !force && !is_validated(names, host, place.ip()).await {
        return Ok(Dane::None);
    }
    match names.lookup(&format!("_{}._tcp.{host}", place.port()), Kind::Tlsa).await {
        Ok(answer) => Ok(sort(&answer)),
        Err(NoAnswer::Missing(Missing::NoSuchName | Missing::NoSuchRecord)) => Ok(Dane::None),
        Err(why) => Err(why),
    }
}

/// Did the address come from a validated answer? The resolver remembers the one it came from.
async fn is_validated(names: &Names, host: &str, address: IpAddr) -> bool {
    let kind = if address.is_ipv4() { Kind::A } else { Kind::Aaaa };
    let is_it = |data: &Data| match (data, address) {
        (Data::A(found), IpAddr::V4(wanted)) => *found == wanted,
        (Data::Aaaa(found), IpAddr::V6(wanted)) => *found == wanted,
        _ => false,
    };
    names
        .resolver
        .lookup(host, kind)
        .await
        .is_ok_and(|answer| answer.authentic && answer.records.iter().any(is_it))
}

fn sort(answer: &Answer) -> Dane {
    if !answer.authentic {
        return Dane::None;
    }
    let usable: Vec<Tlsa> = answer.records.iter().filter_map(Tlsa::usable).collect();
    if usable.is_empty() { Dane::Unusable } else { Dane::Records(usable) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_validated_and_usable_records_count() {
        let record =
            |usage, selector, matching, len| Data::Tlsa { usage, selector, matching, data: vec![7; len] };
        let sorted = |records: &[Data], authentic| {
            sort(&Answer { name: "x".to_owned(), records: records.to_vec(), ttl: 1, authentic })
        };
        let good = record(3, 1, 1, 32);
        assert_eq!(sorted(std::slice::from_ref(&good), false), Dane::None);
        for bad in [record(1, 1, 1, 32), record(3, 2, 1, 32), record(3, 1, 1, 31), record(2, 0, 3, 32)] {
            assert_eq!(sorted(std::slice::from_ref(&bad), true), Dane::Unusable, "{bad:?}");
            let Dane::Records(usable) = sorted(&[bad, good.clone()], true) else { panic!("one is good") };
            assert_eq!(usable.len(), 1);
        }
    }
}
