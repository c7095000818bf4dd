//! `facteur check`: what is wrong with a configuration, and what would become of it here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Command;
use crate::check::{self, Findings};
use crate::{config, logging};

/// The command.
pub const COMMAND: Command = Command {
    name: "check",
    summary: "say what is wrong with a configuration, or report what would become of it",
    run,
};

const USAGE: &str = "usage: facteur check [-c config_dir] [--report] [DIRECTORY]\n\
    Says what is wrong with a configuration, its tables, its neighbours and its DNS records, as 'postfix check' does.\n\
    --report  writes one page instead: what is honoured, has no effect, is refused, would answer differently\n";

fn run(words: Vec<OsString>) -> u8 {
    match asked(words) {
        Ok((directory, true)) => {
            quiet();
            let (config, findings) = check::examine(&directory);
            print!("{}", check::page(&directory, &config, &findings));
            status(&findings)
        }
        Ok((directory, false)) => tell(&directory),
        Err(what) => {
            eprintln!("facteur check: {what}");
            1
        }
    }
}

fn asked(words: Vec<OsString>) -> Result<(PathBuf, bool), String> {
    let (mut given, mut report) = (None::<PathBuf>, false);
    let mut parser = lexopt::Parser::from_args(words);
    while let Some(argument) = parser.next().map_err(|error| format!("{error}\n{USAGE}"))? {
        match argument {
            lexopt::Arg::Short('c') if given.is_none() => given = Some(super::value(&mut parser)?.into()),
            lexopt::Arg::Value(value) if given.is_none() => given = Some(value.into()),
            lexopt::Arg::Long("report") => report = true,
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => return Err(USAGE.to_owned()),
            other => return Err(format!("{}\n{USAGE}", other.unexpected())),
        }
    }
    let directory = config::directory(given.as_deref());
    if directory.is_dir() {
        Ok((directory, report))
    } else {
        Err(format!("{}: no such directory", directory.display()))
    }
}

/// `postfix check`: a line for everything that was found. Only what would keep the program from starting fails.
pub fn tell(directory: &Path) -> u8 {
    quiet();
    let (_, findings) = check::examine(directory);
    for mistake in findings.all() {
        eprintln!("postfix: {mistake}");
    }
    status(&findings)
}

/// What is wrong within tables is logged by whoever reads them.
fn quiet() {
    // A second start would change nothing.
    let _ = logging::start(logging::Target::Command("postfix"), "postfix", false);
}

fn status(findings: &Findings) -> u8 {
    u8::from(findings.mistakes.iter().any(|mistake| mistake.severity == conf::Severity::Fatal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_named_in_either_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().as_os_str().to_owned();
        let ask = |words: &[&OsString]| asked(words.iter().map(|word| (*word).clone()).collect());
        let [report, c] = ["--report", "-c"].map(OsString::from);
        assert_eq!(ask(&[&report, &path]), Ok((dir.path().to_owned(), true)));
        assert_eq!(ask(&[&c, &path]), Ok((dir.path().to_owned(), false)));
        assert!(ask(&[&path, &path]).is_err());
        assert!(
            ask(&["/no/such".into()].iter().collect::<Vec<_>>()).is_err_and(|what| what.contains("no such"))
        );
    }
}
