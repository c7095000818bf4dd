//! Item 21 of the security list: sessions that get in each other's way lose nothing, see nothing twice, and pass no limit.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread;

use crate::server::Server;
use crate::talk::{Talk, is_well};

/// The number behind a word of an answer.
fn number(answer: &str, word: &str) -> Option<u32> {
    let rest = answer.split(word).nth(1)?.trim_start();
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

fn message(subject: &str) -> String {
    format!("Subject: {subject}\r\n\r\nhello\r\n")
}

/// Two put messages in, one takes them out, one moves them to and fro, one renames the mailbox they go to.
fn all_at_once(address: SocketAddr) {
    Talk::login(address, "race").well("CREATE box");
    let appender = |who: usize| {
        let mut talk = Talk::login(address, "race");
        let put = |n: usize| {
            let answer = talk.append("INBOX", &message(&format!("{who}-{n}")));
            assert!(is_well(&answer), "{answer}");
            answer.split("APPENDUID ").nth(1).and_then(|rest| number(rest, " ")).unwrap()
        };
        (0..25).map(put).collect::<Vec<u32>>()
    };
    let mover = || {
        let mut talk = Talk::login(address, "race");
        for (from, to) in [("INBOX", "box"), ("box", "INBOX")].into_iter().cycle().take(12) {
            // The other name of it may be the right one now.
            if !is_well(&talk.ask(&format!("SELECT {from}"))) {
                continue;
            }
            talk.ask(&format!("MOVE 1:2 {to}"));
            talk.well("UNSELECT");
        }
    };
    let reader = || {
        let mut talk = Talk::login(address, "race");
        for _ in 0..12 {
            talk.well("SELECT INBOX");
            let told = talk.well("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
            let uids: Vec<Option<u32>> = told
                .lines()
                .filter(|line| line.contains(" FETCH "))
                .map(|line| number(line, "UID "))
                .collect();
            assert!(uids.windows(2).all(|pair| pair[0] < pair[1]), "{told}");
        }
    };
    let renamer = || {
        let mut talk = Talk::login(address, "race");
        for (from, to) in [("box", "other"), ("other", "box")].into_iter().cycle().take(8) {
            talk.ask(&format!("RENAME {from} {to}"));
        }
    };
    let uids = thread::scope(|scope| {
        let appenders = [scope.spawn(move || appender(0)), scope.spawn(move || appender(1))];
        scope.spawn(mover);
        scope.spawn(reader);
        scope.spawn(renamer);
        appenders.map(|appender| appender.join().unwrap()).concat()
    });
    assert_eq!(uids.iter().collect::<BTreeSet<_>>().len(), 50, "no UID was given out twice: {uids:?}");
    let mut talk = Talk::login(address, "race");
    let mut found = Vec::new();
    for mailbox in ["INBOX", "box"] {
        talk.well(&format!("SELECT {mailbox}"));
        let told = talk.well("FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]");
        found.extend(told.lines().filter_map(|line| line.strip_prefix("Subject: ").map(str::to_owned)));
    }
    found.sort();
    let mut expected: Vec<String> =
        (0..2).flat_map(|who| (0..25).map(move |n| format!("{who}-{n}"))).collect();
    expected.sort();
    assert_eq!(found, expected, "each is there once");
}

#[test]
fn sessions_of_the_facteur_store_get_in_each_others_way() {
    all_at_once(Server::start("facteur").address);
}

#[test]
fn sessions_of_maildirs_get_in_each_others_way() {
    all_at_once(Server::start("maildir").address);
}

#[test]
fn no_race_passes_a_quota() {
    for kind in ["facteur", "maildir"] {
        let server = Server::with(kind, "mailbox_message_quota = 20\n");
        let address = server.address;
        let put = move |who: usize| {
            let mut talk = Talk::login(address, "quota");
            let mut taken = 0;
            for n in 0..10 {
                let answer = talk.append("INBOX", &message(&format!("{who}-{n}")));
                assert!(is_well(&answer) || answer.contains("NO [OVERQUOTA]"), "{answer}");
                taken += usize::from(is_well(&answer));
            }
            taken
        };
        let taken: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|who| scope.spawn(move || put(who))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let status = Talk::login(address, "quota").well("STATUS INBOX (MESSAGES)");
        assert_eq!((taken, number(&status, "MESSAGES ")), (20, Some(20)), "{kind}");
    }
}

/// Item 14: nothing that one message says makes the others cost more than their number.
#[test]
fn threads_and_sorting_stay_cheap_whatever_messages_say() {
    let server = Server::start("facteur");
    let mut talk = Talk::login(server.address, "deep");
    let many: String = (0..300).map(|n| format!(" <ref{n}@x>\r\n")).collect();
    for n in 0..150 {
        // All refer to all, in circles, and every subject is the same but for its decorations.
        let text = format!(
            "Message-ID: <ref{n}@x>\r\nReferences:\r\n{many}Subject: {}same\r\nTo: {}x@y\r\n\r\nx\r\n",
            "Re: [x] Fwd: ".repeat(60),
            "(((".repeat(40) + &")))".repeat(40),
        );
        assert!(is_well(&talk.append("INBOX", &text)));
    }
    talk.well("SELECT INBOX");
    for command in [
        "THREAD REFERENCES UTF-8 ALL",
        "THREAD REFS UTF-8 ALL",
        "THREAD ORDEREDSUBJECT UTF-8 ALL",
        "SORT (SUBJECT TO REVERSE DATE) UTF-8 ALL",
        "SEARCH OR OR TEXT same TEXT re OR BODY x HEADER References ref299",
    ] {
        let answer = talk.well(command);
        assert!(answer.contains("149") || command.starts_with("THREAD"), "{command}: {answer}");
    }
    // And who sends patterns has none: they are texts.
    let pattern = "(a+)+$".repeat(200);
    talk.well(&format!("SEARCH TEXT \"{pattern}\" SUBJECT \"{}\"", "%".repeat(2000)));
    talk.well(&format!("LIST \"\" \"{}\"", "%*".repeat(120)));
}
