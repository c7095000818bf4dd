//! One wait for the disk for all who wait at the same time, in whichever account.
//!
//! The first who comes syncs for all who have come by then; those who come meanwhile are the next round. One or two
//! files are synced by themselves; more of them by one sync of the whole file system, which costs the disk one
//! flush where each file would cost one of its own. While others have left much to be written, that would wait for
//! them, and each file is synced by itself.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::bodies::BodyFile;
use super::disk::Disk;

/// More files than this are synced together with their file system.
const SINGLY: usize = 2;

static ROUNDS: Rounds =
    Rounds { state: Mutex::new(State { syncing: false, waiting: Vec::new() }), turn: Condvar::new() };

struct Rounds {
    state: Mutex<State>,
    turn: Condvar,
}

struct State {
    syncing: bool,
    waiting: Vec<Arc<Wait>>,
}

/// A file system and the disk it is reached by.
type System = (u64, usize);

/// How a sync failed, if it did.
type Failure = Option<(io::ErrorKind, String)>;

/// How it went, once it is known.
type Done = Option<Result<(), (io::ErrorKind, String)>>;

struct Wait {
    what: Unsynced,
    done: Mutex<Done>,
}

impl Wait {
    fn done(&self) -> MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was written to a file and is not durable yet.
pub(crate) struct Unsynced {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) file: Arc<BodyFile>,
    /// Names in directories have to be synced too.
    pub(crate) names: bool,
}

/// Waits until all of it is durable; gives how it went with each.
pub(crate) fn durable(unsynced: Vec<Unsynced>) -> Vec<io::Result<()>> {
    let wait = |what| Arc::new(Wait { what, done: Mutex::default() });
    let waits: Vec<Arc<Wait>> = unsynced.into_iter().map(wait).collect();
    let mut state = ROUNDS.lock();
    state.waiting.extend(waits.iter().cloned());
    loop {
        if waits.iter().all(|wait| wait.done().is_some()) {
            let took = |wait: &Arc<Wait>| wait.done().take().expect("all are done");
            return waits
                .iter()
                .map(|wait| took(wait).map_err(|(kind, text)| io::Error::new(kind, text)))
                .collect();
        }
        if state.syncing {
            state = ROUNDS.turn.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        state.syncing = true;
        let round = std::mem::take(&mut state.waiting);
        drop(state);
        sync(&round);
        state = ROUNDS.lock();
        state.syncing = false;
        ROUNDS.turn.notify_all();
    }
}

impl Rounds {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Syncs all that a round waits for and tells each how it went.
fn sync(round: &[Arc<Wait>]) {
    let mut files: Vec<(&Unsynced, bool, Failure)> = Vec::new();
    for wait in round {
        match files.iter_mut().find(|known| known.0.file.same_as(&wait.what.file)) {
            Some(known) => known.1 |= wait.what.names,
            None => files.push((&wait.what, wait.what.names, None)),
        }
    }
    let names = files.iter().any(|file| file.1);
    let together = names || files.len() > SINGLY && files.iter().all(|file| file.0.disk.is_calm());
    let mut systems: Vec<(System, Failure)> = Vec::new();
    for (what, _, error) in &mut files {
        if !together {
            *error = failure(what.disk.sync(&what.file.file));
            continue;
        }
        // Disks differ in tests only.
        let system = (what.file.device(), Arc::as_ptr(&what.disk).cast::<()>().addr());
        if !systems.iter().any(|known| known.0 == system) {
            systems.push((system, failure(what.disk.sync_all(&what.file.file))));
        }
        error.clone_from(&systems.iter().find(|known| known.0 == system).expect("synced above").1);
    }
    for wait in round {
        let known = files.iter().find(|known| known.0.file.same_as(&wait.what.file));
        let failed = known.and_then(|known| known.2.clone());
        *wait.done() = Some(failed.map_or(Ok(()), Err));
    }
}

fn failure(synced: io::Result<()>) -> Failure {
    synced.err().map(|error| (error.kind(), error.to_string()))
}
