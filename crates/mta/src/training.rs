//! Learns what people have shown by moving mail to their junk mailbox or out of it.

use std::sync::Arc;
use std::time::Duration;

use crate::house::{CLEANUP, House};

/// How often there may be something.
const PAUSE: Duration = Duration::from_secs(2);

/// Looks for lessons until the program ends.
pub async fn run(house: Arc<House>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let cleaner = house.setup().cleaner(CLEANUP).clone();
        let today = house.now().as_second() / 86_400;
        let learning = tokio::task::spawn_blocking(move || match &cleaner.spam {
            Some(gate) => gate.learn(today),
            None => Ok(0),
        });
        if let Ok(Err(trouble)) = learning.await {
            log::warn!(target: "cleanup", "spam filter cannot learn: {trouble}");
        }
    }
}
