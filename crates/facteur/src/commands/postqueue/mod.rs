//! postqueue(1): lists the queue and asks for deliveries.

pub mod listing;

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use mail::QueueId;
use queue::Flush;
use queue::control::{Answer, Reason, Request};

use super::Command;
use super::reach::{self, Intent, Reach};
use crate::config::{self, Config};
use crate::logging;
use listing::{Json, Listing, Text};

/// The command.
pub const COMMAND: Command =
    Command { name: "postqueue", summary: "list the queue, or ask for deliveries", run };

/// `mailq`: the name under which old hands list the queue.
pub const MAILQ: Command = Command { name: "mailq", summary: "list the queue", run: run_mailq };

/// Exit status of everything that went wrong (EX_UNAVAILABLE).
const UNAVAILABLE: u8 = 69;

const USAGE: &str =
    "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site";

/// What was asked for.
enum Mode {
    Flush,
    FlushMessage(String),
    FlushSite(String),
    Json,
    Text,
}

fn fatal(what: &str) -> u8 {
    eprintln!("postqueue: fatal: {what}");
    UNAVAILABLE
}

fn run_mailq(words: Vec<OsString>) -> u8 {
    // mailq takes sendmail's options, none of which changes a listing, except where the configuration is.
    let mut words = words.into_iter();
    let mut listing = vec![OsString::from("-p")];
    while let Some(word) = words.next() {
        if word == "-c" || word == "-C" {
            listing.push("-c".into());
            listing.extend(words.next());
        }
    }
    run(listing)
}

fn run(words: Vec<OsString>) -> u8 {
    let mut parser = lexopt::Parser::from_args(words);
    let mut given: Option<PathBuf> = None;
    let mut modes = Vec::new();
    loop {
        let text = |value: OsString| value.to_string_lossy().into_owned();
        match parser.next() {
            Ok(None) => break,
            Ok(Some(lexopt::Arg::Short('c'))) => match super::value(&mut parser) {
                Ok(value) => given = Some(value.into()),
                Err(_) => return fatal(USAGE),
            },
            Ok(Some(lexopt::Arg::Short('f'))) => modes.push(Mode::Flush),
            Ok(Some(lexopt::Arg::Short('j'))) => modes.push(Mode::Json),
            Ok(Some(lexopt::Arg::Short('p'))) => modes.push(Mode::Text),
            Ok(Some(lexopt::Arg::Short('v'))) => {}
            Ok(Some(lexopt::Arg::Short(option @ ('i' | 's')))) => match super::value(&mut parser) {
                Ok(value) if option == 'i' => modes.push(Mode::FlushMessage(text(value))),
                Ok(value) => modes.push(Mode::FlushSite(text(value))),
                Err(_) => return fatal(USAGE),
            },
            Ok(Some(lexopt::Arg::Short(other))) => {
                eprintln!("postqueue: invalid option -- '{other}'");
                return fatal(USAGE);
            }
            Ok(Some(_)) | Err(_) => return fatal(USAGE),
        }
    }
    let Some(mode) = modes.pop().filter(|_| modes.is_empty()) else { return fatal(USAGE) };
    let _ = logging::start(logging::Target::Command("postqueue"), "postfix", false);
    let config = Config::main_only(&config::directory(given.as_deref()), "postqueue");
    match mode {
        Mode::Flush => flush(&config, Flush::All),
        Mode::FlushMessage(text) => match QueueId::parse(&text) {
            Some(id) => flush(&config, Flush::Message(id)),
            None => fatal(&format!("Cannot flush queue ID - invalid name: \"{text:.100}\"")),
        },
        Mode::FlushSite(site) => {
            if site.is_empty() || !site.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b)) {
                return fatal(&format!("Cannot flush mail queue - invalid destination: \"{site:.100}\""));
            }
            flush(&config, Flush::Site(site))
        }
        Mode::Json => list(&config, &mut Json),
        Mode::Text => {
            let long_ids = config.view.get("enable_long_queue_ids") == "yes";
            list(&config, &mut Text::new(long_ids))
        }
    }
}

fn flush(config: &Config, what: Flush) -> u8 {
    let Ok(mut reach) = reach::connect(&reach::queue_directory(config)) else {
        return fatal("Cannot flush mail queue - mail system is down");
    };
    let mut refused = None;
    let asked = reach.ask(Request::Flush(what), &mut |answer| {
        refused = match answer {
            Answer::Refused(Reason::NotFlushed, site) => {
                Some(format!("Flush service is not configured for destination \"{site:.100}\""))
            }
            Answer::Refused(Reason::Denied, _) => {
                Some(format!("User {} is not allowed to flush the mail queue", user()))
            }
            Answer::Refused(_, text) => Some(text),
            _ => None,
        };
        Ok(())
    });
    match (asked, refused) {
        (Ok(()), None) => 0,
        (Ok(()), Some(what)) => fatal(&what),
        (Err(error), _) => fatal(&format!("Cannot flush mail queue - {error}")),
    }
}

fn user() -> String {
    let uid = nix::unistd::getuid();
    let name = nix::unistd::User::from_uid(uid).ok().flatten().map_or("unknown".to_owned(), |user| user.name);
    format!("{name}({uid})")
}

/// The queue in either form.
fn list(config: &Config, form: &mut dyn Listing) -> u8 {
    let directory = reach::queue_directory(config);
    let reach = reach::connect(&directory).or_else(|error| {
        // Where there is no journal there is no mail.
        if !directory.join("journal").exists() {
            return Err(format!("Queue report unavailable - mail system is down ({error})"));
        }
        let opened = reach::open(&directory, Intent::Look);
        if opened.is_ok() {
            eprintln!("postqueue: warning: Mail system is down -- accessing queue directly ({error})");
        }
        opened.map_err(|what| format!("Queue report unavailable - mail system is down: {what}"))
    });
    match reach {
        Err(what) => fatal(&what),
        Ok(reach) => print(reach, form),
    }
}

fn print(mut reach: Reach, form: &mut dyn Listing) -> u8 {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut refused = None;
    let asked = reach.ask(Request::List, &mut |answer| match answer {
        Answer::Summary(summary) => form.message(&mut out, &summary),
        Answer::Dropped(listed) => form.dropped(&mut out, &listed),
        Answer::Refused(Reason::Denied, _) => {
            refused = Some(format!("User {} is not allowed to view the mail queue", user()));
            Ok(())
        }
        Answer::Refused(_, text) => {
            refused = Some(text);
            Ok(())
        }
        _ => form.end(&mut out),
    });
    match (asked.and_then(|()| out.flush()), refused) {
        // Whoever reads only the first lines of a long list has what it wants.
        (Err(error), _) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        (Err(error), _) => fatal(&format!("Queue report unavailable - {error}")),
        (Ok(()), Some(what)) => fatal(&what),
        (Ok(()), None) => 0,
    }
}
