//! What senders and the postmaster are told, over a socket.

use testbed::{Answer, Sink, Site};

/// A server that does not know anybody called `bad`.
fn picky() -> Sink {
    Sink::scripted(|line| line.contains("TO:<bad").then_some(Answer::Say("550 5.1.1 no such user")))
}

#[test]
fn each_recipient_of_verp_mail_has_a_sender_and_a_notice_of_its_own() {
    let sink = picky();
    let mx = Site::new("mx.test").set("relayhost", &sink.nexthop()).start();
    let said = mx.run_with(
        "sendmail",
        &["-f", "list@x.test", "-XV", "bad1@y.test", "good@y.test", "bad2@y.test"],
        b"Subject: to all\n\nx\n",
    );
    assert_eq!(said.status, 0, "{said:?}");
    let taken = sink.wait_for(3);
    let mut shown: Vec<String> =
        taken.iter().map(|one| format!("{} {}", one.sender, one.recipients[0])).collect();
    shown.sort();
    for (line, parts) in shown.iter().zip([
        ["<> ", "<list+bad1=y.test@x.test>"],
        ["<> ", "<list+bad2=y.test@x.test>"],
        ["<list+good=y.test@x.test> ", "<good@y.test>"],
    ]) {
        assert!(parts.iter().all(|part| line.contains(part)), "{line} lacks {parts:?}");
    }
    let wrong = mx.run_with("sendmail", &["-f", "l@x.test", "-XV/.", "a@y.test"], b"Subject: x\n\nx\n");
    assert!(wrong.status == 75 && wrong.err.contains("requires two characters from -=+"), "{wrong:?}");
}

#[test]
fn the_postmaster_reads_what_went_wrong_in_a_session_and_no_password() {
    let sink = Sink::new();
    let mx = Site::new("mx.test")
        .set("relayhost", &sink.nexthop())
        .set("notify_classes", "protocol")
        .set("error_notice_recipient", "chief@far.test")
        .start();
    let mut client = mx.client();
    client.hello();
    client.expect(500, "WHAT is this");
    client.expect(503, "AUTH PLAIN AGpvZQBzZWNyZXQ=");
    client.ask("QUIT");
    let report = sink.one();
    assert!(report.sender.starts_with("<double-bounce@mx.test>"), "{report:?}");
    let text = report.text();
    for part in [
        "\nTo: Postmaster <chief@far.test>\n",
        "SMTP server: errors from unknown[127.0.0.1]\n",
        " In:  WHAT is this\n Out: 500 5.5.2 Error: command not recognized\n In:  AUTH\n",
        " In:  QUIT\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert!(!text.contains("AGpvZQBzZWNyZXQ"), "{text}");
    // A session in which all went well is nobody's business.
    mx.send("a@x.test", &["b@far.test"], "Subject: fine\n\nx\n");
    assert_eq!(sink.wait_for(2).len(), 2);
}

#[test]
fn who_was_told_of_a_delay_is_told_of_its_end() {
    let sink = Sink::scripted({
        let times = std::sync::atomic::AtomicU32::new(0);
        move |line| {
            let slow =
                line.contains("TO:<slow") && times.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2;
            slow.then_some(Answer::Say("450 4.2.0 not now"))
        }
    });
    let mx = Site::new("mx.test")
        .set("relayhost", &sink.nexthop())
        .set("delay_warning_time", "1s")
        .set("minimal_backoff_time", "1s")
        .set("maximal_backoff_time", "1s")
        .set("queue_run_delay", "1s")
        .set("confirm_delay_cleared", "yes")
        .start();
    mx.send("s@x.test", &["slow@y.test"], "Subject: late\n\nx\n");
    let texts: Vec<String> = sink.wait_for(3).iter().map(testbed::Taken::text).collect();
    let subject = |part: &str| texts.iter().filter(|text| text.contains(part)).count();
    assert_eq!(subject("Subject: Delayed Mail"), 1, "{texts:?}");
    assert_eq!(subject("Subject: Successful Mail Delivery Report"), 1, "{texts:?}");
}

#[test]
fn a_refused_message_is_found_by_its_client_its_sender_and_its_recipient() {
    let mx = Site::new("mx.test").set("mynetworks", "192.0.2.1").start();
    let mut client = mx.client();
    client.hello();
    client.expect(250, "MAIL FROM:<someone@elsewhere.test>");
    client.expect(454, "RCPT TO:<victim@far.test>");
    client.ask("QUIT");
    mx.send("a@x.test", &["bob@box.test"], "Subject: fine\n\nx\n");
    mx.wait_log(&["disconnect from"]);
    for key in ["someone@elsewhere.test", "victim@far.test", "@far.test", "127.0.0.1", "[127.0.0.1]"] {
        let told = testbed::wait::until("the journal", || {
            let said = mx.run("trace", &[key]);
            (said.status == 0).then_some(said.out)
        });
        assert!(told.contains("refused\n") && told.contains("to=<victim@far.test>"), "{key}: {told}");
        assert!(told.contains("Relay access denied"), "{key}: {told}");
    }
    let said = mx.run("trace", &["192.0.2.9"]);
    assert!(said.status == 1 && said.err.contains("nothing is known of 192.0.2.9"), "{said:?}");
}
