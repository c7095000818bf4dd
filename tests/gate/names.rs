//! The restrictions that ask the DNS, or whether an address can be delivered to: the same session with us and with a real
//! Postfix, which ask the same name server.

use std::os::unix::fs::PermissionsExt;

use testbed::{Answer, Kept, NameServer, Sink, address, neighbour, wait};

use super::restrictions::{Row, and, compare, row, with_table};

const ZONE: &str = "
    client.test A 192.0.2.9
    client.test MX 10 mx.client.test
    client.test NS ns.client.test
    mx.client.test A 192.0.2.10
    ns.client.test A 192.0.2.11
    far.test MX 10 mx.far.test
    far.test A 192.0.2.20
    far.test NS ns.far.test
    mx.far.test A 192.0.2.21
    ns.far.test A 192.0.2.22
    box.test MX 10 mx.box.test
    box.test A 192.0.2.30
    box.test NS ns.box.test
    mx.box.test A 192.0.2.31
    ns.box.test A 192.0.2.32
    null.test MX 0 .
    alias.test CNAME far.test
    twice.test CNAME alias.test
    dangling.test CNAME nowhere.test
    circle.test CNAME circle2.test
    circle2.test CNAME circle.test
    lame.test REFUSED
    broken.test SERVFAIL
    hostonly.test A 192.0.2.40
    mxnowhere.test MX 10 nowhere.test
    mxbroken.test MX 10 broken.test
    numeric.test MX 10 192.0.2.41
    empty.test EXISTS
    v6.test AAAA 2001:db8::1
    backup.test MX 10 mx.far.test
    backup.test MX 20 ours.test
    primary.test MX 10 ours.test
    ours.test A 192.0.2.50
    9.2.0.192.bl.test A 127.0.0.2
    9.2.0.192.bl.test A 127.0.0.11
    9.2.0.192.bl.test TXT listed, see http://bl.test/
    9.2.0.192.quiet.test A 127.0.0.4
    9.2.0.192.broken.bl.test SERVFAIL
    client.test.rhs.test A 127.0.1.2
    client.test.rhs.test TXT a bad name
    far.test.rhs.test A 127.0.1.3
    box.test.rhs.test A 127.0.1.4
    far.test.brokenrhs.test SERVFAIL
    9.2.0.192.wl.test A 127.0.0.10
    client.test.wl.test A 127.0.0.10
";

/// A session of a client with this name that the server was told of.
macro_rules! said {
    ($helo:literal, $sender:literal, $recipient:literal) => {
        said!("NAME=client.test REVERSE_NAME=client.test ADDR=192.0.2.9", $helo, $sender, $recipient)
    };
    ($client:literal, $helo:literal, $sender:literal, $recipient:literal) => {
        [
            concat!("XCLIENT ", $client),
            concat!("EHLO ", $helo),
            concat!("MAIL FROM:<", $sender, ">"),
            concat!("RCPT TO:<", $recipient, ">"),
        ]
    };
}

const USUAL: [&str; 4] = said!("client.test", "ann@far.test", "bob@box.test");

fn trusted(row: Row) -> Row {
    and(row, &["smtpd_authorized_xclient_hosts=127.0.0.0/8"])
}

