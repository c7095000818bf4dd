//! DNS: a thin stub resolver, and the host names of /etc/hosts.
//!
//! The one thing it is strict about is what an answer *means*: found, no such name, no such record, not known now, or
//! nonsense. Doubt is never "no".

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mail::Trouble;

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

/// Where host names are looked up (`smtp_host_lookup`, `lmtp_host_lookup`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostLookup {
    /// `dns`: A and AAAA records.
    pub dns: bool,
    /// `native`: /etc/hosts, then DNS, as getaddrinfo does.
    pub native: bool,
}

/// Which address families count (`inet_protocols`).
pub use crate::listener::Protocols;

/// How to resolve.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name servers, asked in order.
    pub servers: Vec<SocketAddr>,
    /// How long each is waited for.
    pub timeout: Duration,
    /// How often the list is gone through.
    pub attempts: u32,
    /// `search` domains and `ndots`, for names that are not meant as they stand.
    pub search: Vec<String>,
    /// Ask for DNSSEC (DO bit) and believe the AD bit.
    pub dnssec: bool,
    /// Answers kept at most.
    pub cache_entries: usize,
    /// The hosts file.
    pub hosts_file: std::path::PathBuf,
}

/// Asks DNS. Cheap to clone; all clones share cache and sockets.
#[derive(Clone, Debug)]
pub struct Resolver(#[expect(dead_code)] Arc<Settings>);

impl Resolver {
    /// Reads `/etc/resolv.conf` and `/etc/hosts`.
    pub fn system() -> Result<Resolver, Trouble> {
        Self::from_files(Path::new("/etc/resolv.conf"), Path::new("/etc/hosts"))
    }

    /// Reads these files instead. A missing resolv.conf means 127.0.0.1, as in the C library.
    pub fn from_files(resolv_conf: &Path, hosts: &Path) -> Result<Resolver, Trouble> {
        let _ = (resolv_conf, hosts);
        todo!()
    }

    /// Asks the given servers.
    pub fn new(settings: Settings) -> Resolver {
        Resolver(Arc::new(settings))
    }

    /// Records of `name`; follows CNAMEs. A final dot makes no difference; `search` domains are not tried.
    pub async fn lookup(&self, name: &str, kind: Kind) -> Result<Answer, Missing> {
        let _ = (name, kind);
        todo!()
    }

    /// The PTR records of an address.
    pub async fn reverse(&self, address: IpAddr) -> Result<Answer, Missing> {
        let _ = address;
        todo!()
    }

    /// The addresses of a host, in the order of the answers, IPv6 first. Address literals are not names.
    pub async fn host(
        &self,
        name: &str,
        lookup: HostLookup,
        protocols: Protocols,
    ) -> Result<Vec<IpAddr>, Missing> {
        let _ = (name, lookup, protocols);
        todo!()
    }
}
