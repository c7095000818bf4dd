//! Forwarded mail and its notices (SRS), by ourselves and by the real postsrsd.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use testbed::{Address, Instance, Kept, Sink, Site, address, neighbour, wait};

const MAIL: &str = "From: joe@far.test\nSubject: hello\n\ntext\n";

/// A site where `team@mx.test` is somebody elsewhere, and bob.
fn site(sink: &Sink) -> Site {
    Site::new("mx.test")
        .set("relayhost", &sink.nexthop())
        .set("virtual_alias_maps", "inline:{ { team@mx.test = out@away.test, bob@box.test } }")
        // 127.0.0.1 is a stranger: it may send only to what is ours.
        .set("mynetworks", "192.0.2.0/24")
}

/// What stands in angle brackets.
fn bare(path: &str) -> &str {
    path.split(['<', '>']).nth(1).expect("a path")
}

/// Sender and recipients of the message that comes `nth`.
fn gone(sink: &Sink, nth: usize) -> (String, Vec<String>) {
    let taken = sink.wait_for(nth).pop().expect("it waited for them");
    (bare(&taken.sender).to_owned(), taken.recipients.iter().map(|path| bare(path).to_owned()).collect())
}

/// The site with SRS of its own.
fn rewriting(sink: &Sink) -> Instance {
    let site = site(sink).set("srs_domain", "srs.mx.test");
    let secret = site.put("srs.secret", "tops3cr3t\nan older one\n").display().to_string();
    site.set("srs_secret_file", &secret).start()
}

#[test]
fn a_notice_finds_its_way_back() {
    let sink = Sink::new();
    let mx = rewriting(&sink);
    mx.send("joe@far.test", &["team@mx.test"], MAIL);
    let (sender, recipients) = gone(&sink, 1);
    assert_eq!(recipients, ["out@away.test"]);
    assert!(sender.starts_with("SRS0=") && sender.ends_with("=far.test=joe@srs.mx.test"), "{sender}");
    let kept = mx.maildir("bob").one();
    assert!(kept.contains("Return-Path: <joe@far.test>"), "who stays here sees the sender: {kept}");
    mx.wait_log(&["forwarded mail of <joe@far.test> leaves as <SRS0="]);

    mx.send("", &[&sender.to_lowercase()], "Subject: it failed\n\nsorry\n");
    assert_eq!(gone(&sink, 2), (String::new(), vec!["joe@far.test".to_owned()]));

    let mut client = mx.client();
    client.hello();
    client.expect(250, "MAIL FROM:<>");
    let forged = sender.replacen("SRS0=", "SRS0=x", 1);
    let refused = client.expect(550, &format!("RCPT TO:<{forged}>"));
    assert!(
        refused.text.contains("5.1.1") && refused.text.contains("its signature is not ours"),
        "{refused:?}"
    );
    // The same, explained.
    let explained =
        |sender: &str, to: &str| mx.run("explain", &["--client-name", "x", "--sender", sender, to]).out;
    let good = explained("", &sender);
    assert!(
        good.contains("ACCEPTED") && good.contains("stands for <joe@far.test> (srs_domain = srs.mx.test)"),
        "{good}"
    );
    let bad = explained("", &forged);
    assert!(
        bad.contains("REFUSED at RCPT TO") && bad.contains("NO VALID FORWARDING ADDRESS: its signature"),
        "{bad}"
    );
    let away = explained("joe@far.test", "team@mx.test");
    assert!(away.contains("forwarded mail of <joe@far.test> leaves as <SRS0="), "{away}");
    assert!(!explained("ann@box.test", "team@mx.test").contains("SRS0"), "a sender of ours stays");
    // Nobody else is reached in that domain, and no relay is open.
    client.expect(454, "RCPT TO:<joe@srs.mx.test>");
    client.expect(454, "RCPT TO:<joe@far.test>");
}

/// One question to a table of postsrsd.
fn asked(at: Address, key: &str) -> String {
    let mut stream = TcpStream::connect((at.ip(), at.port())).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket takes it");
    stream.write_all(format!("get {key}\n").as_bytes()).expect("it reads");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("it answers");
    line.trim_end().to_owned()
}

#[test]
fn addresses_of_postsrsd_are_ours_and_its_tables_work() {
    let Some([program]) = neighbour::installed(["postsrsd"]) else { return };
    let sink = Sink::new();
    let (forward, reverse) = (address(), address());
    let folder = tempfile::tempdir().expect("/tmp is there");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "tops3cr3t\n").expect("it is ours");
    let child = Command::new(program)
        .arg(format!("-s{}", secret.display()))
        .args(["-dsrs.mx.test", "-4"])
        .arg(format!("-l{}", forward.ip()))
        .args([format!("-f{}", forward.port()), format!("-r{}", reverse.port())])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let _kept = Kept::new(child);
    // Both of its ports are at the first address.
    let reverse = Address::new(forward.ip(), reverse.port());
    for at in [forward, reverse] {
        wait::until("postsrsd", || TcpStream::connect((at.ip(), at.port())).ok());
    }

    let mx = rewriting(&sink);
    mx.send("joe@far.test", &["team@mx.test"], MAIL);
    let (ours, _) = gone(&sink, 1);
    assert_eq!(asked(reverse, &ours), "200 joe@far.test");
    let theirs = asked(forward, "ann@other.test");
    let theirs = theirs.strip_prefix("200 ").expect("it rewrites");
    mx.send("", &[theirs], MAIL);
    assert_eq!(gone(&sink, 2).1, ["ann@other.test"]);
    drop(mx);

    // The lines of its main.cf.
    let sink = Sink::new();
    let table = |at: Address| format!("tcp:{}:{}", at.ip(), at.port());
    let old = site(&sink)
        .set("sender_canonical_maps", &table(forward))
        .set("sender_canonical_classes", "envelope_sender")
        .set("recipient_canonical_maps", &table(reverse))
        .set("recipient_canonical_classes", "envelope_recipient, header_recipient")
        .set("mydestination", "mx.test, srs.mx.test")
        .start();
    old.send("joe@far.test", &["team@mx.test"], MAIL);
    let (sender, _) = gone(&sink, 1);
    assert!(sender.starts_with("SRS0=") && sender.ends_with("=far.test=joe@srs.mx.test"), "{sender}");
    old.send("", &[&sender], MAIL);
    assert_eq!(gone(&sink, 2).1, ["joe@far.test"]);
}

#[test]
fn secrets_that_cannot_be_read_are_told_before_the_start() {
    let site =
        Site::new("mx.test").set("srs_domain", "srs.mx.test").set("srs_secret_file", "/nowhere/srs.secret");
    site.write();
    let checked = site.run_with("check", &["-c", &site.conf().display().to_string()], b"");
    let said = checked.out + &checked.err;
    assert!(said.contains("srs_secret_file: /nowhere/srs.secret: No such file"), "{said}");
}
