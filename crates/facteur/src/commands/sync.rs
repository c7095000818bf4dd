//! `facteur sync`: what one data base has is copied into another, as a commented file says.

use std::ffi::OsString;

use tables::sync::{Plan, Report};

use super::Command;

/// The command.
pub const COMMAND: Command =
    Command { name: "sync", summary: "copy rows from one data base to another, as a file says", run };

const USAGE: &str = "usage: facteur sync [--dry-run] [--quiet] FILE\n\
    FILE is made of sections; # begins a comment, a line that begins with a blank continues the one before:\n\n\
    \x20 [users]\n\
    \x20 source     = postgresql://reader:password@intranet.example/people    # mysql://, sqlite:/file, csv:/file,\n\
    \x20                                   # ldap://host/base?uid,mail?sub?(filter) with bind_dn and bind_pw\n\
    \x20 query      = SELECT login, crypt, quota FROM accounts WHERE active    # of an SQL source\n\
    \x20 target     = mysql://mail:password@127.0.0.1/mail                     # or postgresql://, sqlite:, csv:\n\
    \x20 table      = users\n\
    \x20 key        = username             # the columns of the target that tell its rows apart\n\
    \x20 columns    = username=login, password=crypt, quota    # target=source; without it, all by their names\n\
    \x20 where      = domain = 'example.org'    # rows of the target that are ours; others are left alone\n\
    \x20 max_delete = 10%                  # refuse to remove more of the target's rows (also a number of rows)\n\
    \x20 secret     = password             # values that are not shown\n\n\
    All sources are read first; each target is changed in one transaction, and none unless all can be.\n\
    A comment has a line of its own. sync_files in main.cf names files that the running program copies.";

fn run(words: Vec<OsString>) -> u8 {
    let (mut apply, mut quiet, mut file) = (true, false, None);
    let mut parser = lexopt::Parser::from_args(words);
    loop {
        let wrong = match parser.next() {
            Ok(None) => break,
            Ok(Some(lexopt::Arg::Long("dry-run") | lexopt::Arg::Short('n'))) => {
                apply = false;
                continue;
            }
            Ok(Some(lexopt::Arg::Long("quiet") | lexopt::Arg::Short('q'))) => {
                quiet = true;
                continue;
            }
            Ok(Some(lexopt::Arg::Long("help") | lexopt::Arg::Short('h'))) => {
                println!("{USAGE}");
                return 0;
            }
            Ok(Some(lexopt::Arg::Value(word))) if file.is_none() => {
                file = Some(word);
                continue;
            }
            Ok(Some(other)) => other.unexpected().to_string(),
            Err(error) => error.to_string(),
        };
        eprintln!("facteur sync: {wrong}\n{USAGE}");
        return 1;
    }
    let Some(file) = file else {
        eprintln!("facteur sync: FILE is missing\n{USAGE}");
        return 1;
    };
    match copy(&file.to_string_lossy(), apply) {
        Ok(reports) => {
            reports.iter().for_each(|report| tell(report, apply, quiet));
            0
        }
        Err(what) => {
            eprintln!("facteur sync: {what}");
            1
        }
    }
}

fn copy(file: &str, apply: bool) -> Result<Vec<Report>, String> {
    let plan = Plan::read(file)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    runtime.block_on(tables::sync::run(&plan, apply)).map_err(|trouble| trouble.to_string())
}

fn tell(report: &Report, apply: bool, quiet: bool) {
    if quiet && report.changes.is_empty() {
        return;
    }
    println!("{}", if apply { report.done() } else { report.summary() });
    if !quiet {
        report.lines().for_each(|line| println!("  {line}"));
    }
}
