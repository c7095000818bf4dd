//! Bans: an account first, then the address; over SMTP, IMAP and POP3; nobody on hearsay.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use testbed::{Address, Client, Instance, Site, address, wait};

/// Failures count from wherever they come: all of these clients are on this machine.
fn site() -> Site {
    let users: String = (0..9).map(|n| format!("u{n}:{{PLAIN}}secret\n")).collect();
    let site = Site::new("mx.test");
    let users = site.put("users", &users);
    site.set("smtpd_sasl_auth_enable", "yes")
        .set("smtpd_sasl_type", "facteur")
        .set("passdb", &format!("passwd-file:{}", users.display()))
        .set("smtpd_error_sleep_time", "0")
        .set("smtpd_hard_error_limit", "100")
        .set("disable_plaintext_auth", "no")
        .set("auth_failure_delay", "0")
        .set("ban_enable", "yes")
        .set("ban_exceptions", "")
        .set("ban_account_failures", "3")
        .set("ban_address_accounts", "4")
}

/// `AUTH PLAIN` of `u<n>` with the password `secret`, or a wrong one.
fn login(client: &mut Client, n: usize, right: bool) -> u16 {
    let words = [
        ("AHUwAHNlY3JldA==", "AHUwAHdyb25n"),
        ("AHUxAHNlY3JldA==", "AHUxAHdyb25n"),
        ("AHUyAHNlY3JldA==", "AHUyAHdyb25n"),
        ("AHUzAHNlY3JldA==", "AHUzAHdyb25n"),
    ][n];
    client.ask(&format!("AUTH PLAIN {}", if right { words.0 } else { words.1 })).code
}

fn greeted(mx: &Instance) -> Client {
    let mut client = mx.client();
    client.hello();
    client
}

fn first_reply(at: Address) -> u16 {
    Client::connect(at).and_then(|mut client| client.try_reply()).map_or(0, |reply| reply.code)
}

#[test]
fn an_account_is_banned_then_the_address_and_the_administrator_lifts_it() {
    let mut mx = site().start();
    let mut client = greeted(&mx);
    for _ in 0..3 {
        assert_eq!(login(&mut client, 0, false), 535);
    }
    assert_eq!(login(&mut client, 0, true), 535, "the right password is not told from a wrong one");
    assert_eq!(login(&mut greeted(&mx), 1, true), 235, "others behind the same address are not meant");
    let listed = mx.run("ban", &["list"]);
    assert!(listed.out.contains("127.0.0.1\tu0\t"), "{listed:?}");
    for n in 0..4 {
        login(&mut client, n, false);
    }
    assert_eq!(first_reply(mx.smtp()), 421);
    let log = mx.wait_log(&["421 4.7.0"]);
    assert!(log.contains("NOQUEUE: reject: CONNECT from "), "{log}");
    mx.stop();
    mx.launch();
    let reply =
        wait::until("the program is up again", || Some(first_reply(mx.smtp())).filter(|code| *code > 0));
    assert_eq!(reply, 421, "a ban outlives the program");
    let script = mx.run("ban", &["nft"]);
    assert!(script.out.contains("add element inet facteur banned4 { 127.0.0.1/32 timeout "), "{script:?}");
    assert_eq!(mx.run("ban", &["remove", "127.0.0.1"]).status, 0);
    assert_eq!(first_reply(mx.smtp()), 220);
    assert_eq!(login(&mut greeted(&mx), 0, true), 235);
    assert_eq!(mx.run("ban", &["add", "127.0.0.1", "1h"]).status, 0);
    assert_eq!(first_reply(mx.smtp()), 421);
}

/// How a service is logged in to: its greeting, a login, and the first words of a refusal and of a closed door.
struct Speech {
    service: &'static str,
    greeting: &'static str,
    login: fn(usize) -> String,
    refusal: &'static str,
    closed: &'static str,
}

const IMAP: Speech = Speech {
    service: "imapd",
    greeting: "* OK",
    login: |n| format!("a LOGIN u{n} wrong\r\n"),
    refusal: "a NO",
    closed: "* BYE ",
};

const POP3: Speech = Speech {
    service: "pop3d",
    greeting: "+OK",
    login: |n| format!("USER u{n}\r\nPASS wrong\r\n"),
    refusal: "-ERR",
    closed: "-ERR",
};

#[test]
fn failures_over_imap_and_pop3_count_like_those_over_smtp() {
    failures_count(site(), &IMAP);
    failures_count(site(), &POP3);
}

#[test]
fn failures_in_the_keepers_process_count_too() {
    let (uid, gid) = testbed::mailbox_owner();
    failures_count(site().set("mail_uid", &uid.to_string()).set("mail_gid", &gid.to_string()), &IMAP);
}

