//! The running program: reads the configuration, opens queue and sockets, and stays until it is told to stop.

mod auth;
pub mod certificates;
mod copying;
pub mod directories;
mod gate;
mod keeper;
mod kinds;
mod listening;
mod local;
mod memory;
mod own_keeper;
mod parent;
mod reporter;
mod rights;
mod sessions;
mod signals;
pub mod tolerated;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use conf::params::Logging;
use conf::{Block, Mistake, Severity, View};
use deliver::mailbox::crew::Crew;
use jiff::tz::TimeZone;
use master::Door;
use mta::build::{Parts, build};
use mta::desk::Desk;
use mta::house::{House, Setup};
use mta::smtpd::Counters;
use mta::verify::Verifier;
use net::dns::Resolver;
use queue::Queue;
use queue::params::Storage;
use tables::Tables;

use crate::config::Config;
use crate::interfaces;
use crate::logging;
use crate::trace::{Journal, Tracing};
pub use gate::clock;

use certificates::Renewing;
use copying::Copying;
use kinds::Lent;
use listening::{Listening, Wanted};
use signals::Order;

/// Exit status when the program could not start.
const FAILED: u8 = 1;

/// Sessions and deliveries that end by themselves get so long after SIGTERM.
const QUIET: Duration = Duration::from_millis(200);

/// All others get so long.
const GRACE: Duration = Duration::from_secs(3);

/// A configuration with its tables open, and everything that is wrong with it.
pub struct Prepared {
    /// As it was read.
    pub config: Config,
    /// Opens its tables.
    pub tables: Tables,
    /// All mistakes, each once.
    pub mistakes: Vec<Mistake>,
}

/// Reads and builds a configuration without starting anything.
pub fn examine(directory: &Path) -> Prepared {
    let mut config = Config::read(directory, "postfix");
    // As a start would; where this fails, a file that is missing is a mistake that is told.
    let _ = certificates::prepare(&config.view);
    let (tables, _, mistakes) = prepare(&mut config, &Crew::new(Arc::new(seconds)), &Desk::new());
    Prepared { config, tables, mistakes }
}

/// Opens the tables of a configuration, builds the office's part of it, and finds everything that is wrong with it.
fn prepare(config: &mut Config, crew: &Crew, desk: &Arc<Desk>) -> (Tables, Setup, Vec<Mistake>) {
    let mut mistakes = std::mem::take(&mut config.mistakes);
    let tables = tables(&config.view, &mut mistakes);
    let setup = office(config, &tables, crew, desk, &mut mistakes);
    kinds::check(config, &tables, &mut mistakes);
    ::gate::bans::Settings::read(&config.view, &tables, &mut mistakes);
    mistakes.extend(conf::check(&config.view, &config.master));
    mistakes.extend(nis(&config.view));
    // Several rooms may have read the same wrong value.
    let mut told = HashSet::new();
    mistakes.retain(|mistake| told.insert(mistake.to_string()));
    (tables, setup, mistakes)
}

/// Tables that a site asks of NIS: they open, as in the default of `alias_maps`, and find nothing.
fn nis(view: &View) -> Vec<Mistake> {
    let asks = |value: &str| {
        value.split([',', ' ', '\t', '\n']).any(|word| word.trim_start_matches("proxy:").starts_with("nis:"))
    };
    let settings = view.main().settings().iter().filter(|setting| asks(&setting.value));
    let mistake = |setting: &conf::Setting| {
        let text = format!(
            "{}: NIS is not spoken, its tables find nothing; export them to text files and use hash:",
            setting.name
        );
        Mistake::new(Severity::Warning, Some((setting.file.as_path(), setting.line)), text)
    };
    settings.map(mistake).collect()
}

fn office(
    config: &Config,
    tables: &Tables,
    crew: &Crew,
    desk: &Arc<Desk>,
    mistakes: &mut Vec<Mistake>,
) -> Setup {
    let own = interfaces::own(&config.view, mistakes);
    let parts = Parts {
        view: &config.view,
        master: &config.master,
        tables,
        own,
        resolver: resolver(&config.view, mistakes),
        desk: desk.clone(),
        crew: crew.clone(),
        zone: TimeZone::system(),
    };
    build(parts, mistakes)
}

fn resolver(view: &View, mistakes: &mut Vec<Mistake>) -> Resolver {
    Resolver::configured(view).unwrap_or_else(|trouble| {
        mistakes.push(Mistake::new(Severity::Error, None, trouble.to_string()));
        // Never used: with a mistake nothing starts.
        Resolver::from_files(Path::new("/dev/null"), Path::new("/dev/null")).expect("empty files can be read")
    })
}

