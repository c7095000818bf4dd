//! The resolver: servers in turn, aliases, cache, and the host names of files.

use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use conf::View;
use hickory_proto::rr::Name;
use mail::Trouble;

use super::answer::{Meaning, meaning, text, to_name};
use super::cache::Cache;
use super::exchange::{Failure, ask};
use super::files::{Hosts, Settings};
use super::lines::Lines;
use super::{Answer, Completion, Data, HostLookup, Kind, Missing, Protocols};
use crate::clock;

/// Questions asked for one name while aliases lead from server to server.
const MOST_QUESTIONS: usize = 10;
/// How often the files are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Asks DNS. Cheap to clone; all clones share the cache. Edited files are read again.
#[derive(Clone, Debug)]
pub struct Resolver(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    files: Option<(PathBuf, PathBuf)>,
    loaded: Mutex<Loaded>,
    cache: Cache,
    lines: Lines,
    turn: AtomicUsize,
}

/// What the files said, and when they were written.
#[derive(Clone, Debug)]
struct Loaded {
    settings: Arc<Settings>,
    hosts: Arc<Hosts>,
    written: [Option<SystemTime>; 2],
    looked: Instant,
}

impl Resolver {
    /// Reads `/etc/resolv.conf` and `/etc/hosts`.
    ///
    /// # Errors
    /// One of them is there and cannot be read.
    pub fn system() -> Result<Resolver, Trouble> {
        Self::from_files(Path::new("/etc/resolv.conf"), Path::new("/etc/hosts"))
    }

    /// Reads the file that `resolv_conf` names, and `/etc/hosts`.
    ///
    /// # Errors
    /// One of them is there and cannot be read.
    pub fn configured(view: &View) -> Result<Resolver, Trouble> {
        Self::from_files(Path::new(&view.get("resolv_conf")), Path::new("/etc/hosts"))
    }

    /// Reads these files instead. A missing resolv.conf means 127.0.0.1, as in the C library.
    pub fn from_files(resolv_conf: &Path, hosts: &Path) -> Result<Resolver, Trouble> {
        let loaded = Loaded {
            settings: Arc::new(Settings::parse(&read(resolv_conf)?)),
            hosts: Arc::new(Hosts::parse(&read(hosts)?)),
            written: [written(resolv_conf), written(hosts)],
            looked: clock::now(),
        };
        Ok(Self::build(loaded, Some((resolv_conf.to_owned(), hosts.to_owned()))))
    }

    /// Asks the given servers and knows the given hosts.
    pub fn new(settings: Settings, hosts: Hosts) -> Resolver {
        let loaded = Loaded {
            settings: Arc::new(settings),
            hosts: Arc::new(hosts),
            written: [None, None],
            looked: clock::now(),
        };
        Self::build(loaded, None)
    }

    fn build(loaded: Loaded, files: Option<(PathBuf, PathBuf)>) -> Resolver {
        let cache = Cache::new(loaded.settings.cache_entries);
        let (loaded, lines) = (Mutex::new(loaded), Lines::default());
        Resolver(Arc::new(Shared { files, loaded, cache, lines, turn: AtomicUsize::new(0) }))
    }

    /// Records of `name`; follows CNAMEs. A final dot makes no difference; `search` domains are not tried.
    pub async fn lookup(&self, name: &str, kind: Kind) -> Result<Answer, Missing> {
        self.lookup_name(&to_name(name)?, kind).await
    }

