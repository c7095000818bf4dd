//! The files of dialogues.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// A dialogue.
#[derive(Default)]
pub struct Script {
    /// Its file.
    pub name: String,
    /// `set`
    pub settings: Vec<(String, String)>,
    /// `start login`
    pub from_login: bool,
    /// `ours`: why Dovecot is not asked.
    pub ours: Option<String>,
    /// `remote`
    pub remote: Option<IpAddr>,
    /// With the numbers of their lines.
    pub steps: Vec<(usize, Step)>,
    messages: Vec<(Vec<u8>, String)>,
}

/// A step of a dialogue.
pub enum Step {
    /// Lines said together.
    Say(Vec<u8>),
    /// A line expected.
    Hear(String),
    /// A new session.
    Again,
    /// One more session.
    Other,
    /// Maildir flags of a message.
    Flags(usize, String),
    /// Files in the Maildir.
    Kept(usize),
}

impl Script {
    pub fn read(file: &Path) -> Script {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let mut script = Script { name, ..Script::default() };
        for (number, line) in (1..).zip(fs::read_to_string(file).unwrap().lines()) {
            script.line(number, line);
        }
        assert!(!script.steps.is_empty(), "{}: nothing is said", script.name);
        script
    }

    fn line(&mut self, number: usize, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let step = match word {
            "#" | "" => return,
            "set" => {
                let (name, value) = rest.split_once(" = ").expect("set NAME = VALUE");
                return self.settings.push((name.to_owned(), value.to_owned()));
            }
            "message" => return self.messages.push((Vec::new(), rest.to_owned())),
            "|" => {
                let (text, kind) = self.messages.last_mut().expect("a line belongs to a message");
                text.extend(rest.replace("\\0", "\0").bytes());
                return text.extend(if kind == "crlf" { &b"\r\n"[..] } else { b"\n" });
            }
            "start" => return self.from_login = true,
            "ours" => return self.ours = Some(rest.to_owned()),
            "remote" => return self.remote = Some(rest.parse().expect("an address")),
            "C:" => {
                let line = format!("{rest}\r\n").into_bytes();
                if let Some((_, Step::Say(said))) = self.steps.last_mut() {
                    return said.extend(line);
                }
                Step::Say(line)
            }
            "S:" => Step::Hear(rest.to_owned()),
            "again" => Step::Again,
            "other" => Step::Other,
            "flags" => {
                let (number, flags) = rest.split_once(' ').expect("flags NUMBER FLAGS");
                Step::Flags(number.parse().expect("a number"), flags.trim_matches('-').to_owned())
            }
            "kept" => Step::Kept(rest.parse().expect("a number")),
            _ => panic!("{}:{number}: {line}", self.name),
        };
        self.steps.push((number, step));
    }

    /// Writes the messages into a Maildir.
    pub fn store(&self, maildir: &Path) {
        for folder in ["cur", "new", "tmp"] {
            fs::create_dir_all(maildir.join(folder)).unwrap();
        }
        for (number, (text, kind)) in (1..).zip(&self.messages) {
            let text = if kind == "unended" { text.strip_suffix(b"\n").unwrap() } else { text };
            fs::write(maildir.join("cur").join(format!("170000000{number}.M{number}P1.box:2,")), text)
                .unwrap();
        }
    }
}

/// `*` is any text.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| matches(rest, &text[at..]))
}

/// The files of a Maildir, by name.
pub fn files(maildir: &Path) -> Vec<PathBuf> {
    let folders = ["cur", "new"].map(|folder| maildir.join(folder));
    let mut files: Vec<_> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// The flags of the message that was stored as number `number`.
pub fn flags(maildir: &Path, number: usize) -> String {
    let name = format!("170000000{number}.");
    let files = files(maildir);
    let file = files.iter().find(|file| file.file_name().unwrap().to_string_lossy().starts_with(&name));
    let file = file.expect("the message is there").to_string_lossy().into_owned();
    file.rsplit_once(":2,").map(|(_, flags)| flags.to_owned()).unwrap_or_default()
}
