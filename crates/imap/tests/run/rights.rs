//! Item 12 of the security list: what can be done with somebody else's mailbox, held against every right. RFC 4314 4.

use crate::server::Server;
use crate::talk::{Talk, is_well};

const LETTERS: &str = "lrswipkxtea";

/// Commands that name the mailbox (`THAT`), and the rights that they all need.
const BY_NAME: &[(&str, &str)] = &[
    ("UID COPY 1 THAT", "i"),
    ("STATUS THAT (MESSAGES UNSEEN SIZE)", "r"),
    ("EXAMINE THAT", "r"),
    ("SELECT THAT", "r"),
    ("APPEND THAT {2+}\r\nx\n", "i"),
    ("GETACL THAT", "a"),
    ("SETACL THAT third l", "a"),
    ("DELETEACL THAT third", "a"),
    ("LISTRIGHTS THAT third", "a"),
    ("SETMETADATA THAT (/shared/comment \"x\")", "l+rswip"),
    ("GETMETADATA THAT /shared/comment", "l+rswip"),
    ("CREATE THAT/below", "k"),
    ("DELETE THAT", "x"),
];

struct Stage {
    owner: Talk,
    other: Talk,
}

impl Stage {
    fn new(server: &Server) -> Stage {
        let mut stage = Stage {
            owner: Talk::login(server.address, "owner"),
            other: Talk::login(server.address, "other"),
        };
        assert!(is_well(&stage.other.append("INBOX", "Subject: own\r\n\r\nx\r\n")));
        stage
    }

    /// The mailbox as it is at first: two messages, the second one deleted.
    fn set(&mut self, rights: &str) {
        self.other.well("SELECT INBOX");
        self.owner.ask("DELETE box/below");
        self.owner.ask("DELETE box");
        self.owner.well("CREATE box");
        for subject in ["one", "two"] {
            assert!(is_well(&self.owner.append("box", &format!("Subject: {subject}\r\n\r\nx\r\n"))));
        }
        self.owner.well("SELECT box");
        self.owner.well("STORE 2 +FLAGS.SILENT (\\Deleted)");
        self.owner.well("UNSELECT");
        self.owner.well("SETMETADATA box (/shared/comment \"secret\")");
        if !rights.is_empty() {
            self.owner.well(&format!("SETACL box other {rights}"));
        }
    }

    fn ask(&mut self, command: &str) -> String {
        self.other.ask(&command.replace("THAT", "shared/owner/box"))
    }

    /// How many messages the owner finds with this key.
    fn found(&mut self, key: &str) -> usize {
        self.owner.well("EXAMINE box");
        let answer = self.owner.well(&format!("SEARCH {key}"));
        let line = answer.lines().find(|line| line.starts_with("* SEARCH")).unwrap_or_default();
        line.split_whitespace().count() - 2
    }
}

/// Has somebody with `rights` those that are `needed`? Behind `+` stand some of which one will do.
fn has(rights: &str, needed: &str) -> bool {
    let (all, one) = needed.split_once('+').unwrap_or((needed, ""));
    all.chars().all(|right| rights.contains(right))
        && (one.is_empty() || one.chars().any(|right| rights.contains(right)))
}

/// None, each alone, all but one, all.
fn sets() -> Vec<String> {
    let mut sets = vec![String::new(), LETTERS.to_owned()];
    for letter in LETTERS.chars() {
        sets.push(letter.to_string());
        sets.push(LETTERS.replace(letter, ""));
        // What is done within a mailbox needs to open it first.
        sets.push(format!("lr{letter}"));
    }
    sets
}

