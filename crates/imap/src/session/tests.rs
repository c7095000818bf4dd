//! Sessions without a socket.

use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use store::{Flags, Location, Name, NewMessage, Owner};

use super::*;

/// Six seconds go by between two looks at it.
fn hasty_clock() -> i64 {
    static NOW: AtomicI64 = AtomicI64::new(1_700_000_000);
    NOW.fetch_add(6, Ordering::Relaxed)
}

fn settings() -> Arc<Settings> {
    Arc::new(Settings {
        greeting: String::new(),
        tls: false,
        max_line: 65_536,
        append_limit: 1 << 20,
        idle_notify: std::time::Duration::ZERO,
        capability: String::new(),
        id: Vec::new(),
        quirks: crate::quirks::Quirks::default(),
        no_logins: false,
        clock: hasty_clock,
    })
}

#[test]
fn a_long_search_says_how_far_it_is() {
    let home = tempfile::tempdir().unwrap();
    let location = Location::parse(&format!("facteur:{}/mail", home.path().display())).unwrap();
    let plain = Arc::new(store::Settings::plain(|| 0));
    let account = store::open_account(&plain, &location, &Owner::named("joe")).unwrap();
    let content = Bytes::from_static(b"Subject: wanted\r\n\r\nhello\r\n");
    let message = NewMessage { content, flags: Flags::NONE, keywords: Vec::new(), received: 0 };
    account.open(&Name::inbox()).unwrap().append(&vec![message; 1600]).unwrap();

    let mut session = Session::new(settings(), Link::default());
    session.user = Some(User { name: "joe".to_owned(), account });
    session.feed(b"a SELECT INBOX\r\nb SEARCH RETURN (COUNT) SUBJECT wanted\r\n");
    let mut sent = Vec::new();
    loop {
        match session.advance() {
            Want::Work => session.work(),
            Want::Input => break,
            other => panic!("{other:?}"),
        }
        sent.push(String::from_utf8_lossy(&std::mem::take(session.out.bytes())).into_owned());
    }
    // What is told meanwhile is sent at once, not with the answer.
    let told = sent.iter().position(|text| text.contains("* OK [INPROGRESS (\"b\" ")).unwrap();
    let answer = sent.iter().position(|text| text.contains("* ESEARCH (TAG \"b\") COUNT 1600")).unwrap();
    assert!(told < answer, "{sent:?}");
    assert!(sent[answer].ends_with("b OK Search completed.\r\n"));
}
