//! Reports about TLS: what is noted while mail goes out, and what the domain hears of it after the day.

use std::io::Write;
use std::process::{Command, Stdio};

use testbed::{Sink, Site, neighbour, wait};

use super::{State, Zones};

#[test]
fn a_domain_hears_how_tls_with_its_servers_went() {
    let Some(mut zones) = Zones::new() else { return };
    let Some([python]) = neighbour::installed(["python3"]) else { return };
    let receiver =
        Site::new("mx.test").with_tls("mx.good.test").set("transport_maps", "static:discard:").start();
    let (ip, port) = (receiver.smtp().ip(), receiver.smtp().port());
    let mut stripped = testbed::address();
    stripped.set_port(port);
    let _plain = Sink::at(stripped);
    let reader = Sink::new();
    let record = "TXT \"v=TLSRPTv1; rua=mailto:tls@reports.test\"";
    zones.put(
        "tell.test",
        &format!(
            "good MX 10 mx-good\nmx-good A {ip}\n_smtp._tls.good {record}\n\
             plain MX 10 mx-plain\nmx-plain A {}\n_smtp._tls.plain {record}\n\
             stale MX 10 mx-stale\nmx-stale A {ip}\n_smtp._tls.stale {record}\n\
             _{port}._tcp.mx-stale TLSA 3 0 1 {:064}\nsilent MX 10 mx-good\n",
            stripped.ip(),
            0
        ),
        State::Signed,
    );
    let resolver = zones.start();
    let mut sender = Site::new("sender.test")
        .set("resolv_conf", &resolver)
        .set("smtp_dns_support_level", "dnssec")
        .set("smtp_host_lookup", "dns")
        .set("smtp_tls_security_level", "dane")
        .set("smtp_tcp_port", &port.to_string())
        .set("smtp_tlsrpt_enable", "yes")
        .set("tlsrpt_organization_name", "sender.test")
        .set("tlsrpt_sender", "tls@sender.test")
        .set("transport_maps", &format!("inline:{{ {{reports.test=smtp:{}}} }}", reader.nexthop()))
        .start();
    for domain in ["good", "plain", "stale", "silent"] {
        sender.send("a@sender.test", &[&format!("u@{domain}.tell.test")], "Subject: x\n\nx\n");
        sender.wait_log(&[&format!("to=<u@{domain}.tell.test>"), "status="]);
    }
    let folder = sender.site().path().join("data/tlsrpt");
    let notes = wait::until("notes of three domains", || {
        let file = std::fs::read_dir(&folder).ok()?.flatten().next()?.path();
        let text = std::fs::read_to_string(&file).ok()?;
        (text.lines().count() >= 3).then_some(file)
    });
    sender.stop();
    // As if it had been long ago.
    std::fs::rename(notes, folder.join("2020-01-01")).expect("it is ours");
    sender.restart();
    let reports = reader.wait_for(3);
    let unpack = "import sys,email,gzip,json\nm=email.message_from_binary_file(sys.stdin.buffer)\n\
        p=[x for x in m.walk() if x.get_content_type()=='application/tlsrpt+gzip'][0]\n\
        d=json.loads(gzip.decompress(p.get_payload(decode=True)))\nq=d['policies'][0]\ns=q['summary']\n\
        print(m['TLS-Report-Domain'],d['organization-name'],d['date-range']['start-datetime'],q['policy']['policy-type'],\
        s['total-successful-session-count'],s['total-failure-session-count'],\
        *[f['result-type'] for f in q.get('failure-details',[])])\n";
    let mut read: Vec<String> = reports
        .iter()
        .map(|report| {
            let mut child = Command::new(&python)
                .args(["-c", unpack])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("it starts");
            child.stdin.take().expect("asked for").write_all(report.text().as_bytes()).expect("it reads");
            let output = testbed::kept::outcome(child);
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        })
        .collect();
    read.sort();
    assert_eq!(
        read,
        [
            "good.tell.test sender.test 2020-01-01T00:00:00Z no-policy-found 1 0",
            "plain.tell.test sender.test 2020-01-01T00:00:00Z no-policy-found 0 1 starttls-not-supported",
            "stale.tell.test sender.test 2020-01-01T00:00:00Z tlsa 0 1 tlsa-invalid",
        ]
    );
    wait::until("the notes to be gone", || (!folder.join("2020-01-01").exists()).then_some(()));
    sender.stop();
}
