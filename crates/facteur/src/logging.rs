//! The log writer behind the `log` macros: Postfix's line form to a file, to standard output or to syslog,
//! and `name: warning: text` on standard error for commands.
//!
//! A record's target is the program: `smtpd` is printed `postfix/smtpd[pid]`, a target with a slash is
//! printed as it is. Lines of the running program are gathered and written in one go by a thread of their own.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, RwLock};
use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::trace::Journal;

/// A target that begins with this is printed as it is, without `syslog_name` before it.
pub const AS_IS: char = '=';

/// Where log lines go.
pub enum Target {
    /// `name: text` on standard error: how commands speak.
    Command(&'static str),
    /// `maillog_file`; reopened by [`reopen`].
    File(PathBuf),
    /// `maillog_file = /dev/stdout`.
    Stdout,
    /// The system's log socket, `/dev/log`, under a facility: see [`facility`].
    Syslog(u8),
}

struct Writer {
    prefix: RwLock<String>,
    pending: Mutex<Pending>,
    wake: Condvar,
    command: RwLock<Option<&'static str>>,
    verbose: bool,
    /// Asking for it each time is a system call a line.
    process: AtomicU32,
    /// Keeps what concerns messages.
    journal: Mutex<Option<Journal>>,
}

#[derive(Default)]
struct Pending {
    lines: Vec<u8>,
    /// Lengths of the lines, for syslog, where each is a datagram.
    ends: Vec<(usize, Level)>,
    writing: bool,
    /// The writer waits for a first line: only then must it be woken.
    idle: bool,
    /// Somebody waits until all is written.
    hurry: bool,
    stamp: Stamp,
    /// A thread writes them.
    gathered: bool,
    /// The log file to go on with.
    next: Option<File>,
    sink: Option<Sink>,
    dropped: u64,
}

enum Sink {
    File(PathBuf, File),
    Stdout,
    Syslog(u8, Option<UnixDatagram>),
}

/// Most bytes that wait for the writer; beyond it lines are dropped and counted, so that a full disk does not
/// fill memory.
const PENDING_MAX: usize = 16 << 20;

/// Lines are gathered for so long: a busy program would otherwise wake the writer for each of them.
const GATHER: Duration = Duration::from_millis(10);

/// So many bytes are written without more ado.
const ENOUGH: usize = 256 << 10;

static WRITER: OnceLock<Arc<Writer>> = OnceLock::new();

/// Starts logging. `syslog_name` is what stands before the slash (`postfix`).
///
/// # Errors
/// The log file cannot be opened: the message names it.
pub fn start(target: Target, syslog_name: &str, verbose: bool) -> Result<(), String> {
    let serves = !matches!(target, Target::Command(_));
    start_simple(target, syslog_name, verbose)?;
    if serves { gather() } else { Ok(()) }
}

/// The same without a thread: each line is written at once. For a process that makes copies of itself.
///
/// # Errors
/// As for [`start`].
pub fn start_simple(target: Target, syslog_name: &str, verbose: bool) -> Result<(), String> {
    let (command, sink) = match target {
        Target::Command(name) => (Some(name), None),
        Target::File(path) => {
            let file = open(&path)
                .map_err(|error| format!("cannot open the log file {}: {error}", path.display()))?;
            (None, Some(Sink::File(path, file)))
        }
        Target::Stdout => (None, Some(Sink::Stdout)),
        Target::Syslog(facility) => (None, Some(Sink::Syslog(facility, None))),
    };
    let fresh = WRITER.get().is_none();
    let writer = WRITER.get_or_init(|| {
        Arc::new(Writer {
            prefix: RwLock::new(String::new()),
            pending: Mutex::new(Pending::default()),
            wake: Condvar::new(),
            command: RwLock::new(None),
            verbose,
            process: AtomicU32::new(std::process::id()),
            journal: Mutex::new(None),
        })
    });
    syslog_name.clone_into(&mut writer.prefix.write().unwrap_or_else(|poisoned| poisoned.into_inner()));
    *writer.command.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = command;
    writer.lock().sink = sink;
    if fresh {
        // A second logger cannot be set: nobody else sets one in this program.
        let _ = log::set_boxed_logger(Box::new(Handle(writer.clone())));
        log::set_max_level(if verbose { LevelFilter::Debug } else { LevelFilter::Info });
    }
    Ok(())
}

/// Keeps what concerns messages in this journal from now on, or in none. Nothing happens before [`start`].
pub fn trace_into(journal: Option<Journal>) {
    let Some(writer) = WRITER.get() else { return };
    *writer.journal.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = journal;
}

/// This process is a copy of the one that started logging: its lines carry its own number.
pub fn renumber() {
    if let Some(writer) = WRITER.get() {
        writer.process.store(std::process::id(), Ordering::Relaxed);
    }
}

/// From now on lines are gathered and written by a thread of their own.
///
/// # Errors
/// The system refuses a thread.
pub fn gather() -> Result<(), String> {
    let Some(writer) = WRITER.get() else { return Ok(()) };
    writer.lock().gathered = true;
    let writer = writer.clone();
    std::thread::Builder::new()
        .name("log".into())
        .spawn(move || writer.run())
        .map(drop)
        .map_err(|error| format!("cannot start the log thread: {error}"))
}

type Observer = Box<dyn Fn(&str, &str) + Send + Sync>;

static OBSERVER: OnceLock<Observer> = OnceLock::new();

/// Shows every line (program, text) to `observer` as well. For the demo; only the first call counts.
pub fn observe(observer: impl Fn(&str, &str) + Send + Sync + 'static) {
    let _ = OBSERVER.set(Box::new(observer));
}

/// Opens the log file again, after rotation.
pub fn reopen() {
    let Some(writer) = WRITER.get() else { return };
    let mut pending = writer.lock();
    if let Some(Sink::File(path, file)) = &mut pending.sink
        && let Ok(new) = open(path)
    {
        *file = new;
    }
}

/// Goes on with a log file that somebody else has opened.
pub fn replace(new: File) {
    let Some(writer) = WRITER.get() else { return };
    let mut pending = writer.lock();
    match &mut pending.sink {
        Some(Sink::File(_, file)) => *file = new,
        // The thread has it just now, and puts it back.
        _ => pending.next = Some(new),
    }
}

/// The log file, for another process of ours; `None` when the log is none.
pub fn file() -> std::io::Result<Option<File>> {
    match WRITER.get().map(|writer| writer.lock()).as_ref().and_then(|pending| pending.sink.as_ref()) {
        Some(Sink::File(_, file)) => file.try_clone().map(Some),
        _ => Ok(None),
    }
}

/// Waits until everything logged so far is written.
pub fn flush() {
    let Some(writer) = WRITER.get() else { return };
    for _ in 0..200 {
        {
            let mut pending = writer.lock();
            if pending.sink.is_none() || (pending.lines.is_empty() && !pending.writing) {
                return;
            }
            pending.hurry = true;
        }
        writer.wake.notify_all();
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn open(path: &PathBuf) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

struct Handle(Arc<Writer>);

impl Log for Handle {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Info || self.0.verbose
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.take(record);
        }
    }

    fn flush(&self) {
        flush();
    }
}

/// What Postfix prints before the text.
fn severity(level: Level) -> &'static str {
    match level {
        Level::Error => "error: ",
        Level::Warn => "warning: ",
        Level::Info | Level::Debug | Level::Trace => "",
    }
}