/// The names that look for the servers behind a name, with what they find, and what they find it under.
fn servers() -> Vec<Row> {
    let mut rows = Vec::new();
    for (who, domain) in [
        ("client", "client"),
        ("reverse_client_hostname", "client"),
        ("helo", "client"),
        ("sender", "far"),
        ("recipient", "box"),
    ] {
        for kind in ["a", "mx", "ns"] {
            let table: &'static str = match (kind, domain) {
                ("a", "client") => "192.0.2.9 REJECT address\n",
                ("a", "far") => "192.0.2.20 554 5.7.4 address\n",
                ("a", _) => "192.0.2.30 450 4.7.4 address\n",
                ("mx", "client") => "mx.client.test REJECT host\n",
                ("mx", "far") => "192.0.2.21 REJECT address\n",
                ("mx", _) => "box.test DEFER_IF_PERMIT host\n",
                ("ns", "client") => "192.0.2.11 REJECT address\n",
                ("ns", "far") => "ns.far.test REJECT host\n",
                (_, _) => "192.0.2 REJECT network\n",
            };
            rows.push(with_table(&format!("check_{who}_{kind}_access %M, permit"), table, &USUAL));
        }
    }
    // What the DNS says of senders, and of the servers of their domains.
    for sender in [
        "MAIL FROM:<ann@null.test>",
        "MAIL FROM:<ann@alias.test>",
        "MAIL FROM:<ann@twice.test>",
        "MAIL FROM:<ann@dangling.test>",
        "MAIL FROM:<ann@circle.test>",
        "MAIL FROM:<ann@lame.test>",
        "MAIL FROM:<ann@broken.test>",
        "MAIL FROM:<ann@hostonly.test>",
        "MAIL FROM:<ann@mxnowhere.test>",
        "MAIL FROM:<ann@mxbroken.test>",
        "MAIL FROM:<ann@numeric.test>",
        "MAIL FROM:<ann@empty.test>",
        "MAIL FROM:<ann@v6.test>",
        "MAIL FROM:<ann@nowhere.test>",
        "MAIL FROM:<ann@a.b.far.test>",
        "MAIL FROM:<>",
    ] {
        let said = [USUAL[0], USUAL[1], sender, USUAL[3]];
        for list in [
            "reject_unknown_sender_domain, reject_unknown_address, permit",
            "check_sender_mx_access %M, permit",
            "check_sender_ns_access %M, check_sender_a_access %M, permit",
        ] {
            rows.push(with_table(list, "192.0.2 REJECT network\n2001:db8 REJECT v6\n", &said));
        }
    }
    rows
}

fn names_of_clients() -> Vec<Row> {
    let mut rows = Vec::new();
    for client in [
        "XCLIENT NAME=client.test REVERSE_NAME=client.test ADDR=192.0.2.9",
        "XCLIENT NAME=[UNAVAILABLE] REVERSE_NAME=other.test ADDR=192.0.2.9",
        "XCLIENT NAME=[TEMPUNAVAIL] REVERSE_NAME=other.test ADDR=192.0.2.9",
        "XCLIENT NAME=[UNAVAILABLE] REVERSE_NAME=[UNAVAILABLE] ADDR=192.0.2.9",
        "XCLIENT NAME=[TEMPUNAVAIL] REVERSE_NAME=[TEMPUNAVAIL] ADDR=192.0.2.9",
    ] {
        let said = [client, USUAL[1], USUAL[2], USUAL[3]];
        for list in [
            "reject_unknown_client_hostname, permit",
            "reject_unknown_client, permit",
            "reject_unknown_reverse_client_hostname, permit",
            "reject_rhsbl_client rhs.test, reject_rhsbl_reverse_client rhs.test, permit",
            "permit_rhswl_client wl.test, reject",
        ] {
            rows.push(row(list, &said));
        }
    }
    for helo in [
        "EHLO client.test",
        "EHLO nowhere.test",
        "EHLO broken.test",
        "EHLO null.test",
        "EHLO empty.test",
        "EHLO [192.0.2.9]",
        "EHLO dangling.test",
        "EHLO v6.test",
    ] {
        let said = [USUAL[0], helo, USUAL[2], USUAL[3]];
        rows.push(row("reject_unknown_helo_hostname, permit", &said));
        rows.push(row("reject_unknown_hostname, permit", &said));
        rows.push(row("reject_rhsbl_helo rhs.test, permit", &said));
    }
    for recipient in [
        "RCPT TO:<bob@box.test>",
        "RCPT TO:<x@nowhere.test>",
        "RCPT TO:<x@broken.test>",
        "RCPT TO:<x@null.test>",
        "RCPT TO:<x@backup.test>",
        "RCPT TO:<x@primary.test>",
        "RCPT TO:<x@mxbroken.test>",
    ] {
        let said = [USUAL[0], USUAL[1], USUAL[2], recipient];
        rows.push(row("reject_unknown_recipient_domain, permit", &said));
        let backup = "permit_mx_backup, reject_unauth_destination";
        rows.push(and(row(backup, &said), &["proxy_interfaces=192.0.2.50"]));
        let networks = &["proxy_interfaces=192.0.2.50", "permit_mx_backup_networks=192.0.2.20/30"];
        rows.push(and(row(backup, &said), networks));
    }
    rows
}

