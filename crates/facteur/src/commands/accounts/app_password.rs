//! `facteur app-password`: passwords for one program of a user.

use std::ffi::OsString;

use conf::{TimeUnit, parse_time};
use serde_json::json;

use super::options::Options;
use super::{Verb, date, existing, now, print_json, wait};
use crate::commands::Command;

/// The command.
pub const COMMAND: Command =
    Command { name: "app-password", summary: "make, list and take back passwords of single programs", run };

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "add",
        usage: "USER NAME [--scope 'imap smtp'] [--expires 90d]",
        doc: "makes a password for one program and prints it, this once",
        run: add,
    },
    Verb { name: "list", usage: "USER", doc: "lists them with their last use", run: list },
    Verb { name: "delete", usage: "USER NAME", doc: "takes one back", run: delete },
];

fn run(words: Vec<OsString>) -> u8 {
    super::run("app-password", VERBS, words)
}

fn add(options: &Options) -> Result<(), String> {
    let [user, name] = options.exactly()?;
    let scope: Vec<String> = options
        .value("scope")
        .unwrap_or_default()
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let now = now();
    let expires = options.value("expires").map(|text| {
        let time = parse_time(text, TimeUnit::of_default("1d"));
        let wrong = || format!("--expires {text}: a time such as 90d is expected");
        time.map(|time| now + time.as_secs()).ok_or_else(wrong)
    });
    let expires = expires.transpose()?;
    let password = wait(existing(options)?.add_app_password(user, name, &scope, expires, now))?;
    if options.json {
        print_json(&json!({ "user": user, "name": name, "password": password }));
    } else {
        println!("{password}");
    }
    Ok(())
}

fn list(options: &Options) -> Result<(), String> {
    let [user] = options.exactly()?;
    let found = wait(existing(options)?.app_passwords(user))?;
    let rows = found.iter().map(|app| {
        json!({
            "name": app.name,
            "scope": app.scope,
            "expires": app.expires.map(date),
            "created": date(app.created),
            "last_used": app.last_used.map(date),
        })
    });
    if options.json {
        print_json(&rows.collect());
        return Ok(());
    }
    for app in &found {
        let scope = if app.scope.is_empty() { "all services".to_owned() } else { app.scope.join(" ") };
        let until = app.expires.map_or_else(|| "no end".to_owned(), |time| format!("until {}", date(time)));
        let used =
            app.last_used.map_or_else(|| "never used".to_owned(), |time| format!("last used {}", date(time)));
        println!("{}\t{scope}\t{until}\t{used}", app.name);
    }
    Ok(())
}

fn delete(options: &Options) -> Result<(), String> {
    let [user, name] = options.exactly()?;
    wait(existing(options)?.delete_app_password(user, name))
}
