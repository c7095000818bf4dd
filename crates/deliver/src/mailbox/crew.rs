//! The threads that write mailboxes: a bounded number, away from the async ones.

use std::sync::Arc;

use queue::Body;
use tokio::sync::Semaphore;

use super::failure::{Failure, Unexplained};
use super::{MailboxJob, carry_out};

/// Most mailboxes written at a time. They wait for the disk, and a disk syncs many files as fast as one.
const WRITERS: usize = 32;

/// Gives seconds since 1970.
pub type Seconds = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Writes mailboxes on threads that may block.
#[derive(Clone)]
pub struct Crew {
    free: Arc<Semaphore>,
    seconds: Seconds,
}

impl Crew {
    /// A crew of its own; agents share one.
    pub fn new(seconds: Seconds) -> Crew {
        Crew { free: Arc::new(Semaphore::new(WRITERS)), seconds }
    }

    /// Delivers; returns once the message is on disk.
    pub async fn carry_out(&self, job: MailboxJob, content: Body) -> Result<(), Failure> {
        let seconds = Arc::clone(&self.seconds);
        self.run(move || carry_out(&job, &content, &*seconds))
            .await
            .unwrap_or_else(|| Err(Failure::plain("the mailbox writer died", Unexplained::LATER)))
    }

    /// Runs other blocking work of an agent (reading a `.forward`, asking the password database) on the same
    /// threads; `None` when it panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let _one = self.free.acquire().await.expect("the semaphore is never closed");
        tokio::task::spawn_blocking(work).await.ok()
    }
}
