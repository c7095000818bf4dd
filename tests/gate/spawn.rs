//! spawn(8): a program for each connection, with us and with a real Postfix from the same lines.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use testbed::{Address, Site, address, neighbour, wait};

use crate::postfix::Postfix;

/// The lines of master.cf, each at an address of its own: what is said to the program, and the line.
const LINES: [(&str, &str); 5] = [
    ("", "user=nobody argv=/usr/bin/id -un"),
    ("one\ntwo\n", "user=nobody argv=/bin/cat"),
    ("", "user=nobody argv=/bin/sh -c {echo out; echo error >&2; exit 3}"),
    ("", "user=nobody argv=/bin/pwd"),
    ("", "user=nobody argv=/usr/bin/env"),
];

fn lines() -> Vec<(Address, String)> {
    let line = |(_, words): &(&str, &str)| {
        let at = address();
        (at, format!("{}:{} inet n n n - 0 spawn\n    {words}", at.ip(), at.port()))
    };
    LINES.iter().map(line).collect()
}

/// What the program says until it hangs up.
fn heard(at: Address, said: &str) -> String {
    let mut stream = wait::until("the service", || TcpStream::connect(at).ok());
    stream.set_read_timeout(Some(wait::LIMIT)).expect("a time-out");
    // It may have hung up already.
    let _ = stream.write_all(said.as_bytes());
    let _ = stream.shutdown(Shutdown::Write);
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it ends");
    text
}

#[test]
fn programs_talk_over_connections_as_with_postfix() {
    let Some([master, _setsid]) = neighbour::installed(["master", "setsid"]) else { return };
    if !neighbour::root() {
        return;
    }
    let (theirs, own) = (lines(), lines());
    let export = "export_environment = TZ=UTC LANG=C";
    let real = Postfix::prepare("[127.0.0.1]:1", &format!("{export}\n"));
    let mut text = std::fs::read_to_string(real.conf().join("master.cf")).expect("it was just written");
    let mut ours = Site::new("real.test").set("export_environment", "TZ=UTC LANG=C");
    for ((_, line), (_, own)) in theirs.iter().zip(&own) {
        text.push_str(&format!("{line}\n"));
        ours = ours.service(own);
    }
    real.put("master.cf", &text);
    let real = Postfix::launch(master, real);
    let ours = ours.start();
    for (((said, words), (theirs, _)), (own, _)) in LINES.iter().zip(&theirs).zip(&own) {
        let (mut theirs, mut own) = (heard(*theirs, said), heard(*own, said));
        for (text, site) in [(&mut theirs, &real.site), (&mut own, ours.site())] {
            *text = text.replace(&site.path().display().to_string(), "DIRECTORY");
        }
        let sorted = |text: &str| {
            let mut lines: Vec<_> =
                text.lines().filter(|line| !line.starts_with("MAIL_LOGTAG=")).map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&own), sorted(&theirs), "{words}");
    }
    let logs: [&dyn Fn() -> String; 2] = [&|| real.log(), &|| ours.log()];
    for log in logs {
        let told = "/spawn[";
        let why = "]: warning: command /bin/sh exit status 3";
        wait::until("the log", || {
            let log = log();
            log.lines().any(|line| line.contains(told) && line.ends_with(why)).then_some(())
        });
    }
}

#[test]
fn a_program_whose_time_is_over_ends_and_a_policy_without_an_answer_is_the_default() {
    if !neighbour::root() {
        return;
    }
    let mx = Site::new("mx.test")
        .service("slow unix - n n - 0 spawn user=nobody argv=/bin/sleep 300")
        .set("slow_time_limit", "1s")
        .set("smtpd_policy_service_try_limit", "1")
        .set("smtpd_policy_service_default_action", "450 4.7.1 nobody answers")
        .set("mynetworks", "10.0.0.0/8")
        .set(
            "smtpd_recipient_restrictions",
            "reject_unauth_destination, check_policy_service unix:private/slow",
        )
        .start();
    let mut client = mx.client();
    client.hello();
    client.ask("MAIL FROM:<ann@far.test>");
    let reply = client.ask("RCPT TO:<bob@box.test>");
    assert_eq!(reply.text, "450 4.7.1 <bob@box.test>: Recipient address rejected: nobody answers");
    mx.wait_log(&["/spawn[", "]: warning: /bin/sleep: ", "command time limit exceeded"]);
}

#[test]
fn nothing_runs_as_root_or_as_the_mail_system() {
    if !neighbour::root() {
        return;
    }
    let at = address();
    for (words, why) in [
        ("user=root argv=/usr/bin/id", "root privileges"),
        ("user=postfix argv=/usr/bin/id", "mail system owner"),
        ("user=nobody", "missing argv= attribute"),
    ] {
        let line = format!("{}:{} inet n n n - 0 spawn\n    {words}", at.ip(), at.port());
        let mx = Site::new("mx.test").service(&line).start();
        let checked = mx.run("postfix", &["check"]);
        assert!(checked.err.contains(why), "{words}: {checked:?}");
        assert_eq!(heard(at, ""), "", "{words}");
        mx.wait_log(&["/spawn[", why]);
    }
}
