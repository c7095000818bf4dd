//! `facteur totp`: one-time passwords by time, the second factor of an account on the web.

use std::ffi::OsString;

use serde_json::json;

use super::options::Options;
use super::{Verb, date, existing, now, print_json, wait};
use crate::commands::Command;

/// The command.
pub const COMMAND: Command =
    Command { name: "totp", summary: "give accounts one-time passwords for the web, and check them", run };

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "add",
        usage: "USER",
        doc: "makes a new secret, in place of an older one, and prints its otpauth URI, this once",
        run: add,
    },
    Verb { name: "show", usage: "USER", doc: "tells since when there is one, and its last use", run: show },
    Verb {
        name: "check",
        usage: "USER CODE",
        doc: "tells whether a code is right, and uses it up",
        run: check,
    },
    Verb { name: "delete", usage: "USER", doc: "takes it away", run: delete },
];

fn run(words: Vec<OsString>) -> u8 {
    super::run("totp", VERBS, words)
}

fn add(options: &Options) -> Result<(), String> {
    let [user] = options.exactly()?;
    let issuer = options.config().view.get("myhostname");
    let secret = wait(existing(options)?.set_totp(user, &issuer, now()))?;
    if options.json {
        print_json(&json!({ "user": user, "secret": secret.base32, "uri": secret.uri }));
    } else {
        println!("{}", secret.uri);
    }
    Ok(())
}

fn show(options: &Options) -> Result<(), String> {
    let [user] = options.exactly()?;
    let found = wait(existing(options)?.totp(user))?;
    let found = found.ok_or_else(|| format!("{user}: has no one-time passwords"))?;
    if options.json {
        let used = found.last_used.map(date);
        print_json(&json!({ "user": user, "created": date(found.created), "last_used": used }));
        return Ok(());
    }
    let used =
        found.last_used.map_or_else(|| "never used".to_owned(), |time| format!("last used {}", date(time)));
    println!("{user}\tsince {}\t{used}", date(found.created));
    Ok(())
}

fn check(options: &Options) -> Result<(), String> {
    let [user, code] = options.exactly()?;
    match wait(existing(options)?.check_totp(user, code, now()))? {
        true => Ok(()),
        false => Err(format!("{user}: this is not the code of now, or was used")),
    }
}

fn delete(options: &Options) -> Result<(), String> {
    let [user] = options.exactly()?;
    wait(existing(options)?.delete_totp(user))
}
