//! What is inside mail: spam by what was learned, files in archives, the quarantine, spamd and rspamd.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use testbed::{Client, Instance, Kept, Site, address, neighbour, wait};

/// A site to which 127.0.0.1 is a stranger.
fn site() -> Site {
    Site::new("mx.test").set("mynetworks", "192.0.2.0/24")
}

/// The reply to the content of a message.
fn offered(mx: &Instance, content: &str) -> testbed::Reply {
    let mut client = mx.client();
    client.deliver("joe@far.test", &["bob@box.test"], content)
}

fn mail(number: usize, subject: &str, text: &str) -> String {
    format!(
        "From: joe@far.test\nSubject: {subject}\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n\
         Message-ID: <{number}.{subject}@far.test>\n\n{text}\n"
    )
}

const SPAM: &str = "cheap pills without prescription, order now, exclusive casino bonus";
const HAM: &str = "the agenda of our project meeting is attached, see you on thursday";

/// Teaches a site ten messages of each kind.
fn teach(mx: &Instance) {
    for (class, text) in [("--spam", SPAM), ("--ham", HAM)] {
        let folder = mx.site().path().join(&class[2..]);
        fs::create_dir(&folder).expect("it is ours");
        for number in 0..10 {
            fs::write(folder.join(number.to_string()), mail(number, "hello", text)).expect("it is ours");
        }
        let learned = mx.run("spam", &["learn", class, &folder.display().to_string()]);
        assert_eq!(learned.out, "learned: 10 of 10\n", "{learned:?}");
    }
}

#[test]
fn spam_is_marked_by_what_was_learned_and_exceptions_hold() {
    let mx = site()
        .set("spam_check", "facteur")
        .set("spam_learn_minimum", "5")
        .set("spam_sender_access_maps", "inline:{ { friend@far.test = OK } { far.example = SPAM } }")
        .set("spam_recipient_access_maps", "inline:{ { carol@box.test = OK } }")
        .start();
    teach(&mx);
    let forged = "X-Spam-Status: No, score=-99\nX-Spam-Flag: NO\n";
    mx.send("joe@far.test", &["bob@box.test"], &format!("{forged}{}", mail(100, "offer", SPAM)));
    let message = mx.maildir("bob").one();
    assert!(
        message.contains("\nX-Spam-Flag: YES\n") && message.contains("\nX-Spam-Status: Yes, score="),
        "{message}"
    );
    assert!(
        message.contains(" LEARNED ") && !message.contains("score=-99") && !message.contains("NO\n"),
        "{message}"
    );
    mx.send("joe@far.test", &["ann@box.test"], &mail(101, "thursday", HAM));
    let message = mx.maildir("ann").one();
    assert!(message.contains("\nX-Spam-Status: No, score=") && !message.contains("X-Spam-Flag"), "{message}");
    mx.send("friend@far.test", &["u0@box.test"], &mail(102, "offer", SPAM));
    assert!(!mx.maildir("u0").one().contains("X-Spam-"), "an exception by sender");
    mx.send("joe@far.test", &["carol@box.test"], &mail(103, "offer", SPAM));
    assert!(!mx.maildir("carol").one().contains("X-Spam-"), "an exception by recipient");
    mx.send("x@sub.far.example", &["u1@box.test"], &mail(104, "thursday", HAM));
    assert!(mx.maildir("u1").one().contains("SENDER_EXCEPTION"), "one the other way");

    let sample = mx.site().put("sample", &mail(105, "offer", SPAM)).display().to_string();
    let why = mx.run("spam", &["why", &sample]);
    assert!(why.out.starts_with("Yes, score=") && why.out.contains("LEARNED"), "{why:?}");
    let status = mx.run("spam", &["status"]);
    assert!(status.out.contains("the site") && status.out.contains(" 10 "), "{status:?}");
    let first = mx.site().path().join("spam/0").display().to_string();
    assert_eq!(mx.run("spam", &["forget", &first]).out, "forgotten: 1 of 1\n");
    // A user of its own mind.
    let own = mx.run_with("spam", &["learn", "--ham", "-u", "Bob@box.test"], mail(1, "x", SPAM).as_bytes());
    assert_eq!(own.out, "learned: 1 of 1\n", "{own:?}");
    assert!(mx.run("spam", &["status"]).out.contains("bob@box.test"));
}

