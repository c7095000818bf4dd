//! Every restriction, every action of access(5) and every stage: the same session with us and with a real Postfix under the
//! same settings. What needs a DNS of its own is asked here where it can do without.

use std::path::{Path, PathBuf};

use testbed::{Address, Client, Site, address, neighbour, wait};

use crate::postfix::Postfix;

/// The names that Postfix takes.
const NAMES: &str = include_str!("../restrictions-3.7.txt");

/// The first words of the actions of access(5), and of each form that has none.
const ACTIONS: &str = "\
# words
OK\nRELAY\nDUNNO\nREJECT\nDEFER\nDEFER_IF_PERMIT\nDEFER_IF_REJECT\nDISCARD\nHOLD\nFILTER\nREDIRECT\nBCC\nPREPEND\nWARN\nINFO
# all digits, codes, a restriction and a class
12345\n450\n550\n521\nreject_non_fqdn_sender,\nstrict
";

/// A service with settings of its own, and what a client says to it.
pub(super) struct Row {
    /// `name=value`, each a `-o` of the service; `%M` stands for the row's table.
    pub settings: Vec<String>,
    /// The lines of the table.
    pub table: &'static str,
    pub said: Vec<&'static str>,
}

const MAIL: [&str; 3] = ["EHLO client.test", "MAIL FROM:<ann@far.test>", "RCPT TO:<bob@box.test>"];

/// A list of smtpd_recipient_restrictions, and a session that comes to it.
pub(super) fn row(list: &str, said: &[&'static str]) -> Row {
    with_table(list, "", said)
}

pub(super) fn with_table(list: &str, table: &'static str, said: &[&'static str]) -> Row {
    Row { settings: vec![format!("smtpd_recipient_restrictions={list}")], table, said: said.to_vec() }
}

pub(super) fn and(mut row: Row, settings: &[&str]) -> Row {
    row.settings.extend(settings.iter().map(|setting| (*setting).to_owned()));
    row
}