fn lists() -> Vec<Row> {
    let mut rows: Vec<Row> = [
        "reject_rbl_client bl.test",
        "reject_rbl_client bl.test=127.0.0.2",
        "reject_rbl_client bl.test=127.0.0.3",
        "reject_rbl_client bl.test=127.0.0.[8..12]",
        "reject_rbl_client bl.test=127.0.[0..1].[3;11], permit",
        "reject_rbl_client quiet.test, permit",
        "reject_rbl_client broken.bl.test, permit",
        "reject_rbl_client broken.bl.test, reject",
        "reject_rbl_client nowhere.test, permit",
        "warn_if_reject reject_rbl_client bl.test, permit",
        "permit_dnswl_client wl.test, reject",
        "permit_dnswl_client wl.test=127.0.0.11, reject",
        "permit_dnswl_client broken.bl.test, reject",
        "permit_dnswl_client broken.bl.test, reject_rbl_client bl.test",
        "permit_rhswl_client wl.test, reject",
        "reject_rhsbl_client rhs.test, permit",
        "reject_rhsbl_reverse_client rhs.test, permit",
        "reject_rhsbl_helo rhs.test, permit",
        "reject_rhsbl_sender rhs.test, permit",
        "reject_rhsbl_sender rhs.test=127.0.1.3, permit",
        "reject_rhsbl_sender brokenrhs.test, permit",
        "reject_rhsbl_recipient rhs.test, permit",
    ]
    .into_iter()
    .map(|list| row(list, &USUAL))
    .collect();
    let with = |list: &str, settings: &[&str]| and(row(list, &USUAL), settings);
    rows.extend([
        with(
            "reject_rbl_client bl.test",
            &["default_rbl_reply=$rbl_code $rbl_domain: $rbl_what ($rbl_class) ${rbl_txt?text $rbl_txt}"],
        ),
        with("reject_rbl_client bl.test", &["maps_rbl_reject_code=571"]),
        with("reject_maps_rbl, permit", &["maps_rbl_domains=nowhere.test, bl.test"]),
        and(
            with_table(
                "reject_rbl_client bl.test",
                "bl.test 554 5.7.3 $client_address is in $rbl_domain\n",
                &USUAL,
            ),
            &["rbl_reply_maps=%M"],
        ),
        with("reject_unknown_sender_domain, permit", &["unknown_address_reject_code=553"]),
    ]);
    let later = |setting: &str| {
        and(
            row(
                "reject_unknown_sender_domain, reject_unknown_helo_hostname, reject",
                &said!("broken.test", "ann@broken.test", "bob@box.test"),
            ),
            &[setting],
        )
    };
    rows.extend([
        later("unknown_address_tempfail_action=defer"),
        later("unknown_helo_hostname_tempfail_action=defer"),
    ]);
    rows
}

/// All that is played here.
pub(super) fn rows() -> Vec<Row> {
    [servers(), names_of_clients(), lists(), probes()].into_iter().flatten().collect()
}

/// Plays rows to both, as a client who may say who it is.
fn same(rows: Vec<Row>) {
    if !neighbour::root() {
        return;
    }
    let rows: Vec<Row> = rows.into_iter().map(trusted).collect();
    let names = NameServer::start(ZONE);
    compare(&rows, Some(&names.resolv_conf()), "[127.0.0.1]:1");
    assert!(names.asked() > 0);
}

#[test]
fn what_the_servers_of_a_domain_are_decides_as_in_postfix() {
    same(servers());
}

#[test]
fn what_a_client_is_called_decides_as_in_postfix() {
    same(names_of_clients());
}

