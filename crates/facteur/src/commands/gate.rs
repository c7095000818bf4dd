//! `facteur greylist`, `facteur ban` and `facteur outbound`: what is remembered of strangers, for the administrator.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gate::{Gate, orders};
use jiff::tz::TimeZone;

use super::{Command, reach};
use crate::config::{self, Config};

/// The command.
pub const GREYLIST: Command = Command {
    name: "greylist",
    summary: "list, pass, forget and import what the greylist remembers",
    run: greylist,
};

const GREYLIST_USAGE: &str = "usage: facteur greylist [-c config_dir] list [PART]\n\
    \x20      facteur greylist [-c config_dir] pass ADDRESS      this client is not put off any more\n\
    \x20      facteur greylist [-c config_dir] forget PART       all entries that contain PART\n\
    \x20      facteur greylist [-c config_dir] import [DIRECTORY]\n\
    \x20                                  what postgrey remembers (/var/lib/postgrey); stop it first";

/// The command.
pub const BAN: Command = Command { name: "ban", summary: "list, add and lift bans of clients", run: ban };

const BAN_USAGE: &str = "usage: facteur ban [-c config_dir] list\n\
    \x20      facteur ban [-c config_dir] add ADDRESS [TIME]     for 600s, 2h, 7d, or until it is lifted\n\
    \x20      facteur ban [-c config_dir] remove ADDRESS         and forget its failures\n\
    \x20      facteur ban [-c config_dir] nft                    a script for nft -f -";

/// The command.
pub const OUTBOUND: Command =
    Command { name: "outbound", summary: "what accounts send, and those whose mail is held", run: outbound };

const OUTBOUND_USAGE: &str = "usage: facteur outbound [-c config_dir] list\n\
    \x20      facteur outbound [-c config_dir] release ACCOUNT   its mail goes, and it may send again\n\
    \x20      facteur outbound [-c config_dir] drop ACCOUNT      its mail on hold is deleted; it stays held";

/// Where postgrey keeps its files.
const POSTGREY: &str = "/var/lib/postgrey";

/// Records that are handed over at once: as many as an order has room for.
const AT_ONCE: usize = 50;

/// The program may take so long: it looks through all it remembers.
const PATIENCE: Duration = Duration::from_secs(120);

fn greylist(words: Vec<OsString>) -> u8 {
    let order = |mut words: Vec<String>| {
        if words == ["import"] {
            words.push(POSTGREY.to_owned());
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let known = matches!(words[..], ["list"] | ["list" | "pass" | "forget" | "import", _]);
        known.then(|| std::iter::once("greylist").chain(words).map(str::to_owned).collect())
    };
    run("greylist", GREYLIST_USAGE, words, order)
}

/// Reads what postgrey has, and hands it over.
fn import(config: &Config, directory: &Path) -> Result<Vec<String>, String> {
    let tables = crate::serve::tables(&config.view, &mut Vec::new());
    let records = gate::greylist::of_postgrey(&tables, directory)?;
    let mut count = 0;
    for some in records.chunks(AT_ONCE) {
        let head = ["greylist", "take"].map(str::to_owned);
        let order: Vec<String> = head.into_iter().chain(some.iter().cloned()).collect();
        let said = perform(config, &order)?;
        count += said.first().and_then(|said| said.parse::<usize>().ok()).unwrap_or(0);
    }
    Ok(vec![format!("{count} entries imported from {}", directory.display())])
}

fn ban(words: Vec<OsString>) -> u8 {
    let order = |words: Vec<String>| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let known = matches!(words[..], ["list" | "nft"] | ["add" | "remove", _] | ["add", _, _]);
        known.then(|| std::iter::once("ban").chain(words).map(str::to_owned).collect())
    };
    run("ban", BAN_USAGE, words, order)
}

fn outbound(words: Vec<OsString>) -> u8 {
    let order = |words: Vec<String>| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let known = matches!(words[..], ["list"] | ["release" | "drop", _]);
        known.then(|| std::iter::once("outbound").chain(words).map(str::to_owned).collect())
    };
    run("outbound", OUTBOUND_USAGE, words, order)
}

/// Reads the words of a command, has the order done, and prints what comes of it.
fn run(
    name: &str,
    usage: &str,
    words: Vec<OsString>,
    order: impl Fn(Vec<String>) -> Option<Vec<String>>,
) -> u8 {
    let mut given: Option<PathBuf> = None;
    let mut parser = lexopt::Parser::from_args(words);
    let mut rest = Vec::new();
    let done = loop {
        match parser.next() {
            Ok(None) => {
                break match order(rest) {
                    Some(order) => {
                        carry_out(&Config::main_only(&config::directory(given.as_deref()), name), &order)
                    }
                    None => Err(usage.to_owned()),
                };
            }
            Ok(Some(lexopt::Arg::Short('c'))) => match super::value(&mut parser) {
                Ok(directory) => given = Some(directory.into()),
                Err(what) => break Err(what),
            },
            Ok(Some(lexopt::Arg::Value(word))) => rest.push(word.to_string_lossy().into_owned()),
            Ok(Some(lexopt::Arg::Short('h') | lexopt::Arg::Long("help"))) => {
                println!("{usage}");
                return 0;
            }
            Ok(Some(other)) => break Err(format!("{}\n{usage}", other.unexpected())),
            Err(error) => break Err(error.to_string()),
        }
    };
    match done {
        Ok(lines) => {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            // Whoever reads through a pipe may have read enough.
            let _ = io::stdout().write_all(text.as_bytes());
            0
        }
        Err(what) => {
            eprintln!("facteur {name}: {what}");
            1
        }
    }
}

fn carry_out(config: &Config, order: &[String]) -> Result<Vec<String>, String> {
    match order {
        [_, what, directory] if what == "import" => import(config, Path::new(directory)),
        order => perform(config, order),
    }
}

/// Has the running program do it; when there is none, does it here.
fn perform(config: &Config, order: &[String]) -> Result<Vec<String>, String> {
    let socket = reach::queue_directory(config).join(orders::SOCKET);
    match ask(&socket, order) {
        Ok(reply) => orders::heard(&reply),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            if matches!(order, [of, what, _] if of == "outbound" && what != "list") {
                return Err("the program does not run; start it first".to_owned());
            }
            let directory = config.view.get("data_directory");
            let gate = Gate::open(Path::new(&directory), &crate::serve::clock(), &TimeZone::system())?;
            gate.perform(order)
        }
        Err(error) => Err(format!("{}: {error}", socket.display())),
    }
}

/// Has the running program do what an order says.
///
/// # Errors
/// Why not: it does not run, or says no.
pub(super) fn have_done(config: &Config, order: &[String]) -> Result<Vec<String>, String> {
    let socket = reach::queue_directory(config).join(orders::SOCKET);
    let reply = ask(&socket, order).map_err(|error| format!("{}: {error}", socket.display()))?;
    orders::heard(&reply)
}

fn ask(socket: &Path, order: &[String]) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{}\n", orders::line(order)).as_bytes())?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply)
}
