//! Real clients: Python's imaplib and imapclient, curl, mbsync, fetchmail, getmail, offlineimap, mutt, neomutt, imapflow,
//! Roundcube.

use std::path::Path;
use std::process::{Command, Output};

use crate::server::Server;

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a program; its output, once it has gone well.
fn run(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}: {}", program.display(), text(&output));
    text(&output)
}

const IMAPLIB: &str = r#"
import imaplib, sys
m = imaplib.IMAP4("127.0.0.1", int(sys.argv[1]))
def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]
ok(m.login("python", "pw"))
ok(m.create("Work"))
message = b"From: a@b.test\r\nSubject: one\r\n\r\nhello\r\n"
ok(m.append("INBOX", "(\\Flagged)", imaplib.Time2Internaldate(1000000000), message))
ok(m.append("INBOX", None, None, message.replace(b"one", b"two")))
assert ok(m.select()) == [b"2"]
assert ok(m.search(None, "SUBJECT", "two")) == [b"2"]
assert ok(m.sort("(REVERSE SUBJECT)", "UTF-8", "ALL")) == [b"2 1"]
fetched = ok(m.fetch("1", "(FLAGS BODY[])"))
assert fetched[0][1] == message, fetched
ok(m.copy("1", "Work"))
ok(m.uid("MOVE", "2", "Work"))
ok(m.store("1", "+FLAGS", "\\Deleted"))
assert ok(m.expunge())[-1] == b"1"
assert b"MESSAGES 2" in ok(m.status("Work", "(MESSAGES)"))[0]
ok(m.rename("Work", "Done"))
assert any(b"Done" in line for line in ok(m.list()))
ok(m.delete("Done"))
m.logout()
"#;

#[test]
fn imaplib_of_python() {
    let Some([python]) = testbed::neighbour::installed(["python3"]) else { return };
    let server = Server::start("facteur");
    run(&python, &["-c", IMAPLIB, &server.address.port().to_string()]);
}

#[test]
fn curl_appends_searches_and_fetches() {
    let Some([curl]) = testbed::neighbour::installed(["curl"]) else { return };
    let server = Server::start("facteur");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("message");
    std::fs::write(&file, "Subject: from curl\r\n\r\nhello\r\n").unwrap();
    let inbox = format!("imap://{}/INBOX", server.address);
    let login = ["-sS", "-u", "curl:pw"];
    run(&curl, &[&login[..], &["-T", &file.display().to_string(), &inbox]].concat());
    let found = run(&curl, &[&login[..], &[&inbox, "-X", "SEARCH SUBJECT \"from curl\""]].concat());
    assert_eq!(found.trim(), "* SEARCH 1");
    let message = run(&curl, &[&login[..], &[&format!("{inbox};UID=1")]].concat());
    assert_eq!(message, "Subject: from curl\r\n\r\nhello\r\n");
}

const IMAPFLOW: &str = r#"
const { ImapFlow } = require('imapflow');
const site = { host: '127.0.0.1', port: +process.argv[1], secure: false, logger: false, auth: { user: 'flow', pass: 'pw' } };
const message = (subject) => Buffer.from(`From: a@b.test\r\nSubject: ${subject}\r\n\r\nhello\r\n`);
const check = (right, what) => { if (!right) throw new Error(what); };
(async () => {
  const one = new ImapFlow({ ...site, qresync: true });
  await one.connect();
  await one.mailboxCreate('Archive');
  await one.append('INBOX', message('one'), ['\\Flagged']);
  await one.append('INBOX', message('two'));
  const lock = await one.getMailboxLock('INBOX');
  check(one.mailbox.exists === 2, 'two messages');
  for await (const found of one.fetch('1:*', { envelope: true, bodyStructure: true, flags: true, source: true }))
    check(found.source.length === message(found.envelope.subject).length, 'sizes are exact');
  check((await one.messageMove('2', 'Archive')).uidMap.get(2) === 1, 'the new UID is told');
  check(one.mailbox.exists === 1, 'one is left');
  await one.messageFlagsAdd('1', ['\\Seen', 'word']);
  const news = new Promise((told) => one.on('exists', told));
  const other = new ImapFlow(site);
  await other.connect();
  one.idle();
  await other.append('INBOX', message('three'));
  check((await news).count === 2, 'the one that came is told');
  lock.release();
  check((await one.status('Archive', { messages: true })).messages === 1, 'it is there');
  await one.logout();
  await other.logout();
})().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
setTimeout(() => { console.error('it waits in vain'); process.exit(1); }, 15000);
"#;

