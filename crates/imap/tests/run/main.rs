//! Dialogues between clients and an IMAP server, as text files in `tests/dialogues`: each is held with our server over
//! each kind of store, and with Dovecot where that is installed.
//!
//! A file holds dialogues, each under a line `== title`. Lines before the first `C:` set the scene:
//!
//! - `have: N` puts N messages into INBOX beforehand (subjects `one`, `two`, …).
//! - `state: connected` does without the login, `state: selected` also selects INBOX.
//! - `users: other` gives the second client another account; `<1>` and `<2>` are the names of both.
//! - `ours: reason` says why Dovecot is not asked.
//!
//! `C:` is said by the client, `C2:` by a second one, which logs in when it first speaks. `{text:…}` in it becomes a
//! literal. `S:` (`S2:`) must come next, in order, among the lines up to the tagged answer of the last command;
//! other lines may come between. `N:` must not come there. In both `<..>` stands for anything and `<n>` for a number.
//! A literal in an answer is shown as `{n}` and its text, with `\r\n` for line ends.
//! `W:` (`W2:`) waits for a line without a command: news in IDLE.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod clients;
mod dialogue;
mod dovecot;
mod races;
mod rights;
mod server;
mod talk;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;

/// Who answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Our server.
    Ours,
    /// The real one.
    Dovecot,
}

/// How many are held at once: most of their time goes into waiting.
const AT_ONCE: usize = 8;

/// Holds every dialogue; what went wrong, by title.
fn hold(address: SocketAddr, who: Who) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    let only = std::env::var("DIALOGUE").unwrap_or_default();
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut waiting = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        for (number, dialogue) in dialogue::parse(&text).into_iter().enumerate() {
            let title = format!("{stem}: {}", dialogue.title);
            let not_his = who == Who::Dovecot && dialogue.ours.is_some();
            if title.contains(&only) && !not_his {
                // Every dialogue has a user of its own.
                waiting.push((title, format!("{stem}{number}"), dialogue));
            }
        }
    }
    let count = waiting.len();
    let (waiting, wrong) = (Mutex::new(waiting), Mutex::new(Vec::new()));
    let worker = || {
        loop {
            let Some((title, user, dialogue)) = waiting.lock().unwrap().pop() else { return };
            if let Err(what) = dialogue.hold(address, &user) {
                wrong.lock().unwrap().push(format!("{title}\n{what}"));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(worker);
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    println!("{count} dialogues");
    assert!(wrong.is_empty(), "{} of {count} went wrong:\n\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 0);
}

#[test]
fn over_the_facteur_store() {
    let server = server::Server::start("facteur");
    hold(server.address, Who::Ours);
}

#[test]
fn over_maildirs() {
    let server = server::Server::start("maildir");
    hold(server.address, Who::Ours);
}

#[test]
fn dovecot_answers_the_same() {
    let Some(dovecot) = dovecot::Dovecot::start() else { return };
    hold(dovecot.address, Who::Dovecot);
}
