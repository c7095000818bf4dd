//! policyd-spf (Debian's postfix-policyd-spf-python) beside us, and our own check alone: the same sessions, the same end.
//! (A name server that fails is left out: policyd-spf takes its answer for no policy, we for one that is not known now.)

use std::path::Path;
use std::process::{Command, Stdio};

use testbed::{Client, Instance, NameServer, Site, neighbour, wait};

const ZONE: &str = "
    far.test TXT v=spf1 ip4:192.0.2.0/28 -all
    soft.test TXT v=spf1 ip4:192.0.2.0/28 ~all
    neutral.test TXT v=spf1 ?all
    include.test TXT v=spf1 include:far.test -all
    redirect.test TXT v=spf1 redirect=far.test
    mx.test TXT v=spf1 mx a:relay.mx.test -all
    mx.test MX 10 a.mx.test
    a.mx.test A 192.0.2.1
    relay.mx.test A 192.0.2.77
    exists.test TXT v=spf1 exists:%{ir}.%{l}.exists.test -all
    1.2.0.192.ann.exists.test A 127.0.0.2
    twice.test TXT v=spf1 ip4:192.0.2.1 -all
    twice.test TXT v=spf1 -all
    wrong.test TXT v=spf1 ipv4:192.0.2.1 -all
    loop.test TXT v=spf1 include:loop.test -all
    none.test A 192.0.2.1
    helo.test A 192.0.2.1
";

/// Can a process see another file as /etc/resolv.conf here? A container that forbids it is no fault of ours.
fn has_own_mounts(file: &Path) -> bool {
    let mut command = Command::new("unshare");
    command.args(["--mount", "/bin/sh", "-c", "mount --bind \"$0\" /etc/resolv.conf"]).arg(file);
    let may = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
    may.is_ok_and(|child| testbed::kept::outcome(child).status.success())
}

/// A site whose programs ask this name server; policyd-spf looks into /etc/resolv.conf.
fn site(names: &NameServer) -> Site {
    let site = Site::new("mx.test");
    let file = site.put("resolv.conf", &names.resolv_conf());
    site.seeing(&file, "/etc/resolv.conf")
        .set("resolv_conf", &file.display().to_string())
        .set("mynetworks", "10.0.0.0/8")
        .set("smtpd_relay_restrictions", "")
        .set("smtpd_error_sleep_time", "0")
        .set("smtpd_authorized_xclient_hosts", "127.0.0.0/8")
}

/// What a client at this address hears, and of the Received-SPF header of its mail the verdict and whose it is.
fn session(mx: &Instance, from: &str, helo: &str, sender: &str) -> (u16, String, Option<(String, String)>) {
    let mut client: Client = mx.client();
    client.expect(220, &format!("XCLIENT NAME=[UNAVAILABLE] ADDR={from}"));
    client.expect(250, &format!("EHLO {helo}"));
    client.expect(250, &format!("MAIL FROM:<{sender}>"));
    let reply = client.ask("RCPT TO:<bob@box.test>");
    let status = reply.text.split(' ').nth(1).unwrap_or_default().to_owned();
    if reply.code != 250 {
        client.ask("QUIT");
        return (reply.code, status, None);
    }
    let subject = format!("{from} {helo} {sender}").replace(['@', ':'], "_");
    client.expect(354, "DATA");
    client.send(format!("Subject: {subject}\r\n\r\nhello\r\n.\r\n").as_bytes());
    assert_eq!(client.reply().code, 250);
    client.ask("QUIT");
    let text = wait::until("the mail is there", || {
        let new = mx.site().path().join("mail/bob/new");
        let files = std::fs::read_dir(new).ok()?.flatten();
        let mut texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
        texts.find(|text| text.contains(&format!("Subject: {subject}\n")))
    });
    let verdict = text.split("\nReceived-SPF: ").nth(1).map(|text| {
        let word = text.split([' ', ';']).next().unwrap_or_default().to_lowercase();
        let identity = text.split("identity=").nth(1).and_then(|text| text.split(';').next());
        (word, identity.unwrap_or_default().to_owned())
    });
    (reply.code, status, verdict)
}

/// The lines are those of Debian's package (README.Debian), with the settings it comes with.
#[test]
fn with_policyd_spf_beside_us_and_alone_a_session_goes_the_same_way() {
    let Some([_program, _unshare]) = neighbour::installed(["policyd-spf", "unshare"]) else { return };
    if !neighbour::root() {
        return;
    }
    let names = NameServer::start(ZONE);
    let beside = site(&names);
    if !has_own_mounts(&beside.conf().join("resolv.conf")) {
        eprintln!("no mounts of one's own here: policyd-spf is not asked");
        return;
    }
    let beside = beside
        .service("policyd-spf  unix  -       n       n       -       0       spawn\n    user=policyd-spf argv=/usr/bin/policyd-spf")
        .set("policyd-spf_time_limit", "3600")
        .set(
            "smtpd_recipient_restrictions",
            "reject_unauth_destination, check_policy_service unix:private/policyd-spf",
        )
        .start();
    let alone = site(&names)
        .set(
            "smtpd_recipient_restrictions",
            "reject_unauth_destination, reject_spf_helo_fail, reject_spf_fail",
        )
        .start();
    let mut different = Vec::new();
    for (from, helo, sender) in [
        ("192.0.2.1", "helo.test", "ann@far.test"),
        ("192.0.2.77", "helo.test", "ann@far.test"),
        ("192.0.2.77", "helo.test", "ann@soft.test"),
        ("192.0.2.77", "helo.test", "ann@neutral.test"),
        ("192.0.2.1", "helo.test", "ann@include.test"),
        ("192.0.2.77", "helo.test", "ann@include.test"),
        ("192.0.2.77", "helo.test", "ann@redirect.test"),
        ("192.0.2.1", "helo.test", "ann@mx.test"),
        ("192.0.2.77", "helo.test", "ann@mx.test"),
        ("192.0.2.78", "helo.test", "ann@mx.test"),
        ("192.0.2.1", "helo.test", "ann@exists.test"),
        ("192.0.2.1", "helo.test", "eve@exists.test"),
        ("192.0.2.77", "helo.test", "ann@twice.test"),
        ("192.0.2.77", "helo.test", "ann@wrong.test"),
        ("192.0.2.77", "helo.test", "ann@loop.test"),
        ("192.0.2.77", "helo.test", "ann@none.test"),
        ("192.0.2.77", "helo.test", "ann@nowhere.test"),
        // The name in HELO has a policy, too, and comes first.
        ("192.0.2.1", "far.test", "ann@far.test"),
        ("192.0.2.77", "far.test", "ann@none.test"),
        ("192.0.2.1", "soft.test", "ann@far.test"),
        ("192.0.2.77", "soft.test", "ann@neutral.test"),
        ("192.0.2.77", "wrong.test", "ann@neutral.test"),
        // A notice has no sender: the name stands for it.
        ("192.0.2.1", "far.test", ""),
        ("192.0.2.77", "far.test", ""),
        ("192.0.2.77", "soft.test", ""),
        ("192.0.2.77", "none.test", ""),
    ] {
        let (theirs, own) = (session(&beside, from, helo, sender), session(&alone, from, helo, sender));
        if theirs != own {
            different.push(format!("{from} {helo} {sender}: policyd-spf {theirs:?}, ours {own:?}"));
        }
    }
    assert!(different.is_empty(), "{}\n{}", different.join("\n"), beside.log());
}
