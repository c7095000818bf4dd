//! The road of a message through whole programs: in by SMTP, out to a mailbox, to another instance, to the sender.

use testbed::{Answer, Sink, Site, address};

#[test]
fn mail_for_another_domain_reaches_a_second_instance_through_relayhost() {
    let far = Site::new("far.test").start();
    let near = Site::new("near.test").set("relayhost", &far.nexthop()).start();
    near.send("a@near.test", &["bob@box.test", "ann@far.test"], "Subject: here\n\nx\n");
    assert!(near.maildir("bob").one().contains("Subject: here\n"));
    far.wait_log(&["to=<ann@far.test>"]);

    let hub = Site::new("hub.test").set("relayhost", &far.nexthop()).set("virtual_mailbox_domains", "");
    let hub = hub.start();
    hub.send("a@hub.test", &["carol@box.test"], "Subject: there\n\ny\n");
    let message = far.maildir("carol").one();
    assert!(message.contains("from hub.test ("), "{message}");
    assert!(message.contains("by far.test (") && message.contains("by hub.test ("), "{message}");
    let line = hub.wait_log(&["to=<carol@box.test>", "status=sent"]);
    assert!(line.contains("dsn=2.0.0") && line.contains("(250 2.0.0 Ok: queued as "), "{line}");
    hub.wait_log(&["qmgr[", ": removed"]);
}

#[test]
fn mail_for_a_dead_host_waits_with_its_reason_and_goes_out_when_the_host_comes_up() {
    let dead = address();
    let near = Site::new("near.test").set("relayhost", &format!("[{}]:{}", dead.ip(), dead.port()));
    let near = near.start();
    near.send("a@near.test", &["x@dead.test"], "Subject: patience\n\nx\n");
    let line = near.wait_log(&["to=<x@dead.test>", "status=deferred"]);
    assert!(line.contains("Connection refused"), "{line}");

    let listed = near.run("postqueue", &["-p"]);
    assert_eq!(listed.status, 0, "{listed:?}");
    for part in ["a@near.test", "x@dead.test", "Connection refused)", "-- ", " Kbytes in 1 Request."] {
        assert!(listed.out.contains(part), "{part:?} in {}", listed.out);
    }

    let host = Sink::at(dead);
    let flushed = near.run("postqueue", &["-f"]);
    assert_eq!(flushed.status, 0, "{flushed:?}");
    assert!(host.one().text().contains("Subject: patience\n"));
    near.wait_log(&["to=<x@dead.test>", "status=sent"]);
    near.wait_log(&[": removed"]);
    assert_eq!(near.run("postqueue", &["-p"]).out, "Mail queue is empty\n");
}

#[test]
fn a_refused_recipient_is_told_to_the_sender_and_the_others_have_their_mail() {
    let sink = Sink::scripted(|line| {
        line.contains("<nobody@")
            .then_some(Answer::Say("550 5.1.1 <nobody@far.test>: there is no such person"))
    });
    let near = Site::new("near.test").set("relayhost", &sink.nexthop()).start();
    near.send("ann@box.test", &["nobody@far.test", "bob@far.test"], "Subject: both\n\nx\n");
    assert_eq!(sink.one().recipients, ["<bob@far.test> ORCPT=rfc822;bob@far.test"]);
    let notice = near.maildir("ann").one();
    for part in [
        "Return-Path: <>\n",
        "Content-Type: multipart/report; report-type=delivery-status;",
        "Final-Recipient: rfc822; nobody@far.test\n",
        "Action: failed\n",
        "Status: 5.1.1\n",
        "there is no such person",
        "Subject: both\n",
    ] {
        assert!(notice.contains(part), "{part:?} in {notice}");
    }
    assert!(!notice.contains("bob@far.test"), "{notice}");
}

#[test]
fn a_notice_that_cannot_be_delivered_ends_with_the_postmaster() {
    let sink = Sink::scripted(|line| line.starts_with("RCPT").then_some(Answer::Say("550 5.1.1 no")));
    let near = Site::new("near.test")
        .set("relayhost", &sink.nexthop())
        .set("notify_classes", "2bounce")
        .set("2bounce_notice_recipient", "postmaster@box.test")
        .start();
    near.send("gone@far.test", &["nobody@far.test"], "Subject: lost\n\nx\n");
    let notice = near.maildir("postmaster").one();
    assert!(notice.contains("Final-Recipient: rfc822; gone@far.test\n"), "{notice}");
}

#[test]
fn what_sendmail_hands_in_is_delivered_running_or_not() {
    let mut near = Site::new("near.test").start();
    let said =
        near.run_with("sendmail", &["-f", "cron@near.test", "bob@box.test"], b"Subject: cron\n\n.\nend\n");
    assert_eq!((said.status, said.err.as_str()), (0, ""), "{said:?}");
    // A dot alone ends the message, as it always did.
    let message = near.maildir("bob").one();
    assert!(message.contains("Return-Path: <cron@near.test>\n"), "{message}");
    assert!(!message.contains("end\n"), "{message}");

    near.stop();
    let said = near.run_with("sendmail", &["-i", "-t"], b"To: carol@box.test\nSubject: later\n\n.\nend\n");
    assert_eq!(said.status, 0, "{said:?}");
    assert!(near.maildir("carol").messages().is_empty());
    near.restart();
    assert!(near.maildir("carol").one().ends_with("\n\n.\nend\n"));
}