/// One dialogue at least for every name.
fn restrictions() -> Vec<Row> {
    let literal = ["EHLO [192.0.2.9]", "MAIL FROM:<ann@[192.0.2.9]>", "RCPT TO:<bob@box.test>"];
    let to_literal = ["EHLO client.test", "MAIL FROM:<ann@far.test>", "RCPT TO:<bob@[192.0.2.9]>"];
    let unqualified = ["EHLO client", "MAIL FROM:<ann>", "RCPT TO:<bob>"];
    let elsewhere = ["EHLO client.test", "MAIL FROM:<ann@far.test>", "RCPT TO:<x@elsewhere.test>"];
    let login = |name: &str, said: &[&'static str]| {
        let table = "ann@far.test ann\n";
        and(with_table(&format!("{name}, permit"), table, said), &["smtpd_sender_login_maps=%M"])
    };
    let mut rows = vec![
        row("permit, reject", &MAIL),
        row("reject", &MAIL),
        row("defer", &MAIL),
        row("defer_if_permit, permit", &MAIL),
        row("defer_if_permit, reject", &MAIL),
        row("defer_if_reject, reject", &MAIL),
        row("defer_if_reject, permit", &MAIL),
        row("warn_if_reject, reject, permit", &MAIL),
        row("warn_if_reject reject_non_fqdn_sender, reject_non_fqdn_recipient", &unqualified),
        row("sleep 1, reject", &MAIL),
        and(row("permit_mynetworks, reject", &MAIL), &["mynetworks=127.0.0.0/8"]),
        row("permit_mynetworks, reject", &MAIL),
        and(row("permit_inet_interfaces, reject", &MAIL), &["inet_interfaces=127.0.0.1"]),
        row("permit_sasl_authenticated, reject", &MAIL),
        row("permit_tls_clientcerts, permit_tls_all_clientcerts, reject", &MAIL),
        row("reject_plaintext_session", &MAIL),
        row("reject_unauth_pipelining, reject", &MAIL),
        and(
            row(
                "permit_auth_destination",
                &[
                    "EHLO c.test",
                    "MAIL FROM:<>",
                    "RCPT TO:<bob@box.test>",
                    "RCPT TO:<bob@box.test>",
                    "DATA",
                    ".",
                ],
            ),
            &["smtpd_data_restrictions=reject_multi_recipient_bounce"],
        ),
        and(
            row("check_policy_service inet:127.0.0.1:1", &MAIL),
            &["smtpd_policy_service_try_limit=1", "smtpd_policy_service_default_action=550 5.7.9 no server"],
        ),
        with_table("check_ccert_access %M, reject", "00 OK\n", &MAIL),
        and(row("reject", &MAIL), &["smtpd_reject_footer_maps=pcre:{{/^554/ mapped}}"]),
        and(
            row("defer", &MAIL),
            &["smtpd_reject_footer_maps=pcre:{{/^450/ DUNNO}}", "smtpd_reject_footer=of all"],
        ),
        with_table("check_client_access %M", "127.0.0 REJECT by network\n", &MAIL),
        with_table(
            "check_client_a_access %M, check_client_mx_access %M, check_client_ns_access %M, reject",
            "0 OK\n",
            &MAIL,
        ),
        with_table("check_reverse_client_hostname_access %M", "unknown 550 5.7.25 no name\n", &MAIL),
        with_table(
            "check_reverse_client_hostname_a_access %M, check_reverse_client_hostname_mx_access %M, \
             check_reverse_client_hostname_ns_access %M, reject",
            "0 OK\n",
            &MAIL,
        ),
        with_table("check_sasl_access %M, reject", "ann OK\n", &MAIL),
        with_table("check_helo_access %M", ".test REJECT parent\nclient.test REJECT exact\n", &MAIL),
        with_table(
            "check_helo_a_access %M, check_helo_mx_access %M, reject",
            "192.0.2.9 REJECT helo\n",
            &literal,
        ),
        with_table("check_helo_ns_access %M, reject", "192.0.2.9 REJECT helo\n", &literal),
        with_table("check_sender_access %M", "far.test REJECT domain\n", &MAIL),
        with_table("check_sender_a_access %M", "192.0.2.9 REJECT a\n", &literal),
        with_table("check_sender_mx_access %M", "192.0.2.9 REJECT mx\n", &literal),
        with_table("check_sender_ns_access %M, reject", "192.0.2.9 REJECT ns\n", &literal),
        with_table("check_recipient_access %M", "bob@ REJECT user\n", &MAIL),
        with_table("check_recipient_a_access %M", "192.0.2.9 REJECT a\n", &to_literal),
        with_table("check_recipient_mx_access %M", "192.0.2.9 REJECT mx\n", &to_literal),
        with_table("check_recipient_ns_access %M, reject", "192.0.2.9 REJECT ns\n", &to_literal),
        row(
            "reject_rhsbl_client bl.test, reject_rhsbl_reverse_client bl.test, permit_rhswl_client wl.test, reject",
            &MAIL,
        ),
        row("reject_rhsbl_helo bl.test, reject_rhsbl_sender bl.test, reject", &literal),
        row("reject_rhsbl_recipient bl.test, reject", &to_literal),
        row("reject_unknown_client_hostname", &MAIL),
        row("reject_unknown_client", &MAIL),
        row("reject_unknown_reverse_client_hostname", &MAIL),
        row("reject_invalid_helo_hostname", &["EHLO -bad-", MAIL[1], MAIL[2]]),
        row("reject_invalid_hostname", &["HELO -bad-", MAIL[1], MAIL[2]]),
        row("reject_non_fqdn_helo_hostname", &["EHLO client", MAIL[1], MAIL[2]]),
        row("reject_non_fqdn_hostname", &["EHLO client", MAIL[1], MAIL[2]]),
        row("permit_naked_ip_address, reject_unknown_helo_hostname, reject", &literal),
        row("reject_unknown_hostname, reject", &literal),
        row("reject_non_fqdn_sender", &unqualified),
        row("reject_non_fqdn_recipient", &unqualified),
        row("reject_unknown_sender_domain, reject", &literal),
        row("reject_unknown_recipient_domain, reject", &to_literal),
        row("reject_unknown_address, reject", &literal),
        row("reject_unlisted_sender", &["EHLO c.test", "MAIL FROM:<nobody@box.test>", MAIL[2]]),
        row("reject_unlisted_recipient", &["EHLO c.test", MAIL[1], "RCPT TO:<nobody@box.test>"]),
        row("reject_unauth_destination", &elsewhere),
        row("defer_unauth_destination", &elsewhere),
        row("permit_auth_destination, reject", &MAIL),
        row("permit_mx_backup, reject", &MAIL),
        row("check_relay_domains", &elsewhere),
        and(row("reject_maps_rbl, reject", &MAIL), &["maps_rbl_domains="]),
    ];
    for name in [
        "reject_sender_login_mismatch",
        "reject_authenticated_sender_login_mismatch",
        "reject_unauthenticated_sender_login_mismatch",
        "reject_known_sender_login_mismatch",
    ] {
        rows.push(login(name, &MAIL));
    }
    let etrn = &["EHLO client.test", "ETRN site.test", "ETRN other.test"];
    let etrn = Row {
        settings: vec!["smtpd_etrn_restrictions=check_etrn_access %M, reject".to_owned()],
        table: "site.test 550 5.7.8 not you\n",
        said: etrn.to_vec(),
    };
    rows.push(etrn);
    rows
}

