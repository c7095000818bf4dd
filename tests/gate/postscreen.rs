//! postscreen: the same clients with us and with a real Postfix, which look into the same DNS lists.

use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::path::Path;

use testbed::{Address, NameServer, Site, address, connect_from, neighbour, wait};

use super::restrictions::root_directory;
use crate::postfix::Postfix;

/// What the lists say of some of the clients.
const ZONE: &str = "
    2.1.20.127.bl.test A 127.0.0.2
    2.2.20.127.bl.test A 127.0.0.2
    2.3.20.127.bl.test A 127.0.0.2
    2.4.20.127.bl.test A 127.0.0.9
    2.5.20.127.bl.test A 127.0.0.2
    2.5.20.127.wl.test A 127.0.0.5
    2.6.20.127.bl.test A 127.0.0.2
    2.6.20.127.more.test A 127.0.0.3
";

/// One client.
struct Row {
    from: [u8; 4],
    settings: &'static [&'static str],
    /// What it says before it is greeted.
    early: &'static str,
    /// What it says then, each after a reply.
    said: &'static [&'static str],
}

const MAIL: [&str; 4] =
    ["EHLO client.test\r\n", "MAIL FROM:<ann@far.test>\r\n", "RCPT TO:<bob@box.test>\r\n", "QUIT\r\n"];

/// Quick tests, and clients that wait for no greeting are let go on.
const BASE: [&str; 2] = ["postscreen_greet_wait=4s", "postscreen_dnsbl_timeout=10s"];

