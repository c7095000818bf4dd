//! A large message on its way through every filter: memory grows by what parameters allow, not by its size.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use testbed::{Address, Instance, Sink, Site, address};

use super::Folder;
use crate::security::hostile::{packet, say, server};

/// Bytes of the message, about.
const SIZE: usize = 100 << 20;

/// Bytes by which memory may grow meanwhile, whatever the size of a message.
const BUDGET: u64 = 24 << 20;

/// A message with an attached file.
fn large() -> Vec<u8> {
    let mut message = b"From: joe@far.test\r\nSubject: large\r\nMIME-Version: 1.0\r\n\
        Content-Type: application/octet-stream; name=a.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        .to_vec();
    let line = [b"TWFu".repeat(19), b"\r\n".to_vec()].concat();
    while message.len() < SIZE {
        message.extend_from_slice(&line);
    }
    message.extend_from_slice(b".\r\n");
    message
}

/// Sends it, and looks at the program's memory all the while.
fn assert_streams(mx: &Instance) {
    let mut client = mx.client();
    client.hello();
    mx.send("joe@far.test", &["bob@box.test"], "Subject: first\n\nx\n");
    let before = mx.memory();
    client.expect(250, "MAIL FROM:<joe@far.test>");
    client.expect(250, "RCPT TO:<bob@box.test>");
    client.expect(354, "DATA");
    client.socket().set_read_timeout(Some(Duration::from_secs(300))).expect("a limit above zero");
    client.socket().set_write_timeout(Some(Duration::from_secs(300))).expect("a limit above zero");
    let (message, done) = (large(), AtomicBool::new(false));
    let peak = thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut peak = 0;
            while !done.load(Ordering::Relaxed) {
                peak = peak.max(mx.memory());
                thread::sleep(Duration::from_millis(20));
            }
            peak
        });
        let sent = client.try_send(&message).and_then(|()| client.try_reply());
        done.store(true, Ordering::Relaxed);
        let reply = sent.unwrap_or_else(|error| panic!("{error}\n{}", mx.log()));
        assert_eq!(reply.code, 250, "{}\n{}", reply.text, mx.log());
        watching.join().expect("it only looks")
    });
    let grown = peak.saturating_sub(before);
    println!("{} bytes more for a message of {}", grown, message.len());
    assert!(grown < BUDGET, "{grown} bytes more for a message of {}", message.len());
}

/// Reads up to what `ends` tells from the last bytes; nothing of it is kept.
fn swallow(socket: &mut TcpStream, ends: impl Fn(&[u8]) -> bool) {
    let (mut last, mut piece) = (Vec::new(), vec![0; 1 << 16]);
    while !ends(&last) {
        match socket.read(&mut piece) {
            Ok(len) if len > 0 => last.extend_from_slice(&piece[..len]),
            _ => return,
        }
        last.drain(..last.len().saturating_sub(16));
    }
}

fn clamd() -> Address {
    server(|mut socket| {
        swallow(&mut socket, |last| last.ends_with(&[0; 4]));
        let _ = socket.write_all(b"stream: OK\0");
    })
}

fn icap() -> Address {
    server(|mut socket| {
        swallow(&mut socket, |last| last.ends_with(b"\r\n0\r\n\r\n"));
        let _ = socket.write_all(b"ICAP/1.0 204 Unmodified\r\n\r\n");
    })
}

const SPAMD: &[u8] = b"SPAMD/1.1 0 EX_OK\r\nSpam: False ; 0.5 / 5.0\r\n\r\nNONE\r\n";
const RSPAMD: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"score\": 0.5, \"symbols\": {\"SMALL\": {\"score\": 0.5}}}";

/// A judge that reads as much as it is told to expect, and says this.
fn judge(answer: &'static [u8]) -> Address {
    server(move |socket| {
        let mut reader = BufReader::new(socket);
        let (mut line, mut len) = (String::new(), 0);
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            if let Some(number) = line.to_lowercase().strip_prefix("content-length: ") {
                len = number.trim().parse().unwrap_or(0);
            }
            line.clear();
        }
        let _ = std::io::copy(&mut (&mut reader).take(len), &mut std::io::sink());
        let _ = reader.get_mut().write_all(answer);
    })
}

/// A milter that wants to see everything, and adds a field.
fn milter() -> Address {
    server(|mut socket| {
        while let Some((letter, data)) = packet(&mut socket) {
            let said = match letter {
                b'O' => say(&mut socket, b'O', &[&data[..8], &0u32.to_be_bytes()].concat()),
                b'E' => say(&mut socket, b'h', b"X-Seen\0yes\0") && say(&mut socket, b'c', b""),
                b'D' | b'A' | b'Q' => true,
                _ => say(&mut socket, b'c', b""),
            };
            if !said {
                return;
            }
        }
    })
}

fn at(address: Address) -> String {
    format!("inet:{}:{}", address.ip(), address.port())
}

