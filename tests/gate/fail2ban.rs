//! The filters that fail2ban ships, over a log of ours.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use testbed::{Site, address, neighbour, wait};

/// How many lines a filter matches.
fn matched(program: &Path, log: &Path, filter: &str) -> u32 {
    let output = Command::new(program).arg(log).arg(filter).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line =
        text.lines().find(|line| line.starts_with("Lines: ")).unwrap_or_else(|| panic!("{filter}: {text}"));
    let count = line.split(", ").find_map(|part| part.strip_suffix(" matched")).expect("a count");
    count.parse().expect("a number")
}

#[test]
fn the_filters_of_fail2ban_find_what_they_look_for() {
    let Some([regex]) = neighbour::installed(["fail2ban-regex"]) else { return };
    let (imap, pop) = (address(), address());
    let site = Site::new("mx.test");
    let users = site.put("users", "joe:{PLAIN}secret\n");
    let mx = site
        .set("smtpd_sasl_auth_enable", "yes")
        .set("smtpd_sasl_type", "facteur")
        .set("passdb", &format!("passwd-file:{}", users.display()))
        .set("userdb", "static: uid=65534 gid=65534 home=/nonexistent")
        .set("mail_location", "facteur:~/mail")
        .set("disable_plaintext_auth", "no")
        .set("auth_failure_delay", "0")
        .set("mynetworks", "10.0.0.0/8")
        .set("smtpd_relay_restrictions", "reject_unauth_destination")
        .set("smtpd_recipient_restrictions", "reject_unauth_destination, reject_non_fqdn_sender")
        .service(&format!("{}:{} inet n - n - - imapd", imap.ip(), imap.port()))
        .service(&format!("{}:{} inet n - n - - pop3d", pop.ip(), pop.port()))
        .start();
    let mut client = mx.client();
    client.hello();
    assert_eq!(client.ask("AUTH PLAIN AGpvZQB3cm9uZw==").code, 535);
    assert_eq!(client.ask("AUTH PLAIN AGV2ZQB3cm9uZw==").code, 535);
    client.ask("MAIL FROM:<ann@far.test>");
    assert_eq!(client.ask("RCPT TO:<x@elsewhere.test>").code, 554);
    assert_eq!(client.ask("RCPT TO:<nobody@box.test>").code, 550);
    client.ask("QUIT");
    for (at, words, end) in [
        (imap, "a LOGIN joe wrong\r\nb LOGOUT\r\n", "b "),
        (pop, "USER joe\r\nPASS wrong\r\nQUIT\r\n", "+OK Logging out"),
    ] {
        let stream = wait::until("the server", || TcpStream::connect(at).ok());
        stream.set_read_timeout(Some(wait::LIMIT)).expect("a time-out");
        let mut stream = BufReader::new(stream);
        stream.get_mut().write_all(words.as_bytes()).expect("it listens");
        let mut line = String::new();
        while !line.starts_with(end) {
            line.clear();
            assert!(stream.read_line(&mut line).expect("it answers") > 0, "{}", mx.log());
        }
    }
    for line in
        ["imap-login: Disconnected", "pop3-login: Disconnected", "disconnect from unknown[127.0.0.1] ehlo=1"]
    {
        mx.wait_log(&[line]);
    }
    let log = mx.site().path().join("mail.log");
    // auth=1: logins; more: logins are not among them, refusals are; aggressive: all.
    assert_eq!(matched(&regex, &log, "postfix[mode=auth]"), 2, "{}", mx.log());
    assert!(matched(&regex, &log, "postfix[mode=normal]") >= 2, "{}", mx.log());
    assert!(matched(&regex, &log, "postfix[mode=aggressive]") >= 4, "{}", mx.log());
    assert_eq!(matched(&regex, &log, "dovecot"), 2, "{}", mx.log());
}
