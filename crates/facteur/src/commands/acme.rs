//! `facteur acme`: the certificate that an authority gives by itself.

use std::ffi::OsString;
use std::path::PathBuf;

use ::acme::{Settings, Standing, Storage};
use lexopt::Arg;

use super::Command;
use crate::config::{self, Config};
use crate::serve::certificates;

/// The command.
pub const COMMAND: Command =
    Command { name: "acme", summary: "ask an authority for the certificate of acme_domains", run };

const USAGE: &str = "usage: facteur acme status | renew [--force] [-c config_dir]";

fn run(words: Vec<OsString>) -> u8 {
    match work(words) {
        Ok(()) => 0,
        Err(what) => {
            eprintln!("facteur acme: {what}");
            1
        }
    }
}

fn work(words: Vec<OsString>) -> Result<(), String> {
    let (mut verb, mut force, mut directory) = (None, false, None);
    let mut parser = lexopt::Parser::from_args(words);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Short('c') => directory = Some(PathBuf::from(super::value(&mut parser)?)),
            Arg::Long("force") => force = true,
            Arg::Long("help") | Arg::Short('h') => {
                println!("{USAGE}");
                return Ok(());
            }
            Arg::Value(word) if verb.is_none() => verb = Some(word.to_string_lossy().into_owned()),
            other => return Err(format!("{}\n{USAGE}", other.unexpected())),
        }
    }
    let config = Config::main_only(&config::directory(directory.as_deref()), "facteur");
    let mut mistakes = Vec::new();
    let settings = Settings::read(&config.view, &mut mistakes);
    if let Some(mistake) = mistakes.first() {
        return Err(mistake.to_string());
    }
    let settings = settings.ok_or("acme_domains is empty: no certificate is asked for")?;
    match verb.as_deref() {
        Some("status") => {
            println!("{}", told(&settings));
            Ok(())
        }
        Some("renew") => {
            certificates::prepare(&config.view)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| format!("cannot start the runtime: {error}"))?;
            let new = runtime.block_on(certificates::renew(&settings, force))?;
            println!("{}{}", if new { "" } else { "not due: " }, told(&settings));
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    }
}

fn told(settings: &Settings) -> String {
    let storage = Storage::new(&settings.folder);
    let file = storage.chain().display().to_string();
    match storage.standing() {
        Standing::Missing => format!("{file}: there is no certificate yet"),
        Standing::SelfSigned => format!("{file}: self-signed, until {} gives one", settings.directory.host),
        Standing::Issued { names, until, .. } => {
            let until = jiff::Timestamp::try_from(until).map(|time| time.to_string()).unwrap_or_default();
            format!("{file}: {} until {until}", names.join(", "))
        }
    }
}
