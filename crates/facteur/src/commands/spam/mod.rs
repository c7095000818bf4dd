//! `facteur spam`: what the filter has learned, and why it says what it says.

mod messages;

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::Arg;
use mail::logline::printable;
use scan::spam::{Changed, Class, Sample};
use scan::{Letter, Own};

use super::{Command, value};
use crate::config::{self, Config};

/// The command.
pub const COMMAND: Command =
    Command { name: "spam", summary: "teach the spam filter, ask it why, see what it knows", run };

const USAGE: &str = "\
usage: facteur spam [-c config_dir] COMMAND

  learn --spam|--ham [-u user] [FILE ...]   this is spam, or is not
  forget [-u user] [FILE ...]               take back what was learned of it
  why [-u user] [--sender DOMAIN] [FILE]    how it would be judged, with every reason
  status                                    what was learned, by the site and by each user

A FILE is a message, an mbox file, or a directory of messages (Maildir folders too); without one, a message is read
from standard input. Without -u, the site learns.";

/// What was asked for.
#[derive(Debug, Default)]
struct Options {
    command: String,
    config: Option<PathBuf>,
    user: String,
    sender: Option<String>,
    class: Option<Class>,
    files: Vec<PathBuf>,
}

fn run(words: Vec<OsString>) -> u8 {
    match parse(words).and_then(|options| work(&options)) {
        Ok(()) => 0,
        Err(what) => {
            eprintln!("facteur spam: {what}");
            1
        }
    }
}

fn parse(words: Vec<OsString>) -> Result<Options, String> {
    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_args(words);
    let text = |parser: &mut lexopt::Parser| {
        value(parser)?.into_string().map_err(|_| "arguments are plain text".to_owned())
    };
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Short('c') => options.config = Some(value(&mut parser)?.into()),
            Arg::Short('u') => options.user = text(&mut parser)?.to_lowercase(),
            Arg::Long("sender") => options.sender = Some(text(&mut parser)?.to_lowercase()),
            Arg::Long("spam") => options.class = Some(Class::Spam),
            Arg::Long("ham") => options.class = Some(Class::Ham),
            Arg::Value(word) if options.command.is_empty() => {
                options.command = word.to_string_lossy().into_owned();
            }
            Arg::Value(word) => options.files.push(word.into()),
            other => return Err(format!("{}\n{USAGE}", other.unexpected())),
        }
    }
    Ok(options)
}

fn work(options: &Options) -> Result<(), String> {
    let config = Config::main_only(&config::directory(options.config.as_deref()), "facteur");
    let mut mistakes = Vec::new();
    let own = Own::read(&config.view, &mut mistakes);
    mistakes.iter().for_each(|mistake| eprintln!("facteur spam: {mistake}"));
    match options.command.as_str() {
        "learn" => {
            let class = options.class.ok_or("say --spam or --ham")?;
            change(&own, options, "learned", |message, statistics, today| {
                statistics.learn(&options.user, message, class, today)
            })
        }
        "forget" => change(&own, options, "forgotten", |message, statistics, today| {
            statistics.forget(&options.user, message, today)
        }),
        "why" => why(&own, &config, options),
        "status" => status(&own, &config),
        "help" | "" => {
            println!("{USAGE}");
            Ok(())
        }
        other => Err(format!("there is no command '{other}'\n{USAGE}")),
    }
}

fn change(
    own: &Own,
    options: &Options,
    word: &str,
    mut each: impl FnMut(&Sample, &scan::spam::Statistics, i64) -> Result<Changed, mail::Trouble>,
) -> Result<(), String> {
    let statistics = own.statistics().map_err(|trouble| trouble.to_string())?;
    let today = today();
    let (mut changed, mut all) = (0, 0);
    messages::each(&options.files, &mut |message| {
        all += 1;
        let done = each(&Sample::read(message), &statistics, today).map_err(|trouble| trouble.to_string())?;
        changed += u64::from(done == Changed::Done);
        Ok(())
    })?;
    println!(
        "{word}: {changed} of {all}{}",
        if changed < all { " (the others were so already)" } else { "" }
    );
    Ok(())
}

fn why(own: &Own, config: &Config, options: &Options) -> Result<(), String> {
    let required = config.view.get("spam_required_score").trim().parse().unwrap_or(5.0);
    let owners = Some(options.user.clone()).filter(|user| !user.is_empty()).into_iter().collect();
    messages::each(&options.files, &mut |message| {
        let sample = Sample::read(message);
        let proven = options.sender.clone().or_else(|| sample.sender.clone());
        let about = Letter { owners: Vec::clone(&owners), proven, ..Letter::default() };
        let verdict =
            own.judge(&sample, Vec::new(), &about, required).map_err(|trouble| trouble.to_string())?;
        println!("{}", printable(&verdict.line()));
        for finding in &verdict.findings {
            println!("  {:>5.1}  {:<18} {}", finding.points, finding.name, printable(&finding.text));
        }
        println!("Lists and exceptions, which depend on the client, are not asked here.");
        Ok(())
    })
}

fn status(own: &Own, config: &Config) -> Result<(), String> {
    let statistics = own.statistics().map_err(|trouble| trouble.to_string())?;
    let owners = statistics.owners().map_err(|trouble| trouble.to_string())?;
    println!("{:<32} {:>9} {:>9} {:>9}", "learned by", "spam", "other", "words");
    for owner in &owners {
        let name = if owner.name.is_empty() { "the site" } else { &owner.name };
        let counts = owner.learned;
        println!("{:<32} {:>9} {:>9} {:>9}", printable(name), counts.spam, counts.ham, owner.tokens);
    }
    let least = config.view.get("spam_learn_minimum");
    let few = |owner: &scan::spam::Owner| {
        u64::from(owner.learned.spam.min(owner.learned.ham)) < least.trim().parse().unwrap_or(0)
    };
    if owners.iter().all(few) {
        println!("Words do not count before {least} messages of each kind are learned (spam_learn_minimum).");
    }
    Ok(())
}

/// Days since 1970.
fn today() -> i64 {
    let since = net::clock::wall().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs() / 86_400).unwrap_or(0))
}
