//! MTA-STS: a record in a signed zone, a page that an authority vouches for, and what becomes of mail when either
//! changes, lies or goes away.

use std::net::SocketAddr;

use testbed::tls::{Pages, certificate_of};
use testbed::{Instance, Sink, Site};

use super::{State, Zones};

/// Sends a message to `user` at the domain and waits for what becomes of it.
fn outcome(sender: &Instance, user: &str, domain: &str) -> String {
    sender.send("a@sender.test", &[&format!("{user}@{domain}")], "Subject: x\n\nx\n");
    sender.wait_log(&[&format!("to=<{user}@{domain}>"), "status="])
}

#[test]
fn policies_of_domains_are_kept() {
    // The pages are at port 443.
    let Some(mut zones) = Zones::new() else { return };
    let receiver = Site::new("mx.test").with_tls("mx.sts.test");
    let receiver = receiver.set("transport_maps", "static:discard:").start();
    let (ip, port) = (receiver.smtp().ip(), receiver.smtp().port());
    let mut stripped = testbed::address();
    stripped.set_port(port);
    let sink = Sink::at(stripped);
    let domains = ["enforced", "other", "testing", "absent", "forged", "plain"];
    let hosts: Vec<String> = domains.iter().map(|domain| format!("mta-sts.{domain}.sts.test")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let (authority, chain) = certificate_of(&hosts);
    let web = SocketAddr::new(testbed::address().ip(), 443);
    let pages = Pages::serve(web, &chain);
    let put = |domain: &str, mode: &str, host: &str| {
        let text = format!("version: STSv1\r\nmode: {mode}\r\nmx: {host}\r\nmax_age: 86400\r\n");
        pages.put(&format!("mta-sts.{domain}.sts.test/.well-known/mta-sts.txt"), Some(&text));
    };
    put("enforced", "enforce", "mx.sts.test");
    put("other", "enforce", "elsewhere.test");
    put("testing", "testing", "elsewhere.test");
    put("forged", "enforce", "elsewhere.test");
    put("plain", "enforce", "plain.sts.test");
    let zone = |id: u32| {
        let records = domains.map(|domain| {
            let mx = if domain == "plain" { "plain" } else { "mx" };
            format!("{domain} MX 10 {mx}\n_mta-sts.{domain} TXT \"v=STSv1; id=n{id}{domain};\"\nmta-sts.{domain} A {}\n", web.ip())
        });
        format!("mx A {ip}\nplain A {}\n{}", stripped.ip(), records.concat())
    };
    // Of one record the signature is wrong.
    zones.put("sts.test", &zone(1), State::Forged("id=n1forged", "id=n2forged"));
    let resolver = zones.start();
    let sender = Site::new("sender.test");
    let mut authorities = std::fs::read_to_string(receiver.site().authority()).expect("it was made");
    authorities += &authority;
    let file = sender.put("authorities.pem", &authorities);
    let sender = sender
        .set("resolv_conf", &resolver)
        .set("smtp_dns_support_level", "enabled")
        .set("smtp_host_lookup", "dns")
        .set("smtp_tls_security_level", "may")
        .set("smtp_tls_mta_sts", "yes")
        .set("smtp_tls_CAfile", &file.display().to_string())
        .set("smtp_tls_loglevel", "1")
        .set("smtp_tcp_port", &port.to_string())
        .start();
    for (domain, status, why) in [
        ("enforced", "sent", "relay=mx.sts.test"),
        ("other", "deferred", "MTA-STS policy of other.sts.test does not list host mx.sts.test"),
        ("testing", "sent", "relay=mx.sts.test"),
        ("absent", "sent", "relay=mx.sts.test"),
        ("forged", "sent", "relay=mx.sts.test"),
        ("plain", "deferred", "TLS is required, but was not offered"),
    ] {
        let line = outcome(&sender, "one", &format!("{domain}.sts.test"));
        assert!(line.contains(&format!("status={status}")) && line.contains(why), "{line}\n{}", sender.log());
    }
    sender.wait_log(&["Verified TLS connection established to mx.sts.test"]);
    sender.wait_log(&["MTA-STS policy of absent.sts.test: mta-sts.absent.sts.test answers with status 404"]);
    assert!(sink.taken().is_empty());
    // Another page counts once the record names it.
    put("enforced", "enforce", "elsewhere.test");
    zones.put("sts.test", &zone(2), State::Signed);
    zones.start();
    let refused = "MTA-STS policy of enforced.sts.test does not list host mx.sts.test";
    testbed::wait::until("the new policy", || {
        // The old record may be remembered for its second.
        let user = format!("u{}", sender.log().len());
        outcome(&sender, &user, "enforced.sts.test").contains(refused).then_some(())
    });
    // Who keeps both from us does not make us forget.
    pages.put("mta-sts.enforced.sts.test/.well-known/mta-sts.txt", None);
    zones.put("sts.test", &zone(3).replace("_mta-sts.enforced ", "_gone "), State::Signed);
    zones.start();
    for user in ["two", "three"] {
        let line = outcome(&sender, user, "enforced.sts.test");
        assert!(line.contains(refused), "{line}");
    }
}