impl Writer {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn take(&self, record: &Record<'_>) {
        if let Some(name) = *self.command.read().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            eprintln!("{name}: {}{}", severity(record.level()), record.args());
            return;
        }
        if let Some(observer) = OBSERVER.get() {
            observer(record.target(), &record.args().to_string());
        }
        let mut pending = self.lock();
        if pending.lines.len() > PENDING_MAX {
            pending.dropped += 1;
            return;
        }
        let start = pending.lines.len();
        self.format(&mut pending, record);
        let end = pending.lines.len();
        pending.ends.push((end, record.level()));
        if !pending.gathered {
            let (lines, ends) = (std::mem::take(&mut pending.lines), std::mem::take(&mut pending.ends));
            if let Some(sink) = &mut pending.sink {
                write_out(sink, &lines, &ends);
            }
            return;
        }
        let wake = std::mem::take(&mut pending.idle) || (start <= ENOUGH && end > ENOUGH);
        drop(pending);
        if wake {
            self.wake.notify_one();
        }
    }

    fn format(&self, pending: &mut Pending, record: &Record<'_>) {
        let target = record.target();
        let Pending { lines: out, stamp, .. } = pending;
        let _ = write!(out, "{} {} ", stamp.now(), host());
        if let Some(tag) = target.strip_prefix(AS_IS) {
            let _ = write!(out, "{tag}");
        } else if target.contains('/') {
            let _ = write!(out, "{target}");
        } else {
            let prefix = self.prefix.read().unwrap_or_else(|poisoned| poisoned.into_inner());
            let program = target.split("::").next().unwrap_or(target);
            let _ = write!(out, "{prefix}/{program}");
        }
        let _ = writeln!(
            out,
            "[{}]: {}{}",
            self.process.load(Ordering::Relaxed),
            severity(record.level()),
            record.args()
        );
    }

    fn run(&self) {
        loop {
            let (lines, ends, mut sink) = {
                let mut pending = self.lock();
                while pending.lines.is_empty() {
                    pending.idle = true;
                    pending = self.wake.wait(pending).unwrap_or_else(|poisoned| poisoned.into_inner());
                }
                pending.idle = false;
                let gathering = |pending: &mut Pending| !pending.hurry && pending.lines.len() <= ENOUGH;
                let waited = self.wake.wait_timeout_while(pending, GATHER, gathering);
                (pending, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
                pending.hurry = false;
                if pending.dropped > 0 {
                    let dropped = std::mem::take(&mut pending.dropped);
                    let line = format!(
                        "{} {} postfix/log[{}]: warning: {dropped} lines lost: the log could not be written fast enough\n",
                        pending.stamp.now(),
                        host(),
                        self.process.load(Ordering::Relaxed)
                    );
                    pending.lines.extend_from_slice(line.as_bytes());
                    let end = pending.lines.len();
                    pending.ends.push((end, Level::Warn));
                }
                pending.writing = true;
                (std::mem::take(&mut pending.lines), std::mem::take(&mut pending.ends), pending.sink.take())
            };
            if let Some(sink) = &mut sink {
                write_out(sink, &lines, &ends);
            }
            if let Some(journal) = &mut *self.journal.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
            {
                journal.take(Timestamp::now(), &lines);
            }
            let mut pending = self.lock();
            pending.writing = false;
            // reopen() or start() may have put a newer one there meanwhile.
            if pending.sink.is_none() {
                pending.sink = sink;
            }
            let next = pending.next.take();
            if let (Some(Sink::File(_, file)), Some(next)) = (&mut pending.sink, next) {
                *file = next;
            }
        }
    }
}

