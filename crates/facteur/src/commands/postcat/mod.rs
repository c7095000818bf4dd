//! postcat(1): shows messages in the queue.

mod records;

use std::ffi::OsString;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use mail::QueueId;
use queue::control::{Answer, Request, Shown};
use queue::{State, maildrop};

use super::Command;
use super::reach::{self, Intent};
use crate::config::{self, Config};
use crate::logging;
use records::{Parts, Printer};

/// The command.
pub const COMMAND: Command = Command { name: "postcat", summary: "show messages in the queue", run };

const USAGE: &str = "usage: postcat [-b (body text)] [-c config_dir] [-d (decimal record type)] \
[-e (envelope records)] [-h (header text)] [-q (access queue)] [-v] [file(s)...]";

/// Largest maildrop file that is read.
const LIMIT: u64 = 1 << 30;

fn run(words: Vec<OsString>) -> u8 {
    match work(words) {
        Ok(()) => 0,
        Err(what) => {
            eprintln!("postcat: fatal: {what}");
            1
        }
    }
}

fn work(words: Vec<OsString>) -> Result<(), String> {
    let mut parser = lexopt::Parser::from_args(words);
    let mut given: Option<PathBuf> = None;
    let mut parts = Parts::default();
    let mut by_id = false;
    let mut names = Vec::new();
    while let Some(argument) = parser.next().map_err(|_| USAGE.to_owned())? {
        match argument {
            lexopt::Arg::Short('b') => parts.body = true,
            lexopt::Arg::Short('c') => given = Some(super::value(&mut parser).map_err(|_| USAGE)?.into()),
            lexopt::Arg::Short('d') => parts.types = true,
            lexopt::Arg::Short('e') => parts.envelope = true,
            lexopt::Arg::Short('h') => parts.header = true,
            lexopt::Arg::Short('o') => parts.offsets = true,
            lexopt::Arg::Short('q') => by_id = true,
            // Records have one order here, and no file has another.
            lexopt::Arg::Short('r' | 'v') => {}
            lexopt::Arg::Short('s') => drop(super::value(&mut parser).map_err(|_| USAGE)?),
            lexopt::Arg::Short(other) => {
                eprintln!("postcat: invalid option -- '{other}'");
                return Err(USAGE.to_owned());
            }
            lexopt::Arg::Value(value) => names.push(value),
            lexopt::Arg::Long(_) => return Err(USAGE.to_owned()),
        }
    }
    if !(parts.body || parts.envelope || parts.header) {
        (parts.body, parts.envelope, parts.header) = (true, true, true);
    }
    let _ = logging::start(logging::Target::Command("postcat"), "postfix", false);
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut printer = Printer::new(parts, out);
    let shown = match by_id {
        true => {
            let config = Config::main_only(&config::directory(given.as_deref()), "postcat");
            names.iter().try_for_each(|name| queued(&reach::queue_directory(&config), name, &mut printer))
        }
        false if names.is_empty() => {
            let mut content = Vec::new();
            let read = io::stdin().lock().take(LIMIT).read_to_end(&mut content);
            read.map_err(|error| format!("standard input: {error}"))?;
            invalid("stdin");
            Ok(())
        }
        false => names.iter().try_for_each(|name| file(Path::new(name), &mut printer)),
    };
    shown?;
    printer.flush().map_err(|error| format!("standard output: {error}"))
}

fn invalid(name: &str) {
    eprintln!("postcat: warning: {name}: input is not a valid queue file");
}

/// A message by its queue id.
fn queued(directory: &Path, name: &OsString, printer: &mut Printer<impl Write>) -> Result<(), String> {
    let text = name.to_string_lossy();
    let missing = || format!("open queue file {text}: No such file or directory");
    let id = QueueId::parse(&text).ok_or_else(|| format!("bad mail queue id: {text}"))?;
    let mut reach = match reach::connect(directory) {
        Ok(reach) => reach,
        Err(_) => reach::open(directory, Intent::Look)?,
    };
    let mut refused = None;
    let asked = reach.ask(Request::Show(id), &mut |answer| {
        match answer {
            Answer::Message(shown) => printer.begin(shown.state.name(), &shown)?,
            Answer::Content(content) => printer.content(&content)?,
            Answer::Done => printer.end()?,
            Answer::Refused(queue::control::Reason::NotFound, _) => refused = Some(missing()),
            Answer::Refused(_, text) => refused = Some(format!("open queue file {name:?}: {text}")),
            Answer::Summary(_) | Answer::Dropped(_) | Answer::Altered(_) => {}
        }
        Ok(())
    });
    match (asked, refused) {
        (_, Some(what)) => Err(what),
        (Err(error), None) => Err(format!("{text}: {error}")),
        (Ok(()), None) => Ok(()),
    }
}

/// A file in the maildrop.
fn file(path: &Path, printer: &mut Printer<impl Write>) -> Result<(), String> {
    let dropped = match maildrop::read(path, LIMIT) {
        Ok(dropped) => dropped,
        Err(_) if path.exists() => {
            invalid(&path.display().to_string());
            return Ok(());
        }
        Err(_) => return Err(format!("open {}: No such file or directory", path.display())),
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).take(QueueId::MAX).collect();
    let shown = Shown {
        id: QueueId::parse(&letters).unwrap_or_else(|| QueueId::parse("0").expect("a digit")),
        state: State::Incoming,
        arrival: dropped.arrival,
        size: dropped.submission.content.len() as u64,
        done: vec![false; dropped.submission.envelope.recipients.len()],
        envelope: dropped.submission.envelope,
    };
    let print = |printer: &mut Printer<_>| {
        printer.begin("maildrop", &shown)?;
        printer.content(&dropped.submission.content)?;
        printer.end()
    };
    print(printer).map_err(|error| format!("standard output: {error}"))
}
