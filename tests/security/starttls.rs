//! What is said in the clear does not count behind STARTTLS, on either side.

use testbed::{Answer, Sink, Site};

#[test]
fn commands_sent_ahead_of_the_handshake_are_dropped() {
    let site = Site::new("mx.test").with_tls("mx.test");
    let mx = site.start();
    let authority = mx.site().authority();
    let mut client = mx.client();
    client.hello();
    client.send(b"STARTTLS\r\nMAIL FROM:<evil@x.test>\r\nRCPT TO:<bob@box.test>\r\nDATA\r\nSubject: evil\r\n\r\n.\r\n");
    assert_eq!(client.reply().code, 220);
    client.secure(&authority, "mx.test").expect("only the handshake follows the reply");
    // The first reply is the one to the first command that was said in TLS.
    let reply = client.ask("RCPT TO:<bob@box.test>");
    assert_eq!(reply.code, 503, "{reply:?}");
    client.hello();
    client.expect(250, "MAIL FROM:<good@x.test>");
    client.expect(250, "RCPT TO:<ann@box.test>");
    client.expect(354, "DATA");
    client.send(b"Subject: good\r\n\r\nx\r\n.\r\n");
    assert_eq!(client.reply().code, 250);
    mx.maildir("ann").one();
    assert!(mx.maildir("bob").messages().is_empty());
}

#[test]
fn a_transaction_begun_in_the_clear_is_forgotten() {
    let mx = Site::new("mx.test").with_tls("mx.test").set("smtpd_helo_required", "yes").start();
    let authority = mx.site().authority();
    for open in [&["MAIL FROM:<a@x.test>"][..], &["MAIL FROM:<a@x.test>", "RCPT TO:<bob@box.test>"]] {
        let mut client = mx.client();
        client.hello();
        for line in open {
            client.expect(250, line);
        }
        client.expect(220, "STARTTLS");
        client.secure(&authority, "mx.test").expect("the certificate is good");
        // Not even the name that was said in the clear is known any more.
        client.expect(503, "MAIL FROM:<b@x.test>");
        let offer = client.hello();
        assert!(!offer.offers("STARTTLS"), "{offer:?}");
        client.expect(503, "RCPT TO:<bob@box.test>");
        client.expect(503, "DATA");
        let again = client.ask("STARTTLS");
        assert!(again.code >= 500, "{again:?}");
    }
}

#[test]
fn replies_sent_ahead_of_the_handshake_are_no_replies() {
    let offer = |line: &str| match line {
        line if line.starts_with("EHLO") => Some(Answer::Say("250-sink.test\r\n250 STARTTLS")),
        "STARTTLS" => {
            let ahead =
                "220 go\r\n".to_owned() + &"250 2.0.0 injected\r\n".repeat(4) + "354 go\r\n250 2.0.0 Ok\r\n";
            Some(Answer::Raw(ahead.into_bytes()))
        }
        _ => None,
    };
    let sink = Sink::scripted(offer);
    let mx = Site::new("mx.test")
        .set("relayhost", &sink.nexthop())
        .set("smtp_tls_security_level", "encrypt")
        .start();
    mx.send("a@x.test", &["b@far.test"], "Subject: x\n\nx\n");
    mx.wait_log(&["to=<b@far.test>", "status=deferred"]);
    assert!(!mx.log().contains("status=sent"), "{}", mx.log());
    assert!(sink.taken().is_empty());
}

#[test]
fn a_server_that_offers_no_tls_gets_no_mail_that_must_be_encrypted() {
    let sink = Sink::new();
    let mx = Site::new("mx.test")
        .set("relayhost", &sink.nexthop())
        .set("smtp_tls_security_level", "encrypt")
        .start();
    mx.send("a@x.test", &["b@far.test"], "Subject: x\n\nx\n");
    let line = mx.wait_log(&["to=<b@far.test>", "status=deferred"]);
    assert!(line.contains("dsn=4.7.4") && line.contains("TLS is required, but was not offered"), "{line}");
    assert!(sink.taken().is_empty());
}