/// The commands, and what they tell of a mailbox.
fn by_name(stage: &mut Stage, rights: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    stage.set(rights);
    for (command, needed) in BY_NAME {
        let answer = stage.ask(command);
        if is_well(&answer) != has(rights, needed) {
            wrong.push(format!("{rights:?}: {command}: {answer}"));
        }
    }
    stage.set(rights);
    let list = stage.ask("LIST \"\" THAT RETURN (STATUS (MESSAGES) MYRIGHTS)");
    if list.contains("* LIST") != has(rights, "l") || list.contains("* STATUS") != has(rights, "lr") {
        wrong.push(format!("{rights:?}: {list}"));
    }
    // Nobody finds out by a search what he may not read, nor by NOTIFY.
    for command in [
        "ESEARCH IN (mailboxes THAT) RETURN (COUNT) SUBJECT one",
        "NOTIFY SET STATUS (mailboxes THAT (MessageNew MessageExpunge))",
    ] {
        let told = stage.ask(command);
        if (told.contains("* ESEARCH") || told.contains("* STATUS")) && !has(rights, "lr") {
            wrong.push(format!("{rights:?}: {command}: {told}"));
        }
    }
    stage.other.well("NOTIFY NONE");
    // A mailbox of which somebody has no right is none.
    if rights.is_empty() {
        for command in BY_NAME.iter().map(|(command, _)| *command).chain(["MYRIGHTS THAT", "SUBSCRIBE THAT"])
        {
            let there = stage.ask(command);
            let nowhere = stage.other.ask(&command.replace("THAT", "shared/owner/not"));
            let last =
                |answer: &str| answer.replace("owner/not", "owner/box").lines().last().map(str::to_owned);
            if last(&there) != last(&nowhere) {
                wrong.push(format!("{command}: {there} or {nowhere}"));
            }
        }
    }
    wrong
}

/// What is done with the messages: what the owner sees of it counts.
fn within(stage: &mut Stage, rights: &str) -> Vec<String> {
    let changes = [
        ("STORE 1 +FLAGS (\\Seen)", "SEEN", "rs"),
        ("STORE 1 +FLAGS (\\Seen \\Flagged word)", "FLAGGED", "rw"),
        ("STORE 1 FLAGS (\\Seen \\Flagged word)", "KEYWORD word", "rw"),
        ("STORE 1 +FLAGS (\\Deleted \\Seen)", "1 DELETED", "rt"),
        ("STORE 2 FLAGS ()", "2 UNDELETED", "rt"),
        ("FETCH 1 BODY[]", "SEEN", "rs"),
    ];
    let mut wrong = Vec::new();
    for (command, key, needed) in changes {
        stage.set(rights);
        let opened = is_well(&stage.ask("SELECT THAT"));
        let answer = if opened { stage.ask(command) } else { String::new() };
        if (stage.found(key) > 0) != has(rights, needed) {
            wrong.push(format!("{rights:?}: {command}: {answer}"));
        }
    }
    for (command, needed) in [("EXPUNGE", "re"), ("CLOSE", "re"), ("UID MOVE 2 INBOX", "rte")] {
        stage.set(rights);
        let opened = is_well(&stage.ask("SELECT THAT"));
        let answer = if opened { stage.ask(command) } else { String::new() };
        if (stage.found("ALL") == 1) != has(rights, needed) {
            wrong.push(format!("{rights:?}: {command}: {answer}"));
        }
    }
    stage.set(rights);
    let copied = is_well(&stage.ask("SELECT THAT")) && is_well(&stage.ask("COPY 1 INBOX"));
    if copied != has(rights, "r") {
        wrong.push(format!("{rights:?}: COPY"));
    }
    wrong
}

/// What is wrong for any set of rights.
fn held(look: fn(&mut Stage, &str) -> Vec<String>) {
    let server = Server::start("facteur");
    let mut stage = Stage::new(&server);
    let wrong: Vec<String> = sets().iter().flat_map(|rights| look(&mut stage, rights)).collect();
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_command_on_a_mailbox_is_held_against_every_right() {
    held(by_name);
}

#[test]
fn every_change_within_a_mailbox_is_held_against_every_right() {
    held(within);
}