/// Opens tables as this configuration says.
pub fn tables(view: &View, mistakes: &mut Vec<Mistake>) -> Tables {
    let site = conf::params::Site::read(view, mistakes);
    Tables::new(tables::Settings {
        utf8: site.smtputf8_enable,
        aliases: format!("{} {}", view.get("alias_maps"), view.get("alias_database")),
        myhostname: view.get("myhostname"),
        program: "postfix",
        main_cf: main_cf(view),
        databases: tables::params::Settings::read(view, mistakes).databases(),
    })
}

/// Parameters that nobody declared: those of tables whose settings stand in main.cf.
fn main_cf(view: &View) -> tables::MainCf {
    let view = view.clone();
    tables::MainCf::new(move |name| view.is_set(name).then(|| view.get(name)))
}

/// Seconds since 1970, for names of files in mailboxes.
fn seconds() -> u64 {
    u64::try_from(now().as_second()).unwrap_or_default()
}

/// The time of day.
fn now() -> jiff::Timestamp {
    jiff::Timestamp::try_from(net::clock::wall()).unwrap_or_default()
}

/// Runs in the foreground until SIGTERM or SIGINT; `ready` is called once mail is taken.
///
/// Started as root, this process keeps root and leaves the work to others.
pub fn foreground(directory: &Path, verbose: bool, ready: impl FnOnce()) -> u8 {
    if nix::unistd::geteuid().is_root() {
        parent::run(directory, verbose, ready)
    } else {
        alone(directory, verbose, ready)
    }
}

/// Runs in the foreground as one process with the rights it has.
pub fn alone(directory: &Path, verbose: bool, ready: impl FnOnce()) -> u8 {
    let config = Config::read(directory, "master");
    if let Err(what) = logging::start(log_target(&config.view), &config.view.get("syslog_name"), verbose) {
        eprintln!("postfix: fatal: {what}");
        return FAILED;
    }
    raise_file_limit();
    let pid_file = crate::commands::postfix::pid_file(&config);
    let written = pid_file.clone();
    let status = work(directory, config, None, move || {
        crate::commands::postfix::write_pid_file(&written)
            .map_err(|error| format!("cannot write {}: {error}", written.display()))?;
        ready();
        Ok(())
    });
    crate::commands::postfix::remove_pid_file(&pid_file);
    status
}

/// The worker of a root parent: the same, without root.
fn worker(directory: &Path, door: Arc<Door>) -> u8 {
    if let Err(what) = logging::gather() {
        return give_up(&what);
    }
    let config = Config::read(directory, "master");
    let ready = door.clone();
    work(directory, config, Some(door), move || {
        ready.ready().map_err(|error| format!("cannot tell the root process: {error}"))
    })
}

/// Takes and delivers mail. `ready` is called once mail is taken.
fn work(
    directory: &Path,
    config: Config,
    door: Option<Arc<Door>>,
    ready: impl FnOnce() -> Result<(), String>,
) -> u8 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers()).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return give_up(&format!("cannot start the runtime: {error}")),
    };
    let status = runtime.block_on(run(directory, config, door, ready));
    // What still runs is a session or a delivery that was given its time.
    runtime.shutdown_timeout(Duration::from_millis(100));
    logging::flush();
    status
}

fn give_up(what: &str) -> u8 {
    log::error!(target: "master", "{what}");
    logging::flush();
    eprintln!("postfix: fatal: {what}");
    FAILED
}

/// The running program's parts that outlive a configuration.
struct Program {
    directory: PathBuf,
    house: Arc<House>,
    verifier: Verifier,
    desk: Arc<Desk>,
    crew: Crew,
    tables: Tables,
    counters: Arc<Counters>,
    gate: ::gate::Gate,
    screened: Arc<mta::postscreen::Memory>,
    reading: Option<kinds::Reading>,
    listening: Listening,
    copying: Copying,
    renewing: Renewing,
    /// The root parent, where there is one.
    door: Option<Arc<Door>>,
}