/// Everything is looked at, however large it is.
fn site() -> Site {
    let site = Site::new("mx.test").set("mynetworks", "192.0.2.0/24").set("message_size_limit", "0");
    site.set("virtual_mailbox_limit", "0").set("body_checks_size_limit", "0")
}

/// The header of the large message, which arrives whole.
fn arrived(mx: &Instance) -> String {
    let arrived = mx.maildir("bob").wait_for(2);
    // Its lines end with one byte here.
    let whole = arrived.iter().find(|one| one.len() > SIZE / 100 * 98).expect("all of it arrives");
    whole[..4096].to_owned()
}

#[test]
fn a_large_message_streams_to_scanners() {
    let icap = icap();
    let mx = site()
        .set("attachment_checks", "inline:{ { extension:exe = REJECT } }")
        .set("clamd_service", &at(clamd()))
        .set("clamd_size_limit", "0")
        .set("icap_service", &format!("icap://{}:{}/avscan", icap.ip(), icap.port()))
        .set("icap_size_limit", "0")
        .set("header_checks", "regexp:{ { /^Subject: large/ PREPEND X-Checked: yes } }")
        .start();
    assert_streams(&mx);
    assert!(arrived(&mx).contains("\nX-Checked: yes\n"));
}

#[test]
fn a_large_message_streams_through_checks_spamd_and_a_milter() {
    let mx = site()
        .set("body_checks", "regexp:{ { /never in base64/ REJECT } }")
        .set("spam_check", &format!("spamd:{}", at(judge(SPAMD))))
        .set("spam_size_limit", "200000000")
        .set("spam_default_action", "tempfail")
        .set("sender_authentication", "dkim")
        .set("smtpd_milters", &at(milter()))
        .set("milter_default_action", "tempfail")
        .start();
    assert_streams(&mx);
    let head = arrived(&mx);
    for field in ["\nX-Seen: yes\n", "\nX-Spam-Status: No, score=0.5"] {
        assert!(head.contains(field), "{head}");
    }
}

#[test]
fn a_large_message_streams_through_filters_it_comes_back_from() {
    let (before, behind) = (address(), Sink::new());
    let keys = Folder::new();
    let path = keys.path("");
    let made =
        Site::bare(address()).run_with("dkim", &["genkey", "-d", "far.test", "-s", "s", "-D", &path], b"");
    assert_eq!(made.status, 0, "{made:?}");
    fs::set_permissions(keys.path("s.private"), fs::Permissions::from_mode(0o644)).expect("it is ours");
    let key_table = keys.file("keytable", &format!("key far.test:s:{path}s.private\n"));
    let mx = Site::new("mx.test")
        .set("message_size_limit", "0")
        // As large as it is, it is changed on its way out.
        .set("smtp_header_checks", "regexp:{ { /^Subject: large/ PREPEND X-On-The-Way: yes } }")
        .set("dkim_key_table", &key_table)
        .set("dkim_signing_table", &keys.file("signingtable", "far.test key\n"))
        .set("smtpd_proxy_filter", &format!("{}:{}", before.ip(), before.port()))
        .service(&format!(
            "{}:{} inet n - n - - smtpd -o smtpd_proxy_filter= -o content_filter=smtp:{}",
            before.ip(),
            before.port(),
            behind.nexthop()
        ))
        .start();
    assert_streams(&mx);
    let taken = behind.wait_for(2);
    let whole = taken.iter().find(|one| one.raw.len() > SIZE).expect("all of it is passed on");
    let head = String::from_utf8_lossy(&whole.raw[..4096]).into_owned();
    assert!(head.contains("DKIM-Signature: v=1; ") && head.contains("\nX-On-The-Way: yes\r\n"), "{head}");
}

#[test]
fn a_large_message_streams_to_rspamd_and_under_a_seal() {
    let keys = Folder::new();
    let path = keys.path("");
    let made =
        Site::bare(address()).run_with("dkim", &["genkey", "-d", "box.test", "-s", "s", "-D", &path], b"");
    assert_eq!(made.status, 0, "{made:?}");
    fs::set_permissions(keys.path("s.private"), fs::Permissions::from_mode(0o644)).expect("it is ours");
    let behind = Sink::new();
    let mx = site()
        .set("spam_check", &format!("rspamd:{}", at(judge(RSPAMD))))
        .set("spam_size_limit", "200000000")
        .set("spam_default_action", "tempfail")
        .set("sender_authentication", "dkim, arc")
        .set("dkim_key_table", &keys.file("keytable", &format!("key box.test:s:{path}s.private\n")))
        .set("dkim_signing_table", &keys.file("signingtable", "box.test key\n"))
        .set("arc_seal_domain", "box.test")
        .set("content_filter", &format!("smtp:{}", behind.nexthop()))
        .start();
    assert_streams(&mx);
    let taken = behind.wait_for(2);
    let whole = taken.iter().find(|one| one.raw.len() > SIZE).expect("all of it is passed on");
    let head = String::from_utf8_lossy(&whole.raw[..4096]).into_owned();
    assert!(head.contains("ARC-Seal: ") && head.contains("\nX-Spam-Status: No, score=0.5"), "{head}");
}
