//! Messages shown to scanners: clamd, an ICAP server.

use std::time::Duration;

use mail::logline::printable;
use mail::{Blame, Detail, Refusal, Trouble};
use scan::{Found, OnVirus, Scanner};

use super::{PIECE, failed, hold_as_it_is, log};
use crate::cleanup::Clean;
use crate::house::House;

/// How many scanners are waited for at a time is theirs to say; how long one may keep a message is ours.
const WHOLE: Duration = Duration::from_secs(900);

/// Shows a message to the scanner, and does what the configuration says of what it finds.
pub(crate) async fn scan(
    house: &House,
    scanner: &Scanner,
    clean: &mut Clean<queue::Draft>,
) -> Result<(), Refusal> {
    if scanner.size_limit > 0 && clean.size > scanner.size_limit {
        log::info!(target: "cleanup", "{}: not scanned: larger than {}", clean.id, scanner.size_parameter);
        return Ok(());
    }
    let body = clean.content.body()?;
    let found = tokio::time::timeout(WHOLE, shown(scanner, &body)).await;
    match found.unwrap_or_else(|_| Err(Trouble::new("scanning takes too long"))) {
        Ok(Found::Nothing) => Ok(()),
        Ok(Found::Virus(name)) => virus(house, scanner.on_virus, clean, &name),
        Err(trouble) => failed(house, scanner.on_failure, clean, &trouble),
    }
}

async fn shown(scanner: &Scanner, body: &queue::Body) -> Result<Found, Trouble> {
    let mut conversation = scanner.open().await?;
    let mut at = 0;
    loop {
        let piece = body.read_at(at, PIECE).map_err(Trouble::from)?;
        if piece.is_empty() {
            return conversation.finish().await;
        }
        at += piece.len() as u64;
        conversation.feed(&piece).await?;
    }
}

fn virus(house: &House, action: OnVirus, clean: &mut Clean<queue::Draft>, name: &str) -> Result<(), Refusal> {
    let text = format!("message has a virus: {name}");
    match action {
        OnVirus::Reject => {
            log(clean, "reject", &format!("5.7.1 {text}"));
            // The peer hears of it; nobody is sent the virus with a notice.
            Err(Refusal::never(54, Detail(7, 1), Blame::Policy, printable(&text)))
        }
        OnVirus::Quarantine => hold_as_it_is(house, clean, &text),
        OnVirus::Discard => {
            log(clean, "discard", &text);
            clean.discard = true;
            Ok(())
        }
    }
}
