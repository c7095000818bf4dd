//! `facteur user`: accounts.

use std::ffi::OsString;

use people::directory::{Change, Entry, Role};
use people::schemes::{self, Strength};
use serde_json::json;

use super::options::Options;
use super::{Verb, date, existing, made, now, password, print_json, wait};
use crate::commands::{Command, sessions};

/// The command.
pub const COMMAND: Command =
    Command { name: "user", summary: "add, change, list and delete accounts of the directory", run };

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "add",
        usage: "NAME [--hash {SCHEME}HASH | --scheme SCHEME | --no-password] [--quota 1G] [--home DIR] [--mail LOCATION] [--uid N] [--gid N] [--role user|domain-admin|admin] [--fields 'a=b ...']",
        doc: "adds an account; its password is read from the terminal, or is the first line of the input",
        run: add,
    },
    Verb {
        name: "passwd",
        usage: "NAME [--hash {SCHEME}HASH | --scheme SCHEME | --no-password]",
        doc: "changes a password",
        run: passwd,
    },
    Verb {
        name: "set",
        usage: "NAME [--quota 1G] [--home DIR] [--mail LOCATION] [--uid N] [--gid N] [--role ROLE] [--fields 'a=b ...']",
        doc: "changes an account; an empty value takes a setting away",
        run: set,
    },
    Verb { name: "list", usage: "[--domain DOMAIN]", doc: "lists accounts", run: list },
    Verb { name: "show", usage: "NAME", doc: "shows an account", run: show },
    Verb {
        name: "disable",
        usage: "NAME",
        doc: "closes an account to logins and ends its sessions; mail still arrives",
        run: |options| close(options, true),
    },
    Verb { name: "enable", usage: "NAME", doc: "opens it again", run: |options| close(options, false) },
    Verb {
        name: "delete",
        usage: "NAME",
        doc: "takes an account out and ends its sessions; its mail stays where it is",
        run: delete,
    },
];

fn run(words: Vec<OsString>) -> u8 {
    super::run("user", VERBS, words)
}

fn change(options: &Options) -> Result<Change, String> {
    let role = options.value("role").map(|role| {
        Role::parse(role).ok_or_else(|| format!("--role {role}: user, domain-admin or admin is expected"))
    });
    let owned = |name: &str| options.value(name).map(str::to_owned);
    Ok(Change {
        password: None,
        disabled: None,
        role: role.transpose()?,
        uid: options.number("uid")?,
        gid: options.number("gid")?,
        home: owned("home"),
        mail: owned("mail"),
        quota: owned("quota"),
        fields: owned("fields"),
    })
}

fn add(options: &Options) -> Result<(), String> {
    let [name] = options.exactly()?;
    let mut change = change(options)?;
    let directory = made(options)?;
    if wait(directory.account(name))?.is_some() {
        return Err(format!("{name}: there is an account of that name"));
    }
    change.password = Some(password::stored(options, name)?);
    let new_domain = wait(directory.add_account(name, &change, now()))?;
    if options.json {
        print_json(&json!({ "added": name, "new_domain": new_domain }));
    } else if new_domain {
        println!("{name} added, and its domain");
    }
    Ok(())
}

fn passwd(options: &Options) -> Result<(), String> {
    let [name] = options.exactly()?;
    let directory = existing(options)?;
    if wait(directory.account(name))?.is_none() {
        return Err(format!("{name}: there is no such account"));
    }
    let change = Change { password: Some(password::stored(options, name)?), ..Change::default() };
    wait(directory.change_account(name, &change, now()))
}

fn set(options: &Options) -> Result<(), String> {
    let [name] = options.exactly()?;
    wait(existing(options)?.change_account(name, &change(options)?, now()))
}

fn close(options: &Options, disabled: bool) -> Result<(), String> {
    let [name] = options.exactly()?;
    let change = Change { disabled: Some(disabled), ..Change::default() };
    wait(existing(options)?.change_account(name, &change, now()))?;
    if disabled { sessions::end_of(&options.config(), name) } else { Ok(()) }
}

fn delete(options: &Options) -> Result<(), String> {
    let [name] = options.exactly()?;
    wait(existing(options)?.delete_account(name))?;
    sessions::end_of(&options.config(), name)
}

fn list(options: &Options) -> Result<(), String> {
    let [] = options.exactly()?;
    let accounts = wait(existing(options)?.accounts(options.value("domain")))?;
    if options.json {
        print_json(&accounts.iter().map(as_json).collect());
        return Ok(());
    }
    for entry in accounts {
        println!("{}{}", entry.name, if entry.disabled { " (disabled)" } else { "" });
    }
    Ok(())
}

fn show(options: &Options) -> Result<(), String> {
    let [name] = options.exactly()?;
    let entry = wait(existing(options)?.account(name))?;
    let entry = entry.ok_or_else(|| format!("{name}: there is no such account"))?;
    let json = as_json(&entry);
    if options.json {
        print_json(&json);
        return Ok(());
    }
    for (name, value) in json.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        println!("{name}\t{}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    Ok(())
}

/// Never the hash: only what it is.
fn as_json(entry: &Entry) -> serde_json::Value {
    let scheme = entry.password.as_deref().and_then(|stored| schemes::scheme_of(stored, "PLAIN"));
    let strength = scheme.map(|scheme| match scheme.strength {
        Strength::Clear => "clear",
        Strength::Weak => "weak",
        Strength::Strong => "strong",
    });
    json!({
        "name": entry.name,
        "disabled": entry.disabled,
        "role": entry.role.as_str(),
        "scheme": scheme.map(|scheme| scheme.name),
        "strength": strength,
        "uid": entry.uid,
        "gid": entry.gid,
        "home": entry.home,
        "mail": entry.mail,
        "quota": entry.quota,
        "fields": Some(entry.fields.as_str()).filter(|fields| !fields.is_empty()),
        "created": date(entry.created),
        "changed": date(entry.changed),
    })
}