/// Where the words of a row's lists begin and end.
fn says(row: &Row, word: &str) -> bool {
    row.settings.iter().any(|setting| setting.split([',', ' ', '=']).any(|one| one == word))
}

/// Every action of access(5), behind the same restriction.
fn actions() -> Vec<Row> {
    let tables = [
        "bob@box.test OK\n",
        "bob@box.test RELAY\n",
        "bob@box.test 12345\n",
        "bob@box.test DUNNO\n",
        "bob@box.test REJECT\n",
        "bob@box.test reject with text\n",
        "bob@box.test REJECT 5.7.9 with a status\n",
        "bob@box.test DEFER\n",
        "bob@box.test DEFER 4.7.9 later\n",
        "bob@box.test 450 not now\n",
        "bob@box.test 550 5.1.1 not here\n",
        "bob@box.test 521 go away\n",
        "bob@box.test DEFER_IF_PERMIT perhaps\n",
        "bob@box.test DEFER_IF_REJECT perhaps\n",
        "bob@box.test DISCARD silently\n",
        "bob@box.test HOLD for a look\n",
        "bob@box.test FILTER smtp:[127.0.0.1]:1\n",
        "bob@box.test FILTER nonsense\n",
        "bob@box.test REDIRECT carol@box.test\n",
        "bob@box.test REDIRECT nonsense\n",
        "bob@box.test BCC carol@box.test\n",
        "bob@box.test PREPEND X-Note: yes\n",
        "bob@box.test PREPEND nonsense\n",
        "bob@box.test WARN of this\n",
        "bob@box.test INFO on this\n",
        "bob@box.test reject_non_fqdn_sender, permit\n",
        "bob@box.test strict\n",
        "bob@box.test nonsense\n",
    ];
    let rows = tables.into_iter().flat_map(|table| {
        let said = ["EHLO client.test", "MAIL FROM:<ann@far>", "RCPT TO:<bob@box.test>"];
        let end = ["permit", "reject"]
            .map(|last| with_table(&format!("check_recipient_access %M, {last}"), table, &said));
        end.map(|row| and(row, &["smtpd_restriction_classes=strict", "strict=reject_non_fqdn_sender"]))
    });
    rows.collect()
}