async fn run(
    directory: &Path,
    mut config: Config,
    door: Option<Arc<Door>>,
    ready: impl FnOnce() -> Result<(), String>,
) -> u8 {
    // What the parent has not made; whoever serves TLS reads it in a moment.
    if door.is_none()
        && let Err(what) = certificates::prepare(&config.view)
    {
        return give_up(&what);
    }
    let crew = Crew::new(Arc::new(seconds));
    let desk = Desk::new();
    let (tables, setup, mistakes) = prepare(&mut config, &crew, &desk);
    if !report(&mistakes) {
        return give_up("the configuration has errors (see above, or 'postfix check')");
    }
    if door.is_none()
        && let Err(what) = directories::prepare(&config.view)
    {
        return give_up(&what);
    }
    logging::trace_into(journal(&config.view));
    let queue = match open_queue(&config.view) {
        Ok(queue) => queue,
        Err(failure) => return give_up(&failure.to_string()),
    };
    let remembered = gate::open(&config.view);
    remembered.bans.renew(::gate::bans::Settings::read(&config.view, &tables, &mut Vec::new()));
    let front = door.as_ref().and_then(|_| parent::front_user(&config.view).ok());
    let reading = door.is_none().then(|| kinds::Reading::new(remembered.bans.clone(), None));
    let house = House::new(queue, now, setup);
    desk.settle_in(&house);
    let verified = mta::verify::file(&config.view, &mut Vec::new());
    let verifier = Verifier::new(house.clone(), verified.as_deref());
    let mut program = Program {
        directory: directory.to_owned(),
        house: house.clone(),
        verifier,
        desk,
        crew,
        tables,
        counters: Arc::default(),
        gate: remembered.clone(),
        screened: Arc::default(),
        reading,
        listening: Listening::default(),
        copying: Copying::default(),
        renewing: Renewing::default(),
        door,
    };
    let manager = tokio::spawn(mta::qmgr::run(house.clone()));
    tokio::spawn(mta::training::run(house.clone()));
    tokio::spawn(mta::dmarc_reports::run(house.clone()));
    tokio::spawn(mta::quarantine::run(house.clone()));
    tokio::spawn(mta::tlsrpt::run(house.clone()));
    let queue_directory = PathBuf::from(config.view.get("queue_directory"));
    if let Err(error) = local::open(
        &queue_directory,
        &house,
        rights::Rights::new(&config.view, &program.tables),
        (&remembered, front.map(|front| front.uid)),
    ) {
        return give_up(&format!("cannot open the local sockets in {}: {error}", queue_directory.display()));
    }
    let failed = program.listen(&config, &mut Vec::new());
    if !failed.is_empty() {
        return give_up(&failed.join("; "));
    }
    if let Err(what) = ready() {
        return give_up(&what);
    }
    tolerated::write(&tolerated::file(&config), &mistakes);
    log::info!(
        target: "master",
        "daemon started -- version {}, configuration {}",
        config.view.get("mail_version"),
        directory.display()
    );
    program.copying = Copying::begin(&config.view);
    program.renewing = Renewing::begin(&config.view);
    program.stay().await;
    manager.abort();
    house.queue.close();
    0
}

/// Logs what is wrong; false when that forbids going on. On standard error too, for whoever starts us.
fn report(mistakes: &[Mistake]) -> bool {
    for mistake in mistakes {
        match mistake.severity {
            Severity::Warning => log::warn!(target: "master", "{mistake}"),
            Severity::Error | Severity::Fatal => {
                log::error!(target: "master", "{mistake}");
                eprintln!("postfix: {mistake}");
            }
        }
    }
    !mistakes.iter().any(|mistake| mistake.severity == Severity::Fatal)
}

fn open_queue(view: &View) -> Result<Queue, queue::Failure> {
    let storage = Storage::read(view, &mut Vec::new());
    let mut settings = queue::Settings::new(PathBuf::from(view.get("queue_directory")));
    settings.long_ids = storage.enable_long_queue_ids;
    let (queue, recovered) = Queue::open(settings, now())?;
    if recovered.cut > 0 {
        log::info!(target: "qmgr", "cut {} bytes of unfinished records: nobody was told that they are safe", recovered.cut);
    }
    for damage in &recovered.damaged {
        let kept =
            damage.set_aside.as_ref().map_or_else(|| "nowhere".to_owned(), |path| path.display().to_string());
        log::error!(
            target: "qmgr",
            "damaged record in {} at byte {} ({} bytes) set aside in {kept}",
            damage.segment.display(),
            damage.offset,
            damage.len
        );
    }
    Ok(queue)
}

