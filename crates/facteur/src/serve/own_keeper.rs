//! The keeper of one user's mailboxes: a process with his rights, shared by all his sessions and by what is delivered to
//! him, that ends when nobody has needed it for a while.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use conf::{Block, View};
use deliver::hand::{Cellar, Keeps};
use imap::handover::Taken;
use master::{Door, Heard, Identity, Lanes, Purpose};
use people::params::Logins;
use store::params::Mailboxes;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::keeper::{GRACE, reopen_log, taken, usual};
use super::kinds::{self, Readers};
use super::signals::{Order, Orders};
use super::{give_up, seconds};
use crate::config::Config;
use crate::logging;

/// A lane on which nothing is delivered for so long is closed: longer than the worker keeps it free.
const QUIET_LANE: Duration = Duration::from_secs(30);

/// The keeper's life.
pub fn keep_for(directory: &Path, who: Identity, door: Arc<Door>, lanes: Lanes) -> u8 {
    // Mail is for nobody else to read.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    store::lock::dot::lend(LockFiles(door.clone()));
    if let Err(what) = logging::gather() {
        return give_up(&what);
    }
    // One of many: it has one thread, and others while it waits for the disk.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return give_up(&format!("cannot start the runtime: {error}")),
    };
    let status = runtime.block_on(run(directory, who, door, lanes));
    runtime.shutdown_timeout(Duration::from_millis(100));
    logging::flush();
    status
}

async fn run(directory: &Path, who: Identity, door: Arc<Door>, lanes: Lanes) -> u8 {
    let keeper = Arc::new(Keeper {
        directory: directory.to_owned(),
        who,
        cellar: Arc::default(),
        current: RwLock::default(),
        door,
        runtime: Handle::current(),
    });
    let Some(config) = taken(directory) else {
        return give_up(&format!("the keeper of user {} cannot read the configuration", who.uid));
    };
    if let Err(what) = keeper.take(&config) {
        return give_up(&what);
    }
    let mut orders = match Orders::listen() {
        Ok(orders) => orders,
        Err(error) => return give_up(&format!("cannot take signals: {error}")),
    };
    let (end, mut ended) = oneshot::channel();
    let listener = keeper.clone();
    let taking = std::thread::Builder::new().name("lanes".to_owned()).spawn(move || {
        listener.listen(&lanes);
        // Nobody hears it where SIGTERM was first.
        let _ = end.send(());
    });
    if let Err(error) = taking {
        return give_up(&format!("cannot start a thread: {error}"));
    }
    loop {
        tokio::select! {
            order = orders.next() => match order {
                Order::Stop => break,
                Order::Reload => keeper.reload(),
                Order::ReopenLog => reopen_log(&keeper.door),
            },
            _ = &mut ended => return 0,
        }
    }
    tokio::time::sleep(GRACE).await;
    0
}

struct Keeper {
    directory: PathBuf,
    who: Identity,
    /// Where mail is put.
    cellar: Arc<Cellar>,
    current: RwLock<Current>,
    door: Arc<Door>,
    runtime: Handle,
}

/// What one configuration gives.
#[derive(Default)]
struct Current {
    services: HashMap<String, Readers>,
    /// How long it stays without work.
    idle: Duration,
}

impl Keeper {
    fn take(&self, config: &Config) -> Result<(), String> {
        let asks = asks_itself(&config.view);
        let keeps = Keeps::One { who: self.who, usual: usual(&config.view)?, asks };
        let left_out: &[&str] = if asks { &["passdb"] } else { &["passdb", "userdb"] };
        let overrides: Vec<_> = left_out.iter().map(|name| ((*name).to_owned(), String::new())).collect();
        self.cellar.renew(&config.view.with_overrides(&overrides), Arc::new(seconds), keeps);
        let idle = Mailboxes::read(&config.view, &mut Vec::new()).default_idle_kill;
        let current = Current { services: kinds::handed(config), idle };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
        Ok(())
    }

    fn reload(&self) {
        let Some(config) = taken(&self.directory) else { return };
        if let Err(what) = self.take(&config) {
            log::error!(target: "master", "reload: {what}");
        }
    }

    /// Takes lanes until nobody needs this process any more.
    fn listen(self: &Arc<Keeper>, lanes: &Lanes) {
        loop {
            let idle = self.current.read().unwrap_or_else(PoisonError::into_inner).idle;
            match lanes.wait(Some(idle)) {
                Heard::Lane(Purpose::Mail, lane, open) => {
                    // Without it, the lane would only be kept for longer.
                    let _ = lane.set_read_timeout(Some(QUIET_LANE));
                    deliver::hand::keep_lane(lane, open, &self.cellar, &self.runtime);
                }
                Heard::Lane(Purpose::Session, lane, open) => {
                    let keeper = self.clone();
                    self.runtime.spawn(async move {
                        keeper.session(lane).await;
                        drop(open);
                    });
                }
                Heard::Nothing if self.door.may_end(lanes.received()) => return,
                Heard::Nothing => {}
                Heard::End => return,
            }
        }
    }

    fn service(&self, line: &str) -> Option<Readers> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).services.get(line).cloned()
    }

    /// Goes on with a session of somebody who has logged in.
    async fn session(&self, lane: UnixStream) {
        let (cellar, runtime) = (self.cellar.clone(), self.runtime.clone());
        let come = tokio::task::spawn_blocking(move || {
            let mut taken =
                Taken::from(lane).map_err(|error| log::warn!(target: "master", "a session: {error}"));
            let claimed = taken.as_mut().ok().map(|taken| std::mem::take(&mut taken.handed.account));
            let account = cellar.account(claimed.unwrap_or_default(), &runtime);
            taken.map(|taken| (taken, account))
        });
        let Ok(Ok((mut taken, account))) = come.await else { return };
        match (self.service(&taken.handed.line), account) {
            (Some(service), Ok(account)) => {
                taken.handed.account = account;
                service.go_on(taken).await;
            }
            (service, account) => {
                let why = account.err().unwrap_or_else(|| "the service is there no more".to_owned());
                log::error!(target: "=dovecot", "{}: session <{}> of uid {}: {why}", taken.handed.facts.service, taken.handed.id, self.who.uid);
                let plain = "Internal error occurred. Refer to server log for more information.";
                let is_pop3 =
                    taken.handed.facts.service == "pop3" || matches!(service, Some(Readers::Pop3(_)));
                let text = if is_pop3 { format!("-ERR [SYS/TEMP] {plain}") } else { plain.to_owned() };
                taken.refuse(&text);
            }
        }
    }
}

/// Can this process ask the user databases itself? It asks those that need no password of the program's, and believes
/// what it is told only of the others.
fn asks_itself(view: &View) -> bool {
    let userdb = Logins::read(view, &mut Vec::new()).userdb;
    let mut types = userdb
        .split([',', ' ', '\t', '\n', '{', '}'])
        .filter(|word| !word.is_empty() && !word.contains('='))
        .peekable();
    types.peek().is_some()
        && types.all(|word| match word.split_once(':').unwrap_or((word, "")) {
            ("passwd" | "static", _) => true,
            ("passwd-file", file) => File::open(file).is_ok(),
            _ => false,
        })
}

/// Lock files in the mail spool, which the parent makes.
struct LockFiles(Arc<Door>);

impl store::lock::dot::Maker for LockFiles {
    fn make(&self, lock: &Path) -> io::Result<File> {
        self.0.lock(lock)
    }

    fn remove(&self, lock: &Path) -> io::Result<()> {
        self.0.unlock(lock)
    }
}
