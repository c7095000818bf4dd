//! A stranger and a world around him, invented: he asks each SMTP service to take mail for another stranger. Whoever
//! takes it relays for everybody.

use std::net::IpAddr;
use std::sync::Arc;

use filter::{Boxed, Dns, NameLookup, Outside, Peer, Probe, Verifier};
use mail::{Address, Client};
use net::dns::{Answer, Data, Kind, Missing};
use route::Router;

/// His name, which his address leads to and back (RFC 2606).
const NAME: &str = "stranger.example.net";

/// His addresses, from the networks for examples (RFC 5737, RFC 3849).
pub const ADDRESSES: [IpAddr; 2] = [
    IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 77)),
    IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, 0x77)),
];

/// His own address for mail.
pub const SENDER: &str = "somebody@example.net";

/// Whom he writes to: nobody of ours.
pub const RECIPIENT: &str = "somebody@example.org";

/// He, connected from one of his addresses.
pub fn peer(address: IpAddr) -> Peer {
    let client = Client {
        name: NAME.to_owned(),
        reverse_name: NAME.to_owned(),
        address: address.to_string(),
        helo: NAME.to_owned(),
        protocol: "ESMTP".to_owned(),
        ..Client::default()
    };
    Peer {
        client,
        ip: Some(address),
        name_lookup: NameLookup::Found,
        reverse_lookup: NameLookup::Found,
        ..Peer::default()
    }
}

/// What the judge asks is answered without asking anybody.
pub fn outside(router: Arc<Router>, own: Arc<[IpAddr]>) -> Outside {
    Outside {
        dns: Arc::new(Invented),
        addresses: router,
        verifier: Arc::new(Invented),
        greylist: None,
        own_addresses: own,
    }
}

/// The DNS in which the domains of the examples are well kept, and nothing is on any list.
struct Invented;

fn known(name: &str) -> bool {
    ["example.net", "example.org"].iter().any(|domain| {
        name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest == "stranger." || rest == "mx.")
    })
}

impl Dns for Invented {
    fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Boxed<'a, Result<Answer, Missing>> {
        let records = match kind {
            _ if !known(name) => return Box::pin(async { Err(Missing::NoSuchName) }),
            Kind::A => vec![Data::A(std::net::Ipv4Addr::new(203, 0, 113, 77))],
            Kind::Mx => vec![Data::Mx { preference: 10, host: NAME.to_owned() }],
            Kind::Ns => vec![Data::Ns(NAME.to_owned())],
            _ => return Box::pin(async { Err(Missing::NoSuchRecord) }),
        };
        let answer = Answer { name: name.to_owned(), records, ttl: 60, authentic: false };
        Box::pin(async { Ok(answer) })
    }

    fn host<'a>(&'a self, name: &'a str) -> Boxed<'a, Result<Vec<IpAddr>, Missing>> {
        let answer = if known(name) { Ok(ADDRESSES.to_vec()) } else { Err(Missing::NoSuchName) };
        Box::pin(async { answer })
    }
}

impl Verifier for Invented {
    fn verify<'a>(&'a self, _: &'a Address) -> Boxed<'a, Probe> {
        Box::pin(async { Probe::Deliverable })
    }
}