/// A package of npm, and none of the distribution: it is used where somebody has installed it.
#[test]
fn imapflow_counts_what_vanishes() {
    let modules = std::env::var("NODE_PATH").unwrap_or_else(|_| "/usr/local/lib/node_modules".to_owned());
    let command = |program: &str, port: &str| {
        Command::new("node").env("NODE_PATH", &modules).args(["-e", program, port]).output()
    };
    if !command("require.resolve('imapflow')", "").is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no npm package imapflow in NODE_PATH={modules}");
        return;
    }
    let server = Server::start("facteur");
    let output = command(IMAPFLOW, &server.address.port().to_string()).unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

/// How many files are in the Maildirs below a directory.
fn messages(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => messages(&entry.path()),
            false => usize::from(directory.ends_with("cur") || directory.ends_with("new")),
        })
        .sum()
}

#[test]
fn mbsync_both_ways_and_again_without_a_change() {
    let Some([mbsync, curl]) = testbed::neighbour::installed(["mbsync", "curl"]) else { return };
    let server = Server::start("facteur");
    let home = tempfile::tempdir().unwrap();
    let (place, port) = (home.path().display(), server.address.port());
    let config = home.path().join("mbsyncrc");
    std::fs::write(
        &config,
        format!(
            "IMAPAccount a\nHost 127.0.0.1\nPort {port}\nUser mbsync\nPass pw\nSSLType None\nAuthMechs LOGIN\n\n\
             IMAPStore far\nAccount a\n\nMaildirStore near\nPath {place}/mail/\nInbox {place}/mail/INBOX\n\
             SubFolders Verbatim\n\nChannel c\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n"
        ),
    )
    .unwrap();
    std::fs::create_dir(home.path().join("mail")).unwrap();
    let inbox = format!("imap://127.0.0.1:{port}/INBOX");
    let file = home.path().join("message");
    for number in 1..=3 {
        std::fs::write(&file, format!("Subject: far {number}\r\n\r\nhello\r\n")).unwrap();
        run(&curl, &["-sS", "-u", "mbsync:pw", "-T", &file.display().to_string(), &inbox]);
    }
    let sync = || run(&mbsync, &["-c", &config.display().to_string(), "-a"]);
    sync();
    assert_eq!(messages(&home.path().join("mail")), 3);
    let near = home.path().join("mail/INBOX/new/1.near.test");
    std::fs::write(&near, "Subject: near\n\nhello\n").unwrap();
    sync();
    let found = || run(&curl, &["-sS", "-u", "mbsync:pw", &inbox, "-X", "SEARCH ALL"]);
    assert_eq!(found().trim(), "* SEARCH 1 2 3 4");
    // A second time nothing changes on either side.
    sync();
    assert_eq!(found().trim(), "* SEARCH 1 2 3 4");
    assert_eq!(messages(&home.path().join("mail")), 4);
}

/// Puts messages `number 1` to `number N` into a user's INBOX.
fn fill(curl: &Path, server: &Server, user: &str, count: usize) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("message");
    for number in 1..=count {
        let text = format!(
            "From: a@b.test\r\nTo: {user}@b.test\r\nSubject: number {number}\r\nMessage-ID: <{number}@b.test>\r\n\r\nhello\r\n"
        );
        std::fs::write(&file, text).unwrap();
        let inbox = format!("imap://{}/INBOX", server.address);
        run(curl, &["-sS", "-u", &format!("{user}:pw"), "-T", &file.display().to_string(), &inbox]);
    }
}

