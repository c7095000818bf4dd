//! policyd-spf (Debian's postfix-policyd-spf-python) beside us, and our own check alone: the same sessions, the same end.
//! (A name server that fails is left out: policyd-spf takes its answer for no policy, we for one that is not known now.)

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use testbed::{Address, Client, Instance, Kept, NameServer, Site, address, neighbour, wait};

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

/// The processes of a server.
type Running = Arc<Mutex<Vec<Kept>>>;

/// policyd-spf as spawn(8) would run it: a process for each connection, which talks over it.
fn policyd_spf(program: PathBuf, settings: PathBuf, resolv_conf: PathBuf) -> (Address, Running) {
    let at = address();
    let kept = Running::default();
    let keep = kept.clone();
    let listener = TcpListener::bind(at).expect("the address is free");
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let other = socket.try_clone().expect("a socket can be shared");
            // It asks the servers of /etc/resolv.conf: it gets one of its own.
            let child = in_own_mounts(&resolv_conf)
                .arg(&program)
                .arg(&settings)
                .stdin(Stdio::from(OwnedFd::from(socket)))
                .stdout(Stdio::from(OwnedFd::from(other)))
                .stderr(Stdio::null())
                .spawn();
            // It ends when its client hangs up, or with the test.
            if let Ok(child) = child {
                keep.lock().expect("nobody panicked").push(Kept::new(child));
            }
        }
    });
    (at, kept)
}

/// A command that sees `file` as /etc/resolv.conf; its program and arguments are to follow.
fn in_own_mounts(file: &Path) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "/bin/sh", "-c", "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\""])
        .arg(file);
    command
}

fn site(names: &NameServer) -> (Site, PathBuf) {
    let site = Site::new("mx.test");
    let file = site.put("resolv.conf", &names.resolv_conf());
    let site = site
        .set("resolv_conf", &file.display().to_string())
        .set("mynetworks", "10.0.0.0/8")
        .set("smtpd_relay_restrictions", "")
        .set("smtpd_error_sleep_time", "0")
        .set("smtpd_authorized_xclient_hosts", "127.0.0.0/8");
    (site, file)
}

/// What a client at this address hears, and the Received-SPF header of its mail.
fn session(mx: &Instance, from: &str, sender: &str) -> (u16, String, Option<String>) {
    let mut client: Client = mx.client();
    client.expect(220, &format!("XCLIENT NAME=[UNAVAILABLE] ADDR={from}"));
    client.expect(250, "EHLO helo.test");
    client.expect(250, &format!("MAIL FROM:<{sender}>"));
    let reply = client.ask("RCPT TO:<bob@box.test>");
    let status = reply.text.split(' ').nth(1).unwrap_or_default().to_owned();
    if reply.code != 250 {
        client.ask("QUIT");
        return (reply.code, status, None);
    }
    let subject = format!("{from} {sender}").replace(['@', ':'], "_");
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
    let verdict = text.lines().find_map(|line| line.strip_prefix("Received-SPF: "));
    let word = verdict.and_then(|text| text.split([' ', ';']).next());
    (reply.code, status, word.map(str::to_lowercase))
}

#[test]
fn with_policyd_spf_beside_us_and_alone_a_session_goes_the_same_way() {
    let Some([program, _unshare]) = neighbour::installed(["policyd-spf", "unshare"]) else { return };
    if !neighbour::root() {
        return;
    }
    let names = NameServer::start(ZONE);
    let (beside, resolv_conf) = site(&names);
    let may = in_own_mounts(&resolv_conf).arg("true").stderr(Stdio::null()).spawn();
    if !may.is_ok_and(|child| testbed::kept::outcome(child).status.success()) {
        // A container that forbids it is no fault of ours.
        eprintln!("no mounts of one's own here: policyd-spf is not asked");
        return;
    }
    let settings = beside.put("spf.conf", "debugLevel = 0\nTestOnly = 1\nHELO_reject = False\nMail_From_reject = Fail\nPermError_reject = False\nTempError_Defer = False\n");
    let (at, _running) = policyd_spf(program, settings, resolv_conf);
    let asked = format!("reject_unauth_destination, check_policy_service inet:{}:{}", at.ip(), at.port());
    let beside = beside.set("smtpd_recipient_restrictions", &asked).start();
    let (alone, _) = site(&names);
    let alone =
        alone.set("smtpd_recipient_restrictions", "reject_unauth_destination, reject_spf_fail").start();
    let mut different = Vec::new();
    for (from, sender) in [
        ("192.0.2.1", "ann@far.test"),
        ("192.0.2.77", "ann@far.test"),
        ("192.0.2.77", "ann@soft.test"),
        ("192.0.2.77", "ann@neutral.test"),
        ("192.0.2.1", "ann@include.test"),
        ("192.0.2.77", "ann@include.test"),
        ("192.0.2.77", "ann@redirect.test"),
        ("192.0.2.1", "ann@mx.test"),
        ("192.0.2.77", "ann@mx.test"),
        ("192.0.2.78", "ann@mx.test"),
        ("192.0.2.1", "ann@exists.test"),
        ("192.0.2.1", "eve@exists.test"),
        ("192.0.2.77", "ann@twice.test"),
        ("192.0.2.77", "ann@wrong.test"),
        ("192.0.2.77", "ann@loop.test"),
        ("192.0.2.77", "ann@none.test"),
        ("192.0.2.77", "ann@nowhere.test"),
    ] {
        let (theirs, own) = (session(&beside, from, sender), session(&alone, from, sender));
        if theirs != own {
            different.push(format!("{from} {sender}: policyd-spf {theirs:?}, ours {own:?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
