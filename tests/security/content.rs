//! Items 6, 7, 14, 15, 16 and 23 of the list, for what looks into mail: its structure, archives, patterns, what the DNS says
//! of senders, scanners that misbehave, and fields that nobody else may write.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use testbed::{Instance, NameServer, Sink, Site, neighbour, wait};

use super::hostile::server;

/// By how much memory may grow while messages of up to 10 MB are looked at, in bytes.
const BUDGET: u64 = 160 << 20;

/// Most time for a message, on a busy machine.
const TIME: Duration = Duration::from_secs(60);

/// Everything that looks into mail looks.
fn site() -> Site {
    Site::new("mx.test")
        .set("mynetworks", "192.0.2.0/24")
        .set("header_checks", "regexp:{ { /^X-Never: never/ REJECT } }")
        .set("mime_header_checks", "regexp:{ { /name=.*[.]never/ REJECT } }")
        .set("attachment_checks", "inline:{ { extension:never = REJECT } }")
        .set("sender_authentication", "dkim")
        .set("spam_check", "facteur")
}

/// The code of the reply to a message, which comes in time.
fn offered(mx: &Instance, content: &str) -> u16 {
    let began = wait::now();
    let mut client = mx.client();
    client.socket().set_read_timeout(Some(TIME)).expect("a limit above zero");
    let reply = client.deliver("joe@far.test", &["bob@box.test"], content);
    assert!(began.elapsed() < TIME, "{reply:?}");
    reply.code
}

#[test]
fn item_6_mime_and_headers_without_measure() {
    let mx = site().start();
    assert_eq!(offered(&mx, "Subject: first\n\nx\n"), 250);
    let before = mx.memory();
    let typed = |value: &str, body: &str| format!("MIME-Version: 1.0\nContent-Type: {value}\n\n{body}");
    let nested = |at: usize| format!("--b{at}\nContent-Type: multipart/mixed; boundary=b{}\n\n", at + 1);
    let continued: String = (0..5000).map(|at| format!(";\n name*{at}*=%ff")).collect();
    let messages = [
        typed("multipart/mixed; boundary=b0", &(0..2000).map(nested).collect::<String>()),
        typed("multipart/mixed; boundary=b", &"--b\n\nx\n".repeat(50_000)),
        typed("message/rfc822", &"Content-Type: message/rfc822\n\n".repeat(5000)),
        typed(&format!("application/x{continued}"), "x\n"),
        typed("multipart/mixed", "--\n\nx\n----\n"),
        typed("text/plain; charset=\"no\\\"such\"", "\u{fffd}\u{0}\n"),
        format!("{}\nx\n", "X-A: b\n".repeat(100_000)),
        format!("X-A: {}\n\nx\n", "long ".repeat(400_000)),
        format!("Subject: {}\n\nx\n", "=?utf-8?q?=C3=A9?= ".repeat(20_000)),
        format!("To: {}x@y.test\n\nx\n", "\"\" <a(\\)(b)@x.test>, g: ;, ".repeat(40_000)),
    ];
    for message in &messages {
        let code = offered(&mx, message);
        assert!(matches!(code, 250 | 550 | 552 | 554), "{code} for {}", &message[..60]);
        let grown = mx.memory().saturating_sub(before);
        assert!(grown < BUDGET, "{grown} bytes more for {}", &message[..60]);
    }
    assert_eq!(offered(&mx, "Subject: last\n\nx\n"), 250);
}