/// A file that only its owner may read, as clients want where a password is in it.
fn secret(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn fetchmail_takes_all_there_is() {
    let Some([fetchmail, curl]) = testbed::neighbour::installed(["fetchmail", "curl"]) else { return };
    let server = Server::start("facteur");
    fill(&curl, &server, "fetch", 3);
    let home = tempfile::tempdir().unwrap();
    let (config, taken) = (home.path().join("rc"), home.path().join("taken"));
    let text = format!(
        "poll 127.0.0.1 service {} protocol IMAP user \"fetch\" password \"pw\" sslproto \"\" fetchall nokeep \
         mda \"/bin/sh -c 'cat >> {}'\"\n",
        server.address.port(),
        taken.display()
    );
    secret(&config, &text);
    let ids = home.path().join("ids").display().to_string();
    run(&fetchmail, &["-f", &config.display().to_string(), "--nosyslog", "--idfile", &ids]);
    assert_eq!(std::fs::read_to_string(taken).unwrap().matches("Subject: number ").count(), 3);
    let status = format!("imap://{}/INBOX", server.address);
    let left = run(&curl, &["-sS", "-u", "fetch:pw", &status, "-X", "STATUS INBOX (MESSAGES)"]);
    assert!(left.contains("(MESSAGES 0)"), "{left}");
}

#[test]
fn getmail_takes_each_once() {
    let Some([getmail, curl]) = testbed::neighbour::installed(["getmail", "curl"]) else { return };
    let server = Server::start("facteur");
    fill(&curl, &server, "get", 2);
    let home = tempfile::tempdir().unwrap();
    let place = home.path().display();
    let mail = home.path().join("mail");
    for folder in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(mail.join(folder)).unwrap();
    }
    // It does not deliver as root.
    let mut user = "";
    if nix_is_root() {
        user = "user = nobody\n";
        run(Path::new("/bin/chown"), &["-R", "nobody", &place.to_string()]);
    }
    let config = home.path().join("rc");
    let text = format!(
        "[retriever]\ntype = SimpleIMAPRetriever\nserver = 127.0.0.1\nport = {}\nusername = get\npassword = pw\n\
         [destination]\ntype = Maildir\npath = {place}/mail/\n{user}[options]\nread_all = false\n",
        server.address.port()
    );
    secret(&config, &text);
    for _ in 0..2 {
        let directory = format!("--getmaildir={place}");
        run(&getmail, &[&directory, &format!("--rcfile={}", config.display())]);
        assert_eq!(messages(&mail), 2);
    }
}

fn nix_is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}

#[test]
fn offlineimap_keeps_both_sides_alike() {
    let Some([offlineimap, curl]) = testbed::neighbour::installed(["offlineimap", "curl"]) else { return };
    let server = Server::start("facteur");
    fill(&curl, &server, "offline", 2);
    let home = tempfile::tempdir().unwrap();
    let place = home.path().display();
    let config = home.path().join("rc");
    let text = format!(
        "[general]\naccounts = a\nmetadata = {place}/meta\nui = quiet\n[Account a]\nlocalrepository = near\n\
         remoterepository = far\n[Repository near]\ntype = Maildir\nlocalfolders = {place}/mail\n[Repository far]\n\
         type = IMAP\nremotehost = 127.0.0.1\nremoteport = {}\nremoteuser = offline\nremotepass = pw\nssl = no\n\
         starttls = no\nauth_mechanisms = LOGIN\n",
        server.address.port()
    );
    secret(&config, &text);
    let sync = || run(&offlineimap, &["-o", "-c", &config.display().to_string()]);
    sync();
    assert_eq!(messages(&home.path().join("mail")), 2);
    let near = home.path().join("mail/INBOX/cur/1700000000.1.near.test:2,S");
    std::fs::write(&near, "Subject: near\n\nhello\n").unwrap();
    sync();
    let inbox = format!("imap://{}/INBOX", server.address);
    let found = || run(&curl, &["-sS", "-u", "offline:pw", &inbox, "-X", "SEARCH ALL"]);
    assert_eq!(found().trim(), "* SEARCH 1 2 3");
    sync();
    assert_eq!(found().trim(), "* SEARCH 1 2 3");
    assert_eq!(messages(&home.path().join("mail")), 3);
}

