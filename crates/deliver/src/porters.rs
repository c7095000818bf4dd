//! Those who carry messages into our own mailboxes: several at a time, so that another process, and the disk, are asked
//! less often for each message.
//!
//! Parcels wait at a *desk*. The first porter is called at once; under load each finds what has come while he was away.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use people::Account;
use queue::Body;
use tokio::sync::oneshot;

use crate::cellar::{Parcel, Put, Shelf, Stores, died};
use crate::hand;
use crate::mailbox::crew::Crew;

/// Most porters at a time.
const PORTERS: usize = 8;
/// Most parcels that one takes, and about how many bytes.
const PARCELS: usize = 32;
const BYTES: u64 = 1024 * 1024;
/// A porter is called for so many waiting parcels.
const CROWD: usize = 8;
/// A porter who finds fewer than that waiting when he is back lets them gather for so long.
const PACE: Duration = Duration::from_millis(1);
/// A parcel that still waits after this gets a porter of its own: the others may be stuck at a mailbox that hangs.
const LATE: Duration = Duration::from_millis(100);

/// A message on its way into a mailbox.
pub(crate) struct Load {
    /// Whose it is, and what else belongs to it.
    pub parcel: Parcel,
    /// The message.
    pub content: Body,
    /// The account, where this process keeps the mailboxes.
    pub account: Option<Account>,
}

#[derive(Default)]
struct Desk {
    waiting: VecDeque<(Load, oneshot::Sender<Put>)>,
    porters: usize,
}

impl Desk {
    fn take(&mut self) -> Vec<(Load, oneshot::Sender<Put>)> {
        let mut bytes = 0;
        let fits = |(load, _): &&(Load, _)| {
            let fits = bytes < BYTES;
            bytes += load.content.len();
            fits
        };
        let count = self.waiting.iter().take(PARCELS).take_while(fits).count();
        self.waiting.drain(..count).collect()
    }
}

/// Calls porters.
#[derive(Clone)]
pub(crate) struct Porters {
    desk: Arc<Mutex<Desk>>,
    crew: Crew,
    /// Where the mailboxes are, if this process keeps them.
    stores: Arc<Stores>,
}

impl Porters {
    /// `crew` has the threads they work on.
    pub fn new(crew: Crew, stores: Arc<Stores>) -> Porters {
        Porters { desk: Arc::default(), crew, stores }
    }

    /// Has a message carried; returns once it is on disk.
    pub async fn carry(&self, load: Load) -> Put {
        let (answer, mut put) = oneshot::channel();
        {
            let mut desk = self.desk();
            desk.waiting.push_back((load, answer));
            if desk.porters == 0 || desk.porters < PORTERS && desk.waiting.len() > desk.porters * CROWD {
                self.call(&mut desk);
            }
        }
        let put = match tokio::time::timeout(LATE, &mut put).await {
            Ok(put) => put,
            Err(_) => {
                self.help();
                put.await
            }
        };
        put.unwrap_or_else(|_| died())
    }

    fn help(&self) {
        let mut desk = self.desk();
        if !desk.waiting.is_empty() && desk.porters < PORTERS {
            self.call(&mut desk);
        }
    }

    fn call(&self, desk: &mut Desk) {
        // There is none when the program ends.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        desk.porters += 1;
        let counted = Counted(self.clone());
        runtime.spawn(async move {
            let crew = counted.0.crew.clone();
            // A panic is what `Counted` and the senders that are dropped are for.
            let _ = crew.run(move || counted.work()).await;
        });
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A porter who is counted at the desk.
struct Counted(Porters);

impl Counted {
    fn work(self) {
        loop {
            let taken = self.0.desk().take();
            if taken.is_empty() {
                return;
            }
            let (loads, answers): (Vec<Load>, Vec<_>) = taken.into_iter().unzip();
            let tell = |puts: Vec<Put>| {
                for (answer, put) in answers.into_iter().zip(puts) {
                    // An agent that does not wait any more does not need to know.
                    let _ = answer.send(put);
                }
            };
            match hand::hired() {
                Some(hand) if loads.iter().all(|load| load.account.is_none()) => tell(hand.keep_all(&loads)),
                _ => put_away(&self.0.stores, &loads, tell),
            }
            let waiting = self.0.desk().waiting.len();
            if (1..CROWD).contains(&waiting) {
                std::thread::sleep(PACE);
            }
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut desk = self.0.desk();
        desk.porters -= 1;
        // It came after the last look, or this porter died.
        if desk.porters == 0 && !desk.waiting.is_empty() {
            self.0.call(&mut desk);
        }
    }
}

/// Puts messages into the mailboxes of this process.
fn put_away(stores: &Stores, loads: &[Load], tell: impl FnOnce(Vec<Put>)) {
    let mut shelf = Shelf::default();
    for Load { parcel, content, account } in loads {
        match (account, content.bytes()) {
            (Some(account), Ok(content)) => shelf.add(stores, account, parcel, &content),
            (None, _) => shelf.refuse(Put::Unknown),
            (_, Err(failure)) => shelf.refuse(Put::Trouble(format!("read the queued message: {failure}"))),
        }
    }
    tell(shelf.settle());
    shelf.announce();
}