fn rows() -> Vec<Row> {
    let row = |from, settings, early, said| Row { from, settings, early, said };
    vec![
        // Pregreet.
        row([127, 20, 100, 1], &["postscreen_greet_action=enforce"], "", &MAIL),
        row([127, 20, 101, 1], &["postscreen_greet_action=ignore"], MAIL[0], &MAIL[1..]),
        row([127, 20, 102, 1], &["postscreen_greet_action=enforce"], MAIL[0], &MAIL[1..]),
        row([127, 20, 103, 1], &["postscreen_greet_action=drop"], MAIL[0], &[]),
        row([127, 20, 104, 1], &["postscreen_greet_action=enforce", "postscreen_greet_banner="], "", &MAIL),
        // Lists, weights, thresholds, answers that count.
        row(
            [127, 20, 1, 2],
            &["postscreen_dnsbl_sites=bl.test", "postscreen_dnsbl_action=enforce"],
            "",
            &MAIL,
        ),
        row([127, 20, 2, 2], &["postscreen_dnsbl_sites=bl.test*2", "postscreen_dnsbl_action=drop"], "", &[]),
        row(
            [127, 20, 3, 2],
            &[
                "postscreen_dnsbl_sites=bl.test",
                "postscreen_dnsbl_threshold=2",
                "postscreen_dnsbl_action=drop",
            ],
            "",
            &MAIL,
        ),
        row(
            [127, 20, 4, 2],
            &["postscreen_dnsbl_sites=bl.test=127.0.0.[2..4]", "postscreen_dnsbl_action=drop"],
            "",
            &MAIL,
        ),
        row(
            [127, 20, 5, 2],
            &["postscreen_dnsbl_sites=bl.test*2 wl.test*-2", "postscreen_dnsbl_action=drop"],
            "",
            &MAIL,
        ),
        row(
            [127, 20, 6, 2],
            &[
                "postscreen_dnsbl_sites=bl.test more.test*2",
                "postscreen_dnsbl_threshold=3",
                "postscreen_dnsbl_action=enforce",
            ],
            "",
            &MAIL,
        ),
        row([127, 20, 7, 1], &["postscreen_dnsbl_sites=bl.test", "postscreen_dnsbl_action=drop"], "", &MAIL),
        // Protocol tests: who passes is asked to come again.
        row(
            [127, 20, 110, 1],
            &["postscreen_pipelining_enable=yes", "postscreen_pipelining_action=enforce"],
            "",
            &MAIL,
        ),
        row(
            [127, 20, 111, 1],
            &["postscreen_pipelining_enable=yes", "postscreen_pipelining_action=enforce"],
            "",
            &["EHLO client.test\r\nMAIL FROM:<ann@far.test>\r\n", "RCPT TO:<bob@box.test>\r\n", "QUIT\r\n"],
        ),
        row(
            [127, 20, 112, 1],
            &["postscreen_pipelining_enable=yes", "postscreen_pipelining_action=drop"],
            "",
            &["EHLO client.test\r\nMAIL FROM:<ann@far.test>\r\n"],
        ),
        row(
            [127, 20, 113, 1],
            &["postscreen_non_smtp_command_enable=yes", "postscreen_non_smtp_command_action=drop"],
            "",
            &["Subject: hello\r\n"],
        ),
        row(
            [127, 20, 114, 1],
            &["postscreen_non_smtp_command_enable=yes", "postscreen_non_smtp_command_action=enforce"],
            "",
            &[MAIL[0], "GET / HTTP/1.0\r\n", MAIL[1], MAIL[2], MAIL[3]],
        ),
        row(
            [127, 20, 115, 1],
            &["postscreen_bare_newline_enable=yes", "postscreen_bare_newline_action=enforce"],
            "",
            &["EHLO client.test\n", MAIL[1], MAIL[2], MAIL[3]],
        ),
        row(
            [127, 20, 116, 1],
            &["postscreen_bare_newline_enable=yes", "postscreen_bare_newline_action=drop"],
            "",
            &["EHLO client.test\n"],
        ),
        row(
            [127, 20, 117, 1],
            &["postscreen_bare_newline_enable=yes", "postscreen_bare_newline_action=ignore"],
            "",
            &["EHLO client.test\n", MAIL[1], MAIL[2], MAIL[3]],
        ),
        // Everything that may be said in the dialogue.
        row(
            [127, 20, 118, 1],
            &["postscreen_bare_newline_enable=yes"],
            "",
            &[
                "HELO client.test\r\n",
                "NOOP\r\n",
                "VRFY <bob@box.test>\r\n",
                "ETRN box.test\r\n",
                "RCPT TO:<bob@box.test>\r\n",
                "MAIL FROM:<>\r\n",
                "DATA\r\n",
                "RCPT TO:<bob@box.test>\r\n",
                "RSET\r\n",
                "HELP\r\n",
                "EXPN x\r\n",
                "QUIT\r\n",
            ],
        ),
        row(
            [127, 20, 140, 1],
            &["postscreen_pipelining_enable=yes", "postscreen_pipelining_action=ignore"],
            "",
            &["EHLO client.test\r\nMAIL FROM:<ann@far.test>\r\n", "RCPT TO:<bob@box.test>\r\n", "QUIT\r\n"],
        ),
        row(
            [127, 20, 141, 1],
            &["postscreen_non_smtp_command_enable=yes", "postscreen_non_smtp_command_action=ignore"],
            "",
            &["GET / HTTP/1.0\r\n", MAIL[0], MAIL[1], MAIL[2], MAIL[3]],
        ),
        row([127, 20, 142, 1], &["postscreen_bare_newline_enable=yes"], "", &[MAIL[0], MAIL[3]]),
        row([127, 20, 143, 1], &["postscreen_bare_newline_enable=yes"], "", &[MAIL[0], MAIL[1], MAIL[3]]),
        row([127, 20, 144, 1], &["postscreen_pipelining_enable=yes"], "", &[MAIL[0], "RSET\r\n", MAIL[3]]),
        row([127, 20, 145, 1], &["postscreen_pipelining_enable=yes"], "", &[MAIL[0], MAIL[1], "DATA\r\n"]),
        row(
            [127, 20, 146, 1],
            &[
                "postscreen_non_smtp_command_enable=yes",
                "postscreen_bare_newline_enable=yes",
                "postscreen_bare_newline_action=enforce",
            ],
            "",
            &["EHLO client.test\n", MAIL[1], MAIL[2], MAIL[3]],
        ),
        row(
            [127, 20, 147, 1],
            &["postscreen_pipelining_enable=yes"],
            "",
            &[
                "EHLO\r\n",
                "HELP\r\n",
                "EXPN x\r\n",
                "VRFY\r\n",
                "AUTH PLAIN\r\n",
                "XCLIENT NAME=x\r\n",
                "XFORWARD NAME=x\r\n",
                "STARTTLS\r\n",
                "MAIL FROM:x\r\n",
                "RCPT TO:\r\n",
                "RSET\r\n",
                "NONSENSE\r\n",
                "\r\n",
                "MAIL FROM:<a@far.test> SIZE=10\r\n",
                "MAIL FROM:<a@far.test>\r\n",
                "RCPT TO:<bob@box.test>\r\n",
                "RCPT TO:<ann@box.test> NOTIFY=NEVER\r\n",
                "QUIT\r\n",
            ],
        ),
        row(
            [127, 20, 148, 1],
            &["postscreen_greet_action=enforce"],
            MAIL[0],
            &["VRFY <bob@box.test>\r\n", "ETRN box.test\r\n", "QUIT\r\n"],
        ),
        row([127, 20, 149, 1], &["postscreen_pipelining_enable=yes"], "", &[MAIL[0], "BDAT 3 LAST\r\n"]),
        row(
            [127, 20, 150, 1],
            &["postscreen_pipelining_enable=yes"],
            "",
            &[MAIL[0], MAIL[1], "BDAT 3 LAST\r\n"],
        ),
        row([127, 20, 151, 1], &["postscreen_pipelining_enable=yes"], "", &[MAIL[0], "DATA\r\n"]),
        // Access lists.
        row(
            [127, 20, 120, 1],
            &["postscreen_access_list=cidr:{{127.20.120.0/24 permit}}", "postscreen_greet_action=drop"],
            "",
            &MAIL,
        ),
        row(
            [127, 20, 121, 1],
            &["postscreen_access_list=cidr:{{127.20.121.0/24 reject}}", "postscreen_denylist_action=drop"],
            "",
            &[],
        ),
        row(
            [127, 20, 122, 1],
            &["postscreen_access_list=cidr:{{127.20.122.0/24 reject}}", "postscreen_denylist_action=enforce"],
            "",
            &MAIL,
        ),
        row(
            [127, 20, 123, 1],
            &[
                "postscreen_access_list=cidr:{{127.20.123.0/24 dunno}, {127.0.0.0/8 reject}}",
                "postscreen_denylist_action=drop",
            ],
            "",
            &MAIL,
        ),
        // A backup address earns nobody the right to pass.
        row([127, 20, 124, 1], &["postscreen_allowlist_interfaces=!127.0.0.0/8 static:all"], "", &MAIL),
        // Behind a proxy.
        row(
            [127, 20, 131, 9],
            &[
                "postscreen_upstream_proxy_protocol=haproxy",
                "postscreen_access_list=cidr:{{127.20.131.9 reject}}",
                "postscreen_denylist_action=drop",
            ],
            "PROXY TCP4 127.20.131.9 127.0.0.1 1234 25\r\n",
            &[],
        ),
    ]
}

