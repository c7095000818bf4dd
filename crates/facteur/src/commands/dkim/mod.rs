//! `facteur dkim`: keys for signatures, and their records in the DNS.

mod genkey;
mod keys;
mod record;
mod rotate;

use std::ffi::OsString;

use conf::View;
use net::dns::Resolver;

use super::Command;

/// The command.
pub const COMMAND: Command =
    Command { name: "dkim", summary: "make, show and check the keys that sign mail", run };

const USAGE: &str = "\
usage: facteur dkim genkey -d domain [-s selector] [-D directory] [-a rsa|ed25519] [-b bits]
       facteur dkim show [-c config_dir]
       facteur dkim check [-c config_dir]
       facteur dkim rotate -d domain [-c config_dir]";

fn run(words: Vec<OsString>) -> u8 {
    let mut words = words.into_iter();
    let what = words.next().unwrap_or_default();
    let rest: Vec<OsString> = words.collect();
    let done = match what.to_str() {
        Some("genkey") => genkey::run(rest),
        Some("show") => keys::show(rest),
        Some("check") => keys::check(rest),
        Some("rotate") => rotate::run(rest),
        Some("help" | "--help") => {
            println!("{USAGE}");
            return 0;
        }
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(status) => status,
        Err(what) => {
            eprintln!("facteur dkim: {what}");
            1
        }
    }
}

/// Asks DNS as the configuration says.
fn resolver(view: &View) -> Result<Resolver, String> {
    Resolver::configured(view).map_err(|trouble| trouble.to_string())
}
