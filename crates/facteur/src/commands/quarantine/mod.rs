//! `facteur quarantine`: mail that is held because of what is in it: listed with its reason, shown without danger,
//! released, deleted, expired.

mod held;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use jiff::tz::TimeZone;
use lexopt::Arg;
use mail::QueueId;
use mail::logline::printable;
use mta::quarantine::{Held, Languages, digest};
use queue::control::{Alteration, Answer, Request};
use queue::{Flush, Selection, State};
use scan::spam::{Class, Sample};

use super::reach::{self, Intent, Reach};
use super::submit::submit;
use super::{Command, value};
use crate::config::{self, Config};

/// The command.
pub const COMMAND: Command =
    Command { name: "quarantine", summary: "mail held for what is in it: list, show, release, delete", run };

const USAGE: &str = "\
usage: facteur quarantine [-c config_dir] COMMAND

  list [--json] [--recipient ADDRESS]     what is held, since when and why
  show QUEUE_ID                           its header and its text, without anything that acts
  release [--learn] QUEUE_ID ...          deliver it; with --learn the filter learns that it is no spam
  delete [--learn] QUEUE_ID ...           remove it; with --learn the filter learns that it is spam
  expire [--older TIME]                   remove what is older (quarantine_lifetime) now
  digest [--french] [--newer TIME]        mail each recipient a list of what came for him in this time (1d) now

Mail that an administrator or a HOLD action keeps is no quarantine: see 'facteur queue'.";

/// Lines of a text that are shown.
const LINES: usize = 400;

#[derive(Debug, Default)]
struct Options {
    command: String,
    config: Option<PathBuf>,
    json: bool,
    learn: bool,
    recipient: Option<String>,
    older: Option<String>,
    newer: Option<String>,
    french: bool,
    ids: Vec<QueueId>,
}

fn run(words: Vec<OsString>) -> u8 {
    match parse(words).and_then(|options| work(&options)) {
        Ok(status) => status,
        Err(what) => {
            eprintln!("facteur quarantine: {what}");
            1
        }
    }
}

fn parse(words: Vec<OsString>) -> Result<Options, String> {
    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_args(words);
    let text = |parser: &mut lexopt::Parser| -> Result<String, String> {
        Ok(value(parser)?.to_string_lossy().into_owned())
    };
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Short('c') => options.config = Some(value(&mut parser)?.into()),
            Arg::Long("json") => options.json = true,
            Arg::Long("learn") => options.learn = true,
            Arg::Long("recipient") => options.recipient = Some(text(&mut parser)?.to_lowercase()),
            Arg::Long("french") => options.french = true,
            Arg::Long("newer") => options.newer = Some(text(&mut parser)?),
            Arg::Long("older") => options.older = Some(text(&mut parser)?),
            Arg::Value(word) if options.command.is_empty() => {
                options.command = word.to_string_lossy().into_owned();
            }
            Arg::Value(word) => {
                let word = word.to_string_lossy();
                let id = QueueId::parse(&word).ok_or_else(|| format!("'{word}' is no queue id"))?;
                options.ids.push(id);
            }
            other => return Err(format!("{}\n{USAGE}", other.unexpected())),
        }
    }
    Ok(options)
}

fn work(options: &Options) -> Result<u8, String> {
    let config = Config::main_only(&config::directory(options.config.as_deref()), "facteur");
    let directory = reach::queue_directory(&config);
    let look = matches!(options.command.as_str(), "list" | "show" | "digest");
    let open = || {
        let intent = if look { Intent::Look } else { Intent::Change };
        reach::connect(&directory).or_else(|_| reach::open(&directory, intent))
    };
    let named = || match options.ids.is_empty() {
        true => Err(format!("'{}' needs a queue id", options.command)),
        false => Ok(()),
    };
    match options.command.as_str() {
        "list" => list(&mut open()?, options),
        "show" => {
            named()?;
            show(&mut open()?, options)
        }
        "release" => {
            named()?;
            settle(&mut open()?, &config, options, Alteration::Release, Class::Ham)
        }
        "delete" => {
            named()?;
            settle(&mut open()?, &config, options, Alteration::Delete, Class::Spam)
        }
        "expire" => expire(&mut open()?, &config, options),
        "digest" => digest(&mut open()?, &config, options),
        "help" | "" => {
            println!("{USAGE}");
            Ok(0)
        }
        other => Err(format!("there is no command '{other}'\n{USAGE}")),
    }
}

