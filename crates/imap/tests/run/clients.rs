//! Real clients: Python's imaplib, curl, mbsync.

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
