//! Reading and holding a dialogue.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take, where the disk is busy with something else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A dialogue.
#[derive(Debug, Default)]
pub struct Dialogue {
    pub title: String,
    /// Why Dovecot is not asked.
    pub ours: Option<String>,
    have: usize,
    state: String,
    /// The second client logs in under another name.
    others: bool,
    lines: Vec<Line>,
}

#[derive(Debug)]
enum Line {
    /// Who, and what he says.
    Client(u8, String),
    Server(u8, String),
    Never(u8, String),
    Wait(u8, String),
}

/// The dialogues of a file.
pub fn parse(text: &str) -> Vec<Dialogue> {
    let mut dialogues: Vec<Dialogue> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("== ") {
            dialogues.push(Dialogue { title: title.to_owned(), ..Dialogue::default() });
            continue;
        }
        let Some((head, rest)) = line.split_once(':') else { continue };
        if line.starts_with('#') {
            continue;
        }
        let rest = rest.strip_prefix(' ').unwrap_or(rest).to_owned();
        let dialogue = dialogues.last_mut().expect("a title comes first");
        let who = head.as_bytes().get(1).map_or(1, |digit| digit - b'0');
        match head.as_bytes() {
            b"have" => dialogue.have = rest.parse().expect("a number"),
            b"state" => dialogue.state = rest,
            b"users" => dialogue.others = true,
            b"ours" => dialogue.ours = Some(rest),
            [b'C', ..] => dialogue.lines.push(Line::Client(who, rest)),
            [b'S', ..] => dialogue.lines.push(Line::Server(who, rest)),
            [b'N', ..] => dialogue.lines.push(Line::Never(who, rest)),
            [b'W', ..] => dialogue.lines.push(Line::Wait(who, rest)),
            _ => panic!("{}: what is {line:?}?", dialogue.title),
        }
    }
    dialogues
}

const NAMES: [&str; 10] = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/// The messages of `have`.
fn message(number: usize) -> String {
    let name = NAMES[number];
    let day = number + 1;
    format!(
        "From: \"Sender {name}\" <{name}@example.test>\r\nTo: user@example.test\r\nSubject: {name}\r\n\
         Date: Mon, {day:02} Jan 2024 10:00:00 +0000\r\nMessage-ID: <{name}@example.test>\r\n\r\nThis is message {name}.\r\n"
    )
}

struct Client {
    reader: BufReader<TcpStream>,
    /// The tag of the command that is not answered yet.
    tag: String,
    /// Lines that came before what was waited for.
    log: Vec<String>,
}

impl Client {
    fn connect(address: SocketAddr) -> Result<Client, String> {
        let stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Client { reader: BufReader::new(stream), tag: String::new(), log: Vec::new() };
        client.line()?;
        Ok(client)
    }

    /// A line of the server, its literals within it.
    fn line(&mut self) -> Result<String, String> {
        let mut whole = String::new();
        loop {
            let mut line = Vec::new();
            let count =
                self.reader.read_until(b'\n', &mut line).map_err(|error| format!("no answer: {error}"))?;
            if count == 0 {
                return Err("the connection was closed".to_owned());
            }
            let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
            whole.push_str(&line);
            let length =
                line.strip_suffix('}').and_then(|line| line.rsplit_once('{')).map(|(_, digits)| digits);
            let Some(length) = length.and_then(|digits| digits.parse::<usize>().ok()) else {
                self.log.push(format!("    {whole}"));
                return Ok(whole);
            };
            let mut literal = vec![0; length];
            self.reader.read_exact(&mut literal).map_err(|error| format!("cut off: {error}"))?;
            whole.push_str(&String::from_utf8_lossy(&literal).replace("\r\n", "\\r\\n"));
        }
    }

    fn say(&mut self, text: &str) -> Result<(), String> {
        self.log.push(format!("  > {text}"));
        let bytes = with_literals(text);
        self.reader.get_mut().write_all(&bytes).map_err(|error| error.to_string())
    }

    /// Says a command and reads its answers up to the tagged one.
    fn command(&mut self, text: &str) -> Result<Vec<String>, String> {
        self.tag = text.split(' ').next().unwrap_or_default().to_owned();
        self.say(text)?;
        self.answers()
    }

    fn answers(&mut self) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            let done = line.starts_with(&format!("{} ", self.tag)) || line.starts_with("+ ") || line == "+";
            let done = done || line.starts_with("* BAD ") || line.starts_with("* BYE ");
            lines.push(line);
            if done {
                return Ok(lines);
            }
        }
    }

    fn log_in(&mut self, user: &str) -> Result<(), String> {
        let answer = self.command(&format!("login LOGIN {user} pw"))?;
        if answer.last().is_some_and(|line| line.contains(" OK ")) { Ok(()) } else { Err(answer.join("\n")) }
    }
}

