//! `facteur user`, `alias`, `domain`, `app-password`, `totp`, `directory`: who is who in our own directory.

mod alias;
mod app_password;
mod arrived;
mod domain;
mod import;
mod options;
mod password;
mod schema;
mod takeover;
mod totp;
mod user;

pub use alias::COMMAND as ALIAS;
pub use app_password::COMMAND as APP_PASSWORD;
pub use domain::COMMAND as DOMAIN;
pub use schema::COMMAND as DIRECTORY;
pub use totp::COMMAND as TOTP;
pub use user::COMMAND as USER;

use std::ffi::OsString;
use std::fmt::Display;

use people::directory::Directory;
use tokio::runtime::{Builder, Runtime};

use options::Options;

/// A verb of a command: its name, what follows it, what it does, and the work.
struct Verb {
    name: &'static str,
    usage: &'static str,
    doc: &'static str,
    run: fn(&Options) -> Result<(), String>,
}

/// Runs the verb that the first word names.
fn run(command: &str, verbs: &[Verb], words: Vec<OsString>) -> u8 {
    match work(command, verbs, words) {
        Ok(()) => 0,
        Err(what) => {
            eprintln!("facteur {command}: {what}");
            1
        }
    }
}

fn work(command: &str, verbs: &[Verb], words: Vec<OsString>) -> Result<(), String> {
    let usage = || {
        let mut text = format!("usage: facteur {command} VERB [--json] [-c config_dir] ...\n");
        for verb in verbs {
            text.push_str(&format!("  {} {}\n      {}\n", verb.name, verb.usage, verb.doc));
        }
        text
    };
    let Some((verb, rest)) = words.split_first() else { return Err(usage()) };
    let name = verb.to_string_lossy();
    if matches!(name.as_ref(), "--help" | "-h" | "help") {
        print!("{}", usage());
        return Ok(());
    }
    let Some(verb) = verbs.iter().find(|verb| verb.name == name) else {
        return Err(format!("unknown verb \"{name}\"\n{}", usage()));
    };
    let options = Options::parse(rest.to_vec())
        .map_err(|what| format!("{what}; usage: facteur {command} {} {}", verb.name, verb.usage))?;
    (verb.run)(&options)
}

/// The directory, which must be there.
fn existing(options: &Options) -> Result<Directory, String> {
    Directory::new(&options.database())
}

/// The directory, made if it is not there yet.
fn made(options: &Options) -> Result<Directory, String> {
    let directory = existing(options)?;
    wait(directory.create())?;
    Ok(directory)
}

/// Waits for the directory. All of a command happens on one runtime, where its connections are.
fn wait<T, E: Display>(work: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    thread_local! {
        static RUNTIME: std::io::Result<Runtime> = Builder::new_current_thread().enable_all().build();
    }
    RUNTIME.with(|runtime| match runtime {
        Ok(runtime) => runtime.block_on(work).map_err(text),
        Err(error) => Err(format!("cannot start the runtime: {error}")),
    })
}

/// Seconds since 1970.
fn now() -> u64 {
    net::clock::wall().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A time as people and programs read it.
fn date(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.map_or_else(String::new, |time| time.to_string())
}

/// Prints a value for programs.
fn print_json(value: &serde_json::Value) {
    println!("{value:#}");
}

fn text(error: impl Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests;
