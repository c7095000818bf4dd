//! The process that people come to who read their mail, beside the worker of a root parent.
//!
//! Where all mailboxes have one owner (`mail_uid`), it has his rights: it keeps them, and takes what the worker delivers to
//! them. Else it has no mailbox, takes logins, and hands sessions to the keepers of their users.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use conf::{Severity, View};
use deliver::hand::{Cellar, Keeps};
use imap::accounts::{owner_of_all, rights};
use imap::handover::Keepers;
use master::{Door, Identity, Lanes};
use people::Account;

use super::kinds::{self, Reading};
use super::listening::Listening;
use super::reporter::Reporter;
use super::signals::{Order, Orders};
use super::{give_up, parent, seconds, workers};
use crate::config::Config;
use crate::logging;

/// Sessions get so long to end after SIGTERM.
pub const GRACE: Duration = Duration::from_millis(500);

/// With whose rights the mail of accounts is kept that name none.
pub fn usual(view: &View) -> Result<Identity, String> {
    match owner_of_all(view)? {
        Some(owner) => Ok(owner),
        None => parent::owner(view),
    }
}

/// The keeper's life.
pub fn keep(directory: &Path, door: Arc<Door>, lanes: Lanes) -> u8 {
    // Mail is for nobody else to read.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    live(directory, door, Some(lanes))
}

/// The life of the process that takes logins.
pub fn take_logins(directory: &Path, door: Arc<Door>) -> u8 {
    live(directory, door, None)
}

fn live(directory: &Path, door: Arc<Door>, lanes: Option<Lanes>) -> u8 {
    if let Err(what) = logging::gather() {
        return give_up(&what);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers()).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return give_up(&format!("cannot start the runtime: {error}")),
    };
    let status = runtime.block_on(run(directory, door, lanes));
    runtime.shutdown_timeout(Duration::from_millis(100));
    logging::flush();
    status
}

async fn run(directory: &Path, door: Arc<Door>, lanes: Option<Lanes>) -> u8 {
    let config = Config::read(directory, "master");
    let usual = match usual(&config.view) {
        Ok(usual) => usual,
        Err(what) => return give_up(&what),
    };
    let ways = Ways { door: door.clone(), usual, own: lanes.as_ref().map(|_| usual) };
    let mut front = Front {
        directory: directory.to_owned(),
        reading: Reading::new(Arc::new(Reporter::new(&config.view)), Some(Arc::new(ways))),
        listening: Listening::default(),
        cellar: lanes.as_ref().map(|_| (Arc::default(), usual)),
        door,
    };
    let failed = front.take(&config);
    if !failed.is_empty() {
        return give_up(&failed.join("; "));
    }
    if let (Some(lanes), Some((cellar, _))) = (lanes, front.cellar.clone()) {
        let handle = tokio::runtime::Handle::current();
        let taking = std::thread::Builder::new()
            .name("lanes".to_owned())
            .spawn(move || deliver::hand::keep(&lanes, &cellar, &handle));
        if let Err(error) = taking {
            return give_up(&format!("cannot start a thread: {error}"));
        }
    }
    tokio::spawn(super::memory::tend());
    let socket = Path::new(&config.view.get("queue_directory")).join(gate::orders::SOCKET);
    tokio::spawn(super::sessions::take_orders(socket));
    let mut orders = match Orders::listen() {
        Ok(orders) => orders,
        Err(error) => return give_up(&format!("cannot take signals: {error}")),
    };
    loop {
        match orders.next().await {
            Order::Stop => break,
            Order::Reload => front.reload(),
            Order::ReopenLog => reopen_log(&front.door),
        }
    }
    front.listening.close();
    tokio::time::sleep(GRACE).await;
    0
}

/// After rotation.
pub fn reopen_log(door: &Door) {
    match door.log() {
        Ok(file) => logging::replace(file),
        Err(error) => log::warn!(target: "master", "cannot open the log file again: {error}"),
    }
}

/// The configuration, where it can be taken. The worker has judged it before, and told what is wrong with it.
pub fn taken(directory: &Path) -> Option<Config> {
    let config = Config::read(directory, "master");
    let broken = config.mistakes.iter().any(|mistake| mistake.severity == Severity::Fatal);
    (!broken).then_some(config)
}

struct Front {
    directory: PathBuf,
    reading: Reading,
    listening: Listening,
    /// Where mail is put, and whose it is; none where others have the mailboxes.
    cellar: Option<(Arc<Cellar>, Identity)>,
    door: Arc<Door>,
}

impl Front {
    /// Takes a configuration. What could not be opened is returned.
    fn take(&mut self, config: &Config) -> Vec<String> {
        if let Some((cellar, who)) = &self.cellar {
            cellar.renew(&config.view, Arc::new(seconds), Keeps::All(*who));
        }
        self.listening.arrange(kinds::read(config, &self.reading))
    }

    fn reload(&mut self) {
        let Some(config) = taken(&self.directory) else { return };
        for what in self.take(&config) {
            log::error!(target: "master", "reload: {what}");
        }
    }
}

/// The ways to the keepers of users.
struct Ways {
    door: Arc<Door>,
    usual: Identity,
    /// Whose mailboxes are here.
    own: Option<Identity>,
}

impl Keepers for Ways {
    fn elsewhere(&self, account: &Account) -> Option<Identity> {
        Some(rights(account, self.usual)).filter(|who| Some(*who) != self.own)
    }

    fn lane(&self, who: Identity) -> io::Result<UnixStream> {
        self.door.mailboxes(who)
    }
}
