//! Sessions without a socket.

use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use store::{Flags, Location, Name, NewMessage, Owner};

use super::*;

/// Eleven seconds go by between two looks at it.
fn hasty_clock() -> i64 {
    static NOW: AtomicI64 = AtomicI64::new(1_700_000_000);
    NOW.fetch_add(11, Ordering::Relaxed)
}

fn settings() -> Settings {
    Settings {
        greeting: String::new(),
        tls: false,
        max_line: 65_536,
        append_limit: 1 << 20,
        idle_notify: std::time::Duration::ZERO,
        capability: String::new(),
        id: Vec::new(),
        quirks: crate::quirks::Quirks::default(),
        no_logins: false,
        training: None,
        clock: hasty_clock,
    }
}

/// A session of somebody with so many messages.
fn session(settings: Settings, home: &tempfile::TempDir, messages: usize) -> Box<Session> {
    let location = Location::parse(&format!("facteur:{}/mail", home.path().display())).unwrap();
    let plain = Arc::new(store::Settings::plain(|| 0));
    let account = store::open_account(&plain, &location, &Owner::named("joe")).unwrap();
    account.open(&Name::inbox()).unwrap().append(&vec![message(); messages]).unwrap();
    let mut session = Session::new(Arc::new(settings), Link::default());
    session.user = Some(User { name: "joe".to_owned(), account });
    session
}

fn message() -> NewMessage {
    let content = Bytes::from_static(b"Subject: wanted\r\n\r\nhello\r\n");
    NewMessage { content, flags: Flags::NONE, keywords: Vec::new(), received: 0 }
}

/// What is sent, turn by turn.
fn answers(session: &mut Session, commands: &[u8]) -> Vec<String> {
    session.feed(commands);
    let mut sent = Vec::new();
    loop {
        match session.advance() {
            Want::Work => session.work(),
            Want::Input => break,
            other => panic!("{other:?}"),
        }
        sent.push(String::from_utf8_lossy(&std::mem::take(session.out.bytes())).into_owned());
    }
    sent
}

#[test]
fn new_mail_may_wait_for_noop() {
    let home = tempfile::tempdir().unwrap();
    let quirks = crate::quirks::Quirks { delay_new_mail: true, ..Default::default() };
    let mut session = session(Settings { quirks, ..settings() }, &home, 1);
    answers(&mut session, b"a SELECT INBOX\r\n");
    session.account().unwrap().open(&Name::inbox()).unwrap().append(&[message()]).unwrap();
    let other = answers(&mut session, b"b FETCH 1 UID\r\nc STORE 1 +FLAGS (\\Seen)\r\n").concat();
    assert!(!other.contains("EXISTS") && other.contains("c OK"), "{other}");
    let noop = answers(&mut session, b"d NOOP\r\n").concat();
    assert!(noop.contains("* 2 EXISTS\r\n"), "{noop}");
    assert!(answers(&mut session, b"e FETCH 2 UID\r\n").concat().contains("* 2 FETCH (UID 2)"));
}

#[test]
fn a_long_search_says_how_far_it_is() {
    let home = tempfile::tempdir().unwrap();
    let mut session = session(settings(), &home, 600);
    let sent = answers(&mut session, b"a SELECT INBOX\r\nb SEARCH RETURN (COUNT) SUBJECT wanted\r\n");
    // What is told meanwhile is sent at once, not with the answer.
    let told = sent.iter().position(|text| text.contains("* OK [INPROGRESS (\"b\" ")).unwrap();
    let answer = sent.iter().position(|text| text.contains("* ESEARCH (TAG \"b\") COUNT 600")).unwrap();
    assert!(told < answer, "{sent:?}");
    assert!(sent[answer].ends_with("b OK Search completed.\r\n"));
}
