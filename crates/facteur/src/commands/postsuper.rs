//! postsuper(1): deletes, holds, releases, requeues and expires messages.

use std::ffi::OsString;
use std::io::{self, BufRead};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use mail::QueueId;
use queue::control::{Alteration, Answer, Request};
use queue::{Selection, State};

use super::Command;
use super::reach::{self, Intent, Reach};
use crate::config::{self, Config};
use crate::logging;

/// The command.
pub const COMMAND: Command =
    Command { name: "postsuper", summary: "delete, hold, release, requeue or expire messages", run };

const USAGE: &str = "usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] \
[-f queue_id (expire and/or un-hold)] [-h queue_id (hold)] [-H queue_id (un-hold)] [-p (purge temporary files)] \
[-r queue_id (requeue)] [-s (structure fix)] [-S (redundant structure fix)][-v (verbose)] [queue...]";

/// Queue directories of Postfix that have no messages an administrator could mean.
const OTHER_DIRECTORIES: [&str; 7] = ["maildrop", "bounce", "defer", "trace", "flush", "corrupt", "saved"];

/// One kind of change: in the order in which they are done.
struct Action {
    alteration: Alteration,
    /// Options that ask for it.
    options: &'static str,
    /// The queues it applies to when none are named.
    states: &'static [State],
    /// What is said of one message, and before the count of all.
    said: (&'static str, &'static str),
}

const ALL: &[State] = &State::ALL;

const ACTIONS: [Action; 5] = [
    Action { alteration: Alteration::Requeue, options: "r", states: ALL, said: ("requeued", "Requeued") },
    Action { alteration: Alteration::Delete, options: "d", states: ALL, said: ("removed", "Deleted") },
    Action { alteration: Alteration::Expire, options: "ef", states: ALL, said: ("expired", "Force-expired") },
    Action {
        alteration: Alteration::Hold,
        options: "h",
        states: &[State::Incoming, State::Active, State::Deferred],
        said: ("placed on hold", "Placed on hold"),
    },
    Action {
        alteration: Alteration::Release,
        options: "Hf",
        states: &[State::Hold],
        said: ("released from hold", "Released from hold"),
    },
];

fn fatal(what: &str) -> u8 {
    eprintln!("postsuper: fatal: {what}");
    1
}

fn run(words: Vec<OsString>) -> u8 {
    match work(words) {
        Ok(()) => 0,
        Err(what) => fatal(&what),
    }
}

fn work(words: Vec<OsString>) -> Result<(), String> {
    let mut parser = lexopt::Parser::from_args(words);
    let mut given: Option<PathBuf> = None;
    let mut orders: Vec<(char, String)> = Vec::new();
    let mut queues: Vec<String> = Vec::new();
    while let Some(argument) = parser.next().map_err(|_| USAGE.to_owned())? {
        match argument {
            lexopt::Arg::Short('c') => given = Some(super::value(&mut parser).map_err(|_| USAGE)?.into()),
            // A journal has no files in wrong places and no names to repair; what a crash left is put right at
            // every start.
            lexopt::Arg::Short('p' | 's' | 'S' | 'v') => {}
            lexopt::Arg::Short(option @ ('d' | 'e' | 'f' | 'h' | 'H' | 'r')) => {
                let value = super::value(&mut parser).map_err(|_| USAGE)?;
                orders.push((option, value.to_string_lossy().into_owned()));
            }
            lexopt::Arg::Short(other) => {
                eprintln!("postsuper: invalid option -- '{other}'");
                return Err(USAGE.to_owned());
            }
            lexopt::Arg::Value(value) => queues.push(value.to_string_lossy().into_owned()),
            lexopt::Arg::Long(_) => return Err(USAGE.to_owned()),
        }
    }
    let states = states(&queues)?;
    let _ = logging::start(logging::Target::Command("postsuper"), "postfix", false);
    let config = Config::main_only(&config::directory(given.as_deref()), "postsuper");
    let directory = reach::queue_directory(&config);
    may(&directory)?;
    if orders.is_empty() {
        return Ok(());
    }
    let orders = read_ids(orders)?;
    let mut reach = match reach::connect(&directory) {
        Ok(reach) => reach,
        Err(_) if !directory.join("journal").exists() => {
            return Err(format!("no queue in {}", directory.display()));
        }
        Err(_) => reach::open(&directory, Intent::Change)?,
    };
    for action in &ACTIONS {
        let mine = orders.iter().filter(|(option, _)| action.options.contains(*option));
        let ids: Vec<&str> = mine.map(|(_, id)| id.as_str()).collect();
        if ids.is_empty() && !orders.iter().any(|(option, _)| action.options.contains(*option)) {
            continue;
        }
        let states = states.clone().unwrap_or_else(|| action.states.to_vec());
        let count = perform(&mut reach, action, &ids, &states)?;
        let plural = if count == 1 { "" } else { "s" };
        eprintln!("postsuper: {}: {count} message{plural}", action.said.1);
    }
    Ok(())
}

/// The queues named on the command line.
fn states(names: &[String]) -> Result<Option<Vec<State>>, String> {
    if names.is_empty() {
        return Ok(None);
    }
    let mut states = Vec::new();
    for name in names {
        match State::named(name) {
            Some(state) => states.push(state),
            None if OTHER_DIRECTORIES.contains(&name.as_str()) => {}
            None => return Err(format!("invalid directory name: {name}")),
        }
    }
    Ok(Some(states))
}

/// For root, and for the user who runs the program without being root.
fn may(directory: &Path) -> Result<(), String> {
    let uid = nix::unistd::geteuid();
    let owner = std::fs::metadata(directory).map(|metadata| metadata.uid()).ok();
    match uid.is_root() || owner == Some(uid.as_raw()) {
        true => Ok(()),
        false => Err("use of this command is reserved for the superuser".to_owned()),
    }
}

/// Replaces `-` by the ids on standard input.
fn read_ids(orders: Vec<(char, String)>) -> Result<Vec<(char, String)>, String> {
    let mut all = Vec::new();
    for (option, id) in orders {
        if id != "-" {
            all.push((option, id));
            continue;
        }
        // The option counts even if no id follows.
        let mut lines = io::stdin().lock().lines();
        all.push((option, String::new()));
        while let Some(line) = lines.next().transpose().map_err(|error| format!("standard input: {error}"))? {
            all.push((option, line.trim().to_owned()));
        }
    }
    Ok(all)
}

/// Does one kind of change; counts the messages.
fn perform(reach: &mut Reach, action: &Action, ids: &[&str], states: &[State]) -> Result<usize, String> {
    let mut count = 0;
    for id in ids.iter().filter(|id| !id.is_empty()) {
        let selection = match (*id, QueueId::parse(id)) {
            ("ALL", _) => Selection::All(states.to_vec()),
            (_, Some(id)) => Selection::One(id, states.to_vec()),
            (id, None) => {
                eprintln!("postsuper: warning: invalid mail queue id: {id}");
                continue;
            }
        };
        let one = matches!(selection, Selection::One(..));
        let mut refused = None;
        reach
            .ask(Request::Alter(action.alteration, selection), &mut |answer| {
                match answer {
                    Answer::Altered(ids) => {
                        count += ids.len();
                        for id in ids.iter().filter(|_| one) {
                            eprintln!("postsuper: {id}: {}", action.said.0);
                        }
                    }
                    Answer::Refused(_, text) => refused = Some(text),
                    _ => {}
                }
                Ok(())
            })
            .map_err(|error| format!("the running mail system does not answer: {error}"))?;
        if let Some(text) = refused {
            return Err(text);
        }
    }
    Ok(count)
}
