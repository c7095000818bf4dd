//! From a destination to the addresses that are tried, best first.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mail::{Class, Refusal};
use net::dns::{Data, HostLookup, Kind, Missing, Protocols};

use super::complaint::ours;
use super::names::{Host, Names, NoAnswer};

/// One address to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Host name, as logged.
    pub host: String,
    /// Its address.
    pub address: IpAddr,
    /// Preference of its MX record; smaller is better.
    pub preference: u16,
    /// An MX record led here that DNSSEC does not vouch for.
    pub insecure_mx: bool,
}

/// What decides about look-ups.
#[derive(Clone)]
pub struct LookUp {
    /// Ask for MX records at all (`smtp_dns_support_level`).
    pub mx: bool,
    /// `smtp_host_lookup`.
    pub hosts: HostLookup,
    /// `inet_protocols`.
    pub protocols: Protocols,
    /// `smtp_address_preference`: which family goes first among equals.
    pub prefer: Prefer,
    /// `smtp_randomize_addresses`.
    pub shuffle: bool,
    /// `smtp_balance_inet_protocols` with `smtp_mx_address_limit`.
    pub balance: Option<usize>,
    /// `ignore_mx_lookup_error`.
    pub ignore_mx_error: bool,
    /// `smtp_defer_if_no_mx_address_found`.
    pub defer_without_address: bool,
    /// Our own addresses: `inet_interfaces`, `proxy_interfaces`.
    pub own: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
    /// The logged program.
    pub program: Arc<str>,
}

/// `smtp_address_preference`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefer {
    /// Neither.
    Any,
    /// IPv4 first.
    V4,
    /// IPv6 first.
    V6,
}

/// Addresses, or why there are none.
#[derive(Debug)]
pub struct Found {
    /// Best first.
    pub sites: Result<Vec<Site>, Refusal>,
    /// We are one of the MX hosts, or mail would loop: no fallback relay may be tried.
    pub ourselves: bool,
}

impl LookUp {
    /// The hosts of a mail domain.
    pub async fn domain(&self, names: &Names, name: &str, guard_loops: bool) -> Found {
        if !self.mx || name.parse::<IpAddr>().is_ok() {
            return self.host(names, name, guard_loops).await;
        }
        let mut records = Vec::new();
        match names.lookup(name, Kind::Mx).await {
            Ok(answer) => {
                for data in answer.records {
                    if let Data::Mx { preference, host } = data {
                        records.push((preference, host, !answer.authentic));
                    }
                }
            }
            Err(NoAnswer::Missing(Missing::NoSuchName | Missing::NoSuchRecord)) => {
                return self.host(names, name, guard_loops).await;
            }
            Err(_) if self.ignore_mx_error => return self.host(names, name, guard_loops).await,
            Err(why) => return Found::none(why.refusal(name, Kind::Mx)),
        }
        // A null MX (RFC 7505) says that the domain takes no mail, even beside others.
        if records.iter().any(|(_, host, _)| host.is_empty()) {
            return Found::none(ours(
                Class::Never,
                (1, 0),
                format!("Domain {name} does not accept mail (nullMX)"),
            ));
        }
        records.sort_by_key(|(preference, ..)| *preference);
        self.exchangers(names, name, &records).await
    }

    async fn exchangers(&self, names: &Names, name: &str, records: &[(u16, String, bool)]) -> Found {
        let best = records.first().map_or(u16::MAX, |(preference, ..)| *preference);
        let (mut sites, mut why) = (Vec::new(), None);
        for (preference, host, insecure_mx) in records {
            match self.addresses(names, host).await {
                Ok(Host { name, addresses }) => sites.extend(addresses.into_iter().map(|address| Site {
                    host: name.clone(),
                    address,
                    preference: *preference,
                    insecure_mx: *insecure_mx,
                })),
                // A temporary failure outweighs permanent ones: the host may be a good one.
                Err(refusal) if why.is_none() || refusal.class() == Class::Later => why = Some(refusal),
                Err(_) => {}
            }
        }
        if sites.is_empty() {
            log::warn!(target: &self.program, "no MX host for {name} has a valid address record");
            let why = why.unwrap_or_else(|| ours(Class::Later, (4, 3), format!("no MX host for {name}")));
            return Found::none(if self.defer_without_address { why.soften() } else { why });
        }
        let best_found = sites[0].preference;
        let own = sites.iter().find(|site| (self.own)(site.address)).map(|site| site.preference);
        if let Some(own) = own {
            // Equal or worse exchangers would send it back to us.
            sites.retain(|site| site.preference < own);
            if sites.is_empty() {
                let refusal = if best == best_found {
                    ours(Class::Never, (4, 6), format!("mail for {name} loops back to myself"))
                } else {
                    ours(Class::Later, (4, 4), format!("unable to find primary relay for {name}"))
                };
                return Found { sites: Err(refusal), ourselves: true };
            }
        }
        self.order(&mut sites);
        Found { sites: Ok(sites), ourselves: own.is_some() }
    }

