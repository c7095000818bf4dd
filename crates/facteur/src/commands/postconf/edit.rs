//! Changing main.cf and master.cf in place: `-e`, `-X`, `-#`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::Path;

use conf::edit::{MainChange, MasterChange, Pattern, edit_main, edit_master};
use conf::{COLUMNS, Service, name_value};

use super::options::{Options, Subject, bytes_to_text, text_to_bytes};
use super::{Fatal, print, warn};

pub(super) fn edit(options: &Options) -> Result<(), Fatal> {
    for argument in &options.arguments {
        let what = ["comment", "multi-line"][usize::from(argument.contains(['\n', '\r']))];
        if argument.starts_with('#') || argument.contains(['\n', '\r']) {
            return Err(Fatal(format!("-e, -X, or -# accepts no {what} input")));
        }
    }
    let dir = options.config_directory();
    if options.subject == Subject::Main {
        main(options, &dir.join("main.cf"))
    } else {
        master(options, &dir.join("master.cf"))
    }
}

fn main(options: &Options, file: &Path) -> Result<(), Fatal> {
    let mut changes: Vec<(String, MainChange)> = Vec::new();
    for argument in &options.arguments {
        let (name, change) = if options.has('e') {
            let (name, value) = name_value(argument)?;
            (name, MainChange::Set(value.to_owned()))
        } else if options.has('#') {
            (argument.as_str(), MainChange::CommentOut)
        } else {
            (argument.as_str(), MainChange::Remove)
        };
        if let Some(earlier) = changes.iter().position(|(other, _)| other == name) {
            let (name, change) = changes.remove(earlier);
            if let MainChange::Set(value) = change {
                warn(format!("ignoring earlier request: '{name} = {value}'"));
            }
        }
        changes.push((name.to_owned(), change));
    }
    let text = read(file)?;
    let (text, several) = edit_main(&text, &changes);
    for name in several {
        warn(format!("{}: multiple entries for \"{name}\"", file.display()));
    }
    replace(file, &text)
}

fn master(options: &Options, file: &Path) -> Result<(), Fatal> {
    let mut changes = Vec::new();
    for argument in &options.arguments {
        let (name, value) = if options.has('e') {
            let (name, value) = name_value(argument)?;
            (name, Some(value))
        } else {
            (argument.as_str(), None)
        };
        changes.push(change(options, name, value)?);
    }
    let text = read(file)?;
    let print = |words: &[String]| print::entry(words, true);
    let edited = edit_master(&text, &changes, &print)?;
    edited.mistakes.iter().for_each(warn);
    // What is to be removed and is not there needs no word.
    if options.has('e') || options.subject == Subject::Overrides {
        for index in edited.unmatched {
            warn(format!("unmatched service_name/type: \"{}\"", options.arguments[index]));
        }
    }
    replace(file, &edited.text)
}

/// One change of master.cf: `service/type`, `service/type/field` or `service/type/parameter`, and the new value.
fn change(options: &Options, name: &str, value: Option<&str>) -> Result<(Pattern, MasterChange), Fatal> {
    let (parts, needs) = match options.subject {
        Subject::Services => (2, "-Me, -MX or -M# requires service_name/type"),
        Subject::Columns => (3, "-Fe or -FX requires service_name/type/field_name"),
        _ => (3, "-Pe or -PX requires service_name/type/parameter"),
    };
    let words: Vec<&str> = name.split('/').collect();
    if words.len() != parts {
        return Err(Fatal(needs.into()));
    }
    let pattern = Pattern { name: words[0].to_owned(), kind: words[1].to_owned() };
    let change = match (options.subject, value) {
        (Subject::Services, Some(entry)) => MasterChange::Replace(service(entry)?.words().to_vec()),
        (Subject::Services, None) if options.has('#') => MasterChange::CommentOut,
        (Subject::Services, None) => MasterChange::Remove,
        (Subject::Columns, value) => column(words[2], value.unwrap_or_default())?,
        (_, None) => MasterChange::RemoveOverride(words[2].to_owned()),
        (_, Some(value)) if value.contains([' ', '\t']) => {
            return Err(Fatal("-Pe does not accept whitespace in parameter value".into()));
        }
        (_, Some(value)) => MasterChange::SetOverride(words[2].to_owned(), value.to_owned()),
    };
    Ok((pattern, change))
}

fn column(name: &str, value: &str) -> Result<MasterChange, Fatal> {
    let invalid = || format!("invalid service attribute name: \"{name}\"");
    let column = COLUMNS.iter().position(|column| *column == name).ok_or_else(invalid)?;
    // A service with this column tells whether the value is one.
    let mut words = ["x", "unix", "-", "-", "-", "-", "-", "x"].map(str::to_owned);
    value.clone_into(&mut words[column]);
    let words = service(&words.join(" "))?.words()[column..].to_vec();
    let wanted = if column + 1 == COLUMNS.len() { words.len() } else { 1 };
    Ok(MasterChange::Column(column, words[..wanted].to_vec()))
}

fn service(text: &str) -> Result<Service, Fatal> {
    let mut mistakes = Vec::new();
    let service = Service::parse(text, Path::new(""), 0, &mut mistakes)?;
    mistakes.iter().for_each(warn);
    Ok(service)
}

fn read(file: &Path) -> Result<String, Fatal> {
    let bytes =
        fs::read(file).map_err(|error| format!("open {} for reading: {}", file.display(), reason(&error)))?;
    Ok(bytes_to_text(&bytes))
}

/// Puts a new text in place of a file, in one step, with the owner and mode it had.
fn replace(file: &Path, text: &str) -> Result<(), Fatal> {
    let temporary = file.with_extension("cf.tmp");
    let write = || -> std::io::Result<()> {
        let old = fs::metadata(file)?;
        let mut new = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(old.mode() & 0o7777)
            .open(&temporary)?;
        new.set_permissions(old.permissions())?;
        // Only root may give a file away; for others it is theirs already or stays so.
        let _ = chown(&temporary, Some(old.uid()), Some(old.gid()));
        new.write_all(&text_to_bytes(text))?;
        new.sync_all()?;
        fs::rename(&temporary, file)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&temporary);
        Fatal(format!("cannot replace {}: {}", file.display(), reason(&error)))
    })
}

/// The system's words, without Rust's number.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
