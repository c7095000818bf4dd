//! A name server that answers as a text says.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};

use crate::address;

/// Types by number (RFC 1035 3.2.2, RFC 3596).
const TYPES: [(&str, u16); 7] =
    [("A", 1), ("NS", 2), ("CNAME", 5), ("PTR", 12), ("MX", 15), ("TXT", 16), ("AAAA", 28)];

/// What a line may say in place of a type, with the response code.
const FAULTS: [(&str, u8); 3] = [("FORMERR", 1), ("SERVFAIL", 2), ("REFUSED", 5)];

/// Everything that is known of one name.
#[derive(Default)]
struct Name {
    records: Vec<(u16, Vec<u8>)>,
    fault: Option<u8>,
    silent: bool,
}

/// The names of a server.
struct Zone(HashMap<String, Name>);

/// A server on port 53 of a loopback address of its own; only root can start one. It ends with this value.
pub struct NameServer {
    ip: IpAddr,
    asked: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Answers from lines `NAME TYPE DATA` (A, AAAA, MX, TXT, PTR, CNAME, NS; an IPv4 address as NAME of a PTR is turned
    /// round; `*.NAME` is every name below). `NAME SERVFAIL`, `REFUSED`, `FORMERR` is an error, `NAME TIMEOUT` silence,
    /// `NAME EXISTS` a name without records. Any other name does not exist.
    pub fn start(zone: &str) -> NameServer {
        let zone = Zone::parse(zone);
        let ip = address().ip();
        let socket = UdpSocket::bind((ip, 53)).expect("root may use port 53");
        // Questions of many sessions may come at once; one that is dropped is asked again much later.
        setsockopt(&socket, sockopt::RcvBufForce, &(8 << 20)).expect("root may have a large buffer");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a time above zero");
        let (asked, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, end) = (asked.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            let mut question = [0; 1500];
            while !end.load(Ordering::Relaxed) {
                let Ok((len, from)) = socket.recv_from(&mut question) else { continue };
                count.fetch_add(1, Ordering::Relaxed);
                if let Some(answer) = zone.answer(&question[..len]) {
                    // Whoever asked may be gone.
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        NameServer { ip, asked, over, thread: Some(thread) }
    }

    /// The text of a resolv.conf(5) that names it. Patient: the machine may be busy.
    pub fn resolv_conf(&self) -> String {
        format!("nameserver {}\noptions timeout:10 attempts:2\n", self.ip)
    }

    /// How many questions came.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Zone {
    fn parse(text: &str) -> Zone {
        let mut names: HashMap<String, Name> = HashMap::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [name, kind, data @ ..] = words.as_slice() else { panic!("no record: {line}") };
            let mut name = name.to_lowercase();
            if let ("PTR", Ok(ip)) = (*kind, name.parse::<Ipv4Addr>()) {
                let [a, b, c, d] = ip.octets();
                name = format!("{d}.{c}.{b}.{a}.in-addr.arpa");
            }
            let known = names.entry(name).or_default();
            if let Some((_, fault)) = FAULTS.iter().find(|(word, _)| word == kind) {
                known.fault = Some(*fault);
            } else if let Some((_, number)) = TYPES.iter().find(|(word, _)| word == kind) {
                known.records.push((*number, encoded(kind, data)));
            } else {
                assert!(matches!(*kind, "TIMEOUT" | "EXISTS"), "no record: {line}");
                known.silent = *kind == "TIMEOUT";
            }
        }
        Zone(names)
    }

    fn find(&self, name: &str) -> Option<&Name> {
        if let Some(known) = self.0.get(name) {
            return Some(known);
        }
        let mut rest = name;
        while let Some((_, above)) = rest.split_once('.') {
            if let Some(known) = self.0.get(&format!("*.{above}")) {
                return Some(known);
            }
            rest = above;
        }
        None
    }

    /// The answer to a question; `None` is silence.
    fn answer(&self, question: &[u8]) -> Option<Vec<u8>> {
        let (mut name, mut at) = (String::new(), 12);
        loop {
            let len = usize::from(*question.get(at)?);
            at += 1;
            if len == 0 {
                break;
            }
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(&String::from_utf8_lossy(question.get(at..at + len)?).to_lowercase());
            at += len;
        }
        let kind = u16::from_be_bytes([*question.get(at)?, *question.get(at + 1)?]);
        let mut records = Vec::new();
        let mut code = 0;
        // Aliases are followed as a resolver does, and a circle is left.
        for _ in 0..16 {
            let Some(known) = self.find(&name) else {
                code = 3;
                break;
            };
            if known.silent {
                return None;
            }
            code = known.fault.unwrap_or(0);
            let of = |wanted: u16| known.records.iter().filter(move |(number, _)| *number == wanted);
            records.extend(of(kind).map(|(number, data)| (name.clone(), *number, data.clone())));
            let Some((number, data)) = of(5).next().filter(|_| kind != 5) else { break };
            records.push((name.clone(), *number, data.clone()));
            name = decoded(data);
        }
        let count = u16::try_from(records.len()).expect("a test has few records").to_be_bytes();
        let mut out = question[..2].to_vec();
        // Response, recursion desired and available.
        out.extend([0x81, 0x80 | code, 0, 1, count[0], count[1], 0, 0, 0, 0]);
        out.extend(&question[12..at + 4]);
        for (owner, number, data) in records {
            out.extend(wire(&owner));
            out.extend(number.to_be_bytes());
            out.extend([0, 1, 0, 0, 0, 60]);
            out.extend(u16::try_from(data.len()).expect("short data").to_be_bytes());
            out.extend(data);
        }
        assert!(out.len() <= 1232, "a test asks for little");
        Some(out)
    }
}

fn encoded(kind: &str, data: &[&str]) -> Vec<u8> {
    match kind {
        "A" => data[0].parse::<Ipv4Addr>().expect("an IPv4 address").octets().to_vec(),
        "AAAA" => data[0].parse::<std::net::Ipv6Addr>().expect("an IPv6 address").octets().to_vec(),
        "MX" => {
            let preference: u16 = data[0].parse().expect("a preference");
            [&preference.to_be_bytes()[..], &wire(data[1])].concat()
        }
        "TXT" => {
            let text = data.join(" ");
            let pieces = text.as_bytes().chunks(255);
            pieces.flat_map(|piece| [&[piece.len() as u8][..], piece].concat()).collect()
        }
        _ => wire(data[0]),
    }
}

fn wire(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    let mut out: Vec<u8> =
        labels.flat_map(|label| [&[label.len() as u8][..], label.as_bytes()].concat()).collect();
    out.push(0);
    out
}

fn decoded(wire: &[u8]) -> String {
    let (mut labels, mut at) = (Vec::new(), 0);
    while wire[at] > 0 {
        let end = at + 1 + usize::from(wire[at]);
        labels.push(String::from_utf8_lossy(&wire[at + 1..end]).to_lowercase());
        at = end;
    }
    labels.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_faults_and_what_is_below() {
        let zone = Zone::parse(
            "a.test CNAME b.test\nb.test A 192.0.2.1\n*.c.test TXT x y\nd.test SERVFAIL\ne.test TIMEOUT\n",
        );
        let ask = |name: &str, kind: u16| {
            let head = [1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            zone.answer(&[&head[..], &wire(name), &kind.to_be_bytes(), &[0, 1]].concat())
        };
        let heard = ask("A.test", 1).unwrap();
        assert_eq!((heard[3] & 15, heard[7]), (0, 2));
        assert!(heard.ends_with(&[0, 4, 192, 0, 2, 1]));
        assert!(ask("x.y.c.test", 16).unwrap().ends_with(b"\x03x y"));
        assert_eq!(ask("d.test", 1).unwrap()[3] & 15, 2);
        assert_eq!(ask("nowhere.test", 1).unwrap()[3] & 15, 3);
        assert_eq!(ask("e.test", 1), None);
    }
}
