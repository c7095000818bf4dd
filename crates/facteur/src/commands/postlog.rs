//! postlog(1): writes lines into the mail log, for scripts.

use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;

use super::Command;
use crate::config::{self, Config};
use crate::{logging, serve};

/// The command.
pub const COMMAND: Command = Command { name: "postlog", summary: "write a line into the mail log", run };

const USAGE: &str = "usage: postlog [-iv] [-c config_dir] [-p priority] [-t tag] [text...]";

/// What was asked for.
#[derive(Debug, Default)]
struct Options {
    config: Option<PathBuf>,
    priority: Option<String>,
    tag: Option<String>,
    words: Vec<String>,
}

fn run(words: Vec<OsString>) -> u8 {
    match options(words).and_then(|options| write(&options)) {
        Ok(()) => 0,
        Err(what) => {
            eprintln!("postlog: fatal: {what}");
            1
        }
    }
}

fn options(words: Vec<OsString>) -> Result<Options, String> {
    let mut parser = lexopt::Parser::from_args(words);
    let mut options = Options::default();
    while let Some(argument) = parser.next().map_err(|_| USAGE.to_owned())? {
        match argument {
            lexopt::Arg::Short('c') => {
                options.config = Some(super::value(&mut parser).map_err(|_| USAGE)?.into());
            }
            lexopt::Arg::Short(option @ ('p' | 't')) => {
                let value = super::value(&mut parser).map_err(|_| USAGE)?.to_string_lossy().into_owned();
                *(if option == 'p' { &mut options.priority } else { &mut options.tag }) = Some(value);
            }
            // The process id is always there.
            lexopt::Arg::Short('i' | 'v') => {}
            lexopt::Arg::Value(word) => {
                options.words.push(word.to_string_lossy().into_owned());
                let rest = parser.raw_args().map_err(|error| error.to_string())?;
                options.words.extend(rest.map(|word| word.to_string_lossy().into_owned()));
            }
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(options)
}

/// The level and the word in front of the text.
fn severity(priority: &str) -> Result<(log::Level, &'static str), String> {
    Ok(match priority {
        "info" => (log::Level::Info, ""),
        "warn" | "warning" => (log::Level::Warn, ""),
        "error" => (log::Level::Error, ""),
        // The log writer says `error:` of itself; these are more than that.
        "fatal" => (log::Level::Info, "fatal: "),
        "panic" => (log::Level::Info, "panic: "),
        other => return Err(format!("unknown priority: {other}")),
    })
}

fn write(options: &Options) -> Result<(), String> {
    let (level, lead) = severity(options.priority.as_deref().unwrap_or("info"))?;
    let config = Config::main_only(&config::directory(options.config.as_deref()), "postlog");
    logging::start(serve::log_target(&config.view), &config.view.get("syslog_name"), false)?;
    // A tag stands in the log as it was given.
    let target =
        options.tag.as_ref().map_or_else(|| "postlog".to_owned(), |tag| format!("{}{tag}", logging::AS_IS));
    let terminal = io::stderr().is_terminal();
    let say = |text: &str| {
        let text = mail::logline::printable(text);
        if terminal {
            eprintln!("{}: {lead}{text}", options.tag.as_deref().unwrap_or("postlog"));
        }
        log::log!(target: &target, level, "{lead}{text}");
    };
    if options.words.is_empty() {
        for line in io::stdin().lock().split(b'\n') {
            say(&String::from_utf8_lossy(&line.map_err(|error| format!("standard input: {error}"))?));
        }
    } else {
        say(&options.words.join(" "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_end_at_the_text() {
        let words = ["-i", "-p", "warn", "-t", "me", "hello", "-p", "there"];
        let options = options(words.iter().map(Into::into).collect()).unwrap();
        assert_eq!(options.words, ["hello", "-p", "there"]);
        assert_eq!(options.tag.as_deref(), Some("me"));
        assert_eq!(severity(options.priority.as_deref().unwrap()), Ok((log::Level::Warn, "")));
        assert_eq!(severity("fatal").unwrap().1, "fatal: ");
        assert!(severity("loud").is_err());
    }
}
