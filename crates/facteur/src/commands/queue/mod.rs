//! `facteur queue`: looks into the queue and changes it, with filters; takes over a Postfix's queue and gives it back.

mod alter;
mod export;
mod filter;
mod import;
mod list;
mod options;

use std::ffi::OsString;

use jiff::Timestamp;
use queue::Summary;
use queue::control::{Alteration, Answer, Request};

use self::options::Options;
use super::Command;
use super::reach::{self, Intent, Reach};
use crate::config::{self, Config};
use crate::logging;

/// The command.
pub const COMMAND: Command =
    Command { name: "queue", summary: "list, change, import or export queued mail, with filters", run };

const USAGE: &str = "usage: facteur queue [-c config_dir] COMMAND [ARGUMENT ...]

  list    [FILTER ...] [--json]                   what waits, and why
  show    QUEUE_ID ... [--json]                   one message: envelope, state, header and body
  hold | release | requeue | expire | delete      of QUEUE_ID ..., or of all that pass FILTER ... (needs --yes)
  import  [DIR | --config DIR] [--dry-run]        take over the mail of a stopped Postfix
  export  DIR | --config DIR [--dry-run]          give our mail to a stopped Postfix

Filters, of which all must fit:
  --sender ADDRESS     --recipient ADDRESS        whole, @domain, with * for anything; <> is the null sender
  --domain DOMAIN                                 of a recipient; .DOMAIN means what is below it
  --reason TEXT                                   part of why a recipient waits
  --older TIME         --newer TIME               since arrival: 90s, 15m, 3h, 2d, 1w
  --state STATE[,STATE]                           incoming, active, deferred, hold
";

fn run(words: Vec<OsString>) -> u8 {
    let options = match options::parse(words) {
        Ok(options) => options,
        Err(what) => {
            eprint!("facteur queue: {what}\n{USAGE}");
            return 1;
        }
    };
    let _ = logging::start(logging::Target::Command("facteur"), "postfix", false);
    let config = Config::main_only(&config::directory(options.config.as_deref()), "facteur");
    let done = match options.command.as_str() {
        "list" => list::list(&config, &options),
        "show" => list::show(&config, &options),
        "hold" => alter::alter(&config, &options, Alteration::Hold),
        "release" => alter::alter(&config, &options, Alteration::Release),
        "requeue" => alter::alter(&config, &options, Alteration::Requeue),
        "expire" => alter::alter(&config, &options, Alteration::Expire),
        "delete" => alter::alter(&config, &options, Alteration::Delete),
        "import" => import::import(&config, &options),
        "export" => export::export(&config, &options),
        other => Err(format!("there is no command '{other}'\n{USAGE}")),
    };
    match done {
        Ok(status) => status,
        Err(what) => {
            eprintln!("facteur queue: {what}");
            1
        }
    }
}

/// The time of day.
fn now() -> Timestamp {
    Timestamp::try_from(net::clock::wall()).unwrap_or_default()
}

/// The queue, by way of the running program or on disk.
fn within_reach(config: &Config, intent: Intent) -> Result<Reach, String> {
    let directory = reach::queue_directory(config);
    match reach::connect(&directory) {
        Ok(reach) => Ok(reach),
        Err(_) if !directory.join("journal").exists() => Err(format!("no queue in {}", directory.display())),
        Err(_) => reach::open(&directory, intent),
    }
}

/// All messages that pass the filters.
fn matching(reach: &mut Reach, options: &Options) -> Result<Vec<Summary>, String> {
    let now = now();
    let mut found = Vec::new();
    reach.request(Request::List, &mut |answer| match answer {
        Answer::Summary(summary) if options.filter.fits(&summary, now) => found.push(summary),
        _ => {}
    })?;
    Ok(found)
}

/// `1 message`, `2 messages`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