#[test]
fn dns_lists_decide_as_in_postfix() {
    same(lists());
}

/// The server of many a list, with our client and with a real Postfix.
#[test]
fn rbldnsd_is_asked_as_by_postfix() {
    let Some([rbldnsd]) = neighbour::installed(["rbldnsd"]) else { return };
    if !neighbour::root() {
        return;
    }
    let directory = tempfile::tempdir().expect("/tmp is there");
    // It gives up its rights before it reads.
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    let addresses = ":127.0.0.2:Listed, see http://bl.test/?$\n192.0.2.9\n198.51.100.0/24 :127.0.0.11:A network\n!198.51.100.7\n";
    let domains = ":127.0.1.2:A bad name: $\nclient.test\n.far.test :3:A bad sender\n";
    for (name, text) in [("addresses", addresses), ("domains", domains)] {
        std::fs::write(directory.path().join(name), text).expect("it is ours");
    }
    let ip = address().ip();
    let child = std::process::Command::new(rbldnsd)
        .args(["-n", "-q", "-u", "nobody", "-b", &format!("{ip}/53")])
        .args(["bl.test:ip4set:addresses", "rhs.test:dnset:domains"])
        .current_dir(directory.path())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    let _kept = Kept::new(child.expect("it starts"));
    wait::until("rbldnsd", || {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").ok()?;
        socket.set_read_timeout(Some(std::time::Duration::from_millis(200))).ok()?;
        // Anything it answers, a refusal as well, says that it is there.
        socket.send_to(b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x02bl\x04test\0\0\x06\0\x01", (ip, 53)).ok()?;
        socket.recv(&mut [0; 512]).ok()
    });
    let network =
        said!("NAME=[UNAVAILABLE] ADDR=198.51.100.8", "client.test", "ann@x.far.test", "bob@box.test");
    let excepted = said!("NAME=[UNAVAILABLE] ADDR=198.51.100.7", "c.test", "ann@good.test", "bob@box.test");
    let mut rows = Vec::new();
    for said in [USUAL, network, excepted] {
        for list in [
            "reject_rbl_client bl.test, permit",
            "reject_rbl_client bl.test=127.0.0.11, permit",
            "reject_rhsbl_client rhs.test, permit",
            "reject_rhsbl_helo rhs.test, permit",
            "reject_rhsbl_sender rhs.test, permit",
            "reject_rhsbl_sender rhs.test=127.0.0.3, permit",
            "permit_dnswl_client bl.test, reject",
        ] {
            rows.push(trusted(row(list, &said)));
        }
    }
    let resolv_conf = format!("nameserver {ip}\noptions timeout:10 attempts:2\n");
    compare(&rows, Some(&resolv_conf), "[127.0.0.1]:1");
}

fn probes() -> Vec<Row> {
    let mut rows = Vec::new();
    for (sender, recipient) in [
        ("MAIL FROM:<yes@far.test>", "RCPT TO:<yes2@far.test>"),
        ("MAIL FROM:<no@far.test>", "RCPT TO:<no2@far.test>"),
        ("MAIL FROM:<later@far.test>", "RCPT TO:<later2@far.test>"),
        ("MAIL FROM:<>", "RCPT TO:<nobody@box.test>"),
    ] {
        let said = ["EHLO client.test", sender, recipient];
        rows.push(row("reject_unverified_sender, permit", &said));
        rows.push(row("reject_unverified_recipient, permit", &said));
    }
    rows
}

/// A probe is sent to whoever takes the mail.
#[test]
fn addresses_are_probed_as_by_postfix() {
    if !neighbour::root() {
        return;
    }
    let sink = Sink::scripted(|line| match line {
        _ if line.starts_with("RCPT TO:<no") => Some(Answer::Say("550 5.1.1 nobody here")),
        _ if line.starts_with("RCPT TO:<later") => Some(Answer::Say("450 4.2.1 not now")),
        _ => None,
    });
    compare(&probes(), None, &sink.nexthop());
}
