//! One wait for the disk for all who wait at the same time, in whichever account.
//!
//! The first who comes syncs for all who have come by then; those who come meanwhile are the next round. One or two
//! files are synced by themselves; more of them by one sync of the whole file system, which costs the disk one
//! flush where each file would cost one of its own.

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

struct Wait {
    disk: Arc<dyn Disk>,
    file: Arc<BodyFile>,
    /// Names in directories have to be synced too.
    names: bool,
    done: Mutex<Option<Result<(), (io::ErrorKind, String)>>>,
}

/// Waits until what was written to `file` before is durable.
pub(crate) fn durable(disk: &Arc<dyn Disk>, file: &Arc<BodyFile>, names: bool) -> io::Result<()> {
    let wait =
        Arc::new(Wait { disk: Arc::clone(disk), file: Arc::clone(file), names, done: Mutex::default() });
    let mut state = ROUNDS.lock();
    state.waiting.push(Arc::clone(&wait));
    loop {
        if let Some(done) = wait.done.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return done.map_err(|(kind, text)| io::Error::new(kind, text));
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
    let mut files: Vec<(&Wait, bool, Failure)> = Vec::new();
    for wait in round {
        match files.iter_mut().find(|known| known.0.file.same_as(&wait.file)) {
            Some(known) => known.1 |= wait.names,
            None => files.push((wait, wait.names, None)),
        }
    }
    let together = files.len() > SINGLY || files.iter().any(|file| file.1);
    let mut systems: Vec<(System, Failure)> = Vec::new();
    for (wait, _, error) in &mut files {
        if !together {
            *error = failure(wait.disk.sync(&wait.file.file));
            continue;
        }
        // Disks differ in tests only.
        let system = (wait.file.device(), Arc::as_ptr(&wait.disk).cast::<()>().addr());
        if !systems.iter().any(|known| known.0 == system) {
            systems.push((system, failure(wait.disk.sync_all(&wait.file.file))));
        }
        error.clone_from(&systems.iter().find(|known| known.0 == system).expect("synced above").1);
    }
    for wait in round {
        let known = files.iter().find(|known| known.0.file.same_as(&wait.file));
        let failed = known.and_then(|known| known.2.clone());
        *wait.done.lock().unwrap_or_else(PoisonError::into_inner) = Some(failed.map_or(Ok(()), Err));
    }
}

fn failure(synced: io::Result<()>) -> Failure {
    synced.err().map(|error| (error.kind(), error.to_string()))
}