#[test]
fn spam_is_held_listed_shown_released_and_refused() {
    let mx =
        site().set("spam_check", "facteur").set("spam_quarantine_score", "8").set("spam_reject_score", "20");
    let rules = "9 SHOES subject /shoes/i Shoes are sold\n30 BOOTS subject /boots/ Boots are worse\n";
    let rules = mx.put("rules", rules).display().to_string();
    let mx = mx.set("spam_rules_file", &rules).start();
    let reply = offered(&mx, &mail(1, "boots", "x"));
    assert_eq!((reply.code, reply.text.contains("5.7.1 message looks like spam")), (550, true), "{reply:?}");
    // A reason that a sender makes up is no reason.
    mx.send(
        "joe@far.test",
        &["bob@box.test"],
        &format!("X-Quarantine: forged\n{}", mail(2, "Shoes", "\u{1b}[2Jx")),
    );
    let list = wait::until("the quarantine", || {
        let list = mx.run("quarantine", &["list"]);
        list.out.contains("1 message in quarantine").then_some(list)
    });
    assert!(list.out.contains("because:  spam (score ") && !list.out.contains("forged"), "{list:?}");
    assert!(
        list.out.contains("to:       <bob@box.test>") && list.out.contains("subject:  Shoes"),
        "{list:?}"
    );
    let id = list.out.split_whitespace().next().expect("an id").to_owned();
    let shown = mx.run("quarantine", &["show", &id]);
    assert!(shown.out.contains("?[2Jx") && !shown.out.contains('\u{1b}'), "{shown:?}");
    assert!(mx.run("quarantine", &["list", "--recipient", "ann@box.test"]).out.starts_with("0 messages"));
    assert_eq!(mx.run("quarantine", &["expire"]).out, "Deleted: 0 messages\n");
    assert_eq!(mx.run("quarantine", &["release", "--learn", &id]).out, "Released: 1 message\n");
    assert!(mx.maildir("bob").one().contains("Subject: Shoes"));
    let status = mx.run("spam", &["status"]);
    assert!(status.out.contains("the site") && status.out.contains(" 1 "), "{status:?}");
    assert_ne!(mx.run("quarantine", &["delete", &id]).status, 0, "it is there no longer");
}

/// A zip with `papers/Invoice.exe`.
const ZIP: &str = "UEsDBBQAAAAAAAAAIQBXdX6MZgAAAGYAAAASAAAAcGFwZXJzL0ludm9pY2UuZXhlTVoAAAAAAAAAAAAAAAAAAAAAAAAA\n\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAUEsBAhQDFAAA\n\
    AAAAAAAhAFd1foxmAAAAZgAAABIAAAAAAAAAAAAAAIABAAAAAHBhcGVycy9JbnZvaWNlLmV4ZVBLBQYAAAAAAQABAEAAAACWAAAAAAA=\n";

#[test]
fn files_in_archives_are_refused_or_held() {
    let message = format!(
        "Subject: x\nContent-Type: application/zip; name=papers.zip\nContent-Transfer-Encoding: base64\n\n{}",
        ZIP.replace("    ", "")
    );
    let mx = site()
        .set(
            "attachment_checks",
            "inline:{ { extension:exe = REJECT no programs here } { extension:js = HOLD } }",
        )
        .start();
    let reply = offered(&mx, &message);
    assert_eq!((reply.code, reply.text.contains("5.7.1 no programs here")), (550, true), "{reply:?}");
    mx.wait_log(&["reject: END-OF-MESSAGE: 5.7.1 no programs here (papers.zip/invoice.exe)"]);
    let script = "Content-Type: text/plain\nContent-Disposition: attachment; filename=a.js\n\nx\n";
    assert_eq!(offered(&mx, script).code, 250);
    let list = mx.run("quarantine", &["list"]);
    assert!(list.out.contains("because:  attached file not accepted: a.js"), "{list:?}");
    assert_eq!(offered(&mx, &mail(1, "well", "text")).code, 250);
    assert!(mx.maildir("bob").one().contains("Subject: well"));

    // Beyond a limit the parameter decides.
    let mx = site()
        .set("attachment_checks", "inline:{ { magic:elf = REJECT } }")
        .set("attachment_files_limit", "1")
        .set("attachment_limit_action", "tempfail")
        .start();
    let reply = offered(&mx, &message);
    assert_eq!((reply.code, reply.text.contains("too many files")), (451, true), "{reply:?}");
}

