//! Messages shown to a scanner once they are complete.

use std::time::Duration;

use mail::logline::printable;
use mail::{Blame, Detail, Refusal, Trouble};
use scan::{Found, OnFailure, OnVirus, Scanner};

use crate::cleanup::Clean;

/// How much is shown at a time.
const PIECE: usize = 64 << 10;

/// How many scanners are waited for at a time is clamd's affair; how long one may keep a message is ours.
const WHOLE: Duration = Duration::from_secs(900);

/// Shows a message to the scanner, and does what the configuration says of what it finds.
pub(crate) async fn scan(scanner: &Scanner, clean: &mut Clean<queue::Draft>) -> Result<(), Refusal> {
    if scanner.size_limit > 0 && clean.size > scanner.size_limit {
        log::info!(target: "cleanup", "{}: not scanned: larger than clamd_size_limit", clean.id);
        return Ok(());
    }
    let body = clean.content.body()?;
    let found = tokio::time::timeout(WHOLE, shown(scanner, &body)).await;
    match found.unwrap_or_else(|_| Err(Trouble::new("clamd takes too long"))) {
        Ok(Found::Nothing) => Ok(()),
        Ok(Found::Virus(name)) => virus(scanner.on_virus, clean, &name),
        Err(trouble) => failed(scanner.on_failure, clean, &trouble),
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

fn virus(action: OnVirus, clean: &mut Clean<queue::Draft>, name: &str) -> Result<(), Refusal> {
    let text = format!("message has a virus: {name}");
    match action {
        OnVirus::Reject => {
            log(clean, "reject", &format!("5.7.1 {text}"));
            // The peer hears of it; nobody is sent the virus with a notice.
            return Err(Refusal::never(54, Detail(7, 1), Blame::Policy, printable(&text)));
        }
        OnVirus::Quarantine => {
            log(clean, "hold", &text);
            clean.hold = true;
        }
        OnVirus::Discard => {
            log(clean, "discard", &text);
            clean.discard = true;
        }
    }
    Ok(())
}

fn failed(action: OnFailure, clean: &mut Clean<queue::Draft>, trouble: &Trouble) -> Result<(), Refusal> {
    log::warn!(target: "cleanup", "{}: {}", clean.id, printable(&trouble.to_string()));
    match action {
        OnFailure::Accept => Ok(()),
        OnFailure::Quarantine => {
            log(clean, "hold", "scanner failed");
            clean.hold = true;
            Ok(())
        }
        OnFailure::TempFail => {
            let text = "Service unavailable - try again later";
            log(clean, "reject", &format!("4.7.1 {text}"));
            Err(Refusal::later(51, Detail(7, 1), Blame::Policy, text))
        }
    }
}

fn log(clean: &Clean<queue::Draft>, word: &str, text: &str) {
    let envelope = &clean.envelope;
    let to = envelope.recipients.last().map(|last| format!(" to=<{}>", last.address.external()));
    let line = format!(
        "{word}: END-OF-MESSAGE: {text}; from=<{}>{}",
        envelope.sender.external(),
        to.unwrap_or_default()
    );
    log::info!(target: "cleanup", "{}: {}", clean.id, printable(&line));
}
