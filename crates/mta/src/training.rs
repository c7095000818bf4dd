//! Learns what people have shown by moving mail to their junk mailbox or out of it.

use std::sync::Arc;
use std::time::Duration;

use nix::unistd::Uid;
use people::Facts;
use tokio::runtime::Handle;

use crate::house::{CLEANUP, House};

/// How often there may be something.
const PAUSE: Duration = Duration::from_secs(2);

/// Looks for lessons until the program ends.
pub async fn run(house: Arc<House>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let setup = house.setup();
        let cleaner = setup.cleaner(CLEANUP).clone();
        let (today, runtime) = (house.now().as_second() / 86_400, Handle::current());
        let learning = tokio::task::spawn_blocking(move || {
            let Some(gate) = &cleaner.spam else { return Ok(0) };
            // Ourselves and the owner of all mailboxes may speak for everybody, and others for their own accounts.
            gate.learn(today, |user, uid| {
                if uid == Uid::effective().as_raw() || Some(uid) == gate.keeper {
                    return Ok(true);
                }
                let account = runtime.block_on(setup.people.lookup(user, &Facts::of("imap")))?;
                Ok(account.is_some_and(|account| account.uid == Some(uid)))
            })
        });
        if let Ok(Err(trouble)) = learning.await {
            log::warn!(target: "cleanup", "spam filter cannot learn: {trouble}");
        }
    }
}