#[test]
fn item_6_lines_without_end_are_held_by_nobody_on_their_way_out() {
    // It has no extensions: what is 8-bit is encoded on the way.
    let sink =
        Sink::scripted(|line| line.starts_with("EHLO").then_some(testbed::Answer::Say("250 sink.test")));
    let mx = Site::new("mx.test")
        .set("relayhost", &sink.nexthop())
        .set("message_size_limit", "0")
        .set("smtp_header_checks", "regexp:{ { /^Subject: (.*)/ REPLACE Subject: seen } }")
        .set("smtp_body_checks", "regexp:{ { /^never/ REJECT } }")
        .start();
    mx.send("joe@box.test", &["bob@far.test"], "Subject: first\n\nx\n");
    sink.wait_for(1);
    let before = mx.memory();
    let head =
        "Subject: long\nMIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: 8bit\n\n";
    let part = "Subject: part\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nX-A: ";
    let messages = [
        format!("{head}{}\nend\n", "\u{e9}".repeat(15 << 20)),
        format!("{part}{}\n\ntext\n--b--\nend\n", "long ".repeat(6 << 20)),
    ];
    for (at, message) in messages.iter().enumerate() {
        mx.send("joe@box.test", &["bob@far.test"], message);
        let taken = sink.wait_for(at + 2);
        let last = taken.last().expect("it waited for it");
        assert!(last.raw.len() > 30 << 20 && last.raw.ends_with(b"end\r\n"), "{} bytes", last.raw.len());
        let longest = last.raw.split(|byte| *byte == b'\n').map(<[u8]>::len).max();
        assert!(longest < Some(1001), "{longest:?}");
        let grown = mx.memory().saturating_sub(before);
        assert!(grown < 48 << 20, "{grown} bytes more");
    }
    let encoded = sink.taken();
    assert!(encoded[1].raw.windows(12).filter(|some| *some == b"=C3=A9=C3=A9").count() > 1000);
    assert_eq!(encoded[1].raw.iter().filter(|byte| !byte.is_ascii()).count(), 0);
}

#[test]
fn item_7_what_unpacks_without_end_costs_its_budget() {
    let Some([shell]) = neighbour::installed(["sh"]) else { return };
    let folder = tempfile::tempdir().expect("/tmp is there");
    let pack = "head -c 60000000 /dev/zero > zeros && tar -czf - zeros | base64";
    let mut pack_it = Command::new(shell);
    pack_it.args(["-c", pack]).current_dir(folder.path()).stdin(Stdio::null());
    let packed = pack_it.output().expect("it starts");
    let bomb = format!(
        "MIME-Version: 1.0\nContent-Type: application/gzip; name=a.tar.gz\nContent-Transfer-Encoding: base64\n\n{}",
        String::from_utf8_lossy(&packed.stdout)
    );
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    for (action, code) in [("reject", 550), ("tempfail", 451), ("quarantine", 250)] {
        let site = site().set("attachment_unpack_limit", "5000000").set("attachment_limit_action", action);
        let mx = site.start();
        assert_eq!(offered(&mx, "Subject: first\n\nx\n"), 250);
        let before = mx.memory();
        assert_eq!(offered(&mx, &bomb), code, "{}", mx.log());
        let grown = mx.memory().saturating_sub(before);
        assert!(grown < 48 << 20, "{grown} bytes more");
        mx.wait_log(&["too many"]);
    }
}

#[test]
fn item_14_a_pattern_that_would_never_end_ends() {
    let mx = site().set("header_checks", "pcre:{ { /^Subject: (a+)+(b|c)*$$/ REJECT } }").start();
    assert_eq!(offered(&mx, &format!("Subject: {}!\n\nx\n", "a".repeat(900))), 250);
    assert_eq!(offered(&mx, "Subject: aaaa\n\nx\n"), 550);
}

/// What a server says when it has seen some of a message.
type Answer = fn(&mut TcpStream);

const ANSWERS: [Answer; 4] = [
    // It closes.
    |socket| drop(socket.shutdown(Shutdown::Both)),
    // It speaks another protocol.
    |socket| drop(socket.write_all(b"220 mx ESMTP\r\n\r\n")),
    // It never stops.
    |socket| while socket.write_all(&[b'x'; 4096]).is_ok() {},
    // It says nothing, for longer than anybody waits.
    |socket| drop(socket.read(&mut [0; 1])),
];

/// Each kind of misbehaviour costs its time-out and the default action.
fn assert_put_off(mut configured: impl FnMut(&str) -> Site) {
    for answer in ANSWERS {
        let at = server(move |mut socket| {
            let _ = socket.read(&mut [0; 512]);
            answer(&mut socket);
            // Whoever has said nothing goes on saying nothing.
            let mut piece = [0; 4096];
            while socket.read(&mut piece).is_ok_and(|len| len > 0) {}
        });
        let mx = configured(&format!("{}:{}", at.ip(), at.port())).start();
        let before = mx.memory();
        assert_eq!(offered(&mx, "Subject: x\n\nx\n"), 451, "{}", mx.log());
        let grown = mx.memory().saturating_sub(before);
        assert!(grown < 64 << 20, "{grown} bytes more");
    }
}

fn plain() -> Site {
    Site::new("mx.test").set("mynetworks", "192.0.2.0/24")
}