/// Marked by somebody else, whose score counts.
fn judged_by(check: &str, spam: &str, name: &str) {
    let mx = site().set("spam_check", check).set("spam_default_action", "tempfail").start();
    mx.send("joe@far.test", &["bob@box.test"], &mail(1, "offer", spam));
    let message = mx.maildir("bob").one();
    assert!(message.contains("\nX-Spam-Flag: YES\n") && message.contains(name), "{message}");
    mx.send("joe@far.test", &["ann@box.test"], &mail(2, "thursday", HAM));
    let message = mx.maildir("ann").one();
    assert!(message.contains("\nX-Spam-Status: No, score=") && !message.contains("X-Spam-Flag"), "{message}");
}

#[test]
fn spamd_judges() {
    let Some([spamd]) = neighbour::installed(["spamd"]) else { return };
    let folder = tempfile::tempdir().expect("/tmp is there");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("own.pre"), "loadplugin Mail::SpamAssassin::Plugin::Check\n").expect("it is ours");
    let rules = "body OWN_CASINO /casino/i\nscore OWN_CASINO 7.5\n";
    fs::write(path("own.cf"), rules).expect("it is ours");
    let at = address();
    let child = Command::new(spamd)
        .args(["-x", "-L", "-m", "1", "--min-children=1", "-s", "null", "-C", &path("")])
        .arg(format!("--siteconfigpath={}", path("")))
        .args(["-i", &format!("{}:{}", at.ip(), at.port()), "-r", &path("pid")])
        .args(if neighbour::root() { &["-u", "nobody"][..] } else { &[] })
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let _spamd = Kept::new(child);
    wait::until("spamd", || Client::connect(at).ok());
    judged_by(&format!("spamd:inet:{}:{}", at.ip(), at.port()), SPAM, "tests=OWN_CASINO");
}

/// rspamd knows this text by itself. In two halves, so that nobody's filter takes this file for what it is about.
const GTUBE: [&str; 2] = ["XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI", "-UBE-TEST-EMAIL*C.34X"];

#[test]
fn rspamd_judges() {
    let Some([rspamd]) = neighbour::installed(["rspamd"]) else { return };
    let folder = tempfile::tempdir().expect("/tmp is there");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let at = address();
    let settings = format!(
        "options {{ pidfile = \"{0}/pid\"; filters = \"\"; disable_hyperscan = true; tempdir = \"{0}\"; }}\n\
         logging {{ type = \"console\"; level = \"error\"; }}\n\
         worker {{ type = \"normal\"; bind_socket = \"{1}:{2}\"; count = 1; mime = true; }}\n",
        folder.path().display(),
        at.ip(),
        at.port()
    );
    fs::write(path("rspamd.conf"), settings).expect("it is ours");
    let child = Command::new(rspamd)
        .args(["-f", "-c", &path("rspamd.conf")])
        .args(if neighbour::root() { &["-u", "nobody", "-g", "nogroup"][..] } else { &[] })
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let _rspamd = Kept::new(child);
    wait::until("rspamd", || Client::connect(at).ok());
    judged_by(&format!("rspamd:inet:{}:{}", at.ip(), at.port()), &GTUBE.concat(), "tests=GTUBE");
}

/// Moves the message in INBOX to Junk, and back.
const MOVES: &str = r#"
import imaplib, sys
mail = imaplib.IMAP4(sys.argv[1], int(sys.argv[2]), timeout=30)
mail.login('ann@box.test', 'secret')
mail.create('Junk')
for source, target in (('INBOX', 'Junk'), ('Junk', 'INBOX'))[:int(sys.argv[3])]:
    assert mail.select(source)[1] != [b'0'], source
    assert mail.uid('MOVE', '1:*', target)[0] == 'OK'
mail.logout()
"#;

/// Marks the first message as junk, and takes that keyword away, which says nothing.
const MARKS: &str = r#"
import imaplib, sys
mail = imaplib.IMAP4(sys.argv[1], int(sys.argv[2]), timeout=30)
mail.login('ann@box.test', 'secret')
mail.select('INBOX')
assert mail.store('1', '+FLAGS', '($NotJunk)')[0] == 'OK'
assert mail.store('1', 'FLAGS', '($Junk)')[0] == 'OK'
assert mail.store('1', '-FLAGS', '($Junk)')[0] == 'OK'
mail.logout()
"#;