fn failures_count(site: Site, speech: &Speech) {
    let door = address();
    let mx = site
        .set("userdb", "static: uid=65534 gid=65534 home=/nonexistent")
        .set("mail_location", "facteur:~/mail")
        .service(&format!("{}:{} inet n - n - - {}", door.ip(), door.port(), speech.service))
        .start();
    for n in 0..4 {
        let mut stream = wait::until(speech.service, || {
            let mut stream = BufReader::new(TcpStream::connect(door).ok()?);
            stream.get_ref().set_read_timeout(Some(wait::LIMIT)).expect("a time-out");
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            line.starts_with(speech.greeting).then_some(stream)
        });
        stream.get_mut().write_all((speech.login)(n).as_bytes()).expect("it listens");
        let mut line = String::new();
        while !line.starts_with(speech.refusal) {
            line.clear();
            assert!(stream.read_line(&mut line).expect("it answers") > 0, "{}", mx.log());
        }
    }
    assert_eq!(first_reply(mx.smtp()), 421, "{}", mx.log());
    let mut line = String::new();
    let mut stream = BufReader::new(TcpStream::connect(door).expect("it listens"));
    stream.get_ref().set_read_timeout(Some(wait::LIMIT)).expect("a time-out");
    stream.read_line(&mut line).expect("it answers");
    assert!(line.starts_with(speech.closed), "{line}");
}

/// A Postfix that asks our `auth` says where its clients are; somebody who may not say so bans nobody.
#[test]
fn failures_at_the_authentication_service_count_for_the_client_it_names() {
    let (trusted, other) = (address(), address());
    let line = |at: Address, more: &str| format!("{}:{} inet n - n - - auth{more}", at.ip(), at.port());
    let mx =
        site().service(&line(trusted, "")).service(&line(other, " -o ban_trusted_proxies=192.0.2.1")).start();
    for (at, client) in [(trusted, "203.0.113.7"), (other, "203.0.113.8")] {
        let stream = wait::until("the service", || TcpStream::connect(at).ok());
        stream.set_read_timeout(Some(wait::LIMIT)).expect("a time-out");
        let mut stream = BufReader::new(stream);
        stream.get_mut().write_all(b"VERSION\t1\t2\nCPID\t1\n").expect("it listens");
        for id in 1..=3 {
            // u0 with a wrong password.
            let ask = format!("AUTH\t{id}\tPLAIN\tservice=smtp\trip={client}\tresp=AHUwAHdyb25n\n");
            stream.get_mut().write_all(ask.as_bytes()).expect("it listens");
            let mut line = String::new();
            while !line.starts_with("FAIL\t") {
                line.clear();
                assert!(stream.read_line(&mut line).expect("it answers") > 0, "{}", mx.log());
            }
        }
    }
    let listed = mx.run("ban", &["list"]).out;
    assert!(listed.contains("203.0.113.7\tu0\t") && !listed.contains("203.0.113.8"), "{listed}");
}

/// Security list, item 20: what a client says of itself bans nobody else.
#[test]
fn nobody_is_banned_on_hearsay() {
    let proxied = address();
    let mx = site()
        .set("ban_trusted_proxies", "192.0.2.1")
        .service(&format!(
            "{}:{} inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=haproxy",
            proxied.ip(),
            proxied.port()
        ))
        .start();
    // XCLIENT from somebody who may not use it changes nothing.
    let mut client = greeted(&mx);
    assert_eq!(client.ask("XCLIENT ADDR=203.0.113.5 NAME=victim.test").code, 550);
    for _ in 0..3 {
        login(&mut client, 0, false);
    }
    // A stranger who claims to be a proxy.
    for n in 0..4 {
        let mut client = wait::until("the port", || Client::connect(proxied).ok());
        client.send(b"PROXY TCP4 203.0.113.5 127.0.0.1 1234 25\r\n");
        assert_eq!(client.reply().code, 220);
        client.hello();
        login(&mut client, n, false);
    }
    let listed = mx.run("ban", &["list"]).out;
    assert!(!listed.contains("203.0.113.5") && listed.contains("127.0.0.1\tu0\t"), "{listed}");
}

#[test]
fn abuse_of_the_protocol_is_banned_too() {
    let mx = site().set("ban_address_offences", "2").set("smtpd_hard_error_limit", "2").start();
    for _ in 0..2 {
        let mut client = mx.client();
        client.ask("NONSENSE");
        client.ask("NONSENSE");
        client.rest();
    }
    assert_eq!(first_reply(mx.smtp()), 421, "{}", mx.log());
}
