//! DANE: what a signed zone says of certificates decides, and a zone that cannot be believed keeps mail waiting.

use testbed::{Sink, Site, neighbour};

use super::{State, Zones, digest};

const NOUGHT: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn signed_zones_decide_over_certificates() {
    let Some(mut zones) = Zones::new() else { return };
    let Some([openssl]) = neighbour::installed(["openssl"]) else { return };
    // Two names with a certificate each, on one server, which tells them apart by the name that is asked for.
    let receiver = Site::new("mx.test").with_tls("usual.test");
    let mut chains = String::new();
    for name in ["mx-a", "mx-b"] {
        let (_, chain) = testbed::tls::certificate(&format!("{name}.secure.test"));
        let file = receiver.put(&format!("{name}.pem"), &chain);
        chains += &format!("{name}.secure.test {}\n", file.display());
    }
    receiver.put("sni", &chains);
    let receiver = receiver
        .set("tls_server_sni_maps", "hash:$config_directory/sni")
        .set("transport_maps", "static:discard:")
        .start();
    let file = |name: &str| digest(&openssl, &receiver.site().conf().join(name));
    let (usual, a, b) = (file("server.pem"), file("mx-a.pem"), file("mx-b.pem"));
    let (ip, port) = (receiver.smtp().ip(), receiver.smtp().port());
    // A server that was made to forget its STARTTLS.
    let mut stripped = testbed::address();
    stripped.set_port(port);
    let sink = Sink::at(stripped);
    let host = |domain: &str, tlsa: &[&str]| {
        let records: String =
            tlsa.iter().map(|tlsa| format!("_{port}._tcp.mx-{domain} TLSA {tlsa}\n")).collect();
        format!("{domain} MX 10 mx-{domain}\nmx-{domain} A {ip}\n{records}")
    };
    let right = format!("3 0 1 {usual}");
    let stale = format!("3 0 1 {NOUGHT}");
    let secure = [
        host("good", &[&right]),
        host("rolled", &[&stale, &right]),
        host("stale", &[&stale]),
        host("missing", &[]),
        host("only-missing", &[]),
        host("unusable", &[&format!("1 0 1 {usual}")]),
        host("a", &[&format!("3 0 1 {a}")]),
        host("b", &[&format!("3 0 1 {b}")]),
        format!("plain MX 10 mx-plain\nmx-plain A {}\n_{port}._tcp.mx-plain TLSA {right}\n", stripped.ip()),
    ];
    zones.put("secure.test", &secure.concat(), State::Signed);
    zones.put("insecure.test", &[host("x", &[&stale]), host("only", &[&right])].concat(), State::Insecure);
    zones.put("expired.test", &host("x", &[&right]), State::Expired);
    zones.put("bogus.test", &host("x", &[&right]), State::Forged("10 mx-x", "10 mx-y"));
    zones.put("half.test", &host("x", &[&stale]), State::Forged(NOUGHT, usual.clone().leak()));
    let resolver = zones.start();
    let sender = Site::new("sender.test")
        .set("resolv_conf", &resolver)
        .set("smtp_dns_support_level", "dnssec")
        .set("smtp_host_lookup", "dns")
        .set("smtp_tls_security_level", "dane")
        .set("smtp_tls_loglevel", "1")
        .set("smtp_tcp_port", &port.to_string())
        .set(
            "smtp_tls_policy_maps",
            "inline:{ {only-missing.secure.test=dane-only}, {only.insecure.test=dane-only} }",
        )
        .start();
    let verified = "Verified TLS connection established to";
    for (domain, status, why) in [
        ("good.secure.test", "sent", verified),
        ("rolled.secure.test", "sent", verified),
        ("a.secure.test", "sent", verified),
        ("b.secure.test", "sent", verified),
        ("stale.secure.test", "deferred", "Server certificate not verified"),
        ("missing.secure.test", "sent", "TLS connection established to"),
        ("only-missing.secure.test", "deferred", "no TLSA records found"),
        ("unusable.secure.test", "sent", "TLS connection established to"),
        ("plain.secure.test", "deferred", "TLS is required, but was not offered"),
        ("x.insecure.test", "sent", "TLS connection established to"),
        ("only.insecure.test", "deferred", "non DNSSEC destination"),
        ("x.expired.test", "deferred", "Host or domain name not found"),
        ("x.bogus.test", "deferred", "Host or domain name not found"),
        ("x.half.test", "deferred", "TLSA lookup error for mx-x.half.test"),
    ] {
        sender.send("a@sender.test", &[&format!("u@{domain}")], "Subject: x\n\nx\n");
        let line = sender.wait_log(&[&format!("to=<u@{domain}>"), "status="]);
        assert!(line.contains(&format!("status={status}")), "{line}\n{}", sender.log());
        match status {
            "sent" => {
                let (name, zone) = domain.split_once('.').expect("a domain in a zone");
                let line = sender.wait_log(&["TLS connection established to", &format!("mx-{name}.{zone}")]);
                assert!(line.contains(why), "{line}");
                assert_eq!(line.contains(verified), why == verified, "{line}");
            }
            _ => assert!(line.contains(why), "{line}"),
        }
    }
    assert!(sink.taken().is_empty());
}
