//! pyzor through spamd: SpamAssassin asks a pyzord of our own about a message that somebody has reported.
//!
//! razor, its other plugin of this kind, has no server in Debian: there is nobody to ask without the network.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use testbed::kept::outcome;
use testbed::{address, neighbour, wait};

use super::daemon::{Folder, start, start_at};
use super::{message, site};

const BULK: &str = "This very text was sent to everybody who has an address, and to many who have none.\n\
    Whoever reports it makes sure that others are spared: its digest is known then.\n\
    There are enough lines in it for a digest to be taken of some of them, and not of all.\n";

/// Answers of the server to pyzor's command.
fn pyzor(program: &Path, home: &str, command: &str, input: &str) -> String {
    let mut child = Command::new(program)
        .args(["--homedir", home, command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    // It may not want to read.
    let _ = child.stdin.take().expect("asked for").write_all(input.as_bytes());
    String::from_utf8_lossy(&outcome(child).stdout).into_owned()
}

#[test]
fn what_others_have_reported_is_marked() {
    let Some([pyzord, client, spamd]) = neighbour::installed(["pyzord", "pyzor", "spamd"]) else { return };
    let (asked, at, folder) = (address(), address(), Folder::new());
    let home = folder.folder("home", None, 0o755);
    folder.file("home/servers", &format!("{}:{}\n", asked.ip(), asked.port()));
    let mut server = Command::new(pyzord);
    server.args(["--homedir", &home, "-a", &asked.ip().to_string(), "-p", &asked.port().to_string()]);
    server.args(["-e", "gdbm", &format!("--dsn={}", folder.path("digests"))]);
    server.args([
        format!("--log-file={}", folder.path("log")),
        format!("--usage-log-file={}", folder.path("used")),
    ]);
    let _server = start(&mut server);
    let bulk = message("offer", BULK);
    wait::until("pyzord", || pyzor(&client, &home, "ping", "").contains("(200, 'OK')").then_some(()));
    wait::until("the report", || {
        pyzor(&client, &home, "report", &bulk).contains("(200, 'OK')").then_some(())
    });

    folder.folder("rules", None, 0o755);
    let plugins =
        "loadplugin Mail::SpamAssassin::Plugin::Check\nloadplugin Mail::SpamAssassin::Plugin::Pyzor\n";
    folder.file("rules/own.pre", plugins);
    folder.file(
        "rules/own.cf",
        &format!(
            "dns_available no\nskip_rbl_checks 1\nuse_pyzor 1\npyzor_fork 0\npyzor_timeout 30\npyzor_count_min 1\n\
             pyzor_path {}\npyzor_options --homedir {home}\n\
             full PYZOR_CHECK eval:check_pyzor()\ntflags PYZOR_CHECK net\nscore PYZOR_CHECK 7.5\n",
            client.display()
        ),
    );
    let rules = folder.path("rules");
    let mut spamd = Command::new(spamd);
    spamd.args(["-x", "-m", "1", "--min-children=1", "-s", "null", "-C", &rules]);
    spamd.arg(format!("--siteconfigpath={rules}"));
    spamd.args(["-i", &format!("{}:{}", at.ip(), at.port()), "-r", &folder.path("pid")]);
    spamd.args(if neighbour::root() { &["-u", "nobody"][..] } else { &[] });
    let _spamd = start_at(&mut spamd, at);

    let mx = site()
        .set("spam_check", &format!("spamd:inet:{}:{}", at.ip(), at.port()))
        .set("spam_default_action", "tempfail")
        .start();
    // UDP may lose a question on a busy machine: its plugin says nothing then, and the sender tries again.
    let mut tries = 0;
    let marked = wait::within(Duration::from_secs(60), || {
        tries += 1;
        mx.send("joe@far.test", &["bob@box.test"], &bulk);
        let last =
            mx.maildir("bob").wait_for(tries).iter().any(|message| message.contains("X-Spam-Flag: YES"));
        last.then_some(())
    });
    let messages = mx.maildir("bob").messages();
    assert!(marked.is_some() && messages.iter().any(|one| one.contains("tests=PYZOR_CHECK")), "{messages:?}");
    mx.send(
        "joe@far.test",
        &["ann@box.test"],
        &message("well", "Nobody has ever seen these words before.\n"),
    );
    let other = mx.maildir("ann").one();
    assert!(other.contains("\nX-Spam-Status: No, ") && !other.contains("PYZOR_CHECK"), "{other}");
}
