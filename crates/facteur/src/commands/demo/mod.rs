//! `facteur demo`: a mail system to try, without root and without configuration.
//!
//! Everything is in one directory; a second start in the same directory finds its mail again.

mod certificate;
mod site;
pub mod words;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Command;
use site::Site;
use words::Language;

/// The command.
pub const COMMAND: Command =
    Command { name: "demo", summary: "try it: a mail system on high ports, no root needed", run };

const USAGE: &str = "usage: facteur demo [--dir DIR] [--base-port N] [--env FILE] [--lang en|fr]\n\
    --dir DIR      where queue, mailboxes, certificate and log are (default: facteur-demo-USER in the\n\
    \x20              directory for temporary files)\n\
    --base-port N  SMTP listens on N+25, submission on N+87 (default 2500)\n\
    --env FILE     writes addresses, ports and users as shell lines, for scripts\n\
    --lang LANG    English or French (default: as LC_ALL, LC_MESSAGES or LANG say)";

struct Options {
    directory: PathBuf,
    base_port: u16,
    env: Option<PathBuf>,
    language: Language,
}

fn run(words: Vec<OsString>) -> u8 {
    match options(words).and_then(|options| demo(&options)) {
        Ok(status) => status,
        Err(what) => {
            eprintln!("facteur demo: {what}");
            1
        }
    }
}

fn options(words: Vec<OsString>) -> Result<Options, String> {
    let user = nix::unistd::getuid();
    let mut options = Options {
        directory: std::env::temp_dir().join(format!("facteur-demo-{user}")),
        base_port: 2500,
        env: None,
        language: Language::of_environment(),
    };
    let mut parser = lexopt::Parser::from_args(words);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            lexopt::Arg::Long("dir") => options.directory = super::value(&mut parser)?.into(),
            lexopt::Arg::Long("env") => options.env = Some(super::value(&mut parser)?.into()),
            lexopt::Arg::Long("base-port") => {
                let text = super::value(&mut parser)?.to_string_lossy().into_owned();
                let port = text.parse().ok().filter(|port: &u16| *port <= 65_535 - site::PORT_SPAN);
                options.base_port =
                    port.ok_or_else(|| format!("--base-port {text}: expected a port number"))?;
            }
            lexopt::Arg::Long("lang") => {
                let text = super::value(&mut parser)?.to_string_lossy().into_owned();
                options.language =
                    Language::named(&text).ok_or_else(|| format!("--lang {text}: en or fr"))?;
            }
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => return Err(USAGE.to_owned()),
            other => return Err(format!("{}\n{USAGE}", other.unexpected())),
        }
    }
    Ok(options)
}

fn demo(options: &Options) -> Result<u8, String> {
    let directory = std::path::absolute(&options.directory).map_err(|error| error.to_string())?;
    let site = Site::prepare(&directory, options.base_port)?;
    let language = options.language;
    if let Some(env) = &options.env {
        // A stale file must not send a script to a demo that is gone.
        let _ = std::fs::remove_file(env);
    }
    let welcome = words::welcome(language, &site);
    let env = options.env.clone().map(|file| (file, site.env_lines()));
    let mail = site.directory.join("mail");
    crate::logging::observe(move |program, text| {
        if let Some(sentence) = words::tell(language, program, text, &mail) {
            println!("{sentence}");
        }
    });
    let status = crate::serve::alone(&site.directory.join("conf"), false, move || {
        println!("{welcome}");
        if let Some((file, lines)) = env
            && let Err(what) = write_env(&file, &lines)
        {
            eprintln!("facteur demo: {what}");
        }
    });
    println!("{}", words::goodbye(language));
    if let Some(env) = &options.env {
        let _ = std::fs::remove_file(env);
    }
    Ok(status)
}

/// Whole or not at all: a script that waits for the file never reads half of it.
fn write_env(file: &Path, lines: &str) -> Result<(), String> {
    let new = file.with_extension("new");
    let written = std::fs::write(&new, lines).and_then(|()| std::fs::rename(&new, file));
    written.map_err(|error| format!("cannot write {}: {error}", file.display()))
}
