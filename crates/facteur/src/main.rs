//! The front door: finds the command by the name it was called with, or by its first word, and hands over.
//!
//! `facteur postmap hash:x` and a symbolic link `postmap -> facteur` are the same thing.

mod check;
mod commands;
mod config;
mod interfaces;
mod logging;
mod params;
mod serve;
mod trace;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let called = words.next().unwrap_or_default();
    let mut words: Vec<OsString> = words.collect();
    let by_name = Path::new(&called).file_name().and_then(|name| name.to_str()).and_then(commands::find);
    let command = match by_name {
        Some(command) => command,
        None if words.is_empty() => {
            print!("{}", commands::manual::overview());
            return ExitCode::from(1);
        }
        None => {
            let first = words.remove(0);
            match first.to_str() {
                Some("-h" | "--help") => {
                    print!("{}", commands::manual::overview());
                    return ExitCode::SUCCESS;
                }
                // Not for links: what Postfix's own commands say to it is theirs.
                Some(name) if words.first().is_some_and(|word| word == "--help") => {
                    return ExitCode::from((commands::manual::COMMAND.run)(vec![name.into()]));
                }
                Some("-V" | "--version" | "version") => {
                    println!("facteur {}", env!("CARGO_PKG_VERSION"));
                    return ExitCode::SUCCESS;
                }
                Some(name) if commands::find(name).is_some() => {
                    commands::find(name).expect("it was just found")
                }
                _ => {
                    eprintln!(
                        "facteur: there is no command '{}'; 'facteur help' lists them",
                        first.display()
                    );
                    return ExitCode::from(1);
                }
            }
        }
    };
    let status = (command.run)(words);
    logging::flush();
    ExitCode::from(status)
}