#[test]
fn item_16_an_icap_server_that_misbehaves_puts_mail_off() {
    assert_put_off(|at| plain().set("icap_service", &format!("icap://{at}/scan")).set("icap_timeout", "2s"));
}

#[test]
fn item_16_judges_of_spam_that_misbehave_put_mail_off() {
    for kind in ["spamd", "rspamd"] {
        assert_put_off(|at| {
            let site = plain().set("spam_check", &format!("{kind}:inet:{at}"));
            site.set("spam_timeout", "2s").set("spam_default_action", "tempfail")
        });
    }
}

#[test]
fn item_15_names_that_lead_nowhere_or_in_circles_are_told_as_errors() {
    if !neighbour::root() {
        return;
    }
    let includes: String = (0..12).map(|n| format!(" include:i{n}.test")).collect();
    let included: String = (0..12).map(|n| format!("i{n}.test TXT v=spf1 ?all\n")).collect();
    let labels = "%{l}.".repeat(60);
    let dns = NameServer::start(&format!(
        "loop.test TXT v=spf1 redirect=loop.test\n_dmarc.loop.test TXT v=DMARC1; p=reject\n\
         many.test TXT v=spf1{includes} -all\n{included}\
         void.test TXT v=spf1 a:no1.test a:no2.test a:no3.test ?all\n\
         twice.test TXT v=spf1 ?all\ntwice.test TXT v=spf1 -all\n\
         labels.test TXT v=spf1 exists:{labels}labels.test ?all\n\
         circle.test CNAME circle2.test\ncircle2.test CNAME circle.test\n\
         lame.test SERVFAIL\n\
         words.test TXT v=spf1 \u{e9} -all\n",
    ));
    let site = Site::new("mx.test").set("mynetworks", "192.0.2.0/24");
    let file = site.put("resolv.conf", &dns.resolv_conf()).display().to_string();
    let mx = site.set("resolv_conf", &file).set("sender_authentication", "spf, dkim, dmarc").start();
    for (domain, told) in [
        ("loop.test", "spf=permerror"),
        ("many.test", "spf=permerror"),
        ("void.test", "spf=permerror"),
        ("twice.test", "spf=permerror"),
        ("labels.test", "spf=neutral"),
        ("circle.test", "spf=none"),
        ("lame.test", "spf=temperror"),
        ("words.test", "spf=permerror"),
    ] {
        let local = "x".repeat(60);
        let subject = format!("Subject: {domain}\nFrom: joe@{domain}\n\nx\n");
        mx.send(&format!("{local}@{domain}"), &["bob@box.test"], &subject);
        let arrived = wait::until("the message", || {
            mx.maildir("bob").messages().into_iter().find(|one| one.contains(&format!("Subject: {domain}\n")))
        });
        assert!(arrived.contains(&format!("\t{told}")), "{told}: {arrived}");
        assert!(!arrived.contains("dmarc=pass"), "{arrived}");
    }
}

#[test]
fn item_23_what_only_we_may_say_nobody_else_says_and_nobody_hears_of_blind_copies() {
    let mx = plain().set("spam_check", "facteur").set("sender_authentication", "dkim").start();
    let forged = "Authentication-Results: mx.test; dmarc=pass header.from=bank.test\n\
        authentication-results: (x) MX.TEST 1;\n\tdkim=pass header.d=bank.test\n\
        X-Spam-Status: No, score=-50\nX-Spam-Flag: NO\nX-Quarantine: none\nReturn-Path: <boss@bank.test>\n\
        Bcc: carol@box.test\nResent-Bcc: ann@box.test\nSubject: forged\n\ntext\n";
    mx.send("joe@far.test", &["bob@box.test"], forged);
    let message = mx.maildir("bob").one();
    for gone in ["bank.test", "score=-50", "X-Spam-Flag", "carol@", "ann@"] {
        assert!(!message.contains(gone), "{gone} in {message}");
    }
    assert!(message.contains("Authentication-Results: mx.test;\n\tdkim=none\n"), "{message}");
    assert_eq!(message.matches("X-Spam-Status: ").count(), 1, "{message}");
    assert!(message.starts_with("Return-Path: <joe@far.test>\n"), "{message}");
    let list = mx.run("quarantine", &["list"]);
    assert!(list.out.starts_with("0 messages"), "a reason that a sender makes up is none: {list:?}");
}
