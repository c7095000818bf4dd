//! Security list, item 19: what strangers ask about puts nothing into the memory of address probes about others.

use std::fs;

use testbed::{Answer, Instance, Sink, Site};

fn rcpt(mx: &Instance, address: &str) -> u16 {
    let mut client = mx.client();
    client.hello();
    client.expect(250, "MAIL FROM:<ann@box.test>");
    client.ask(&format!("RCPT TO:<{address}>")).code
}

#[test]
fn answers_of_probes_outlive_the_program_and_nobody_can_plant_one() {
    // Only `good` is there; everybody else is refused.
    let far = Sink::scripted(|line| {
        let refused = line.starts_with("RCPT") && !line.starts_with("RCPT TO:<good@");
        refused.then_some(Answer::Say("550 5.1.1 none"))
    });
    let mut mx = Site::new("mx.test")
        .set("relay_domains", "far.test")
        .set("relay_transport", &format!("smtp:{}", far.nexthop()))
        .set("smtpd_recipient_restrictions", "reject_unverified_recipient")
        .set("unverified_recipient_reject_code", "550")
        .set("address_verify_poll_delay", "1s")
        .set("address_verify_poll_count", "20")
        .set("smtpd_error_sleep_time", "0")
        .start();
    assert_eq!(rcpt(&mx, "good@far.test"), 250);
    let hostile = [
        "\"x@far.test\\\tdeliverable\\\t99999999999\\\t\"@far.test",
        "\"%0A00000000%09planted@far.test\"@far.test",
        "planted%far.test@far.test",
        "\"planted@far.test deliverable\"@far.test",
    ];
    for address in hostile {
        assert_ne!(rcpt(&mx, address), 250, "{address}");
    }
    mx.stop();
    let file = mx.site().path().join("data/verify_cache");
    let kept = fs::read_to_string(&file).expect("answers are kept");
    let mut good = kept.lines().filter(|line| line.contains("\tdeliverable\t"));
    assert!(good.next().is_some_and(|line| line.contains("\tgood@far.test\t")), "{kept}");
    assert_eq!(good.next(), None, "{kept}");
    // What was written by nobody of ours counts for nothing.
    let planted = kept + "00000000\tplanted@far.test\tdeliverable\t9999999999\t\n";
    fs::write(&file, planted).expect("it is ours");
    drop(far);
    mx.restart();
    assert_eq!(rcpt(&mx, "good@far.test"), 250, "{}", mx.log());
    assert_ne!(rcpt(&mx, "planted@far.test"), 250, "{}", mx.log());
    assert!(mx.log().contains("damaged records are left out"), "{}", mx.log());
}

/// Probes take a way of their own where the address_verify_ parameters say so, and mail keeps its own.
#[test]
fn probes_may_take_another_way_than_mail() {
    let (mail, probes) = (
        Sink::new(),
        Sink::scripted(|line| line.starts_with("RCPT TO:<bad@").then_some(Answer::Say("550 5.1.1 none"))),
    );
    let site = Site::new("mx.test");
    let map = |name: &str, to: &Sink| {
        let file = site.put(name, &format!("far.test smtp:{}\n", to.nexthop()));
        format!("texthash:{}", file.display())
    };
    let (ways, others) = (map("ways", &mail), map("others", &probes));
    let mx = site
        .set("relay_domains", "far.test")
        .set("transport_maps", &ways)
        .set("address_verify_transport_maps", &others)
        .set("smtpd_recipient_restrictions", "reject_unverified_recipient")
        .set("unverified_recipient_reject_code", "550")
        .set("address_verify_poll_delay", "1s")
        .set("address_verify_poll_count", "20")
        .start();
    assert_eq!(rcpt(&mx, "good@far.test"), 250, "{}", mx.log());
    assert_eq!(rcpt(&mx, "bad@far.test"), 550, "{}", mx.log());
    mx.send("ann@box.test", &["good@far.test"], "Subject: x\n\nx\n");
    mail.one();
}
