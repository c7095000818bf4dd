//! postfix(1): starts, stops and looks after the mail system.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command as Child, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Command;
use crate::config::{self, Config};
use crate::logging;
use crate::serve::{self, tolerated};

/// The command.
pub const COMMAND: Command =
    Command { name: "postfix", summary: "start, stop, reload or check the mail system", run };

/// Exit status of a command that could not do what it was asked.
const FAILED: u8 = 1;

const USAGE: &str =
    "usage: postfix [-c config_dir] [-Dv] start|start-fg|stop|abort|reload|flush|check|status|logrotate";

fn run(words: Vec<OsString>) -> u8 {
    let mut given: Option<PathBuf> = None;
    let mut verbose = false;
    let mut verb: Option<String> = None;
    let mut parser = lexopt::Parser::from_args(words);
    while let Some(argument) = match parser.next() {
        Ok(argument) => argument,
        Err(error) => return usage(&error.to_string()),
    } {
        match argument {
            lexopt::Arg::Short('c') => match parser.value() {
                Ok(value) => given = Some(value.into()),
                Err(error) => return usage(&error.to_string()),
            },
            lexopt::Arg::Short('v') => verbose = true,
            // -D asks for a debugger; there is one process, and a debugger can be attached to it.
            lexopt::Arg::Short('D') => {}
            lexopt::Arg::Value(value) if verb.is_none() => verb = Some(value.to_string_lossy().into_owned()),
            other => return usage(&other.unexpected().to_string()),
        }
    }
    let directory = config::directory(given.as_deref());
    match verb.as_deref() {
        Some("start") => start(&directory, verbose),
        Some("start-fg") => serve::foreground(&directory, verbose, || ()),
        Some(START_CHILD) => child(&directory, verbose),
        Some("stop") => stop(&directory, Signal::SIGTERM),
        Some("abort") => stop(&directory, Signal::SIGKILL),
        Some("reload") => reload(&directory),
        Some("check") => super::check::tell(&directory),
        Some("status") => status(&directory),
        Some("flush") => (super::postqueue::COMMAND.run)(vec!["-c".into(), directory.into(), "-f".into()]),
        Some("logrotate") => signal(&directory, Signal::SIGUSR1),
        Some("set-permissions" | "upgrade-configuration") => {
            println!(
                "postfix: nothing to do: the program needs no file of its own besides the configuration"
            );
            0
        }
        Some(other) => usage(&format!("unknown command '{other}'")),
        None => usage("a command is missing"),
    }
}

fn usage(what: &str) -> u8 {
    eprintln!("postfix: fatal: {what}\n{USAGE}");
    FAILED
}

fn say(what: &str) {
    eprintln!("postfix: {what}");
}

/// The hidden verb of the process that `start` leaves behind.
const START_CHILD: &str = "start-child";

/// Starts in the background and waits until mail is taken, or tells why not.
fn start(directory: &Path, verbose: bool) -> u8 {
    if let Some(pid) = running(directory) {
        say(&format!("fatal: the mail system is already running: PID {pid}"));
        return FAILED;
    }
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => {
            say(&format!("fatal: cannot find my own program file: {error}"));
            return FAILED;
        }
    };
    let mut child = Child::new(program);
    child.arg("postfix").arg("-c").arg(directory);
    if verbose {
        child.arg("-v");
    }
    child.arg(START_CHILD).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match child.spawn() {
        Ok(child) => child,
        Err(error) => {
            say(&format!("fatal: cannot start: {error}"));
            return FAILED;
        }
    };
    let ready = child.stdout.take().map(|out| {
        let mut line = String::new();
        // A child that dies closes the pipe: no line.
        let _ = BufReader::new(out).read_line(&mut line);
        line
    });
    if ready.as_deref() == Some(READY) {
        return 0;
    }
    let mut text = String::new();
    if let Some(mut errors) = child.stderr.take() {
        let _ = errors.read_to_string(&mut text);
    }
    eprint!("{text}");
    say("fatal: mail system startup failed");
    FAILED
}

