//! A real saslauthd, which asks an IMAP server of ours.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use testbed::{Client, Kept, Site, address, neighbour, wait};

/// `AUTH PLAIN` with a name and a password, as base64.
const LOGINS: &[(&str, u16)] = &[
    // ann@box.test with "secret", with "wrong", and with "secret" and a line end.
    ("AGFubkBib3gudGVzdABzZWNyZXQ=", 235),
    ("AGFubkBib3gudGVzdAB3cm9uZw==", 535),
    ("AGFubkBib3gudGVzdABzZWNyZXQNCg==", 535),
    // nobody; a" b with "secret"; ann@box.test with a quote and a command behind it.
    ("AG5vYm9keQBzZWNyZXQ=", 535),
    ("AGEiIGIAc2VjcmV0", 535),
    ("AGFubkBib3gudGVzdAB4Ig0KQSBMT0dPVVQ=", 535),
];

#[test]
fn saslauthd_is_asked_by_its_socket() {
    let Some([saslauthd]) = neighbour::installed(["saslauthd"]) else { return };
    let imap = address();
    let (uid, gid) = testbed::mailbox_owner();
    let site = Site::new("imap.test");
    let home = site.folder("kept");
    let users =
        site.put("users", &format!("ann@box.test:{{PLAIN}}secret:{uid}:{gid}::{}::\n", home.display()));
    let readers = site
        .set("passdb", &format!("passwd-file:{}", users.display()))
        .set("userdb", &format!("passwd-file:{}", users.display()))
        .set("mail_location", "facteur:~/mail")
        .set("mail_uid", &uid.to_string())
        .set("mail_gid", &gid.to_string())
        .set("disable_plaintext_auth", "no")
        .set("auth_failure_delay", "0")
        .service(&format!("{}:{} inet n - n - - imapd", imap.ip(), imap.port()))
        .start();
    let folder = tempfile::Builder::new().prefix("facteur-sasl-").tempdir().expect("/tmp is there");
    let start = || {
        Kept::new(
            Command::new(&saslauthd)
                .args([
                    "-d",
                    "-r",
                    "-n",
                    "1",
                    "-a",
                    "rimap",
                    "-O",
                    &format!("{}/{}", imap.ip(), imap.port()),
                    "-m",
                ])
                .arg(folder.path())
                // When it ends it ends all of its group.
                .process_group(0)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts"),
        )
    };
    let daemon = start();
    let socket = folder.path().join("mux");
    wait::until("saslauthd", || socket.exists().then_some(()));
    let running = Site::new("mx.test")
        .set("smtpd_sasl_auth_enable", "yes")
        .set("smtpd_sasl_type", "facteur")
        .set("passdb", &format!("saslauthd:{}", socket.display()))
        .set("auth_mechanisms", "plain")
        .set("auth_failure_delay", "0")
        .start();
    let ask = |login: &str| {
        let mut client = Client::greeted(running.smtp());
        client.hello();
        let code = client.ask(&format!("AUTH PLAIN {login}")).code;
        client.ask("QUIT");
        code
    };
    // The socket is there a moment before somebody listens.
    wait::until("the first login", || (ask(LOGINS[0].0) == 235).then_some(()));
    for (login, code) in LOGINS {
        assert_eq!(ask(login), *code, "{login}\n{}\n{}", running.log(), readers.log());
    }
    drop(daemon);
    assert_eq!(ask(LOGINS[0].0), 454, "nobody is refused for good by a daemon that is away");
    let _daemon = start();
    wait::until("a login after the restart", || (ask(LOGINS[0].0) == 235).then_some(()));
}
