//! `facteur alias`: addresses that stand for others.

use std::ffi::OsString;

use serde_json::json;

use super::options::Options;
use super::{Verb, existing, made, now, print_json, wait};
use crate::commands::Command;

/// The command.
pub const COMMAND: Command =
    Command { name: "alias", summary: "add, list and delete aliases of the directory", run };

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "add",
        usage: "ADDRESS TARGET ...",
        doc: "sends mail for ADDRESS (or @DOMAIN) to the targets, in addition to those it has",
        run: add,
    },
    Verb { name: "list", usage: "[ADDRESS]", doc: "lists aliases with their targets", run: list },
    Verb {
        name: "delete",
        usage: "ADDRESS [TARGET ...]",
        doc: "takes targets out, or the whole alias",
        run: delete,
    },
];

fn run(words: Vec<OsString>) -> u8 {
    super::run("alias", VERBS, words)
}

fn add(options: &Options) -> Result<(), String> {
    match options.words.as_slice() {
        [address, targets @ ..] if !targets.is_empty() => {
            wait(made(options)?.add_alias(address, targets, now()))
        }
        _ => Err("an address and its targets are expected".to_owned()),
    }
}

fn list(options: &Options) -> Result<(), String> {
    let mut aliases = wait(existing(options)?.aliases())?;
    if let Some(address) = options.words.first() {
        aliases.retain(|alias| alias.address.eq_ignore_ascii_case(address));
    }
    if options.json {
        let aliases = aliases.iter().map(|it| json!({ "address": it.address, "targets": it.targets }));
        print_json(&aliases.collect());
        return Ok(());
    }
    for alias in aliases {
        println!("{}\t{}", alias.address, alias.targets.join(", "));
    }
    Ok(())
}

fn delete(options: &Options) -> Result<(), String> {
    let (address, targets) = options.words.split_first().ok_or("an address is expected")?;
    wait(existing(options)?.delete_alias(address, targets))
}
