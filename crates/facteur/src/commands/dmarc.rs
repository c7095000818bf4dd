//! `facteur dmarc`: aggregate reports, ours and those of others.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lexopt::Arg;
use mail::logline::printable;
use net::dns::Resolver;
use sign::aggregate::{Listed, Pending, Received, Row, Settings, Store, finished};

use super::submit::submit;
use super::{Command, value};
use crate::config::{self, Config};

/// The command.
pub const COMMAND: Command =
    Command { name: "dmarc", summary: "reports about mail that domains vouch for, or do not", run };

const USAGE: &str = "\
usage: facteur dmarc [-c config_dir] report send [--dry-run]
       facteur dmarc [-c config_dir] reports list [--domain DOMAIN] [--json]
       facteur dmarc [-c config_dir] reports show [--json] NUMBER
       facteur dmarc [-c config_dir] reports read FILE ...";

/// Bytes of a file that is read as a report.
const MOST: u64 = 64 << 20;

#[derive(Debug, Default)]
struct Options {
    config: Option<PathBuf>,
    words: Vec<OsString>,
    domain: Option<String>,
    json: bool,
    dry: bool,
}

fn run(words: Vec<OsString>) -> u8 {
    match parse(words).and_then(|options| work(&options)) {
        Ok(()) => 0,
        Err(what) => {
            eprintln!("facteur dmarc: {what}");
            1
        }
    }
}

fn parse(words: Vec<OsString>) -> Result<Options, String> {
    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_args(words);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Short('c') => options.config = Some(value(&mut parser)?.into()),
            Arg::Long("domain") => {
                options.domain = Some(value(&mut parser)?.to_string_lossy().to_lowercase());
            }
            Arg::Long("json") => options.json = true,
            Arg::Long("dry-run") => options.dry = true,
            Arg::Value(word) => options.words.push(word),
            other => return Err(format!("{}\n{USAGE}", other.unexpected())),
        }
    }
    Ok(options)
}

fn work(options: &Options) -> Result<(), String> {
    let words: Vec<&str> = options.words.iter().filter_map(|word| word.to_str()).collect();
    if matches!(words[..], [] | ["help"]) {
        println!("{USAGE}");
        return Ok(());
    }
    let directory = config::directory(options.config.as_deref());
    let config = Config::main_only(&directory, "facteur");
    let settings = Settings::read(&config.view, &mut Vec::new());
    let store = || Store::open(&settings.database).map_err(|trouble| trouble.to_string());
    match words[..] {
        ["report", "send"] => {
            let resolver = Resolver::configured(&config.view).map_err(|trouble| trouble.to_string())?;
            send(&store()?, &settings, &resolver, options.dry, &directory)
        }
        ["reports", "list"] => list(&store()?, options),
        ["reports", "show", number] => {
            let number = number.parse().map_err(|_| format!("\"{number}\" is no number of a report"))?;
            show(&store()?, number, options.json)
        }
        ["reports", "read", ref files @ ..] if !files.is_empty() => read(&store()?, files),
        _ => Err(USAGE.to_owned()),
    }
}

