//! A domain with its record, its page and its certificate, all on 127.0.0.1.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, TXT};
use hickory_proto::rr::{RData, Record, RecordType};
use net::dns::{Hosts, Settings};
use net::tls::{ClientSettings, KeyFiles, ServerSettings, ServerTls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers for `_mta-sts.*` and `mta-sts.*`; a name with `bogus` in it is one that a validating resolver gives up on,
/// and one with `missing` is not there.
fn name_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let request = Message::from_vec(&buffer[..length]).unwrap();
            let query = request.queries[0].clone();
            let name = query.name().to_ascii();
            let mut answer = Message::new(request.metadata.id, MessageType::Response, OpCode::Query);
            answer.metadata.recursion_available = true;
            answer.add_queries(request.queries.clone());
            let data = match query.query_type() {
                RecordType::TXT => Some(RData::TXT(TXT::new(vec!["v=STSv1; id=1;".to_owned()]))),
                RecordType::A => Some(RData::A(A(Ipv4Addr::LOCALHOST))),
                _ => None,
            };
            if name.contains("bogus") {
                answer.metadata.response_code = ResponseCode::ServFail;
            } else if name.contains("missing") {
                answer.metadata.response_code = ResponseCode::NXDomain;
            } else if let Some(data) = data {
                answer.add_answers([Record::from_rdata(query.name().clone(), 60, data)]);
            }
            socket.send_to(&answer.to_vec().unwrap(), from).unwrap();
        }
    });
    address
}

fn tls(folder: &Path, authority: &str) -> ClientTls {
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, authority).unwrap();
    let settings = ClientSettings {
        ca_file: Some(ca),
        protocols: ">=TLSv1.2".to_owned(),
        fingerprint_digest: "sha256".to_owned(),
        ..ClientSettings::default()
    };
    ClientTls::new(settings).unwrap().0
}

/// A web server for `mta-sts.x.test` that gives this answer to each.
async fn web_server(folder: &Path, chain: &str, answer: Vec<u8>) -> u16 {
    let file = folder.join("chain.pem");
    std::fs::write(&file, chain).unwrap();
    let settings = ServerSettings {
        keys: KeyFiles { chain_files: vec![file], pairs: Vec::new() },
        protocols: ">=TLSv1.2".to_owned(),
        fingerprint_digest: "sha256".to_owned(),
        ..ServerSettings::default()
    };
    let (server, _) = ServerTls::new(settings, None).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok((mut stream, _)) = server.accept(net::Stream::Tcp(stream)).await else { continue };
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") && stream.read_buf(&mut asked).await.is_ok_and(|n| n > 0) {}
            let asked = String::from_utf8_lossy(&asked).into_owned();
            if asked.starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.x.test") {
                let _ = stream.write_all(&answer).await;
            }
            let _ = stream.shutdown().await;
        }
    });
    port
}

#[tokio::test]
async fn a_page_counts_when_an_authority_vouches_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, chain) = testbed::tls::certificate("mta-sts.x.test");
    let page = |status: &str, kind: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .into_bytes()
    };
    let settings = Settings { servers: vec![name_server()], ..Settings::default() };
    let resolver = Resolver::new(settings, Hosts::parse(""));
    let mut web = Web {
        resolver,
        tls: tls(folder.path(), &authority),
        protocols: Protocols { v4: true, v6: false },
        port: web_server(folder.path(), &chain, page("200 OK", "text/plain; charset=utf-8", "x")).await,
    };
    assert_eq!(web.id("x.test").await.as_deref(), Some("1"));
    for domain in ["bogus.test", "missing.test"] {
        assert_eq!(web.id(domain).await, None, "{domain}");
    }
    assert_eq!(web.fetch("x.test").await.as_deref(), Ok("x"));
    let said = web.fetch("other.test").await.unwrap_err();
    assert!(said.contains("certificate of mta-sts.other.test"), "{said}");
    assert!(web.fetch("missing.test").await.is_err() && web.fetch("bogus.test").await.is_err());
    for (answer, why) in [
        (page("301 Moved", "text/plain", "x"), "status 301"),
        (page("200 OK", "text/html", "x"), "text/html instead"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nx".to_vec(),
            "mta-sts.x.test",
        ),
        (page("200 OK", "text/plain", &"x".repeat(100_000)), "too long"),
    ] {
        web.port = web_server(folder.path(), &chain, answer).await;
        let said = web.fetch("x.test").await.unwrap_err();
        assert!(said.contains(why), "{said} instead of {why}");
    }
    // An authority that nobody knows.
    let (other, _) = testbed::tls::certificate("mta-sts.x.test");
    web.tls = tls(folder.path(), &other);
    let said = web.fetch("x.test").await.unwrap_err();
    assert!(said.contains("certificate of mta-sts.x.test"), "{said}");
}
