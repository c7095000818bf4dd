//! Sessions like those of spam senders, refused at RCPT after twenty restrictions and three DNS lists: what they cost us, and
//! what they cost a real Postfix with the same configuration and the same name server.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use testbed::{Address, Crowd, Exchange, NameServer, Site, neighbour};

use super::restrictions::root_directory;
use crate::postfix::Postfix;

/// Everybody has a name that does not lead back, nobody is in the first two lists, and everybody in the third.
const ZONE: &str = "
    *.127.in-addr.arpa PTR dialup.spam.test
    dialup.spam.test A 192.0.2.99
    *.spam.test MX 10 mx.spam.test
    mx.spam.test A 192.0.2.98
    box.test A 192.0.2.97
    *.bl3.test A 127.0.0.4
    *.bl3.test TXT listed, see http://bl3.test/
";

/// Twenty restrictions that have no objection, and three lists.
const RESTRICTIONS: [(&str, &str); 5] = [
    (
        "smtpd_client_restrictions",
        "permit_mynetworks, check_client_access hash:%C/clients, check_client_access cidr:%C/networks, reject_unknown_reverse_client_hostname",
    ),
    (
        "smtpd_helo_restrictions",
        "permit_mynetworks, check_helo_access hash:%C/names, reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname",
    ),
    (
        "smtpd_sender_restrictions",
        "permit_mynetworks, check_sender_access hash:%C/names, reject_non_fqdn_sender, reject_unknown_sender_domain",
    ),
    ("smtpd_relay_restrictions", "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination"),
    (
        "smtpd_recipient_restrictions",
        "permit_mynetworks, reject_non_fqdn_recipient, check_recipient_access hash:%C/names, check_sender_mx_access cidr:%C/networks, reject_unauth_pipelining, reject_rbl_client bl1.test, reject_rbl_client bl2.test, reject_rbl_client bl3.test",
    ),
];

const NAMES: &str = "friend.test OK\nenemy.test REJECT\n";
const CLIENTS: &str = "friend.test OK\n192.0.2.1 REJECT\n";
const NETWORKS: &str = "198.51.100.0/24 REJECT\n203.0.113.0/24 REJECT\n";

/// main.cf lines of both, with the tables in `conf`.
fn lines(conf: &Path) -> Vec<(&'static str, String)> {
    let conf = conf.display().to_string();
    let mut lines: Vec<_> =
        RESTRICTIONS.iter().map(|(name, list)| (*name, list.replace("%C", &conf))).collect();
    lines.extend([
        ("mynetworks", "10.0.0.0/8".to_owned()),
        ("smtpd_peername_lookup", "yes".to_owned()),
        ("smtpd_client_connection_count_limit", "0".to_owned()),
    ]);
    lines
}

fn put_tables(site: &Site) {
    for (name, text) in [("names", NAMES), ("clients", CLIENTS), ("networks", NETWORKS)] {
        site.put(name, text);
    }
}

fn ours(names: &NameServer) -> Site {
    let mut site = Site::new("real.test").set("mydestination", "");
    put_tables(&site);
    let file = site.put("resolv.conf", &names.resolv_conf());
    site = site.set("resolv_conf", &file.display().to_string());
    for (name, value) in lines(&site.conf()) {
        site = site.set(name, &value);
    }
    site
}

/// What a client says; the recipient must be refused.
fn spam(number: u32) -> Vec<Exchange> {
    vec![
        ("EHLO dialup.spam.test".to_owned(), "250"),
        (format!("MAIL FROM:<x{number}@d{}.spam.test>", number % 100), "250"),
        ("RCPT TO:<bob@box.test>".to_owned(), "554"),
        ("QUIT".to_owned(), "221"),
    ]
}

/// Begins `rate` sessions a second (as fast as it can for 0), `count` in all, each from another address, at most 200 at a time.
/// How long it took.
fn play(to: Address, first: u32, count: u32, rate: u32) -> Duration {
    Crowd { to, first, count, rate, places: 200 }.play(spam)
}