fn seconds() -> i64 {
    let since = net::clock::wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Sends, or says what it would send.
fn send(
    store: &Store,
    settings: &Settings,
    resolver: &Resolver,
    dry: bool,
    config: &Path,
) -> Result<(), String> {
    let text = |trouble: mail::Trouble| trouble.to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let pending = store.pending(seconds() / 86_400).map_err(text)?;
    if pending.is_empty() {
        println!("nothing is owed");
    }
    for pending in pending {
        let Pending { id, day, rows, .. } = pending;
        let about = format!("{} {} ({rows} rows)", date(day * 86_400), printable(&pending.domain));
        let owed = match runtime.block_on(finished(store, resolver, settings, pending)) {
            Ok(owed) => owed,
            Err(trouble) => {
                println!("{about}: waits: {trouble}");
                continue;
            }
        };
        for address in &owed.too_large {
            println!("{about}: too large for <{}>", printable(address));
        }
        if owed.letters.is_empty() {
            println!("{about}: nobody is to be told");
        }
        for letter in &owed.letters {
            let size = letter.text.len();
            println!("{about}: to <{}>, {size} bytes", printable(&letter.to));
            if !dry {
                submit(&settings.sender, &letter.to, &letter.text, config)?;
                store.sent(id, &letter.to).map_err(text)?;
            }
        }
        if !dry {
            store.done(id).map_err(text)?;
        }
    }
    Ok(())
}

fn date(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| "?".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

fn list(store: &Store, options: &Options) -> Result<(), String> {
    let found = store.reports(options.domain.as_deref()).map_err(|trouble| trouble.to_string())?;
    let mut out = io::stdout().lock();
    let printed = found.iter().try_for_each(|one| {
        let Listed { id, messages, good, proven, report, .. } = one;
        if options.json {
            return writeln!(out, "{}", json(one));
        }
        let by = printable(&report.organization);
        let sure = if proven.is_empty() { ", sender not proven" } else { "" };
        let about = printable(&report.domain);
        writeln!(out, "{id:>6}  {}  {about:<30} {good:>8} of {messages:<8} {by}{sure}", date(report.begin))
    });
    shown(printed)?;
    if found.is_empty() && !options.json {
        println!("no reports");
    }
    Ok(())
}

fn json(one: &Listed) -> serde_json::Value {
    let Listed { id, arrived, proven, messages, good, report } = one;
    serde_json::json!({
        "number": id, "arrived": arrived, "proven": proven, "messages": messages, "good": good,
        "organization": report.organization, "email": report.email, "report_id": report.id,
        "domain": report.domain, "policy": report.policy, "begin": report.begin, "end": report.end,
    })
}

fn show(store: &Store, number: i64, json: bool) -> Result<(), String> {
    let found = store.report(number).map_err(|trouble| trouble.to_string())?;
    let Some(Listed { report, proven, .. }) = found else {
        return Err(format!("there is no report {number}"));
    };
    let mut out = io::stdout().lock();
    if !json {
        println!("By:      {} <{}>", printable(&report.organization), printable(&report.email));
        println!("Proven:  {}", if proven.is_empty() { "by nobody" } else { &proven });
        println!("About:   {}, p={}", printable(&report.domain), printable(&report.policy));
        println!("Day:     {} to {}", date(report.begin), date(report.end));
    }
    let word = |good: bool| if good { "pass" } else { "fail" };
    let printed = report.rows.iter().try_for_each(|row| {
        let Row { source, count, disposition, dkim, spf, header_from, reason } = row;
        if json {
            let line = serde_json::json!({
                "source": source, "count": count, "disposition": disposition, "dkim": word(*dkim),
                "spf": word(*spf), "header_from": header_from, "reason": reason,
            });
            return writeln!(out, "{line}");
        }
        let (source, from) = (printable(source), printable(header_from));
        let why = if reason.is_empty() { String::new() } else { format!(" ({})", printable(reason)) };
        let (dkim, spf) = (word(*dkim), word(*spf));
        writeln!(out, "{count:>8}  {source:<40} dkim={dkim} spf={spf} {}{why} {from}", printable(disposition))
    });
    shown(printed)
}

fn shown(printed: io::Result<()>) -> Result<(), String> {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

fn read(store: &Store, files: &[&str]) -> Result<(), String> {
    for file in files {
        let mut bytes = Vec::new();
        let opened = std::fs::File::open(file).and_then(|open| open.take(MOST).read_to_end(&mut bytes));
        opened.map_err(|error| format!("{file}: {error}"))?;
        let report = Received::of_file(&bytes).or_else(|_| Received::of_message(&bytes));
        let report = report.map_err(|why| format!("{file}: {why}"))?;
        let kept = store.keep(&report, "", seconds()).map_err(|trouble| trouble.to_string())?;
        match kept {
            Some(number) => println!("{file}: report {number}"),
            None => println!("{file}: known already"),
        }
    }
    Ok(())
}
