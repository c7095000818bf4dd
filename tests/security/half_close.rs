//! A connection that ends in the middle: what was not finished was not sent.

use testbed::{Client, Instance, Site};

/// What is said behind RCPT before the connection ends. None of it is a whole message.
const UNFINISHED: &[&[u8]] = &[
    b"DATA\r\nSubject: half\r\n\r\nhalf",
    b"DATA\r\nSubject: half\r\n\r\nhalf\r\n",
    b"DATA\r\nSubject: half\r\n\r\nhalf\r\n.",
    b"DATA\r\nSubject: half\r\n\r\nhalf\r\n.\r",
    b"DATA\r\nSubject: half\r\n\r\nhalf\n.\n",
    b"BDAT 100\r\nSubject: half\r\n\r\nhalf\r\n",
    b"BDAT 100 LAST\r\nSubject: half\r\n\r\nhalf\r\n.\r\n",
    b"BDAT 21\r\nSubject: half\r\n\r\nhalf",
    b"BDAT 21\r\nSubject: half\r\n\r\nhalfBDAT 0 LAST",
];

fn begin(mut client: Client) -> Client {
    client.expect(250, "MAIL FROM:<a@x.test>");
    client.expect(250, "RCPT TO:<bob@box.test>");
    client
}

/// Mail still flows, and the queue was and is empty but for it.
fn assert_nothing_came(mx: &Instance) {
    mx.send("a@x.test", &["ann@box.test"], "Subject: whole\n\nx\n");
    assert!(mx.maildir("ann").one().contains("Subject: whole\n"));
    assert!(mx.maildir("bob").messages().is_empty(), "{:?}", mx.maildir("bob").messages());
    testbed::wait::until("an empty queue", || {
        (mx.run("postqueue", &["-p"]).out == "Mail queue is empty\n").then_some(())
    });
}

#[test]
fn a_message_whose_client_stops_talking_is_not_taken() {
    let mx = Site::new("mx.test").start();
    for unfinished in UNFINISHED {
        let mut client = mx.client();
        client.hello();
        let mut client = begin(client);
        client.send(unfinished);
        client.half_close();
        let said = client.rest();
        assert!(!said.contains("queued as"), "{unfinished:?}: {said}");
    }
    assert_nothing_came(&mx);
    mx.wait_log(&["lost connection after DATA ("]);
    mx.wait_log(&["lost connection after BDAT ("]);
}

#[test]
fn a_tls_connection_that_is_cut_is_no_end_of_a_message() {
    let mx = Site::new("mx.test").with_tls("mx.test").start();
    let authority = mx.site().authority();
    let secured = || {
        let mut client = mx.client();
        client.starttls(&authority, "mx.test");
        begin(client)
    };
    for unfinished in UNFINISHED {
        // The TCP connection ends without close_notify.
        let mut client = secured();
        client.send(unfinished);
        client.half_close();
        let said = client.rest();
        assert!(!said.contains("queued as"), "{unfinished:?}: {said}");

        // What completes the message comes in the clear.
        let mut client = secured();
        client.send(unfinished);
        use std::io::Write;
        client.socket().write_all(b"\r\n.\r\nBDAT 0 LAST\r\n").expect("it is open");
        let said = client.rest();
        assert!(!said.contains("queued as"), "{unfinished:?}: {said}");
    }
    assert_nothing_came(&mx);
}
