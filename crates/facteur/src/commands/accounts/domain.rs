//! `facteur domain`: the domains whose accounts are here.

use std::ffi::OsString;

use super::options::Options;
use super::{Verb, existing, made, now, print_json, takeover, wait};
use crate::commands::Command;

/// The command.
pub const COMMAND: Command = Command {
    name: "domain",
    summary: "add, list and delete domains; take them over and give them back",
    run,
};

pub(super) const VERBS: &[Verb] = &[
    Verb { name: "add", usage: "DOMAIN", doc: "adds a domain", run: add },
    Verb { name: "list", usage: "", doc: "lists domains", run: list },
    Verb {
        name: "delete",
        usage: "DOMAIN",
        doc: "takes out a domain without accounts and aliases",
        run: delete,
    },
    Verb {
        name: "takeover",
        usage: "[DOMAIN --to BACKUP_DOMAIN | --via TRANSPORT:NEXTHOP [--queued] [--yes]]",
        doc: "while a domain's own server is down: NAME@DOMAIN is delivered to NAME@BACKUP_DOMAIN, or sent to the \
              server that has the backup mailboxes; without DOMAIN, lists what is taken over",
        run: takeover::take,
    },
    Verb {
        name: "giveback",
        usage: "DOMAIN [--yes]",
        doc: "ends a takeover; what came for DOMAIN meanwhile is sent to its own server",
        run: takeover::give_back,
    },
];

fn run(words: Vec<OsString>) -> u8 {
    super::run("domain", VERBS, words)
}

fn add(options: &Options) -> Result<(), String> {
    let [name] = options.exactly()?;
    wait(made(options)?.add_domain(name, now()))
}

fn list(options: &Options) -> Result<(), String> {
    let [] = options.exactly()?;
    let domains = wait(existing(options)?.domains())?;
    if options.json {
        print_json(&domains.into());
    } else {
        domains.iter().for_each(|domain| println!("{domain}"));
    }
    Ok(())
}

fn delete(options: &Options) -> Result<(), String> {
    let [name] = options.exactly()?;
    wait(existing(options)?.delete_domain(name))
}