impl Program {
    /// Opens and closes sockets as master.cf says. What could not be opened is returned.
    fn listen(&mut self, config: &Config, mistakes: &mut Vec<Mistake>) -> Vec<String> {
        let lent = Lent {
            house: self.house.clone(),
            verifier: self.verifier.clone(),
            tables: self.tables.clone(),
            resolver: resolver(&config.view, mistakes),
            counters: self.counters.clone(),
            gate: self.gate.clone(),
            screened: self.screened.clone(),
            reading: self.reading.clone(),
        };
        let wanted: Vec<Wanted> = kinds::wanted(config, &lent, mistakes);
        self.listening.arrange(wanted)
    }

    /// Does what signals say until one says stop.
    async fn stay(&mut self) {
        tokio::spawn(memory::tend());
        let mut orders = match signals::Orders::listen() {
            Ok(orders) => orders,
            Err(error) => {
                log::error!(target: "master", "cannot take signals: {error}");
                return;
            }
        };
        let mut refresh = tokio::time::interval(Duration::from_secs(1));
        refresh.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                order = orders.next() => match order {
                    Order::Stop => break,
                    Order::Reload => self.reload(),
                    Order::ReopenLog => self.reopen_log(),
                },
                _ = refresh.tick() => {
                    let tables = self.tables.clone();
                    tokio::task::spawn_blocking(move || tables.refresh());
                }
            }
        }
        log::info!(target: "master", "terminating on signal 15");
        self.listening.close();
        let setup = self.house.setup();
        // What is under way ends in peace, and kept connections hear QUIT; what does not end in time is tried again.
        let farewell = async {
            tokio::time::sleep(QUIET).await;
            for carrier in setup.carriers.values() {
                carrier.agent.close().await;
            }
        };
        if tokio::time::timeout(GRACE, farewell).await.is_err() {
            log::info!(target: "master", "deliveries did not end in time; they are tried again at the next start");
        }
    }

    /// After rotation. Without root the new file may be none that we could make.
    fn reopen_log(&self) {
        match self.door.as_ref().map(|door| door.log()) {
            None => logging::reopen(),
            Some(Ok(file)) => logging::replace(file),
            Some(Err(error)) => log::warn!(target: "master", "cannot open the log file again: {error}"),
        }
    }

    /// Takes a new configuration, whole or not at all.
    fn reload(&mut self) {
        log::info!(target: "master", "reload -- configuration {}", self.directory.display());
        let mut config = Config::read(&self.directory, "master");
        // Where this fails, a file that is missing is a mistake that is told.
        let _ = certificates::prepare(&config.view);
        let (tables, setup, mistakes) = prepare(&mut config, &self.crew, &self.desk);
        let known = tolerated::read(&tolerated::file(&config));
        if !report(&mistakes) || tolerated::worse(&mistakes, &known) {
            log::error!(target: "master", "reload: the new configuration has errors; the old one stays in force");
            return;
        }
        tolerated::write(&tolerated::file(&config), &mistakes);
        self.gate.bans.renew(::gate::bans::Settings::read(&config.view, &tables, &mut Vec::new()));
        self.tables = tables;
        logging::trace_into(journal(&config.view));
        self.house.renew(setup);
        self.copying = Copying::begin(&config.view);
        self.renewing = Renewing::begin(&config.view);
        for what in self.listen(&config, &mut Vec::new()) {
            log::error!(target: "master", "reload: {what}");
        }
        if let Some(Err(error)) = self.door.as_ref().map(|door| door.reloaded()) {
            log::error!(target: "master", "reload: cannot tell the root process: {error}");
        }
    }
}

/// The journal that `facteur trace` reads.
fn journal(view: &View) -> Option<Journal> {
    let limit = Tracing::read(view, &mut Vec::new()).trace_size_limit;
    (limit > 0).then(|| Journal::new(Path::new(&view.get("data_directory")), limit))
}

/// Where `maillog_file` sends the log: a file, standard output, or syslog when it is empty.
pub fn log_target(view: &View) -> logging::Target {
    let logging = Logging::read(view, &mut Vec::new());
    let file = logging.maillog_file;
    if file.as_os_str().is_empty() {
        logging::Target::Syslog(logging::facility(&logging.syslog_facility))
    } else if file == Path::new("/dev/stdout") {
        logging::Target::Stdout
    } else {
        logging::Target::File(file)
    }
}

/// Threads for sessions: one for two processors. The journal, the log and the mailboxes have threads of their own; and
/// sessions wait more than they work, so that more threads would mostly wake each other.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2))
}

/// Every connection is a descriptor: take as many as we may have.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // Where it is refused, the old limit holds, and connections wait in the backlog.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
