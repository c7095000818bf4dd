//! A refusal that says where the administrator finds out why.

use testbed::{Instance, Site, wait};

fn start() -> Instance {
    let site = Site::new("mx.test");
    let headers = site.put("headers", "/^Subject: buy/ REJECT no, thanks\n");
    let people = site.put("people", "bob@box.test REJECT not you\n");
    site.set("smtpd_reject_reference", "yes")
        .set("smtpd_recipient_restrictions", &format!("check_recipient_access texthash:{}", people.display()))
        .set("header_checks", &format!("regexp:{}", headers.display()))
        .start()
}

/// The reference at the end of a reply.
fn reference(reply: &testbed::Reply) -> String {
    let last = reply.text.lines().last().expect("a reply has lines");
    let (_, reference) = last.split_once(" Reference ").unwrap_or_else(|| panic!("{reply:?}"));
    assert!(reference.len() == 9 && reference.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{reply:?}");
    reference.to_owned()
}

/// What `facteur trace` says; the journal is written a moment after the reply.
fn traced(mx: &Instance, reference: &str) -> String {
    wait::until("the journal", || {
        let said = mx.run("trace", &[reference]);
        (said.status == 0).then_some(said.out)
    })
}

#[test]
fn the_reference_of_a_refusal_finds_the_restriction_the_table_and_the_key() {
    let mx = start();
    let mut client = mx.client();
    client.hello();
    client.ask("MAIL FROM:<ann@far.test>");
    let reply = client.ask("RCPT TO:<bob@box.test>");
    assert!(
        reply.text.starts_with("554-5.7.1 <bob@box.test>: Recipient address rejected: not you\n554 5.7.1 "),
        "{reply:?}"
    );
    let found = reference(&reply);
    let told = traced(&mx, &found);
    for part in [
        "smtpd_recipient_restrictions",
        "check_recipient_access",
        "texthash:",
        "[bob@box.test]",
        "from=<ann@far.test>",
        "[127.0.0.1]",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let again = client.ask("RCPT TO:<bob@box.test>");
    assert_ne!(reference(&again), found);
    assert_eq!(client.ask("RCPT TO:<ann@box.test>").text, "250 2.1.5 Ok");
    client.expect(354, "DATA");
    client.send(b"Subject: buy\r\n\r\nnow\r\n.\r\n");
    let reply = client.reply();
    assert_eq!(reply.code, 550);
    let told = traced(&mx, &reference(&reply));
    assert!(told.contains("no, thanks") && told.contains("header Subject: buy"), "{told}");
    assert_eq!(client.ask("NONSENSE").text.lines().count(), 1, "what is no decision has none");
}