    /// The PTR records of an address.
    pub async fn reverse(&self, address: IpAddr) -> Result<Answer, Missing> {
        let name = match address {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                format!("{d}.{c}.{b}.{a}.in-addr.arpa")
            }
            IpAddr::V6(v6) => v6_arpa(v6),
        };
        self.lookup(&name, Kind::Ptr).await
    }

    /// The addresses of a host, IPv6 first, in the order of the answers. Address literals are not names.
    ///
    /// With `dns` and `native` the files are asked when DNS has nothing for good. The last answer counts.
    pub async fn host(
        &self,
        name: &str,
        lookup: HostLookup,
        protocols: Protocols,
    ) -> Result<Vec<IpAddr>, Missing> {
        let mut missing = Missing::NoSuchName;
        if lookup.dns {
            match self.addresses(name, protocols).await {
                Ok(found) => return Ok(found),
                Err(why) if why.is_temporary() => return Err(why),
                Err(why) => missing = why,
            }
        }
        if lookup.native { self.native(name, protocols).await } else { Err(missing) }
    }

    /// The A and AAAA records of a host, IPv6 first.
    ///
    /// One kind is enough: only when there is none at all does the other's failure count.
    pub async fn addresses(&self, name: &str, protocols: Protocols) -> Result<Vec<IpAddr>, Missing> {
        self.name_addresses(&to_name(name)?, protocols).await
    }

    async fn name_addresses(&self, name: &Name, protocols: Protocols) -> Result<Vec<IpAddr>, Missing> {
        let ask = async |wanted: bool, kind| match wanted {
            true => Some(self.lookup_name(name, kind).await),
            false => None,
        };
        let (six, four) = tokio::join!(ask(protocols.v6, Kind::Aaaa), ask(protocols.v4, Kind::A));
        let (mut found, mut missing) = (Vec::new(), None);
        for answer in [six, four].into_iter().flatten() {
            match answer {
                Ok(answer) => found.extend(answer.records.iter().filter_map(address)),
                // It may exist for the other kind.
                Err(why) => {
                    missing = Some(match missing {
                        Some(other) => Missing::or_heavier(other, why),
                        None => why,
                    });
                }
            }
        }
        if found.is_empty() { Err(missing.unwrap_or(Missing::NoSuchRecord)) } else { Ok(found) }
    }

    /// As getaddrinfo does it: the hosts file, then DNS with the search domains.
    pub async fn native(&self, name: &str, protocols: Protocols) -> Result<Vec<IpAddr>, Missing> {
        let Loaded { settings, hosts, .. } = self.loaded();
        let found = hosts.addresses(name, protocols);
        if !found.is_empty() {
            return Ok(found);
        }
        let names = longer_names(&settings, name, Completion { short: true, search: true });
        let mut missing = if hosts.knows(name) { Missing::NoSuchRecord } else { Missing::NoSuchName };
        for name in names {
            match self.addresses(&name, protocols).await {
                Ok(found) => return Ok(found),
                Err(why) if why.is_temporary() => return Err(why),
                Err(why) => missing = missing.or_heavier(why),
            }
        }
        Err(missing)
    }

    /// The names that are asked for in turn where `name` may be a short one; as resolv.conf says.
    pub fn completed(&self, name: &str, completion: Completion) -> Vec<String> {
        longer_names(&self.loaded().settings, name, completion)
    }

    /// The name of an address as getnameinfo finds it: the hosts file, then DNS.
    pub async fn native_name(&self, address: IpAddr) -> Result<String, Missing> {
        if let Some(name) = self.loaded().hosts.name(address) {
            return Ok(name.to_owned());
        }
        let answer = self.reverse(address).await?;
        let name = answer.records.into_iter().find_map(|record| match record {
            Data::Ptr(name) => Some(name),
            _ => None,
        });
        name.ok_or(Missing::NoSuchRecord)
    }

    async fn lookup_name(&self, name: &Name, kind: Kind) -> Result<Answer, Missing> {
        let key = text(name);
        if let Some(kept) = self.0.cache.get(&key, kind, clock::now()) {
            return kept;
        }
        let (found, ttl) = self.follow(name, kind).await;
        self.0.cache.put(&key, kind, &found, ttl, clock::now());
        found
    }

    /// Asks, and asks again where aliases lead.
    async fn follow(&self, name: &Name, kind: Kind) -> (Result<Answer, Missing>, u32) {
        let (mut owner, mut ttl) = (name.clone(), u32::MAX);
        let mut proven = true;
        for _ in 0..MOST_QUESTIONS {
            match self.ask_servers(&owner, kind).await {
                Meaning::Found(mut answer) => {
                    answer.ttl = answer.ttl.min(ttl);
                    answer.authentic &= proven;
                    let ttl = answer.ttl;
                    return (Ok(answer), ttl);
                }
                Meaning::Alias(target, alias_ttl) => {
                    ttl = ttl.min(alias_ttl);
                    // The AD bit of the answer that held the alias is not kept: better unproven than wrong.
                    proven = false;
                    owner = target;
                }
                Meaning::No(missing, negative_ttl) => return (Err(missing), ttl.min(negative_ttl)),
                Meaning::NextServer(why) => return (Err(Missing::Temporary(why)), 0),
                Meaning::Invalid(why) => return (Err(Missing::Invalid(why)), 0),
            }
        }
        (Err(Missing::Invalid(format!("name server loop for {}", text(name)))), 0)
    }

    async fn ask_servers(&self, name: &Name, kind: Kind) -> Meaning {
        let settings = self.loaded().settings;
        let first = if settings.rotate { self.0.turn.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let mut why = String::from("no name server");
        let mut nonsense = None;
        for _ in 0..settings.attempts.max(1) {
            for n in 0..settings.servers.len() {
                let server = settings.servers[(first + n) % settings.servers.len()];
                let asked = ask(&self.0.lines, server, name, kind, settings.tcp);
                match tokio::time::timeout(settings.timeout, asked).await {
                    Ok(Ok(message)) => match meaning(&message, name, kind) {
                        Meaning::NextServer(text) => why = format!("{server}: {text}"),
                        meaning => return meaning,
                    },
                    Ok(Err(Failure::Malformed)) => nonsense = Some(format!("malformed answer from {server}")),
                    Ok(Err(Failure::Io(error))) => why = format!("{server}: {error}"),
                    Err(_) => why = format!("{server}: no answer"),
                }
            }
        }
        nonsense.map_or(Meaning::NextServer(why), Meaning::Invalid)
    }

    /// What the files say, read again when they were written since.
    fn loaded(&self) -> Loaded {
        let mut loaded = self.0.loaded.lock().expect("nobody panics while holding it");
        let now = clock::now();
        if let Some((resolv_conf, hosts)) = &self.0.files
            && now.duration_since(loaded.looked) >= LOOK_AGAIN
        {
            loaded.looked = now;
            let written = [written(resolv_conf), written(hosts)];
            if written != loaded.written
                && let (Ok(resolv_text), Ok(hosts_text)) = (read(resolv_conf), read(hosts))
            {
                loaded.settings = Arc::new(Settings::parse(&resolv_text));
                loaded.hosts = Arc::new(Hosts::parse(&hosts_text));
                loaded.written = written;
            }
        }
        loaded.clone()
    }
}