/// Processor time of a process, its children, and theirs, in clock ticks; those that have ended are in their parents'.
fn ticks(process: i32) -> u64 {
    let mut sum = 0;
    let mut processes = vec![process];
    while let Some(process) = processes.pop() {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        // utime, stime, cutime, cstime: fields 14 to 17 of proc(5).
        sum += fields.skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
        let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
        let children = children.unwrap_or_default();
        processes.extend(children.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    sum
}

/// The bench: `FACTEUR_BIN=target/release/facteur cargo test -p facteur-tests -- --ignored --nocapture side_by_side`;
/// SESSIONS, RATE, ROUNDS, and ONLY=Facteur say otherwise.
#[test]
#[ignore = "a bench: it says how much processor time each takes, and fails at nothing"]
fn refused_sessions_side_by_side() {
    let Some([master, _setsid]) = neighbour::installed(["master", "setsid"]) else { return };
    let number = |name: &str, otherwise: u32| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let (count, rate) = (number("SESSIONS", 20_000), number("RATE", 500));
    let names = NameServer::start(ZONE);
    let real = Postfix::prepare("[127.0.0.1]:1", "");
    put_tables(&real);
    root_directory(&real, &names.resolv_conf());
    let more: String =
        lines(&real.conf()).iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
    let main = std::fs::read_to_string(real.conf().join("main.cf")).expect("it was just written");
    real.put("main.cf", &(main + &more));
    let services = std::fs::read_to_string(real.conf().join("master.cf")).expect("it was just written");
    real.put("master.cf", &services.replacen("inet n - n - - smtpd", "inet n - y - - smtpd", 1));
    for table in ["names", "clients"] {
        let file = format!("hash:{}", real.conf().join(table).display());
        let made = Command::new("postmap").arg("-c").arg(real.conf()).arg(file).stdin(Stdio::null()).spawn();
        assert!(testbed::kept::outcome(made.expect("postmap is there")).status.success());
    }
    let real = Postfix::launch(master, real);
    let pid = std::fs::read_to_string(real.site.path().join("queue/pid/master.pid")).expect("it runs");
    let pid: i32 = pid.trim().parse().expect("a process id");
    let ours = ours(&names).start();
    let mut costs = [Vec::new(), Vec::new()];
    let only = std::env::var("ONLY").ok();
    for round in 0..number("ROUNDS", 3) {
        for (which, (to, pid)) in
            [(real.site.smtp(), pid), (ours.smtp(), ours.pid().as_raw())].into_iter().enumerate()
        {
            let name = ["Postfix", "Facteur"][which];
            if only.as_deref().is_some_and(|only| only != name) {
                continue;
            }
            let before = ticks(pid);
            let asked = names.asked();
            let took: Duration = play(to, round * count, count, rate);
            let cost = 10.0 * (ticks(pid) - before) as f64 / f64::from(count);
            println!(
                "{name}: {count} sessions in {took:.1?}, {cost:.3} ms each, {} questions, {} MB",
                names.asked() - asked,
                ours.memory() >> 20
            );
            costs[which].push(cost);
        }
    }
    let [theirs, own] = costs.map(|mut costs| {
        costs.sort_by(f64::total_cmp);
        costs.get(costs.len() / 2).copied()
    });
    if let (Some(theirs), Some(own)) = (theirs, own) {
        println!("ratio of the medians: 1/{:.1}", theirs / own);
    }
}

/// What is remembered of strangers does not grow with their number.
#[test]
fn memory_is_bounded_while_addresses_by_the_thousand_come_by() {
    if !neighbour::root() {
        return;
    }
    let names = NameServer::start(ZONE);
    let mx = ours(&names).set("ban_enable", "yes").set("smtpd_error_sleep_time", "0").start();
    // What threads and pools need is there after the first.
    play(mx.smtp(), 0, 500, 0);
    let before = mx.memory();
    play(mx.smtp(), 500, 1500, 0);
    let grown = mx.memory().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes more for 1,500 addresses");
}

/// The same with 20,000, and as many that the greylist puts off: `FACTEUR_BIN=target/release/facteur cargo test -p facteur-tests
/// -- --ignored --nocapture twenty_thousand`.
#[test]
#[ignore = "takes a minute; the test above asks the same of fewer"]
fn memory_is_bounded_while_twenty_thousand_addresses_come_by() {
    if !neighbour::root() {
        return;
    }
    let names = NameServer::start(ZONE);
    let put_off = |number: u32| {
        let mut said = spam(number);
        said[2].1 = "450";
        said
    };
    let site = || ours(&names).set("ban_enable", "yes").set("smtpd_error_sleep_time", "0");
    let greylisting = site()
        .set("smtpd_recipient_restrictions", "reject_unauth_destination, reject_greylisted")
        .set("greylist_pools", "");
    for (what, mx) in [("refused", site().start()), ("put off", greylisting.start())] {
        let mut seen = vec![mx.memory()];
        for round in 0..4 {
            let crowd = Crowd { to: mx.smtp(), first: round * 5000, count: 5000, rate: 0, places: 200 };
            if what == "refused" {
                crowd.play(spam)
            } else {
                crowd.play(put_off)
            };
            seen.push(mx.memory());
        }
        let shown: Vec<String> = seen.iter().map(|bytes| format!("{:.1}", *bytes as f64 / 1e6)).collect();
        println!("{what}: MB after 0, 5,000, 10,000, 15,000 and 20,000 addresses: {}", shown.join(", "));
        assert!(seen[4] < 64 << 20, "{seen:?}");
        assert!(seen[4] < seen[2] + (16 << 20), "{what}: it grows with every address: {seen:?}");
    }
}
