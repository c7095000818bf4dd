//! postmulti(1): several instances on one machine, each with a configuration of its own.
//!
//! The primary instance's main.cf lists the configuration directories of the others
//! (`multi_instance_directories`); each has its name, its group and whether it is enabled in its own main.cf.

mod edit;
mod instances;
mod options;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command as Child;

use self::instances::Instance;
use self::options::{Mode, Options};
use super::Command;
use crate::config;

/// The command.
pub const COMMAND: Command =
    Command { name: "postmulti", summary: "list, run and set up several instances", run };

fn run(words: Vec<OsString>) -> u8 {
    match options::parse(words).and_then(|options| work(&options)) {
        Ok(status) => status,
        Err(what) => {
            eprintln!("postmulti: fatal: {what}");
            1
        }
    }
}

fn work(options: &Options) -> Result<u8, String> {
    let primary = config::directory(options.config.as_deref());
    let all = instances::all(&primary)?;
    match options.mode {
        Mode::List => {
            for instance in chosen(&all, options)? {
                println!("{}", instance.line());
            }
            Ok(0)
        }
        Mode::Postfix => {
            let verb = options.words.first().ok_or("-p needs a command of postfix(1), such as start")?;
            let mut chosen = chosen(&all, options)?;
            if is_one_of(&all[0], "postmulti_stop_commands", verb) {
                chosen.reverse();
            }
            let runs = chosen
                .iter()
                .filter_map(|instance| Some((*instance, for_instance(&all[0], instance, &options.words)?)));
            let runs: Vec<_> = runs.collect();
            Ok(run_all(
                runs.into_iter().map(|(instance, words)| (instance, postfix(&instance.directory, &words))),
            ))
        }
        Mode::Execute => {
            let (program, words) = options.words.split_first().ok_or("-x needs a command")?;
            let runs = chosen(&all, options)?.into_iter().map(|instance| {
                let mut child = Child::new(program);
                child.args(words);
                (instance, child)
            });
            Ok(run_all(runs))
        }
        Mode::Edit(action) => edit::edit(&primary, &all, action, options).map(|()| 0),
    }
}

/// The instances that -a, -g and -i mean: without them, the primary one alone, or all for -l.
fn chosen<'a>(all: &'a [Instance], options: &Options) -> Result<Vec<&'a Instance>, String> {
    let fits = |instance: &&Instance| {
        options.name.as_ref().is_none_or(|name| instance.is_called(name))
            && options.group.as_ref().is_none_or(|group| instance.group == *group)
    };
    let narrow =
        options.name.is_some() || options.group.is_some() || options.all || options.mode == Mode::List;
    let mut found: Vec<&Instance> = if narrow { all.iter().filter(fits).collect() } else { vec![&all[0]] };
    if found.is_empty() {
        return Err("No matching instances".to_owned());
    }
    if options.reverse {
        found.reverse();
    }
    Ok(found)
}

fn is_one_of(primary: &Instance, which: &str, verb: &str) -> bool {
    primary.setting(which).split([',', ' ', '\t']).any(|word| word == verb)
}

/// What is run for an instance that is not enabled: `check` in place of `start`, nothing in place of `reload`.
fn for_instance(primary: &Instance, instance: &Instance, words: &[String]) -> Option<Vec<String>> {
    let verb = words.first()?;
    if instance.enabled {
        return Some(words.to_vec());
    }
    if is_one_of(primary, "postmulti_start_commands", verb) {
        return Some(vec!["check".to_owned()]);
    }
    (!is_one_of(primary, "postmulti_control_commands", verb)).then(|| words.to_vec())
}

/// Our own `postfix -c DIR`.
fn postfix(directory: &Path, words: &[String]) -> Child {
    let mut child = ourselves("postfix");
    child.arg("-c").arg(directory).args(words);
    child
}

/// A command of this program.
fn ourselves(command: &str) -> Child {
    let program = std::env::current_exe().unwrap_or_else(|_| "facteur".into());
    let mut child = Child::new(program);
    child.arg(command);
    child
}

/// Runs one after the other; the status is that of the last one that failed.
fn run_all<'a>(runs: impl Iterator<Item = (&'a Instance, Child)>) -> u8 {
    let mut status = 0;
    for (instance, mut child) in runs {
        child.env("MAIL_CONFIG", &instance.directory);
        for name in ["queue_directory", "data_directory", "multi_instance_name", "multi_instance_group"] {
            child.env(name, instance.setting(name));
        }
        child.env("config_directory", &instance.directory);
        match child.status() {
            Ok(done) if done.success() => {}
            Ok(done) => status = done.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
            Err(error) => {
                eprintln!("postmulti: {}: {error}", instance.directory.display());
                status = 1;
            }
        }
    }
    status
}

#[cfg(test)]
mod tests;
