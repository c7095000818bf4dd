//! master.cf: the table of services.

use std::path::{Path, PathBuf};

use crate::main_cf::logical_lines;
use crate::{Mistake, Severity};

/// Second column of master.cf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    /// TCP.
    Inet,
    /// Unix-domain stream socket.
    Unix,
    /// Named pipe.
    Fifo,
    /// Unix-domain socket over which open connections are passed.
    Pass,
    /// Unix-domain datagram socket.
    UnixDgram,
}

impl ServiceKind {
    /// As master.cf spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Unix => "unix",
            Self::Fifo => "fifo",
            Self::Pass => "pass",
            Self::UnixDgram => "unix-dgram",
        }
    }

    /// The kind of a name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Inet, Self::Unix, Self::Fifo, Self::Pass, Self::UnixDgram]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// One service. A column that holds `-` is `None`: its default is [`Service`]'s method of the same sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Name: a socket's name, or `[host:]port`.
    pub name: String,
    /// Kind.
    pub kind: ServiceKind,
    /// `private` column.
    pub private: Option<bool>,
    /// `unpriv` column.
    pub unpriv: Option<bool>,
    /// `chroot` column.
    pub chroot: Option<bool>,
    /// `wakeup` column: seconds, and whether a `?` asks to wake only a service that was used.
    pub wakeup: Option<(u32, bool)>,
    /// `maxproc` column; 0 is no limit, `None` is `default_process_limit`.
    pub maxproc: Option<u32>,
    /// The program.
    pub command: String,
    /// Its arguments without the `-o` ones.
    pub args: Vec<String>,
    /// `-o name=value`, in order.
    pub overrides: Vec<(String, String)>,
    /// File.
    pub file: PathBuf,
    /// First line, from 1.
    pub line: usize,
}

/// What master.cf says.
#[derive(Clone, Debug, Default)]
pub struct MasterCf {
    /// The services in file order.
    pub services: Vec<Service>,
}

impl MasterCf {
    /// Reads `master.cf` in a directory.
    pub fn read(dir: &Path) -> (Self, Vec<Mistake>) {
        let file = dir.join("master.cf");
        match std::fs::read(&file) {
            Ok(bytes) => Self::parse(&String::from_utf8_lossy(&bytes), &file),
            Err(error) => {
                let text = format!("open {}: {error}", file.display());
                (Self::default(), vec![Mistake::new(Severity::Fatal, Some((&file, 0)), text)])
            }
        }
    }

    /// Reads a text as if it were this file.
    pub fn parse(text: &str, file: &Path) -> (Self, Vec<Mistake>) {
        let (mut master, mut mistakes) = (Self::default(), Vec::new());
        for (line, logical) in logical_lines(text) {
            match service(&logical, file, line) {
                Ok(service) => master.services.push(service),
                Err(wrong) => mistakes.push(Mistake::new(Severity::Fatal, Some((file, line)), wrong)),
            }
        }
        (master, mistakes)
    }
}

fn service(text: &str, file: &Path, line: usize) -> Result<Service, String> {
    let mut words = words(text)?.into_iter();
    let mut next = |column: &str| words.next().ok_or_else(|| format!("missing {column} field"));
    let name = next("service")?;
    let kind = next("transport type")?;
    let kind = ServiceKind::of(&kind).ok_or_else(|| format!("bad transport type: {kind}"))?;
    let private = flag("private", &next("private")?)?;
    let unpriv = flag("unprivileged", &next("unprivileged")?)?;
    let chroot = flag("chroot", &next("chroot")?)?;
    let wakeup = wakeup(&next("wakeup")?)?;
    let maxproc = limit(&next("process limit")?)?;
    let command = next("command")?;
    let (mut args, mut overrides) = (Vec::new(), Vec::new());
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("-o") {
            Some("") => words.next().ok_or("-o without name=value")?,
            Some(setting) => setting.to_owned(),
            None => {
                args.push(word);
                continue;
            }
        };
        let (name, value) = setting.split_once('=').ok_or("missing '=' after attribute name")?;
        overrides.push((name.trim_ascii().to_owned(), value.trim_ascii().to_owned()));
    }
    let file = file.to_owned();
    Ok(Service { name, kind, private, unpriv, chroot, wakeup, maxproc, command, args, overrides, file, line })
}

fn flag(column: &str, text: &str) -> Result<Option<bool>, String> {
    match text {
        "-" => Ok(None),
        "y" => Ok(Some(true)),
        "n" => Ok(Some(false)),
        _ => Err(format!("field \"{column}\": bad value \"{text}\"; y, n or - is expected")),
    }
}

fn wakeup(text: &str) -> Result<Option<(u32, bool)>, String> {
    if text == "-" {
        return Ok(None);
    }
    let (number, used) = text.strip_suffix('?').map_or((text, false), |number| (number, true));
    let number = number.parse().map_err(|_| format!("field \"wakeup\": bad value \"{text}\""))?;
    Ok(Some((number, used)))
}

fn limit(text: &str) -> Result<Option<u32>, String> {
    match text {
        "-" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| format!("field \"process_limit\": bad value \"{text}\"")),
    }
}

/// Words between white space; `{ ... }` is one word, without its braces.
fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut found, mut rest) = (Vec::new(), text.trim_ascii());
    while !rest.is_empty() {
        let end = if rest.starts_with('{') {
            let mut depth = 0;
            let close = rest.char_indices().find(|(_, letter)| {
                depth += match letter {
                    '{' => 1,
                    '}' => -1,
                    _ => 0,
                };
                depth == 0
            });
            let (close, _) = close.ok_or_else(|| format!("missing '}}' in \"{rest}\""))?;
            found.push(rest[1..close].trim_ascii().to_owned());
            close + 1
        } else {
            let end = rest.find(|letter: char| letter.is_ascii_whitespace()).unwrap_or(rest.len());
            found.push(rest[..end].to_owned());
            end
        };
        rest = rest[end..].trim_ascii_start();
    }
    Ok(found)
}
