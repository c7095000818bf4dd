//! What several changes of one milter mean together: as dialogues recorded with a real Postfix have it.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use testbed::{Address, Instance, Site};

use super::{message, offered};
use crate::security::hostile::{milter, say};

fn site(milters: &[Address]) -> Instance {
    let names: Vec<String> = milters.iter().map(|at| format!("inet:{}:{}", at.ip(), at.port())).collect();
    Site::new("mx.test").set("smtpd_milters", &names.join(" ")).set("milter_default_action", "reject").start()
}

/// A header field behind an index.
fn field(index: u32, name: &str, value: &str) -> Vec<u8> {
    [&index.to_be_bytes()[..], name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat()
}

fn go_on(socket: &mut TcpStream) {
    say(socket, b'c', b"");
}

#[test]
fn our_own_received_is_nobodys_wherever_it_stands() {
    let mx = site(&[milter(|socket| {
        say(socket, b'i', &field(0, "X-Top", "t"));
        say(socket, b'm', &field(1, "Received", "changed"));
        say(socket, b'i', &field(2, "X-Behind", "b"));
        go_on(socket);
    })]);
    mx.send("joe@far.test", &["bob@box.test"], &message("edits", "x"));
    let text = mx.maildir("bob").one();
    let places = [
        "X-Top: t\n",
        "Received: from client.test",
        "X-Behind: b\n",
        "Subject: edits\n",
        "Received: changed\n",
    ];
    let found: Vec<usize> =
        places.iter().map(|one| text.find(one).unwrap_or_else(|| panic!("{text}"))).collect();
    assert!(found.is_sorted(), "{text}");
}

#[test]
fn a_new_body_is_of_one_piece_and_without_carriage_returns() {
    let mx = site(&[milter(|socket| {
        say(socket, b'b', b"one\r");
        say(socket, b'b', b"\ntw\ro");
        say(socket, b'h', b"X-After\0a\0");
        go_on(socket);
    })]);
    mx.send("joe@far.test", &["bob@box.test"], &message("body", "x"));
    let text = mx.maildir("bob").one();
    assert!(text.contains("\nX-After: a\n") && text.ends_with("\n\none\ntwo\n"), "{text}");

    let mx = site(&[milter(|socket| {
        say(socket, b'b', b"one\r\n");
        say(socket, b'h', b"X-Between\0b\0");
        say(socket, b'b', b"two\r\n");
        go_on(socket);
    })]);
    let reply = offered(&mx, &message("body", "x"));
    assert_eq!((reply.code, reply.text.contains("4.3.5")), (451, true), "{reply:?}");
    mx.wait_log(&["body replacement requests can't currently be mixed with other requests"]);
}

#[test]
fn a_reply_of_two_minds_is_none() {
    for reply in ["554 4.7.1 later or never?", "250 2.0.0 well done", "550"] {
        let mx = site(&[milter(move |socket| {
            say(socket, b'y', &[reply.as_bytes(), b"\0"].concat());
        })]);
        let said = offered(&mx, &message("reply", "x"));
        assert_eq!((said.code, said.text.contains("4.3.5")), (451, true), "{said:?}");
        mx.wait_log(&["malformed reply: ", reply]);
    }
}

#[test]
fn who_quarantines_has_the_last_word() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    let first = milter(|socket| {
        say(socket, b'q', b"suspicious\0");
        say(socket, b'h', b"X-First\0f\0");
        go_on(socket);
    });
    let second = milter(move |socket| {
        count.fetch_add(1, Ordering::Relaxed);
        go_on(socket);
    });
    let mx = site(&[first, second]);
    assert_eq!(offered(&mx, &message("held", "x")).code, 250);
    mx.wait_log(&["milter-hold: END-OF-MESSAGE"]);
    assert!(mx.run("postqueue", &["-j"]).out.contains("\"queue_name\": \"hold\""));
    assert_eq!(seen.load(Ordering::Relaxed), 0, "the next one is not asked");
}

#[test]
fn a_message_without_recipients_is_through_and_the_log_says_so() {
    let mx = site(&[milter(|socket| {
        say(socket, b'-', b"<bob@box.test>\0");
        go_on(socket);
    })]);
    let reply = offered(&mx, &message("nobody", "x"));
    assert_eq!(reply.code, 250, "{reply:?}");
    mx.wait_log(&["from=<joe@far.test>", "nrcpt=1 (queue active)"]);
    mx.wait_log(&["postfix/qmgr[", ": removed"]);
    assert!(mx.maildir("bob").messages().is_empty());
}
