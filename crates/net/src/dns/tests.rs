//! The resolver against a scripted name server on 127.0.0.1.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::*;
use crate::peer::{self, NameStatus};

/// What the server does with a question.
enum Reply {
    /// Answers, in this order.
    Records(Vec<(&'static str, RData)>),
    /// An error, with an SOA for NXDOMAIN.
    Code(ResponseCode),
    /// Truncated by UDP; these answers by TCP.
    Big(Vec<(&'static str, RData)>),
    Silence,
    /// A forged answer with another id, then this one.
    AfterForgery(Vec<(&'static str, RData)>),
    /// That there is no such name, and once more.
    TwiceNo,
    /// A header that promises a record, and rubbish.
    Garbage,
    /// A record with a label that is too long, then these.
    OneBad(Vec<(&'static str, RData)>),
    /// No answer, not authoritative, no recursion.
    Lame,
    /// An answer to questions without EDNS only.
    Ancient(Vec<(&'static str, RData)>),
}

struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    /// The ports that questions came from.
    ports: Arc<Mutex<HashSet<u16>>>,
}

type Script = fn(&str, RecordType) -> Reply;

fn name(text: &str) -> Name {
    Name::from_labels(text.split('.').map(str::as_bytes)).unwrap()
}

fn answer(request: &Message, records: Vec<(&'static str, RData)>) -> Message {
    let mut message = Message::new(request.metadata.id, MessageType::Response, OpCode::Query);
    message.metadata.recursion_available = true;
    message.metadata.authentic_data = true;
    message.add_queries(request.queries.clone());
    message.add_answers(records.into_iter().map(|(owner, data)| Record::from_rdata(name(owner), 60, data)));
    message
}

fn replies(request: &Message, reply: Reply, tcp: bool) -> Vec<Vec<u8>> {
    let message = match reply {
        Reply::Records(records) => answer(request, records),
        Reply::Code(code) => {
            let mut message = answer(request, Vec::new());
            message.metadata.response_code = code;
            let soa = SOA::new(name("ns.test"), name("root.test"), 1, 1, 1, 1, 30);
            message.add_authority(Record::from_rdata(name("test"), 60, RData::SOA(soa)));
            message
        }
        Reply::Big(records) if tcp => answer(request, records),
        Reply::Big(records) => {
            let mut message = answer(request, records);
            message.metadata.truncation = true;
            let mut bytes = message.to_vec().unwrap();
            // Cut off anywhere, not between records.
            bytes.truncate(bytes.len() - 3);
            return vec![bytes];
        }
        Reply::Silence => return Vec::new(),
        Reply::AfterForgery(records) => {
            let mut forged = answer(request, vec![("a.test", RData::A(A::new(6, 6, 6, 6)))]);
            forged.metadata.id = request.metadata.id.wrapping_add(1);
            return vec![forged.to_vec().unwrap(), answer(request, records).to_vec().unwrap()];
        }
        Reply::TwiceNo => {
            let no = replies(request, Reply::Code(ResponseCode::NXDomain), tcp).remove(0);
            return vec![no.clone(), no];
        }
        Reply::Garbage => {
            let mut bytes = answer(request, Vec::new()).to_vec().unwrap();
            bytes[5] = 9;
            return vec![bytes];
        }
        Reply::OneBad(mut records) => {
            let owner = if records.is_empty() { "onlybad.test" } else { "onebad.test" };
            records.insert(0, (owner, RData::MX(MX::new(1, name("abcdefgh")))));
            let mut bytes = answer(request, records).to_vec().unwrap();
            let label = bytes.windows(9).position(|bytes| bytes == b"\x08abcdefgh").unwrap();
            bytes[label] = 65;
            return vec![bytes];
        }
        Reply::Ancient(records) if request.edns.is_none() => answer(request, records),
        Reply::Ancient(_) => {
            let mut message = answer(request, Vec::new());
            message.queries.clear();
            message.metadata.response_code = ResponseCode::FormErr;
            message
        }
        Reply::Lame => {
            let mut message = answer(request, Vec::new());
            message.metadata.recursion_available = false;
            message
        }
    };
    vec![message.to_vec().unwrap()]
}

async fn serve(script: Script) -> Server {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            break (udp, tcp);
        }
    };
    let (address, asked) = (udp.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    let run = move |bytes: &[u8], tcp: bool| {
        let request = Message::from_vec(bytes).unwrap();
        count.fetch_add(1, Ordering::SeqCst);
        let query = &request.queries[0];
        let asked = query.name().to_ascii().to_lowercase();
        let reply = script(asked.trim_end_matches('.'), query.query_type());
        replies(&request, reply, tcp)
    };
    let run = Arc::new(Mutex::new(run));
    let by_udp = run.clone();
    let ports = Arc::new(Mutex::new(HashSet::new()));
    let seen = ports.clone();
    tokio::spawn(async move {
        let mut buffer = vec![0; 4096];
        loop {
            let (len, from) = udp.recv_from(&mut buffer).await.unwrap();
            seen.lock().unwrap().insert(from.port());
            let replies = by_udp.lock().unwrap()(&buffer[..len], false);
            for reply in replies {
                udp.send_to(&reply, from).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            let len = stream.read_u16().await.unwrap();
            let mut buffer = vec![0; usize::from(len)];
            stream.read_exact(&mut buffer).await.unwrap();
            let replies = run.lock().unwrap()(&buffer, true);
            for reply in replies {
                stream.write_u16(u16::try_from(reply.len()).unwrap()).await.unwrap();
                stream.write_all(&reply).await.unwrap();
            }
        }
    });
    Server { address, asked, ports }
}

fn resolver(servers: &[&Server]) -> Resolver {
    let settings = Settings {
        servers: servers.iter().map(|server| server.address).collect(),
        timeout: Duration::from_millis(300),
        attempts: 1,
        search: vec!["test".to_owned()],
        ..Settings::default()
    };
    Resolver::new(settings, Hosts::parse("192.0.2.77 inhosts.test\n"))
}

fn a(last: u8) -> RData {
    RData::A(A::new(192, 0, 2, last))
}

fn cname(target: &str) -> RData {
    RData::CNAME(CNAME(name(target)))
}

fn script(asked: &str, kind: RecordType) -> Reply {
    use RecordType as T;
    match (asked, kind) {
        ("a.test", T::A) => Reply::Records(vec![("a.test", a(1)), ("a.test", a(2))]),
        ("both.test", T::A) => Reply::Records(vec![("both.test", a(1))]),
        ("both.test", T::AAAA) => {
            Reply::Records(vec![("both.test", RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)))])
        }
        ("half.test", T::A) => Reply::Records(vec![("half.test", a(1))]),
        ("half.test", T::AAAA) => Reply::Code(ResponseCode::ServFail),
        ("mx.test", T::MX) => Reply::Records(vec![
            ("mx.test", RData::MX(MX::new(20, name("B.test")))),
            ("mx.test", RData::MX(MX::new(10, name("a.test")))),
            ("mx.test", RData::MX(MX::new(5, name("-bad.test")))),
        ]),
        ("onebad.test", T::MX) => {
            Reply::OneBad(vec![("onebad.test", RData::MX(MX::new(10, name("a.test"))))])
        }
        ("onlybad.test", T::MX) => Reply::OneBad(vec![]),
        ("null.test", T::MX) => Reply::Records(vec![("null.test", RData::MX(MX::new(0, Name::root())))]),
        ("allbad.test", T::MX) => {
            Reply::Records(vec![("allbad.test", RData::MX(MX::new(0, name("bad!.test"))))])
        }
        ("alias.test", _) => Reply::Records(vec![("alias.test", cname("a.test")), ("a.test", a(3))]),
        ("far.test", _) => Reply::Records(vec![("far.test", cname("a.test"))]),
        ("loop.test", _) => {
            Reply::Records(vec![("loop.test", cname("pool.test")), ("pool.test", cname("loop.test"))])
        }
        ("ping.test", _) => Reply::Records(vec![("ping.test", cname("pong.test"))]),
        ("pong.test", _) => Reply::Records(vec![("pong.test", cname("ping.test"))]),
        ("fail.test", _) => Reply::Code(ResponseCode::ServFail),
        ("refused.test", _) => Reply::Code(ResponseCode::Refused),
        ("silent.test", _) => Reply::Silence,
        ("big.test", _) => Reply::Big(vec![("big.test", a(9))]),
        ("forged.test", _) => Reply::AfterForgery(vec![("forged.test", a(1))]),
        (name, _) if name.ends_with(".twice.test") => Reply::TwiceNo,
        ("garbage.test", _) => Reply::Garbage,
        ("lame.test", _) => Reply::Lame,
        ("ancient.test", _) => Reply::Ancient(vec![("ancient.test", a(8))]),
        ("txt.test", T::TXT) => {
            Reply::Records(vec![("txt.test", RData::TXT(TXT::new(vec!["v=".into(), "spf1\u{1}".into()])))])
        }
        ("xn--rsum-bpad.test", T::A) => Reply::Records(vec![("xn--rsum-bpad.test", a(4))]),
        ("under_score.test", T::A) => Reply::Records(vec![("under_score.test", a(5))]),
        ("1.2.0.192.in-addr.arpa", T::PTR) => ptr("1.2.0.192.in-addr.arpa", "a.test"),
        ("50.2.0.192.in-addr.arpa", T::PTR) => ptr("50.2.0.192.in-addr.arpa", "a.test"),
        ("51.2.0.192.in-addr.arpa", T::PTR) => ptr("51.2.0.192.in-addr.arpa", "nowhere.test"),
        ("52.2.0.192.in-addr.arpa", T::PTR) => ptr("52.2.0.192.in-addr.arpa", "bad_name!.test"),
        ("53.2.0.192.in-addr.arpa", T::PTR) => ptr("53.2.0.192.in-addr.arpa", "fail.test"),
        ("54.2.0.192.in-addr.arpa", T::PTR) => Reply::Code(ResponseCode::ServFail),
        ("a.test" | "both.test" | "half.test", _) => Reply::Records(vec![]),
        _ => Reply::Code(ResponseCode::NXDomain),
    }
}

fn ptr(owner: &'static str, target: &str) -> Reply {
    Reply::Records(vec![(owner, RData::PTR(PTR(name(target))))])
}

#[tokio::test]
async fn an_answer_means_one_thing() {
    let server = serve(script).await;
    let resolver = resolver(&[&server]);
    let found = async |asked: &str, kind| resolver.lookup(asked, kind).await.map(|answer| answer.records);
    let host = |preference, host: &str| Data::Mx { preference, host: host.to_owned() };
    let ip = |last| Data::A(Ipv4Addr::new(192, 0, 2, last));

    assert_eq!(found("A.test.", Kind::A).await, Ok(vec![ip(1), ip(2)]));
    assert_eq!(found("mx.test", Kind::Mx).await, Ok(vec![host(20, "b.test"), host(10, "a.test")]));
    assert_eq!(found("onebad.test", Kind::Mx).await, Ok(vec![host(10, "a.test")]));
    assert_eq!(found("null.test", Kind::Mx).await, Ok(vec![host(0, "")]));
    assert_eq!(found("alias.test", Kind::A).await, Ok(vec![ip(3)]));
    assert_eq!(found("far.test", Kind::A).await, Ok(vec![ip(1), ip(2)]));
    assert_eq!(found("big.test", Kind::A).await, Ok(vec![ip(9)]));
    assert_eq!(found("ancient.test", Kind::A).await, Ok(vec![ip(8)]));
    assert_eq!(found("forged.test", Kind::A).await, Ok(vec![ip(1)]));
    assert_eq!(found("txt.test", Kind::Txt).await, Ok(vec![Data::Txt("v=spf1?".into())]));
    assert_eq!(found("résumé.test", Kind::A).await, Ok(vec![ip(4)]));
    assert_eq!(found("under_score.test", Kind::A).await, Ok(vec![ip(5)]));
    assert_eq!(found("a.test", Kind::Mx).await, Err(Missing::NoSuchRecord));
    assert_eq!(found("nothere.test", Kind::Mx).await, Err(Missing::NoSuchName));
    for temporary in ["fail.test", "refused.test", "silent.test", "lame.test"] {
        let missing = found(temporary, Kind::Mx).await.unwrap_err();
        assert!(missing.is_temporary(), "{temporary}: {missing:?}");
    }
    for invalid in
        ["allbad.test", "onlybad.test", "loop.test", "ping.test", "garbage.test", "", "a..test", "a b.test"]
    {
        let missing = found(invalid, Kind::Mx).await.unwrap_err();
        assert!(matches!(missing, Missing::Invalid(_)), "{invalid}: {missing:?}");
    }
    assert!(resolver.lookup("alias.test", Kind::A).await.unwrap().authentic);
    assert!(!resolver.lookup("far.test", Kind::A).await.unwrap().authentic);
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_does_not_know() {
    let lame: Script = |_, _| Reply::Lame;
    let silent: Script = |_, _| Reply::Silence;
    let (lame, silent, good) = (serve(lame).await, serve(silent).await, serve(script).await);
    let found = resolver(&[&lame, &silent, &good]).lookup("a.test", Kind::A).await;
    assert_eq!(found.map(|answer| answer.records.len()), Ok(2));
}

#[tokio::test]
async fn answers_are_kept_and_doubts_are_not() {
    let server = serve(script).await;
    let resolver = resolver(&[&server]);
    for _ in 0..3 {
        resolver.lookup("a.test", Kind::A).await.unwrap();
        resolver.lookup("nothere.test", Kind::A).await.unwrap_err();
    }
    assert_eq!(server.asked.load(Ordering::SeqCst), 2);
    for _ in 0..3 {
        resolver.lookup("fail.test", Kind::A).await.unwrap_err();
    }
    assert_eq!(server.asked.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn a_server_on_this_machine_is_asked_from_few_ports_and_its_late_answers_are_passed_over() {
    let server = serve(script).await;
    let resolver = resolver(&[&server]);
    let no = async |name: String| resolver.lookup(&name, Kind::A).await.unwrap_err();
    for n in 0..20 {
        assert_eq!(no(format!("n{n}.twice.test")).await, Missing::NoSuchName);
    }
    assert_eq!(server.ports.lock().unwrap().len(), 1);
    let four = ["a", "b", "c", "d"].map(|name| no(format!("{name}.twice.test")));
    let [a, b, c, d] = four;
    let (a, b, c, d) = tokio::join!(a, b, c, d);
    assert_eq!([a, b, c, d], [const { Missing::NoSuchName }; 4]);
    assert_eq!(server.ports.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn hosts_come_from_dns_or_as_the_system_finds_them() {
    const BOTH: Protocols = Protocols { v4: true, v6: true };
    const V4: Protocols = Protocols { v4: true, v6: false };
    let server = serve(script).await;
    let resolver = resolver(&[&server]);
    let host = async |name: &str, dns, native, protocols| {
        let found = resolver.host(name, HostLookup { dns, native }, protocols).await;
        found.map(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(host("both.test", true, false, BOTH).await.as_deref(), Ok("2001:db8::1 192.0.2.1"));
    assert_eq!(host("both.test", true, false, V4).await.as_deref(), Ok("192.0.2.1"));
    assert_eq!(host("half.test", true, false, BOTH).await.as_deref(), Ok("192.0.2.1"));
    assert_eq!(host("inhosts.test", true, false, V4).await, Err(Missing::NoSuchName));
    assert_eq!(host("inhosts.test", true, true, V4).await.as_deref(), Ok("192.0.2.77"));
    assert_eq!(host("a", false, true, V4).await.as_deref(), Ok("192.0.2.1 192.0.2.2"));
    assert_eq!(host("a", true, false, V4).await, Err(Missing::NoSuchName));
    assert!(host("fail.test", true, true, V4).await.unwrap_err().is_temporary());
}

#[test]
fn short_names_are_completed_as_asked() {
    let settings = Settings::parse("search corp.test other.test\noptions ndots:2\n");
    let resolver = Resolver::new(settings, Hosts::parse(""));
    let asked = |name: &str, short, search| resolver.completed(name, Completion { short, search }).join(" ");
    assert_eq!(asked("a", false, false), "a");
    assert_eq!(asked("a", true, false), "a.corp.test a");
    assert_eq!(asked("a", true, true), "a.corp.test a.other.test a");
    assert_eq!(asked("a", false, true), "a");
    assert_eq!(asked("a.b", true, false), "a.b");
    assert_eq!(asked("a.b", false, true), "a.b.corp.test a.b.other.test a.b");
    assert_eq!(asked("a.b.c", true, true), "a.b.c a.b.c.corp.test a.b.c.other.test");
    assert_eq!(asked("a.", true, true), "a");
}

#[tokio::test]
async fn a_clients_name_must_lead_back() {
    let server = serve(script).await;
    let resolver = resolver(&[&server]);
    for (last, expected, reverse, status, warning) in [
        (1, "a.test", "a.test", NameStatus::Ok, ""),
        (77, "inhosts.test", "inhosts.test", NameStatus::Ok, ""),
        (
            50,
            "unknown",
            "a.test",
            NameStatus::Forged,
            "hostname a.test does not resolve to address 192.0.2.50",
        ),
        (
            51,
            "unknown",
            "nowhere.test",
            NameStatus::Permanent,
            "hostname nowhere.test does not resolve to address 192.0.2.51: Name or service not known",
        ),
        (52, "unknown", "unknown", NameStatus::Permanent, ""),
        (
            53,
            "unknown",
            "fail.test",
            NameStatus::Temporary,
            "hostname fail.test does not resolve to address 192.0.2.53: Temporary failure in name resolution",
        ),
        (54, "unknown", "unknown", NameStatus::Temporary, ""),
        (99, "unknown", "unknown", NameStatus::Permanent, ""),
    ] {
        let found = peer::name(&resolver, Ipv4Addr::new(192, 0, 2, last).into()).await;
        let seen = (
            found.name.as_str(),
            found.reverse_name.as_str(),
            found.status,
            found.warning.unwrap_or_default(),
        );
        assert_eq!(seen, (expected, reverse, status, warning.to_owned()), "{last}");
    }
}

#[tokio::test]
async fn a_dead_server_is_doubt() {
    let settings =
        Settings { servers: vec!["127.0.0.1:1".parse().unwrap()], attempts: 1, ..Settings::default() };
    let found = Resolver::new(settings, Hosts::default()).lookup("a.test", Kind::Mx).await;
    assert!(found.unwrap_err().is_temporary());
}
