//! `facteur domain`: the domains whose accounts are here.

use std::ffi::OsString;

use super::options::Options;
use super::{Verb, existing, made, now, print_json, text};
use crate::commands::Command;

/// The command.
pub const COMMAND: Command =
    Command { name: "domain", summary: "add, list and delete domains of the directory", run };

pub(super) const VERBS: &[Verb] = &[
    Verb { name: "add", usage: "DOMAIN", doc: "adds a domain", run: add },
    Verb { name: "list", usage: "", doc: "lists domains", run: list },
    Verb {
        name: "delete",
        usage: "DOMAIN",
        doc: "takes out a domain without accounts and aliases",
        run: delete,
    },
];

fn run(words: Vec<OsString>) -> u8 {
    super::run("domain", VERBS, words)
}

fn add(options: &Options) -> Result<(), String> {
    let [name] = options.exactly()?;
    made(options)?.add_domain(name, now()).map_err(text)
}

fn list(options: &Options) -> Result<(), String> {
    let [] = options.exactly()?;
    let domains = existing(options).domains().map_err(text)?;
    if options.json {
        print_json(&domains.into());
    } else {
        domains.iter().for_each(|domain| println!("{domain}"));
    }
    Ok(())
}

fn delete(options: &Options) -> Result<(), String> {
    let [name] = options.exactly()?;
    existing(options).delete_domain(name).map_err(text)
}