/// What a client hears, and the same client once more. The keywords of EHLO depend on what was built in.
fn heard(at: Address, row: &Row) -> Vec<String> {
    let mut heard = session(at, row);
    heard.push("again".to_owned());
    heard.extend(session(at, row));
    heard
}

fn session(at: Address, row: &Row) -> Vec<String> {
    let [a, b, c, d] = row.from;
    let stream = wait::until("the service", || connect_from(Ipv4Addr::new(a, b, c, d), at).ok());
    let mut stream = BufReader::new(stream);
    let mut heard = Vec::new();
    let mut reply = |stream: &mut BufReader<std::net::TcpStream>| {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).unwrap_or_default() == 0 {
                return false;
            }
            text.push_str(&line);
            if line.as_bytes().get(3) == Some(&b' ') {
                break;
            }
        }
        let text = if text.contains("250-") { "250".to_owned() } else { text.trim_end().to_owned() };
        heard.push(text);
        true
    };
    // Whoever was turned away hears no more.
    let _ = stream.get_mut().write_all(row.early.as_bytes());
    for said in row.said {
        if !reply(&mut stream) || stream.get_mut().write_all(said.as_bytes()).is_err() {
            break;
        }
    }
    while reply(&mut stream) {}
    heard
}

/// What the log says of a client, without ports and times.
fn told(log: &str, row: &Row) -> Vec<String> {
    let [a, b, c, d] = row.from;
    let label = format!("[{a}.{b}.{c}.{d}]");
    let lines = log.lines().filter_map(|line| line.split_once("/postscreen[")).filter_map(|(_, line)| {
        line.split_once("]: ").map(|(_, text)| text).filter(|text| text.contains(&label))
    });
    let plain = |line: &str| {
        let mut out = String::new();
        let mut words = line.split(' ').peekable();
        while let Some(word) = words.next() {
            let word = match word.split_once("]:") {
                Some((host, rest)) => {
                    format!("{host}]:P{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
                }
                None => word.to_owned(),
            };
            out.push_str(&word);
            out.push(' ');
            if word == "after"
                && words.peek().is_some_and(|next| next.starts_with(|c: char| c.is_ascii_digit()))
            {
                words.next();
                out.push_str("T ");
            }
        }
        // Where it connected to is another address with each.
        out.split(" to [127.").next().unwrap_or_default().trim_end().to_owned()
    };
    lines.map(plain).collect()
}

#[test]
fn clients_are_screened_as_by_postfix() {
    let Some([master, _setsid]) = neighbour::installed(["master", "setsid"]) else { return };
    if !neighbour::root() {
        return;
    }
    let mut rows = rows();
    // A list that a busy machine asks too late says nothing: what differed is played again, by clients who are new.
    for last in [false, false, true] {
        let wrong = compare(&master, &rows);
        let told: Vec<&str> = wrong.iter().map(|(_, told)| told.as_str()).collect();
        assert!(!last || told.is_empty(), "{}", told.join("\n"));
        let again: Vec<usize> = wrong.into_iter().map(|(number, _)| number).collect();
        let mut number = 0..;
        rows.retain(|_| number.next().is_some_and(|number| again.contains(&number)));
        if rows.is_empty() {
            return;
        }
    }
}

/// Plays rows to both; which came out differently, and how.
fn compare(master: &Path, rows: &[Row]) -> Vec<(usize, String)> {
    let names = NameServer::start(ZONE);
    let real = Postfix::prepare(
        "[127.0.0.1]:1",
        "mynetworks = 10.0.0.0/8\nsmtpd_relay_restrictions = reject_unauth_destination\n",
    );
    root_directory(&real, &names.resolv_conf());
    let mut ours = Site::new("real.test")
        .set("mydestination", "")
        .set("mynetworks", "10.0.0.0/8")
        .set("smtpd_relay_restrictions", "reject_unauth_destination")
        .set("virtual_mailbox_maps", "inline:{bob@box.test=bob/}");
    let file = ours.put("resolv.conf", &names.resolv_conf());
    ours = ours.set("resolv_conf", &file.display().to_string());
    let mut lines = std::fs::read_to_string(real.conf().join("master.cf")).expect("it was just written");
    lines.push_str(
        "smtpd pass - - n - - smtpd\ndnsblog unix - - y - 0 dnsblog\ntlsproxy unix - - n - 0 tlsproxy\n",
    );
    ours = ours.service("smtpd pass - - n - - smtpd");
    let mut places = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let (theirs, own) = (address(), address());
        let line = |at: Address, more: String| {
            let settings = BASE.iter().chain(row.settings).map(|one| format!("\n    -o {{ {one} }}"));
            format!(
                "{}:{} inet n - n - 1 postscreen{}{more}",
                at.ip(),
                at.port(),
                settings.collect::<String>()
            )
        };
        let cache = real.path().join(format!("data/screened-{number}"));
        lines.push_str(&line(theirs, format!("\n    -o postscreen_cache_map=btree:{}\n", cache.display())));
        ours = ours.service(&line(own, String::new()));
        places.push((theirs, own));
    }
    real.put("master.cf", &lines);
    let real = Postfix::launch(master.to_owned(), real);
    let ours = ours.start();
    // Each waits for its greeting: all at once.
    let sessions: Vec<(Vec<String>, Vec<String>)> = std::thread::scope(|scope| {
        let started: Vec<_> = rows
            .iter()
            .zip(&places)
            .map(|(row, (theirs, own))| {
                (scope.spawn(|| heard(*theirs, row)), scope.spawn(|| heard(*own, row)))
            })
            .collect();
        let joined = started.into_iter();
        joined.map(|(theirs, own)| (theirs.join().expect("it ends"), own.join().expect("it ends"))).collect()
    });
    let mut wrong = Vec::new();
    for (number, (row, (theirs, own))) in rows.iter().zip(sessions).enumerate() {
        if theirs != own {
            wrong.push((number, format!("{:?}\n  Postfix: {theirs:#?}\n  ours: {own:#?}", row.settings)));
        }
        let same = wait::within(std::time::Duration::from_secs(10), || {
            let (theirs, own) = (told(&real.log(), row), told(&ours.log(), row));
            (theirs == own && !own.is_empty()).then_some(())
        });
        if same.is_none() {
            let (theirs, own) = (told(&real.log(), row), told(&ours.log(), row));
            wrong
                .push((number, format!("{:?}\n  Postfix logs: {theirs:#?}\n  ours: {own:#?}", row.settings)));
        }
    }
    wrong
}