/// `{text:abc}` becomes a literal without waiting, `\r\n` in it a line end.
fn with_literals(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{text:") {
        let (inner, next) = after.split_once('}').expect("a closing brace");
        let inner = inner.replace("\\r\\n", "\r\n").replace("\\0", "\0");
        bytes.extend(format!("{before}{{{}+}}\r\n{inner}", inner.len()).into_bytes());
        rest = next;
    }
    bytes.extend(rest.as_bytes());
    bytes.extend(b"\r\n");
    bytes
}

impl Dialogue {
    /// Holds it as this user.
    ///
    /// # Errors
    /// What was not as expected, with what was said before.
    pub fn hold(&self, address: SocketAddr, user: &str) -> Result<(), String> {
        let mut clients = BTreeMap::new();
        let held = self.talk(address, user, &mut clients);
        held.map_err(|what| {
            let logs: Vec<String> = clients
                .values()
                .flat_map(|client: &Client| client.log.iter().rev().take(30).rev().cloned())
                .collect();
            format!("  {what}\n{}", logs.join("\n"))
        })
    }

    /// The name under which a client logs in.
    fn user(&self, user: &str, who: u8) -> String {
        if self.others && who > 1 { format!("{user}-other") } else { user.to_owned() }
    }

    fn talk(
        &self,
        address: SocketAddr,
        user: &str,
        clients: &mut BTreeMap<u8, Client>,
    ) -> Result<(), String> {
        let mut first = Client::connect(address)?;
        if self.state != "connected" {
            first.log_in(user)?;
            for number in 0..self.have {
                let text = message(number).replace("\r\n", "\\r\\n");
                first.command(&format!("have APPEND INBOX {{text:{text}}}"))?;
            }
            if self.state == "selected" {
                first.command("select SELECT INBOX")?;
            }
        }
        clients.insert(1, first);
        let mut waiting: Vec<String> = Vec::new();
        let mut from = 0;
        for line in &self.lines {
            let who = match line {
                Line::Client(who, _) | Line::Server(who, _) | Line::Never(who, _) | Line::Wait(who, _) => {
                    *who
                }
            };
            let client = match clients.entry(who) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let mut other = Client::connect(address)?;
                    other.log_in(&self.user(user, who))?;
                    new.insert(other)
                }
            };
            let named = |text: &str| text.replace("<1>", user).replace("<2>", &self.user(user, 2));
            match line {
                Line::Client(_, text) => {
                    let text = &named(text);
                    from = 0;
                    let is_command = client.tag.is_empty()
                        || text
                            .split(' ')
                            .nth(1)
                            .is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_alphabetic()));
                    waiting = if is_command {
                        client.command(text)?
                    } else {
                        client.say(text)?;
                        client.answers()?
                    };
                }
                Line::Server(_, pattern) => {
                    let pattern = &named(pattern);
                    let found = waiting[from..].iter().position(|line| fits(pattern, line));
                    let found = found.ok_or_else(|| format!("expected: {pattern}"))?;
                    from += found + 1;
                }
                Line::Never(_, pattern) => {
                    let pattern = &named(pattern);
                    if let Some(line) = waiting.iter().find(|line| fits(pattern, line)) {
                        return Err(format!("unwanted: {line}"));
                    }
                }
                Line::Wait(_, pattern) => {
                    while !fits(
                        pattern,
                        &client.line().map_err(|what| format!("{what}, waiting for {pattern}"))?,
                    ) {}
                }
            }
        }
        Ok(())
    }
}

/// Does a line fit a pattern, in which `<..>` is anything and `<n>` a number?
fn fits(pattern: &str, line: &str) -> bool {
    let next = [pattern.find("<..>").map(|at| (at, 4)), pattern.find("<n>").map(|at| (at, 3))];
    let Some((at, length)) = next.into_iter().flatten().min() else { return pattern == line };
    let Some(rest) = line.strip_prefix(&pattern[..at]) else { return false };
    let tail = &pattern[at + length..];
    if length == 3 {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        return digits > 0 && fits(tail, &rest[digits..]);
    }
    (0..=rest.len()).filter(|end| rest.is_char_boundary(*end)).any(|end| fits(tail, &rest[end..]))
}

#[test]
fn patterns_fit_lines() {
    assert!(fits("a OK <..>", "a OK done") && fits("* <n> EXISTS", "* 12 EXISTS"));
    assert!(!fits("* <n> EXISTS", "* x EXISTS") && !fits("a OK", "a OK done"));
    assert!(fits("<..>[UIDNEXT <n>]<..>", "* OK [UIDNEXT 4] x"));
}