/// What the child writes once it takes mail.
const READY: &str = "ready\n";

/// The process that `start` leaves behind: leader of its own session, silent once it runs.
fn child(directory: &Path, verbose: bool) -> u8 {
    if let Err(error) = nix::unistd::setsid() {
        say(&format!("fatal: setsid: {error}"));
        return FAILED;
    }
    serve::foreground(directory, verbose, || {
        // Nobody reads after the first line.
        let _ = std::io::stdout().write_all(READY.as_bytes()).and_then(|()| std::io::stdout().flush());
    })
}

/// Where the running program leaves its process id.
pub fn pid_file(config: &Config) -> PathBuf {
    let queue = PathBuf::from(config.view.get("queue_directory"));
    queue.join(config.view.get("process_id_directory")).join("master.pid")
}

/// Leaves the id of this process.
pub fn write_pid_file(path: &Path) -> std::io::Result<()> {
    std::fs::write(path, format!("{:>10}\n", std::process::id()))
}

/// Removes it when it names this process: left behind it would name one that is gone.
pub fn remove_pid_file(path: &Path) {
    let ours = std::fs::read_to_string(path).is_ok_and(|text| text.trim() == std::process::id().to_string());
    if ours {
        let _ = std::fs::remove_file(path);
    }
}

/// The process id of the running program, if it runs.
pub fn running(directory: &Path) -> Option<Pid> {
    let config = Config::main_only(directory, "postfix");
    let text = std::fs::read_to_string(pid_file(&config)).ok()?;
    let pid = Pid::from_raw(text.trim().parse().ok().filter(|pid: &i32| *pid > 1)?);
    match kill(pid, None) {
        Ok(()) | Err(Errno::EPERM) => Some(pid),
        Err(_) => None,
    }
}

fn not_running() -> u8 {
    say("fatal: the mail system is not running");
    FAILED
}

fn signal(directory: &Path, what: Signal) -> u8 {
    let Some(pid) = running(directory) else { return not_running() };
    match kill(pid, what) {
        Ok(()) => 0,
        Err(error) => {
            say(&format!("fatal: cannot signal process {pid}: {error}"));
            FAILED
        }
    }
}

fn stop(directory: &Path, how: Signal) -> u8 {
    let Some(pid) = running(directory) else { return not_running() };
    if let Err(error) = kill(pid, how) {
        say(&format!("fatal: cannot stop process {pid}: {error}"));
        return FAILED;
    }
    for _ in 0..600 {
        if kill(pid, None).is_err() {
            return 0;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    say(&format!("fatal: process {pid} does not end; 'postfix abort' ends it at once, and loses no mail"));
    FAILED
}

fn status(directory: &Path) -> u8 {
    match running(directory) {
        Some(pid) => {
            say(&format!("the mail system is running: PID: {pid}"));
            0
        }
        None => {
            say("the mail system is not running");
            FAILED
        }
    }
}

/// Checks the new configuration here, where its mistakes can be read, before the program is told to take it.
fn reload(directory: &Path) -> u8 {
    if running(directory).is_none() {
        return not_running();
    }
    let mistakes = told(directory);
    let known = tolerated::read(&tolerated::file(&Config::main_only(directory, "postfix")));
    if fatal(&mistakes) || tolerated::worse(&mistakes, &known) {
        say("fatal: the configuration has errors; the program keeps the one it has");
        return FAILED;
    }
    signal(directory, Signal::SIGHUP)
}

/// Says what is wrong with the configuration.
fn told(directory: &Path) -> Vec<conf::Mistake> {
    // What is wrong within tables is logged by whoever reads them; a second start would change nothing.
    let _ = logging::start(logging::Target::Command("postfix"), "postfix", false);
    let mistakes = serve::examine(directory).mistakes;
    for mistake in &mistakes {
        say(&mistake.to_string());
    }
    mistakes
}

fn fatal(mistakes: &[conf::Mistake]) -> bool {
    mistakes.iter().any(|mistake| mistake.severity == conf::Severity::Fatal)
}
