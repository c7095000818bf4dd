//! The keeper of mailboxes: a process with the rights of their owner (`mail_uid`) beside the worker of a root parent. It
//! serves those who read mail, and takes what the worker delivers to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use conf::{Block, MasterCf, Severity, View};
use deliver::hand::Cellar;
use master::{Door, Identity, Lanes};
use nix::unistd::{Group, User};
use store::params::Mailboxes;

use super::gate::Reporter;
use super::kinds::{self, Reading};
use super::listening::Listening;
use super::signals::{Order, Orders};
use super::{give_up, seconds, workers};
use crate::config::Config;
use crate::logging;

/// Sessions get so long to end after SIGTERM.
const GRACE: Duration = Duration::from_millis(500);

/// With whose rights mailboxes are kept apart from the rest of the program; `None` where they are the worker's.
pub fn owner(view: &View, master: &MasterCf) -> Result<Option<Identity>, String> {
    let params = Mailboxes::read(view, &mut Vec::new());
    if params.mail_uid.is_empty() || !kinds::reaches_mailboxes(master) {
        return Ok(None);
    }
    let (name, group) = (&params.mail_uid, &params.mail_gid);
    let number = name.parse::<u32>().ok();
    let user = match number {
        Some(uid) => User::from_uid(uid.into()),
        None => User::from_name(name),
    };
    let user = user.map_err(|error| format!("mail_uid {name}: {}", error.desc()))?;
    let uid = number.or(user.as_ref().map(|user| user.uid.as_raw()));
    let uid = uid.ok_or_else(|| format!("mail_uid: there is no user {name:?}: make one, or name another"))?;
    let gid = match (group.as_str(), group.parse::<u32>()) {
        ("", _) => user.map(|user| user.gid.as_raw()),
        (_, Ok(gid)) => Some(gid),
        (group, Err(_)) => Group::from_name(group).ok().flatten().map(|group| group.gid.as_raw()),
    };
    let gid =
        gid.ok_or_else(|| format!("mail_gid: there is no group {group:?}: name the group of {name}"))?;
    if uid == 0 || gid == 0 {
        return Err(format!("mail_uid: {name} has the rights of root: name an unprivileged user"));
    }
    Ok(Some(Identity { uid, gid }))
}

/// The keeper's life.
pub fn keep(directory: &Path, door: Arc<Door>, lanes: Lanes) -> u8 {
    // Mail is for nobody else to read.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
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

async fn run(directory: &Path, door: Arc<Door>, lanes: Lanes) -> u8 {
    let config = Config::read(directory, "master");
    let mut keeper = Keeper {
        directory: directory.to_owned(),
        reading: Reading::new(Arc::new(Reporter::new(&config.view))),
        listening: Listening::default(),
        cellar: Arc::default(),
        door,
    };
    let failed = keeper.take(&config);
    if !failed.is_empty() {
        return give_up(&failed.join("; "));
    }
    let (cellar, handle) = (keeper.cellar.clone(), tokio::runtime::Handle::current());
    let taking = std::thread::Builder::new()
        .name("lanes".to_owned())
        .spawn(move || deliver::hand::keep(&lanes, &cellar, &handle));
    if let Err(error) = taking {
        return give_up(&format!("cannot start a thread: {error}"));
    }
    tokio::spawn(super::memory::tend());
    let mut orders = match Orders::listen() {
        Ok(orders) => orders,
        Err(error) => return give_up(&format!("cannot take signals: {error}")),
    };
    loop {
        match orders.next().await {
            Order::Stop => break,
            Order::Reload => keeper.reload(),
            Order::ReopenLog => keeper.reopen_log(),
        }
    }
    keeper.listening.close();
    tokio::time::sleep(GRACE).await;
    0
}

struct Keeper {
    directory: PathBuf,
    reading: Reading,
    listening: Listening,
    /// Where mail is put.
    cellar: Arc<Cellar>,
    door: Arc<Door>,
}

impl Keeper {
    /// Takes a configuration. What could not be opened is returned.
    fn take(&mut self, config: &Config) -> Vec<String> {
        self.cellar.renew(&config.view, Arc::new(seconds));
        self.listening.arrange(kinds::kept(config, &self.reading))
    }

    /// The worker reports what is wrong with a new configuration; a broken one is not taken here either.
    fn reload(&mut self) {
        let prepared = super::examine(&self.directory);
        if prepared.mistakes.iter().any(|mistake| mistake.severity == Severity::Fatal) {
            return;
        }
        for what in self.take(&prepared.config) {
            log::error!(target: "master", "reload: {what}");
        }
    }

    fn reopen_log(&self) {
        match self.door.log() {
            Ok(file) => logging::replace(file),
            Err(error) => log::warn!(target: "master", "cannot open the log file again: {error}"),
        }
    }
}