#[test]
fn mail_that_is_moved_to_junk_is_learned() {
    let Some([python]) = neighbour::installed(["python3"]) else { return };
    let imap = address();
    let site = site();
    let dir = site.path().display().to_string();
    let kept = site.folder("kept").display().to_string();
    let (uid, gid) = testbed::mailbox_owner();
    site.put("users", "ann@box.test:{PLAIN}secret::::::\n");
    let mx = site
        .set("passdb", &format!("passwd-file:{dir}/conf/users"))
        .set("userdb", &format!("passwd-file:{dir}/conf/users"))
        .set("mail_location", &format!("maildir:{kept}/%n"))
        .set("mail_uid", &uid.to_string())
        .set("mail_gid", &gid.to_string())
        .set("ssl", "no")
        .set("disable_plaintext_auth", "no")
        .set("virtual_transport", "store")
        .set("spam_check", "facteur")
        .service(&format!("{}:{} inet n - n - - imapd", imap.ip(), imap.port()))
        .start();
    mx.send("joe@far.test", &["ann@box.test"], &mail(1, "offer", SPAM));
    mx.wait_log(&["to=<ann@box.test>", "status=sent"]);
    let moves = |count: &str| {
        let output = Command::new(&python)
            .args(["-c", MOVES, &imap.ip().to_string(), &imap.port().to_string(), count])
            .output()
            .expect("it starts");
        assert!(output.status.success(), "{output:?}{}", mx.log());
    };
    let learned = |spam: &str, ham: &str| {
        let found = wait::within(wait::LIMIT, || {
            let status = mx.run("spam", &["status"]).out;
            let line = status.lines().find(|line| line.starts_with("ann@box.test"))?;
            let mut words = line.split_whitespace().skip(1);
            (words.next() == Some(spam) && words.next() == Some(ham)).then_some(())
        });
        assert!(found.is_some(), "{}{}", mx.run("spam", &["status"]).out, mx.log());
    };
    moves("1");
    learned("1", "0");
    let status = mx.run("spam", &["status"]).out;
    assert!(
        !status.lines().any(|line| line.starts_with("the site")),
        "a user teaches only his own: {status}"
    );
    // There and back again: it was none.
    mx.send("joe@far.test", &["ann@box.test"], &mail(2, "other", HAM));
    mx.wait_log(&["status=sent", "status=sent"]);
    wait::until("the second message", || (mx.log().matches("status=sent").count() >= 2).then_some(()));
    moves("2");
    learned("0", "2");
    // Who marks a message without moving it says as much.
    let marked = Command::new(&python)
        .args(["-c", MARKS, &imap.ip().to_string(), &imap.port().to_string()])
        .output()
        .expect("it starts");
    assert!(marked.status.success(), "{marked:?}{}", mx.log());
    learned("1", "1");
}

#[test]
fn a_digest_is_mailed_to_those_who_miss_something() {
    let mx = site().set("attachment_checks", "inline:{ { extension:js = HOLD } }").start();
    let script =
        "Subject: run me\nContent-Type: text/plain\nContent-Disposition: attachment; filename=a.js\n\nx\n";
    assert_eq!(offered(&mx, script).code, 250);
    let sent = mx.run("quarantine", &["digest", "--french"]);
    assert_eq!(sent.out, "Sent: 1 digest\n", "{sent:?}");
    let digest = mx.maildir("bob").one();
    assert!(digest.contains("Subject: Courrier retenu pour vous\n") && digest.contains("run me"), "{digest}");
}

#[test]
fn a_judge_that_is_away_is_no_judge() {
    let nobody = address();
    let check = format!("spamd:inet:{}:{}", nobody.ip(), nobody.port());
    let mx = site().set("spam_check", &check).start();
    mx.send("joe@far.test", &["bob@box.test"], &mail(1, "x", "y"));
    assert!(!mx.maildir("bob").one().contains("X-Spam-Status"));
    mx.wait_log(&["spamd at "]);
    let mx = site().set("spam_check", &check).set("spam_default_action", "tempfail").start();
    let reply = offered(&mx, &mail(1, "x", "y"));
    assert_eq!(reply.code, 451, "{reply:?}");
}