/// A refusal at each stage, at once and put off.
fn stages() -> Vec<Row> {
    let said = |list| match list {
        // Where it is not refused, a Postfix without flush(8) waits for it.
        "etrn" => vec!["EHLO client.test", "ETRN x.test"],
        _ => vec!["EHLO client.test", "MAIL FROM:<ann@far.test>", "RCPT TO:<bob@box.test>", "DATA", "."],
    };
    let lists = ["client", "helo", "etrn", "sender", "relay", "recipient", "data", "end_of_data"];
    let rows = lists.into_iter().flat_map(|list| {
        // Neither starts a service that might relay for everybody.
        let guard = if list == "relay" { ", reject_unauth_destination" } else { "" };
        ["yes", "no"].map(|late| Row {
            settings: vec![
                format!("smtpd_{list}_restrictions=check_client_access %M{guard}"),
                format!("smtpd_delay_reject={late}"),
            ],
            table: "127 554 5.7.7 not at this stage\n",
            said: said(list),
        })
    });
    rows.collect()
}

/// A row as a line of master.cf, its table as a file.
fn service(row: &Row, at: Address, table: &Path, chroot: &str) -> String {
    let mut line = format!("{}:{} inet n - {chroot} - - smtpd", at.ip(), at.port());
    for setting in &row.settings {
        let setting = setting.replace("%M", &format!("texthash:{}", table.display()));
        line.push_str(&format!("\n    -o {{ {setting} }}"));
    }
    line
}

fn session(at: Address, row: &Row) -> Vec<String> {
    let mut client = wait::until("the service", || Client::connect(at).ok());
    let banner = client.reply();
    let mut heard = vec![format!("{} {}", banner.code, banner.text)];
    for line in row.said.iter().copied().chain(["QUIT"]) {
        match client.try_ask(line) {
            // What EHLO offers depends on what was built in.
            Ok(reply) if line.starts_with("EHLO") => heard.push(reply.code.to_string()),
            // Queue ids differ.
            Ok(reply) => {
                heard.push(format!("{line}: {}", reply.text.split("queued as").next().unwrap_or_default()))
            }
            Err(_) => heard.push(format!("{line}: gone")),
        }
    }
    heard
}

/// What the log says of messages and refusals, in no order.
fn verdicts(log: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| line.split_once("NOQUEUE: "));
    let mut lines: Vec<String> = lines.map(|(_, text)| text.to_owned()).collect();
    lines.sort();
    lines
}

/// A Postfix asks the name servers of its root directory; this makes that directory what a program needs to ask ours.
pub(super) fn root_directory(real: &Site, resolv_conf: &str) {
    let etc = real.path().join("queue/etc");
    std::fs::create_dir(&etc).expect("it is ours");
    std::fs::write(etc.join("resolv.conf"), resolv_conf).expect("it is ours");
    std::fs::write(etc.join("nsswitch.conf"), "hosts: files dns\n").expect("it is ours");
    for name in ["hosts", "services"] {
        // Where there is none, neither has one.
        let _ = std::fs::copy(Path::new("/etc").join(name), etc.join(name));
    }
}

