//! DNS: a thin stub resolver, and the host names of /etc/hosts.
//!
//! The one thing it is strict about is what an answer *means*: found, no such name, no such record, not known now, or
//! nonsense. Doubt is never "no".

mod answer;
mod cache;
mod exchange;
mod files;
mod lines;
mod resolver;
mod salvage;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

pub use crate::listener::Protocols;
pub use files::{Hosts, Settings};
pub use resolver::Resolver;

/// Record types that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Mail exchanger.
    Mx,
    /// Name of an address.
    Ptr,
    /// Text.
    Txt,
    /// Name server.
    Ns,
    /// Alias.
    Cname,
    /// Start of authority.
    Soa,
    /// Certificate association (RFC 6698).
    Tlsa,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::A => "A",
            Kind::Aaaa => "AAAA",
            Kind::Mx => "MX",
            Kind::Ptr => "PTR",
            Kind::Txt => "TXT",
            Kind::Ns => "NS",
            Kind::Cname => "CNAME",
            Kind::Soa => "SOA",
            Kind::Tlsa => "TLSA",
        })
    }
}

/// What a record holds. Names have no final dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A.
    A(Ipv4Addr),
    /// AAAA.
    Aaaa(Ipv6Addr),
    /// MX; the host of a null MX (RFC 7505) is empty.
    Mx {
        /// Smaller is better.
        preference: u16,
        /// Host name.
        host: String,
    },
    /// PTR.
    Ptr(String),
    /// TXT, its strings joined. Bytes outside printable ASCII are `?`.
    Txt(String),
    /// NS.
    Ns(String),
    /// CNAME.
    Cname(String),
    /// SOA: primary name server.
    Soa(String),
    /// TLSA.
    Tlsa {
        /// Certificate usage.
        usage: u8,
        /// Selector.
        selector: u8,
        /// Matching type.
        matching: u8,
        /// Association data.
        data: Vec<u8>,
    },
}

/// Records of one name and kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The name at the end of the CNAME chain, in lower case, without final dot.
    pub name: String,
    /// The records, in the order of the answer. Never empty.
    pub records: Vec<Data>,
    /// Seconds it stays good.
    pub ttl: u32,
    /// The name server says it is proven by DNSSEC (AD bit).
    pub authentic: bool,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// There is no such name (NXDOMAIN). Permanent.
    NoSuchName,
    /// The name exists and has no such record. Permanent.
    NoSuchRecord,
    /// Not known now: time-out, SERVFAIL, REFUSED, lame server. The text says what. Temporary.
    Temporary(String),
    /// The answer or the name is malformed. Treated as permanent for the name asked.
    Invalid(String),
}

impl Missing {
    /// Is it worth asking again later?
    pub fn is_temporary(&self) -> bool {
        matches!(self, Missing::Temporary(_))
    }

    /// Of two reasons for one host, the one that counts: doubt outweighs "no record", which outweighs "no name".
    pub fn or_heavier(self, other: Missing) -> Missing {
        let weight = |missing: &Missing| match missing {
            Missing::NoSuchName => 0,
            Missing::Invalid(_) => 1,
            Missing::NoSuchRecord => 2,
            Missing::Temporary(_) => 3,
        };
        if weight(&other) > weight(&self) { other } else { self }
    }
}

/// Postfix's words: what stands behind `Name service error for name=… type=…: `.
impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Missing::NoSuchName => "Host not found",
            Missing::NoSuchRecord => "Host found but no data record of requested type",
            Missing::Temporary(_) => "Host not found, try again",
            Missing::Invalid(_) => "Malformed or unexpected name server reply",
        })
    }
}

impl Missing {
    /// The C library's words for a failed host look-up: `unable to look up host x: …`.
    pub fn native_text(&self) -> &'static str {
        match self {
            Missing::NoSuchName | Missing::Invalid(_) => "Name or service not known",
            Missing::NoSuchRecord => "No address associated with hostname",
            Missing::Temporary(_) => "Temporary failure in name resolution",
        }
    }
}

/// Where host names are looked up (`smtp_host_lookup`, `lmtp_host_lookup`). DNS is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostLookup {
    /// `dns`: A and AAAA records.
    pub dns: bool,
    /// `native`: /etc/hosts, then DNS with search domains, as getaddrinfo does.
    pub native: bool,
}

/// How names are completed with the domains of resolv.conf.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// `res_defnames`: those without a dot, with the first domain (with all of them where `search` is on, too).
    pub short: bool,
    /// `res_dnsrch`: those with a dot, with each domain in turn.
    pub search: bool,
}

impl Completion {
    /// Are names taken as they are?
    pub fn is_off(self) -> bool {
        self == Completion::default()
    }
}

#[cfg(test)]
mod tests;