    /// One host: in brackets, or a domain without MX.
    pub async fn host(&self, names: &Names, name: &str, guard_loops: bool) -> Found {
        let Host { name: host, addresses } = match self.addresses(names, name).await {
            Ok(host) => host,
            Err(refusal) => return Found::none(refusal),
        };
        if guard_loops && addresses.iter().any(|address| (self.own)(*address)) {
            let refusal = ours(Class::Never, (4, 6), format!("mail for {name} loops back to myself"));
            return Found { sites: Err(refusal), ourselves: true };
        }
        let site = |address| Site { host: host.clone(), address, preference: 0, insecure_mx: false };
        let mut sites: Vec<Site> = addresses.into_iter().map(site).collect();
        self.order(&mut sites);
        Found { sites: Ok(sites), ourselves: false }
    }

    async fn addresses(&self, names: &Names, name: &str) -> Result<Host, Refusal> {
        if let Ok(address) = name.parse::<IpAddr>() {
            let spoken = if address.is_ipv4() { self.protocols.v4 } else { self.protocols.v6 };
            return if spoken {
                Ok(Host { name: name.to_owned(), addresses: vec![address] })
            } else {
                let text =
                    format!("unable to look up host {name}: Address family for hostname not supported");
                Err(ours(Class::Never, (4, 4), text))
            };
        }
        names.host(name, self.hosts, self.protocols).await.map_err(|why| match &why {
            NoAnswer::Missing(missing) if self.hosts.native => {
                let (class, detail, words) = if missing.is_temporary() {
                    (Class::Later, (4, 3), "Temporary failure in name resolution")
                } else {
                    (Class::Never, (4, 4), "Name or service not known")
                };
                ours(class, detail, format!("unable to look up host {name}: {words}"))
            }
            // The family asked last is the one that is named.
            _ => why.refusal(name, if self.protocols.v6 { Kind::Aaaa } else { Kind::A }),
        })
    }

    /// Better preferences first; among equals shuffled, and the preferred family first.
    fn order(&self, sites: &mut [Site]) {
        if self.shuffle {
            shuffle(sites);
        }
        let family = |site: &Site| match self.prefer {
            Prefer::Any => false,
            Prefer::V4 => site.address.is_ipv6(),
            Prefer::V6 => site.address.is_ipv4(),
        };
        sites.sort_by_key(|site| (site.preference, family(site)));
        if let Some(limit) = self.balance.filter(|limit| *limit > 1 && sites.len() > *limit) {
            balance(sites, limit);
        }
    }
}

/// Makes sure that both families are among the first `limit`, so that a broken one does not use up all attempts.
fn balance(sites: &mut [Site], limit: usize) {
    let v6 = |site: &Site| site.address.is_ipv6();
    let first_family = v6(&sites[0]);
    if sites[..limit].iter().any(|site| v6(site) != first_family) {
        return;
    }
    if let Some(other) = sites.iter().position(|site| v6(site) != first_family) {
        sites[limit - 1..=other].rotate_right(1);
    }
}

impl Found {
    fn none(refusal: Refusal) -> Found {
        Found { sites: Err(refusal), ourselves: false }
    }
}

/// Fisher-Yates with a small generator: fairness among mail servers needs no secrets.
fn shuffle(sites: &mut [Site]) {
    static STATE: AtomicU64 = AtomicU64::new(0);
    if sites.len() < 2 {
        return;
    }
    let next = || {
        // Splitmix64 over a counter that starts at an address the loader chose.
        let seed = std::ptr::addr_of!(STATE) as u64;
        let mut z = STATE.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed).wrapping_add(seed);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    for at in (1..sites.len()).rev() {
        let other = usize::try_from(next() % (at as u64 + 1)).expect("smaller than a length");
        sites.swap(at, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(address: &str, preference: u16) -> Site {
        let address = address.parse().expect("an address");
        Site { host: "h".to_owned(), address, preference, insecure_mx: false }
    }

    fn look_up() -> LookUp {
        LookUp {
            mx: true,
            hosts: HostLookup { dns: true, native: false },
            protocols: Protocols { v4: true, v6: true },
            prefer: Prefer::V6,
            shuffle: true,
            balance: Some(2),
            ignore_mx_error: false,
            defer_without_address: false,
            own: Arc::new(|_| false),
            program: "smtp".into(),
        }
    }

    #[test]
    fn preference_goes_before_family_and_both_families_get_a_turn() {
        for _ in 0..20 {
            let mut sites = vec![
                site("192.0.2.3", 20),
                site("192.0.2.1", 10),
                site("2001:db8::1", 10),
                site("2001:db8::2", 10),
            ];
            look_up().order(&mut sites);
            assert!(sites[0].address.is_ipv6() && sites[0].preference == 10);
            assert!(sites[1].address.is_ipv4(), "the second attempt is of the other family");
        }
    }

    #[test]
    fn shuffling_reaches_every_order() {
        let mut firsts = std::collections::HashSet::new();
        for _ in 0..200 {
            let mut sites = vec![site("192.0.2.1", 0), site("192.0.2.2", 0), site("192.0.2.3", 0)];
            shuffle(&mut sites);
            firsts.insert(sites[0].address);
        }
        assert_eq!(firsts.len(), 3);
    }
}
