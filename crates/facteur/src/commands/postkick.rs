//! postkick(1): what scripts send to Postfix's services by hand.
//!
//! Services are parts of one program here, and most of what they were told they see by themselves. What still means
//! something is done; what would mean nothing is refused, so that nobody relies on it.

use std::ffi::OsString;
use std::path::PathBuf;

use queue::Flush;
use queue::control::{Answer, Request};

use super::Command;
use super::reach;
use crate::config::{self, Config};

/// The command.
pub const COMMAND: Command = Command { name: "postkick", summary: "tell a service to look at its mail", run };

const USAGE: &str = "usage: postkick [-c config_dir] [-v] class service request";

fn run(words: Vec<OsString>) -> u8 {
    match work(words) {
        Ok(()) => 0,
        Err(what) => {
            eprintln!("postkick: fatal: {what}");
            1
        }
    }
}

fn work(words: Vec<OsString>) -> Result<(), String> {
    let mut parser = lexopt::Parser::from_args(words);
    let mut given: Option<PathBuf> = None;
    let mut names = Vec::new();
    while let Some(argument) = parser.next().map_err(|_| USAGE.to_owned())? {
        match argument {
            lexopt::Arg::Short('c') => given = Some(super::value(&mut parser).map_err(|_| USAGE)?.into()),
            lexopt::Arg::Short('v') => {}
            lexopt::Arg::Value(word) => names.push(word.to_string_lossy().into_owned()),
            _ => return Err(USAGE.to_owned()),
        }
    }
    let [class, service, request] = names.as_slice() else { return Err(USAGE.to_owned()) };
    let flush = meaning(class, service, request)?;
    let config = Config::main_only(&config::directory(given.as_deref()), "postkick");
    let mut reach = reach::connect(&reach::queue_directory(&config))
        .map_err(|error| format!("the mail system is down: {error}"))?;
    if !flush {
        return Ok(());
    }
    let mut refused = None;
    let asked = reach.ask(Request::Flush(Flush::All), &mut |answer| {
        if let Answer::Refused(_, text) = answer {
            refused = Some(text);
        }
        Ok(())
    });
    asked.map_err(|error| error.to_string())?;
    refused.map_or(Ok(()), Err)
}

/// Is deferred mail to be tried now? The error says that the request means nothing here.
fn meaning(class: &str, service: &str, request: &str) -> Result<bool, String> {
    if !matches!(class, "public" | "private") {
        return Err(format!("bad class name: {class}; there are public and private"));
    }
    let only = |letters: &str| !request.is_empty() && request.chars().all(|letter| letters.contains(letter));
    match service {
        // qmgr(8): D, F and A are about deferred mail; I and W about mail that it sees by itself.
        "qmgr" if only("ADFIW") => Ok(request.contains(['A', 'D', 'F'])),
        // pickup(8) looks at the maildrop every minute, and gets mail by a socket at other times.
        "pickup" if only("W") => Ok(false),
        _ => Err(format!(
            "{class}/{service} takes no request \"{request}\" here; see postqueue(1) and postfix(1)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_done_or_refused() {
        assert_eq!(meaning("public", "qmgr", "IDFA"), Ok(true));
        assert_eq!(meaning("public", "qmgr", "W"), Ok(false));
        assert_eq!(meaning("public", "pickup", "W"), Ok(false));
        for (class, service, request) in [
            ("secret", "qmgr", "F"),
            ("public", "qmgr", "Z"),
            ("public", "qmgr", ""),
            ("private", "anvil", "W"),
        ] {
            assert!(meaning(class, service, request).is_err(), "{class} {service} {request}");
        }
    }
}
