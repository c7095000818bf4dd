//! Mail that is held because of what is in it: what is known of each message, and what is done for it every day:
//! digests are mailed, and what is too old goes.

pub mod digest;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mail::header::Field;
use mail::{Address, QueueId};
use queue::{Selection, State, Stored};

use crate::bounce::post;
use crate::house::House;

pub use settings::{Languages, Settings};

/// How often it is looked whether something is due.
const PAUSE: Duration = Duration::from_secs(5);

/// Bytes in which the header is looked for.
const HEAD: usize = 256 << 10;

/// Messages looked at with one look at the queue's index.
const AT_ONCE: usize = 1000;

/// One message in quarantine: held, and with our reason on top.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its queue id.
    pub id: QueueId,
    /// When it came.
    pub arrival: Timestamp,
    /// Its size in bytes.
    pub size: u64,
    /// Why it is held.
    pub reason: String,
    /// Reverse-path.
    pub sender: String,
    /// Who would get it.
    pub recipients: Vec<String>,
    /// Decoded Subject.
    pub subject: String,
}

/// Why a message is held: our field is the first, above our own Received, where no sender can write.
pub fn reason(content: &[u8]) -> Option<String> {
    let mut fields = mail::header::fields(content);
    let first: Field<'_> = fields.next()?;
    first.is("x-quarantine").then(|| String::from_utf8_lossy(first.value()).trim().to_owned())
}

/// The decoded Subject of a message that begins like this.
pub fn subject(content: &[u8]) -> String {
    let head = &content[..mail::header::header_len(&content[..content.len().min(HEAD)])];
    let field = mail::header::fields(head).find(|field| field.is("subject"));
    field.map(|field| mime::words::decode(field.value()).trim().to_owned()).unwrap_or_default()
}

/// Does what is due, until the program ends.
pub async fn run(house: Arc<House>) {
    loop {
        expire(&house).await;
        send_digests(&house).await;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Deletes what is older than `quarantine_lifetime`.
async fn expire(house: &Arc<House>) {
    let Some(lifetime) = house.setup().quarantine.lifetime else { return };
    let oldest = house.now() - lifetime;
    let of = house.clone();
    let work = tokio::task::spawn_blocking(move || {
        let old: Vec<QueueId> =
            all(&of, |arrival| arrival < oldest).into_iter().map(|held| held.id).collect();
        if old.is_empty() {
            Vec::new()
        } else {
            of.queue.delete(&Selection::These(old, vec![State::Hold])).now()
        }
    });
    for id in work.await.unwrap_or_default() {
        log::info!(target: "qmgr", "{id}: removed: quarantine_lifetime is over");
    }
}

/// Mails each recipient a list of what came since the last one, once a day.
async fn send_digests(house: &Arc<House>) {
    let setup = house.setup();
    let Some(digest) = &setup.quarantine.digest else { return };
    let now = house.now();
    let state = digest.state.clone();
    let last = tokio::task::spawn_blocking(move || settings::last(&state)).await.ok().flatten();
    let due = last.is_none_or(|last| digest.is_due(last, now, &setup.zone));
    if !due {
        return;
    }
    // Written first: a list too few is better than one every minute.
    let state = digest.state.clone();
    let written = tokio::task::spawn_blocking(move || settings::write(&state, now)).await;
    if let Ok(Err(error)) = written {
        log::warn!(target: "qmgr", "{}: {error}; no digests are sent", digest.state.display());
        return;
    }
    let Some(last) = last else { return };
    let of = house.clone();
    let held =
        tokio::task::spawn_blocking(move || all(&of, |arrival| arrival >= last)).await.unwrap_or_default();
    for (recipient, held) in digest::by_recipient(&held) {
        let french = digest.languages.is_french(recipient).await;
        let text = digest::text(recipient, &held, &digest.sender, french, &setup.zone);
        if let Err(refusal) = post::to_recipient(house, &setup, &Address::from(recipient), text).await {
            log::warn!(target: "qmgr", "digest of the quarantine: {}", refusal.log_text());
        }
    }
}

/// What is in quarantine and came when `wanted` says; oldest first. Of that it reads the headers.
fn all(house: &House, wanted: impl Fn(Timestamp) -> bool) -> Vec<Held> {
    let (mut found, mut last) = (Vec::new(), None);
    loop {
        let briefs = house.queue.briefs(last.as_ref(), AT_ONCE);
        let Some(end) = briefs.last() else { break };
        last = Some(end.id.clone());
        for brief in briefs.into_iter().filter(|brief| brief.state == State::Hold && wanted(brief.arrival)) {
            // A message that has gone meanwhile is nobody's.
            found.extend(house.queue.load(&brief.id).ok().and_then(|stored| held(&stored)));
        }
    }
    found.sort_by(|a, b| a.arrival.cmp(&b.arrival).then_with(|| a.id.as_str().cmp(b.id.as_str())));
    found
}

/// `None`: it is held for something else.
fn held(stored: &Stored) -> Option<Held> {
    let content = stored.body.read_at(0, HEAD).ok()?;
    Some(Held {
        id: stored.id.clone(),
        arrival: stored.arrival,
        size: stored.body.len(),
        reason: reason(&content)?,
        sender: stored.envelope.sender.external().to_string(),
        recipients: stored.envelope.recipients.iter().map(|one| one.address.external().to_string()).collect(),
        subject: subject(&content),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_on_top_is_a_reason() {
        let ours = b"X-Quarantine: spam (score 9.1)\nReceived: from x\nSubject: =?utf-8?q?a=C3=A9?=\n\n";
        assert_eq!(reason(ours).as_deref(), Some("spam (score 9.1)"));
        assert_eq!(subject(ours), "aé");
        assert_eq!(reason(b"Received: from x\nX-Quarantine: forged\n\n"), None);
        assert_eq!(reason(b""), None);
    }
}
