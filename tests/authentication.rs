//! What the DNS says of senders, from the first message to the report: SPF, DKIM, DMARC, ARC, with a name server of our own.

use std::process::Command;

use testbed::{Instance, NameServer, Sink, Site, neighbour};

use crate::signatures::Keys;

fn mail(from: &str) -> String {
    format!("From: {from}\nTo: bob@box.test\nSubject: hello\nDate: Thu, 01 Jan 2026 00:00:00 +0000\n\ntext\n")
}

/// A site to which 127.0.0.1 is a stranger, with this name server.
fn site(name: &str, dns: &NameServer) -> Site {
    let site = Site::new(name).set("mynetworks", "192.0.2.0/24");
    let file = site.put("resolv.conf", &dns.resolv_conf()).display().to_string();
    site.set("resolv_conf", &file)
}

fn offered(mx: &Instance, sender: &str) -> testbed::Reply {
    mx.client().deliver(sender, &["bob@box.test"], &mail(sender))
}

#[test]
fn policies_are_followed_and_told_after_the_day() {
    let Some([sqlite]) = neighbour::installed(["sqlite3"]) else { return };
    if !neighbour::root() {
        return;
    }
    let dns = NameServer::start(
        "good.test TXT v=spf1 ip4:127.0.0.0/8 -all\n_dmarc.good.test TXT v=DMARC1; p=reject; rua=mailto:d@good.test\n\
         bad.test TXT v=spf1 ip4:192.0.2.1 -all\n_dmarc.bad.test TXT v=DMARC1; p=reject; rua=mailto:d@far.test\n\
         bad.test._report._dmarc.far.test TXT v=DMARC1\n\
         odd.test TXT v=spf1 -all\n_dmarc.odd.test TXT v=DMARC1; p=quarantine; rua=mailto:d@else.test\n\
         lame.test SERVFAIL\n_dmarc.lame.test SERVFAIL\n",
    );
    let sink = Sink::new();
    let mut mx = site("mx.test", &dns)
        .set("sender_authentication", "spf, dkim, dmarc")
        .set("dmarc_policy_action", "reject")
        .set("dmarc_reports", "yes")
        .set("relayhost", &sink.nexthop())
        .start();
    for _ in 0..2 {
        assert_eq!(offered(&mx, "joe@good.test").code, 250);
    }
    let message = &mx.maildir("bob").wait_for(2)[0];
    for told in [
        "spf=pass ",
        "smtp.mailfrom=joe@good.test",
        "dkim=none",
        "dmarc=pass (p=reject) header.from=good.test",
    ] {
        assert!(message.contains(told), "{message}");
    }
    let refused = offered(&mx, "joe@bad.test");
    assert!(refused.code == 550 && refused.text.contains("5.7.1 rejected by DMARC policy"), "{refused:?}");
    assert_eq!(offered(&mx, "joe@odd.test").code, 250);
    let held = mx.run("quarantine", &["list"]);
    assert!(held.out.contains("because:  DMARC policy for odd.test"), "{held:?}");
    assert_eq!(offered(&mx, "joe@lame.test").code, 250);
    let lame = &mx.maildir("bob").wait_for(3);
    assert!(lame.iter().any(|message| message.contains("dmarc=temperror")), "{lame:?}");

    mx.stop();
    // As if it had been the day before yesterday.
    let database = mx.site().path().join("data/dmarc.sqlite");
    let moved = Command::new(sqlite).arg(&database).arg("UPDATE policy SET day = day - 2").output();
    assert!(moved.as_ref().is_ok_and(|moved| moved.status.success()), "{moved:?}");
    mx.restart();
    // Nobody at else.test has said that he wants to hear about odd.test.
    let reports = sink.wait_for(2);
    let read = |about: &str| {
        let found = reports.iter().find(|report| report.text().contains(&format!("Report Domain: {about}")));
        let found = found.unwrap_or_else(|| panic!("no report about {about}"));
        let report = sign::aggregate::Received::of_message(&found.raw).expect("it is one");
        (found.recipients.concat(), report)
    };
    let (to, good) = read("good.test");
    assert!(to.contains("d@good.test"), "{to}");
    assert_eq!((good.domain.as_str(), good.counts()), ("good.test", (2, 2)));
    assert_eq!((good.rows[0].source.as_str(), good.rows[0].spf), ("127.0.0.1", true));
    let (to, bad) = read("bad.test");
    assert!(to.contains("d@far.test"), "{to}");
    assert_eq!((bad.counts(), bad.rows[0].disposition.as_str()), ((1, 0), "reject"));
    mx.wait_log(&["DMARC report about good.test for <d@good.test>"]);
}

#[test]
fn a_seal_of_somebody_trusted_speaks_for_forwarded_mail() {
    if !neighbour::root() {
        return;
    }
    let keys = Keys::new(&[("seal", "rsa")]);
    let dns = NameServer::start(&format!(
        "good.test TXT v=spf1 ip4:127.0.0.1 -all\n_dmarc.good.test TXT v=DMARC1; p=reject\n\
         seal._domainkey.box.test TXT {}\n",
        keys.record("seal")
    ));
    let start = |trusted: &str| {
        site("next.test", &dns)
            .set("sender_authentication", "spf, dkim, arc, dmarc")
            .set("dmarc_policy_action", "reject")
            .set("arc_trusted_sealers", trusted)
            .start()
    };
    for (trusted, taken) in [("box.test", true), ("", false)] {
        let next = start(trusted);
        // It forwards from another address than those that good.test names.
        let from = testbed::address().ip().to_string();
        let forwarder = site("mx.test", &dns)
            .set("sender_authentication", "spf, dkim, arc, dmarc")
            .set("dkim_key_table", &keys.path("keytable").display().to_string())
            .set("dkim_signing_table", &keys.path("signingtable").display().to_string())
            .set("arc_seal_domain", "box.test")
            .set("virtual_mailbox_domains", "")
            .set("virtual_alias_maps", "inline:{ { team@mx.test = bob@box.test } }")
            .set("relayhost", &next.nexthop())
            .set("smtp_bind_address", &from)
            .start();
        let reply = forwarder.client().deliver("joe@good.test", &["team@mx.test"], &mail("joe@good.test"));
        assert_eq!(reply.code, 250, "{reply:?}\n{}", forwarder.log());
        if !taken {
            forwarder.wait_log(&[
                "to=<bob@box.test>",
                "status=bounced",
                "rejected by DMARC policy for good.test",
            ]);
            continue;
        }
        let message = next.maildir("bob").one();
        for told in [
            "ARC-Seal: a=rsa-sha256;",
            "ARC-Message-Signature: a=rsa-sha256;",
            "spf=fail",
            "arc=pass (i=1)",
            "arc=pass by trusted sealers",
        ] {
            assert!(message.contains(told), "{told} in {message}");
        }
    }
}
