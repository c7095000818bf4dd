//! Logins as Cyrus SASL's files say (`smtpd_sasl_type = cyrus`, Postfix's default): a real Postfix with the real library
//! and ours, asked the same with the same files.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use testbed::kept::outcome;
use testbed::{Address, Client, Kept, Site, neighbour, wait};

use crate::logins::PamService;
use crate::postfix::Postfix;

/// `\0user\0password`, as PLAIN sends it.
const LOGINS: &[(&str, &str)] = &[
    ("joe, right", "AGpvZQBzZWNyZXQ="),
    ("joe, wrong", "AGpvZQB3cm9uZw=="),
    ("joe@real.test, right", "AGpvZUByZWFsLnRlc3QAc2VjcmV0"),
    ("joe@far.test, right", "AGpvZUBmYXIudGVzdABzZWNyZXQ="),
    ("JOE, right", "AEpPRQBzZWNyZXQ="),
    ("eve, nobody", "AGV2ZQBzZWNyZXQ="),
    ("joe as eve", "ZXZlAGpvZQBzZWNyZXQ="),
    ("no password", "AGpvZQA="),
    ("half of it", "AGpvZQ=="),
];

/// What is offered, and the reply to each login.
fn replies(at: Address) -> Vec<String> {
    let greeting = Client::greeted(at).hello();
    let line = greeting.text.lines().find_map(|line| line.split_once("AUTH ")).map(|(_, rest)| rest.trim());
    let mut offered: Vec<&str> = line.unwrap_or_default().split(' ').collect();
    offered.sort_unstable();
    let mut said = vec![offered.join(" ")];
    for (name, response) in LOGINS {
        let mut client = Client::greeted(at);
        client.hello();
        let reply = client.ask(&format!("AUTH PLAIN {response}"));
        said.push(format!("{name}: {}", reply.code));
    }
    said
}

/// Both have this smtpd.conf, where Debian's Postfix looks for it; they are asked the same.
fn compare(master: PathBuf, text: &str, service: &str) -> Vec<String> {
    let with_file = |site: Site| {
        let folder = site.conf().join("sasl");
        fs::create_dir(&folder).expect("it is ours");
        fs::write(folder.join("smtpd.conf"), text).expect("it is ours");
        site
    };
    let settings =
        [("smtpd_sasl_auth_enable", "yes"), ("smtpd_sasl_service", service), ("smtpd_error_sleep_time", "0")];
    let lines: String = settings.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
    let real = Postfix::launch(master, with_file(Postfix::prepare("", &lines)));
    let site = settings.iter().fold(Site::new("real.test"), |site, (name, value)| site.set(name, value));
    let ours = with_file(site).set("auth_failure_delay", "0").start();
    let (own, theirs) = (replies(ours.smtp()), replies(real.site.smtp()));
    assert_eq!(own, theirs, "{}\n{}", ours.log(), real.log());
    ours.wait_log(&["SASL PLAIN authentication failed"]);
    assert!(!ours.log().contains("secret"), "{}", ours.log());
    own
}

/// A directory that everybody may enter.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("/tmp is there");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    folder
}

#[test]
fn passwords_of_sasldb_open_the_same_doors() {
    let Some([master, saslpasswd]) = neighbour::installed(["master", "saslpasswd2"]) else { return };
    if !neighbour::root() {
        return;
    }
    let folder = folder();
    let file = folder.path().join("sasldb2");
    for (realm, password) in [("real.test", "secret"), ("other.test", "different")] {
        let mut child = Command::new(&saslpasswd)
            .args(["-p", "-c", "-u", realm, "-f"])
            .args([file.as_os_str(), "joe".as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        child.stdin.take().expect("it was asked for").write_all(password.as_bytes()).expect("it reads");
        let said = outcome(child);
        assert!(said.status.success(), "{said:?}");
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let text = format!(
        "# as an administrator writes it\npwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {}\n\
         mech_list: PLAIN LOGIN CRAM-MD5\n",
        file.display()
    );
    let said = compare(master, &text, "smtp");
    assert_eq!(said[0], "CRAM-MD5 LOGIN PLAIN");
    assert_eq!(said[1..4], ["joe, right: 235", "joe, wrong: 535", "joe@real.test, right: 235"]);
}

#[test]
fn saslauthd_with_pam_opens_the_same_doors() {
    let names = ["master", "saslauthd", "x86_64-linux-gnu/security/pam_exec.so"];
    let Some([master, saslauthd, _]) = neighbour::installed(names) else { return };
    if !neighbour::root() {
        return;
    }
    let folder = folder();
    let (pam, service) = PamService::asking(folder.path(), "cyrus");
    let socket = folder.path().join("mux");
    // A service is asked by its own name, as /etc/pam.d/smtp is for smtp.
    let daemon = Command::new(saslauthd)
        .args(["-d", "-n", "1", "-a", "pam", "-m"])
        .arg(folder.path())
        // When it ends, it ends its whole group.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let _daemon = Kept::new(daemon);
    wait::until("saslauthd", || socket.exists().then_some(()));
    let text =
        format!("pwcheck_method: saslauthd\nsaslauthd_path: {}\nmech_list: plain login\n", socket.display());
    let said = compare(master, &text, &service);
    assert_eq!(said[..3], ["LOGIN PLAIN", "joe, right: 235", "joe, wrong: 535"]);
    drop(pam);
}
