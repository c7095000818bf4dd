//! The commands that administrators and scripts call, each as they call it.

use testbed::{Answer, Instance, Sink, Site, Spoken};

/// A server that understands all that we can ask of one.
fn next_host() -> Sink {
    Sink::scripted(|line| {
        let able = "250-far.test\r\n250-SIZE 10000000\r\n250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8";
        line.starts_with("EHLO").then_some(Answer::Say(able))
    })
}

fn relay() -> (Instance, Sink) {
    let sink = next_host();
    (Site::new("mx.test").set("relayhost", &sink.nexthop()).start(), sink)
}

fn assert_well(said: &Spoken) {
    assert_eq!((said.status, said.err.as_str()), (0, ""), "{said:?}");
}

#[test]
fn sendmail_tells_the_next_host_what_was_asked_for() {
    let (mx, sink) = relay();
    let words =
        "-i -oi -oem -om -N failure,delay -R hdrs -V env+1 -B 8BITMIME -F Jo -f jo@mx.test u@far.test";
    assert_well(&mx.run_with("sendmail", &words.split(' ').collect::<Vec<_>>(), b"Subject: x\n\n.\nx\n"));
    let taken = sink.one();
    for option in ["<jo@mx.test> ", " BODY=8BITMIME", " RET=HDRS", " ENVID=env+2B1"] {
        assert!(taken.sender.contains(option), "{option} in {}", taken.sender);
    }
    assert!(taken.recipients[0].ends_with(" NOTIFY=FAILURE,DELAY"), "{:?}", taken.recipients);
    assert!(taken.text().contains("From: Jo <jo@mx.test>\n") && taken.text().ends_with("\n.\nx\n"));
}

#[test]
fn sendmail_t_takes_recipients_from_the_header_and_hides_blind_copies() {
    let (mx, sink) = relay();
    let message =
        b"To: A <a@far.test>,\n b@far.test\nCc: (nobody) c@far.test\nBcc: d@far.test\nSubject: t\n\nx\n";
    assert_well(&mx.run_with("sendmail", &["-t", "-f", "jo@mx.test"], message));
    let taken = sink.one();
    let named: Vec<&str> = taken.recipients.iter().filter_map(|path| path.split(' ').next()).collect();
    assert_eq!(named, ["<a@far.test>", "<b@far.test>", "<c@far.test>", "<d@far.test>"]);
    assert!(!taken.text().contains("d@far.test"), "{}", taken.text());
    let said = mx.run_with("sendmail", &["-t"], b"Subject: nobody\n\nx\n");
    assert!(said.status != 0 && said.err.contains("No recipient addresses found"), "{said:?}");
}

#[test]
fn sendmail_bv_says_who_would_have_mail_and_sends_none() {
    let mx = Site::new("mx.test").start();
    let said = mx.run("sendmail", &["-bv", "-f", "bob@box.test", "ann@box.test", "nobody@box.test"]);
    assert_eq!(said.out, "Mail Delivery Status Report will be mailed to <bob@box.test>.\n", "{said:?}");
    let report = mx.maildir("bob").one();
    assert!(report.contains("Final-Recipient: rfc822; ann@box.test"), "{report}");
    assert!(
        report.contains("Action: deliverable\n") && report.contains("Action: undeliverable\n"),
        "{report}"
    );
    assert!(mx.maildir("ann").messages().is_empty());
    // The same with delivery.
    assert_eq!(
        mx.run_with("sendmail", &["-v", "-f", "carol@box.test", "ann@box.test"], b"x: y\n\nx\n").status,
        0
    );
    assert!(mx.maildir("carol").one().contains("Action: delivered\n"));
    mx.maildir("ann").one();
}

#[test]
fn sendmail_bs_speaks_smtp_on_its_standard_input() {
    let (mx, sink) = relay();
    let talk = b"EHLO me\r\nMAIL FROM:<a@mx.test>\r\nRCPT TO:<u@far.test>\r\nDATA\r\nSubject: bs\r\n\r\nx\r\n.\r\nQUIT\r\n";
    let said = mx.run_with("sendmail", &["-bs"], talk);
    assert_eq!(said.status, 0, "{said:?}");
    let codes: Vec<&str> =
        said.out.lines().filter(|line| line.get(3..4) == Some(" ")).map(|line| &line[..3]).collect();
    assert_eq!(codes, ["220", "250", "250", "250", "354", "250", "221"], "{said:?}");
    assert!(sink.one().sender.starts_with("<a@mx.test>"));
}