/// Plays all rows to both, and compares replies and log; with `resolv_conf`, both ask its server. Mail for elsewhere goes to
/// `relayhost`.
pub(super) fn compare(rows: &[Row], resolv_conf: Option<&str>, relayhost: &str) {
    let Some([master, _setsid]) = neighbour::installed(["master", "setsid"]) else { return };
    if !neighbour::root() {
        return;
    }
    let relaying = "smtpd_relay_restrictions = check_client_access static:OK, reject_unauth_destination\nmynetworks = 10.0.0.0/8\nsmtpd_error_sleep_time = 0\n";
    let real = Postfix::prepare(relayhost, relaying);
    let mut ours = Site::new("real.test")
        .set("mydestination", "")
        .set("virtual_mailbox_maps", "inline:{bob@box.test=bob/}")
        .set("relayhost", relayhost)
        .set("smtpd_relay_restrictions", "check_client_access static:OK, reject_unauth_destination")
        .set("mynetworks", "10.0.0.0/8")
        .set("smtpd_error_sleep_time", "0");
    if let Some(resolv_conf) = resolv_conf {
        root_directory(&real, resolv_conf);
        let file = ours.put("resolv.conf", resolv_conf);
        ours = ours.set("resolv_conf", &file.display().to_string());
    }
    let chroot = if resolv_conf.is_some() { "y" } else { "n" };
    let mut lines = std::fs::read_to_string(real.conf().join("master.cf")).expect("it was just written");
    let mut places = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let (theirs, own) = (address(), address());
        let table: PathBuf = real.put(&format!("table-{number}"), row.table);
        lines.push_str(&service(row, theirs, &table, chroot));
        lines.push('\n');
        ours = ours.service(&service(row, own, &table, "n"));
        places.push((theirs, own));
    }
    real.put("master.cf", &lines);
    let real = Postfix::launch(master, real);
    let ours = ours.start();
    let mut wrong = Vec::new();
    for (row, (theirs, own)) in rows.iter().zip(places) {
        let (theirs, own) = (session(theirs, row), session(own, row));
        if theirs != own {
            wrong.push(format!("{:?}\n  {}Postfix: {theirs:#?}\n  ours: {own:#?}", row.settings, row.table));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let expected = verdicts(&real.log());
    let logged = wait::within(wait::LIMIT, || {
        let lines = verdicts(&ours.log());
        (lines.len() >= expected.len()).then_some(lines)
    });
    assert_eq!(logged.unwrap_or_else(|| verdicts(&ours.log())), expected);
}

#[test]
fn every_restriction_says_what_postfix_says() {
    compare(&restrictions(), None, "[127.0.0.1]:1");
}

/// What is compared with Postfix is all there is: every name that it takes, every action of access(5) in every form, and
/// every stage.
#[test]
fn nothing_is_left_out_of_the_comparison() {
    let rows: Vec<Row> = restrictions().into_iter().chain(super::names::rows()).collect();
    let names = NAMES.lines().filter(|line| !line.starts_with('#'));
    let missing: Vec<&str> = names.filter(|name| !rows.iter().any(|row| says(row, name))).collect();
    assert!(missing.is_empty(), "restrictions without a dialogue: {missing:?}");
    let actions = actions();
    let does = |word: &str| {
        actions.iter().any(|row| row.table.split_whitespace().nth(1).is_some_and(|action| action == word))
    };
    let words = ACTIONS.lines().filter(|line| !line.starts_with('#'));
    let missing: Vec<&str> = words.filter(|word| !does(word)).collect();
    assert!(missing.is_empty(), "actions without a dialogue: {missing:?}");
    // The stages are those that Postfix has a parameter for.
    let parameters = include_str!("../parameters-3.7.txt").lines();
    let stages: Vec<&str> = parameters
        .filter_map(|line| {
            line.split([' ', '=']).next()?.strip_prefix("smtpd_")?.strip_suffix("_restrictions")
        })
        // This one says in what order two of them are asked.
        .filter(|stage| *stage != "relay_before_recipient")
        .collect();
    assert_eq!(stages.len(), 8, "{stages:?}");
    for stage in stages {
        let begins = format!("smtpd_{stage}_restrictions=");
        let of_stage = self::stages();
        let played = of_stage.iter().filter(|row| row.settings.iter().any(|one| one.starts_with(&begins)));
        assert_eq!(played.count(), 2, "{stage}: at once and put off");
    }
}

#[test]
fn every_access_action_does_what_postfix_does() {
    compare(&actions(), None, "[127.0.0.1]:1");
}

#[test]
fn every_stage_refuses_when_postfix_refuses() {
    compare(&stages(), None, "[127.0.0.1]:1");
}