fn list(reach: &mut Reach, options: &Options) -> Result<u8, String> {
    let mut out = io::stdout().lock();
    let wanted = |held: &Held| {
        options
            .recipient
            .as_ref()
            .is_none_or(|wanted| held.recipients.iter().any(|one| one.to_lowercase() == *wanted))
    };
    let all = held::all(reach)?;
    let shown: Vec<&Held> = all.iter().filter(|held| wanted(held)).collect();
    let mut print = || -> io::Result<()> {
        for held in &shown {
            if options.json {
                writeln!(out, "{}", held::json(held))?;
                continue;
            }
            let date = mail::date::rfc5322(held.arrival, &TimeZone::system());
            writeln!(out, "{}  {date}  {} bytes", held.id, held.size)?;
            writeln!(out, "    because:  {}", printable(&held.reason))?;
            writeln!(out, "    from:     <{}>", printable(&held.sender))?;
            for recipient in &held.recipients {
                writeln!(out, "    to:       <{}>", printable(recipient))?;
            }
            writeln!(out, "    subject:  {}", printable(&held.subject))?;
        }
        if !options.json {
            let count = shown.len();
            writeln!(out, "{count} message{} in quarantine", if count == 1 { "" } else { "s" })?;
        }
        Ok(())
    };
    match print() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
        _ => Ok(0),
    }
}

/// Text only, and no byte in it that a terminal would obey.
fn show(reach: &mut Reach, options: &Options) -> Result<u8, String> {
    for id in &options.ids {
        let (held, content) = held::one(reach, id)?;
        println!("{}: {}\n", held.id, printable(&held.reason));
        let sample = Sample::read(&content);
        sample.header.lines().take(LINES).for_each(|line| println!("{}", printable(line)));
        println!();
        sample.body.lines().take(LINES).for_each(|line| println!("{}", printable(line)));
    }
    Ok(0)
}

/// Releases or deletes, and learns.
fn settle(
    reach: &mut Reach,
    config: &Config,
    options: &Options,
    alteration: Alteration,
    class: Class,
) -> Result<u8, String> {
    for id in &options.ids {
        // Only what is in quarantine, and read while it is there.
        let (_, content) = held::one(reach, id)?;
        if options.learn {
            let own = scan::Own::read(&config.view, &mut Vec::new());
            let learned = own.statistics().and_then(|statistics| {
                statistics.learn("", &Sample::read(&content), class, now().as_second() / 86_400)
            });
            learned.map_err(|trouble| trouble.to_string())?;
        }
    }
    alter(reach, alteration, options.ids.clone())
}

fn expire(reach: &mut Reach, config: &Config, options: &Options) -> Result<u8, String> {
    let oldest = before(&options.older.clone().unwrap_or_else(|| config.view.get("quarantine_lifetime")))?;
    let all = held::all(reach)?;
    let old = all.into_iter().filter(|held| held.arrival.as_second() < oldest);
    let ids: Vec<QueueId> = old.map(|held| held.id).collect();
    alter(reach, Alteration::Delete, ids)
}

fn digest(reach: &mut Reach, config: &Config, options: &Options) -> Result<u8, String> {
    let oldest = before(options.newer.as_deref().unwrap_or("1d"))?;
    let mut all = held::all(reach)?;
    all.retain(|held| held.arrival.as_second() >= oldest);
    let sender = format!("postmaster@{}", config.view.get("myorigin"));
    let directory = config::directory(options.config.as_deref());
    let tables = crate::serve::tables(&config.view, &mut Vec::new());
    let languages = Languages::read(&config.view, &tables, &mut Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let boxes = digest::by_recipient(&all);
    for (recipient, held) in &boxes {
        let french = options.french || runtime.block_on(languages.is_french(recipient));
        let text = digest::text(recipient, held, &sender, french, &TimeZone::system());
        submit("<>", recipient, &text, &directory)
            .map_err(|what| format!("digest for <{recipient}>: {what}"))?;
    }
    println!("Sent: {} digest{}", boxes.len(), if boxes.len() == 1 { "" } else { "s" });
    Ok(0)
}

/// The time that is so long ago, in seconds since 1970.
fn before(text: &str) -> Result<i64, String> {
    let age = conf::parse_time(text.trim(), conf::TimeUnit::of_default("1d"));
    let age = age.ok_or_else(|| format!("'{text}' is no time: 12h, 30d, 4w"))?;
    Ok(now().as_second().saturating_sub(i64::try_from(age.as_secs()).unwrap_or(i64::MAX)))
}

fn alter(reach: &mut Reach, alteration: Alteration, ids: Vec<QueueId>) -> Result<u8, String> {
    let word = match alteration {
        Alteration::Release => "Released",
        _ => "Deleted",
    };
    let mut done = 0;
    if !ids.is_empty() {
        let selection = Selection::These(ids.clone(), vec![State::Hold]);
        reach.request(Request::Alter(alteration, selection), &mut |answer| {
            if let Answer::Altered(ids) = answer {
                done += ids.len();
            }
        })?;
    }
    if alteration == Alteration::Release {
        // Otherwise it would wait for the next look at the deferred queue; where that is refused, it does.
        for id in ids {
            let asked = reach.ask(Request::Flush(Flush::Message(id)), &mut |_| Ok(()));
            asked.map_err(|error| error.to_string())?;
        }
    }
    println!("{word}: {done} message{}", if done == 1 { "" } else { "s" });
    Ok(0)
}

fn now() -> jiff::Timestamp {
    jiff::Timestamp::try_from(net::clock::wall()).unwrap_or_default()
}