fn write_out(sink: &mut Sink, lines: &[u8], ends: &[(usize, Level)]) {
    match sink {
        // A log that cannot be written must not stop the mail.
        Sink::File(_, file) => drop(file.write_all(lines)),
        Sink::Stdout => drop(std::io::stdout().write_all(lines)),
        Sink::Syslog(facility, socket) => {
            let mut start = 0;
            for (end, level) in ends {
                send(socket, *facility, &lines[start..*end - 1], *level);
                start = *end;
            }
        }
    }
}

/// The number of a facility (`syslog_facility`), by RFC 3164; that of `mail` for a name that there is not.
pub fn facility(name: &str) -> u8 {
    const NAMES: [&str; 12] = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    ];
    let local = name.strip_prefix("local").and_then(|digit| digit.parse::<u8>().ok()).map(|digit| 16 + digit);
    // `security` is an older name.
    let name = if name == "security" { "auth" } else { name };
    let known = NAMES.iter().position(|known| *known == name).and_then(|at| u8::try_from(at).ok());
    local.or(known).unwrap_or(2)
}

/// Severity 3 is error, 4 warning, 6 information.
fn send(socket: &mut Option<UnixDatagram>, facility: u8, line: &[u8], level: Level) {
    let severity = match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    };
    // The system's log adds the host name itself: `<pri>stamp program[pid]: text`; the stamp has 15 characters.
    let (stamp, rest) = line.split_at(line.len().min(16));
    let body = rest.iter().position(|b| *b == b' ').map_or(rest, |space| &rest[space + 1..]);
    let mut packet = format!("<{}>", u32::from(facility) * 8 + severity).into_bytes();
    packet.extend_from_slice(stamp);
    packet.extend_from_slice(body);
    for _ in 0..2 {
        if socket.is_none() {
            *socket = UnixDatagram::unbound().ok().filter(|new| new.connect("/dev/log").is_ok());
        }
        match socket {
            Some(open) if open.send(&packet).is_err() => *socket = None,
            _ => return,
        }
    }
}

/// `Nov 21 13:14:00`, in local time; made once a second.
#[derive(Default)]
struct Stamp {
    second: i64,
    text: String,
}

impl Stamp {
    fn now(&mut self) -> &str {
        static ZONE: OnceLock<TimeZone> = OnceLock::new();
        let now = Timestamp::now();
        if self.text.is_empty() || self.second != now.as_second() {
            let zone = ZONE.get_or_init(TimeZone::system);
            self.text = now.to_zoned(zone.clone()).strftime("%b %e %H:%M:%S").to_string();
            self.second = now.as_second();
        }
        &self.text
    }
}

/// The host's name up to its first dot, as syslog prints it.
fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        let name =
            nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
        match name.split('.').next() {
            Some(short) if !short.is_empty() => short.to_owned(),
            _ => "localhost".to_owned(),
        }
    })
}