#[test]
fn mutt_copies_and_flags() {
    copies_and_flags("mutt", "");
}

#[test]
fn neomutt_copies_and_flags() {
    copies_and_flags("neomutt", "set imap_qresync=yes\nset imap_condstore=yes\n");
}

/// A program of this family copies a message, flags it, and saves another one away.
fn copies_and_flags(name: &str, more: &str) {
    let Some([script, mutt, curl]) = testbed::neighbour::installed(["script", name, "curl"]) else {
        return;
    };
    let server = Server::start("facteur");
    fill(&curl, &server, name, 2);
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("rc");
    let settings = format!(
        "set folder=\"imap://{name}@{}/\"\nset spoolfile=\"+INBOX\"\nset imap_user={name}\nset imap_pass=pw\n\
         set ssl_starttls=no\nset ssl_force_tls=no\nset confirmappend=no\nset quit=yes\nset delete=yes\nset header_cache=\"\"\n{more}",
        server.address
    );
    secret(&config, &settings);
    let keys = "<first-entry><copy-message>=Copied<enter>y<flag-message><last-entry><save-message>=Copied<enter>\
                <sync-mailbox><quit>";
    let command = format!("{} -n -F {} -e 'push \"{keys}\"'", mutt.display(), config.display());
    let output = Command::new("timeout")
        .args(["60"])
        .arg(script)
        .args(["-qec", &command, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let login = format!("{name}:pw");
    let ask = |mailbox: &str, what: &str| {
        run(&curl, &["-sS", "-u", &login, &format!("imap://{}/{mailbox}", server.address), "-X", what])
    };
    assert_eq!(ask("Copied", "SEARCH OR SUBJECT \"number 1\" SUBJECT \"number 2\"").trim(), "* SEARCH 1 2");
    assert_eq!(ask("INBOX", "SEARCH ALL").trim(), "* SEARCH 1");
    assert_eq!(ask("INBOX", "SEARCH FLAGGED").trim(), "* SEARCH 1");
}

/// A program in a language of its own: what it says when all is well is `done`.
fn is_done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "done\n", "{}", text(&output));
}

/// A package of Python's index: it is used where somebody has installed it.
#[test]
fn imapclient_of_python() {
    let there = Command::new("python3").args(["-c", "import imapclient"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: python3 has no imapclient");
        return;
    }
    let server = Server::start("facteur");
    let port = server.address.port().to_string();
    is_done(Command::new("python3").args([
        "-c",
        include_str!("imapclient.py"),
        "127.0.0.1",
        &port,
        "client",
    ]));
}

/// The part of Roundcube that speaks IMAP, where it and PHP are installed.
#[test]
fn roundcube_lists_reads_searches_and_moves() {
    let library = Path::new("/usr/share/roundcube/program/lib/Roundcube/rcube_imap.php");
    if !library.exists()
        || !Command::new("php").arg("-v").output().is_ok_and(|output| output.status.success())
    {
        eprintln!("skipped: there are no roundcube-core and php-cli");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let place = home.path().display().to_string();
    let settings = format!("<?php $config = ['log_dir' => '{place}', 'temp_dir' => '{place}'];\n");
    std::fs::write(home.path().join("config.inc.php"), settings).unwrap();
    std::fs::write(home.path().join("defaults.inc.php"), "<?php $config = [];\n").unwrap();
    let script = home.path().join("roundcube.php");
    std::fs::write(&script, include_str!("roundcube.php")).unwrap();
    for kind in ["facteur", "maildir"] {
        let server = Server::start(kind);
        let port = server.address.port().to_string();
        let php = ["-d", "display_errors=0", "-d", "error_reporting=1"];
        is_done(Command::new("php").args(php).arg(&script).args(["127.0.0.1", &port, "round", &place]));
    }
}