#[test]
fn sendmail_is_also_mailq_newaliases_and_what_flushes_the_queue() {
    let nobody = testbed::address();
    let site = Site::new("mx.test").set("relayhost", &format!("[{}]:{}", nobody.ip(), nobody.port()));
    let aliases = site.put("aliases", "root: ann@box.test\n").display().to_string();
    let mx = site.set("alias_database", &format!("hash:{aliases}")).start();
    assert_eq!(mx.run("sendmail", &["-bp"]).out, "Mail queue is empty\n");
    assert_well(&mx.run_with("sendmail", &["-f", "jo@mx.test", "u@far.test"], b"Subject: q\n\nx\n"));
    mx.wait_log(&["to=<u@far.test>", "status=deferred"]);
    let listed = mx.run("sendmail", &["-bp"]).out;
    assert!(listed.contains(" jo@mx.test\n") && listed.contains(" u@far.test\n"), "{listed}");
    assert_eq!(listed, mx.run("mailq", &[]).out);
    // The host comes up, and -q sends what waits.
    let sink = Sink::at(nobody);
    assert_well(&mx.run("sendmail", &["-q"]));
    sink.one();
    assert_well(&mx.run("sendmail", &["-bi"]));
    assert_eq!(mx.run("postalias", &["-q", "root", &format!("hash:{aliases}")]).out, "ann@box.test\n");
    // A daemon there is already.
    let said = mx.run("sendmail", &["-bd", "-q1h"]);
    assert!(said.status != 0 && said.err.contains("already running"), "{said:?}");
    for wrong in [&["-bz"][..], &[]] {
        assert_ne!(mx.run_with("sendmail", wrong, b"x: y\n\nx\n").status, 0, "{wrong:?}");
    }
}

#[test]
fn helpers_of_scripts_do_what_scripts_want() {
    let mx = Site::new("mx.test").start();
    assert_well(&mx.run("postlog", &["-t", "backup", "-p", "warn", "disk", "is", "full"]));
    mx.wait_log(&["backup[", "warning: disk is full"]);
    assert_well(&mx.run_with("postlog", &["-t", "lines"], b"one\ntwo\n"));
    mx.wait_log(&["lines[", ": two"]);
    assert_well(&mx.run("postkick", &["public", "qmgr", "IDFA"]));
    assert_well(&mx.run("postkick", &["public", "pickup", "W"]));
    let said = mx.run("postkick", &["private", "nosuch", "W"]);
    assert!(said.status != 0 && said.err.starts_with("postkick: fatal: "), "{said:?}");
    let said = mx.run("postdrop", &[]);
    assert!(said.status != 0 && said.err.contains("sendmail"), "{said:?}");
    let listed = mx.run("postmulti", &["-l"]).out;
    assert!(listed.ends_with(&format!(" y         {}\n", mx.site().conf().display())), "{listed}");
    let said = mx.run("postmulti", &["-x", "postconf", "-h", "myhostname"]);
    assert_eq!(said.out, "mx.test\n", "{said:?}");
}

#[test]
fn an_import_makes_the_queue_that_it_needs() {
    let nobody = testbed::address();
    let mut old =
        Site::new("old.test").set("relayhost", &format!("[{}]:{}", nobody.ip(), nobody.port())).start();
    assert_well(&old.run_with("sendmail", &["-f", "jo@old.test", "u@far.test"], b"Subject: moved\n\nx\n"));
    old.wait_log(&["to=<u@far.test>", "status=deferred"]);
    old.stop();
    let spool = old.site().path().join("spool-of-postfix");
    for name in ["incoming", "active", "deferred", "hold", "maildrop"] {
        std::fs::create_dir_all(spool.join(name)).expect("it is ours");
    }
    let spool = spool.display().to_string();
    let said = old.run("queue", &["export", &spool]);
    assert_eq!(said.status, 0, "{said:?}");
    // No program has ever run here: there is no queue directory.
    let sink = Sink::new();
    let site = Site::new("new.test").set("relayhost", &sink.nexthop());
    let queue = site.path().join("fresh/queue").display().to_string();
    let site = site.set("queue_directory", &queue);
    site.write();
    let said = site.run_with("queue", &["import", &spool], b"");
    assert_eq!(said.status, 0, "{said:?}");
    let new = site.start();
    new.run("postqueue", &["-f"]);
    assert!(sink.one().text().contains("Subject: moved\n"));
}