/// With a final dot a name is complete.
fn longer_names(settings: &Settings, name: &str, completion: Completion) -> Vec<String> {
    let bare = name.strip_suffix('.').unwrap_or(name);
    let mut names = vec![bare.to_owned()];
    let dots = bare.matches('.').count();
    let wanted = if dots == 0 { completion.short } else { completion.search };
    if wanted && bare.len() == name.len() {
        let most = if completion.search { usize::MAX } else { 1 };
        let longer = settings.search.iter().take(most).map(|domain| format!("{bare}.{domain}"));
        if dots >= settings.ndots {
            names.extend(longer);
        } else {
            names.splice(0..0, longer);
        }
    }
    names
}

fn address(data: &Data) -> Option<IpAddr> {
    match data {
        Data::A(v4) => Some(IpAddr::V4(*v4)),
        Data::Aaaa(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    }
}

fn v6_arpa(address: Ipv6Addr) -> String {
    let mut out = String::with_capacity(72);
    for byte in address.octets().iter().rev() {
        for nibble in [byte & 15, byte >> 4] {
            out.push(char::from_digit(u32::from(nibble), 16).expect("a nibble is a digit"));
            out.push('.');
        }
    }
    out + "ip6.arpa"
}

fn read(path: &Path) -> Result<String, Trouble> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Trouble::from_error(format!("open {}", path.display()), error)),
    }
}

fn written(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|meta| meta.modified()).ok()
}
