//! The content of a message before its milters, and the changes they make.
//!
//! The content is in the queue's draft by now. Each milter is shown it in turn, with the changes of those before it;
//! only a message that was changed is written anew.

mod checks;
pub(crate) mod edit;
pub mod local;

use std::sync::Arc;

use filter::milter::{Chain, Link, Outcome, Step, Values};
use mail::header::Field;
use mail::logline::printable;
use mail::{Blame, Detail, Refusal};
use proto::milter::{CHUNK, Change, Event, strings};

use crate::cleanup::{Clean, Cleaner};
use crate::house::House;
use edit::Letter;

/// The milters of a session at the end of a message.
pub struct Filtering<'a> {
    /// The conversations.
    pub chain: &'a mut Chain,
    /// Values of macros.
    pub values: Values,
    /// `name[address]` of the client, for the log.
    pub origin: String,
}

/// Bytes that one milter may add to the header and the envelope of a message.
const CHANGES_MAX: usize = 16 << 20;

/// How the log names a message.
struct Told {
    origin: String,
    last: Option<String>,
}

/// Shows the message to the milters, and does what they ask for.
pub async fn pass(
    house: &House,
    cleaner: &Arc<Cleaner>,
    clean: &mut Clean<queue::Draft>,
    filtering: Filtering<'_>,
) -> Result<(), Refusal> {
    let Filtering { chain, values, origin } = filtering;
    if !chain.links().iter().any(Link::follows) {
        return Ok(());
    }
    // Whom the log names: not those that milters add, nor copies.
    let last = clean.last.as_ref().map(|last| last.external().to_string());
    let told = Told { origin, last };
    let mut letter = Letter::open(clean.content.body()?)?;
    letter.checks = cleaner.milter_checks.clone();
    for link in chain.links() {
        if !link.follows() {
            continue;
        }
        let mut outcome = show(link, &letter, &values).await?;
        if outcome == Outcome::Continue && link.follows() {
            outcome = match link.end_of_message(&values).await {
                Ok(()) => changes(link, house, cleaner, clean, &mut letter, &told).await?,
                Err(outcome) => outcome,
            };
        }
        match outcome {
            Outcome::Continue | Outcome::Hold => {
                // A filter that refuses comes first: what its headers say is no matter then.
                if let Some(refusal) = letter.checked.refusal.take() {
                    return Err(refusal);
                }
                if outcome == Outcome::Hold {
                    log(clean, &told, "milter-hold", "milter triggers HOLD action");
                    clean.hold = true;
                    // Whoever releases it decides what the others would have.
                    break;
                }
            }
            Outcome::Discard => {
                log(clean, &told, "milter-discard", "milter triggers DISCARD action");
                clean.discard = true;
                return Ok(());
            }
            Outcome::Close => {
                let text = "4.7.0 Error: closing connection";
                log(clean, &told, "milter-reject", text);
                return Err(Refusal::later(21, Detail(7, 0), Blame::Policy, &text[6..]));
            }
            Outcome::Reply(text) => {
                log(clean, &told, "milter-reject", text.get(4..).unwrap_or_default());
                return Err(refusal(&text));
            }
        }
    }
    letter.checked.settle(cleaner, clean).await?;
    if clean.discard {
        return Ok(());
    }
    if let Some(draft) = letter.rewritten(&house.queue)? {
        clean.size = draft.len();
        clean.content = draft;
    }
    Ok(())
}

/// Shows header and body.
async fn show(link: &mut Link, letter: &Letter, values: &Values) -> Result<Outcome, Refusal> {
    // Milters of Sendmail do not see the Received header of their own server, and rely on it.
    let mut received = false;
    let leading_space = link.leading_space();
    for raw in letter.fields() {
        let Some(field) = Field::parse(raw) else { continue };
        if !received && field.is("received") {
            received = true;
            continue;
        }
        if !link.wants(Event::Header) {
            break;
        }
        let value = field.value();
        let value = if leading_space { value } else { value.strip_prefix(b" ").unwrap_or(value) };
        let outcome = link.event(Event::Header, &strings([field.name(), value]), values).await;
        if outcome != Outcome::Continue {
            return Ok(outcome);
        }
    }
    let outcome = link.event(Event::EndOfHeader, b"", values).await;
    if outcome != Outcome::Continue || !link.wants(Event::Body) {
        return Ok(outcome);
    }
    let mut pending = Vec::with_capacity(CHUNK);
    let mut at = letter.body_start();
    while link.wants(Event::Body) {
        let piece = letter.body().read_at(at, CHUNK / 2)?;
        if piece.is_empty() {
            break;
        }
        at += piece.len() as u64;
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(text) => pending.extend_from_slice(&[text, b"\r\n"].concat()),
                None => pending.extend_from_slice(line),
            }
        }
        while pending.len() >= CHUNK && link.wants(Event::Body) {
            let rest = pending.split_off(CHUNK);
            let outcome = link.event(Event::Body, &pending, values).await;
            pending = rest;
            if outcome != Outcome::Continue {
                return Ok(outcome);
            }
        }
    }
    if pending.is_empty() {
        return Ok(Outcome::Continue);
    }
    Ok(link.event(Event::Body, &pending, values).await)
}

/// Does what the milter asks for, until it has answered.
async fn changes(
    link: &mut Link,
    house: &House,
    cleaner: &Arc<Cleaner>,
    clean: &mut Clean<queue::Draft>,
    letter: &mut Letter,
    told: &Told,
) -> Result<Outcome, Refusal> {
    letter.begin(link.leading_space());
    let mut room = CHANGES_MAX;
    let mut quarantine = false;
    let (mut body, mut body_ended) = (false, false);
    loop {
        match link.next().await {
            Step::Done(outcome) => {
                letter.end_of_body()?;
                return Ok(if quarantine && outcome == Outcome::Continue { Outcome::Hold } else { outcome });
            }
            Step::Change(change) => {
                let is_body = matches!(change, Change::Body(_));
                body_ended |= body && !is_body;
                body |= is_body;
                if is_body && body_ended {
                    let wrong = "body replacement requests can't currently be mixed with other requests";
                    letter.end_of_body()?;
                    return Ok(link.misconfigured(Event::EndOfMessage, wrong));
                }
                // New bodies go to a file; what else is changed is held in memory.
                room = room.saturating_sub(change.weight());
                if room == 0 {
                    log::warn!(target: "cleanup", "{}: a milter changes more than a message can be", clean.id);
                    letter.end_of_body()?;
                    return Ok(Outcome::Reply("451 4.7.1 Service unavailable - try again later".to_owned()));
                }
                quarantine |= edit::apply(change, house, cleaner, clean, letter, told).await?;
            }
        }
    }
}

/// `550 5.7.1 text` as a refusal; the lines of a longer one are divided by CR LF.
fn refusal(text: &str) -> Refusal {
    let reply = reply(text);
    let detail = reply.detail.unwrap_or(Detail(7, 1));
    let digits = u8::try_from(reply.code % 100).unwrap_or(50);
    match reply.code / 100 {
        4 => Refusal::later(digits, detail, Blame::Policy, reply.text),
        _ => Refusal::never(digits, detail, Blame::Policy, reply.text),
    }
}

/// A milter's reply as ours: code and enhanced status once, lines divided by LF.
pub fn reply(text: &str) -> proto::smtp::Reply {
    let code = text.get(..3).and_then(|digits| digits.parse().ok()).unwrap_or(451);
    let lines = text.split("\r\n").flat_map(|line| line.split('\n'));
    let lines: Vec<&str> = lines.map(|line| line.get(4..).unwrap_or_default()).collect();
    let status = proto::smtp::reply::status_of(code, lines.first().copied().unwrap_or_default());
    let Some((_, detail)) = status else { return proto::smtp::Reply::plain(code, lines.join("\n")) };
    let without = |line: &&str| match proto::smtp::reply::status_of(code, line) {
        Some(_) => line.split_once([' ', '\t']).map_or("", |(_, text)| text).to_owned(),
        None => (*line).to_owned(),
    };
    let text: Vec<String> = lines.iter().map(without).collect();
    proto::smtp::Reply::new(code, (detail.0, detail.1), text.join("\n"))
}

fn log(clean: &Clean<queue::Draft>, told: &Told, what: &str, text: &str) {
    let line = format!("{what}: END-OF-MESSAGE from {}: {text}; {}", told.origin, told.envelope(clean));
    log::info!(target: "cleanup", "{}: {}", clean.id, printable(&line));
}

impl Told {
    /// `from=<…> to=<…> proto=… helo=<…>`, as far as known.
    fn envelope(&self, clean: &Clean<queue::Draft>) -> String {
        let envelope = &clean.envelope;
        let mut line = format!("from=<{}>", envelope.sender.external());
        if let Some(last) = &self.last {
            line.push_str(&format!(" to=<{last}>"));
        }
        if !envelope.client.protocol.is_empty() {
            line.push_str(&format!(" proto={}", envelope.client.protocol));
        }
        if !envelope.client.helo.is_empty() {
            line.push_str(&format!(" helo=<{}>", envelope.client.helo));
        }
        line
    }
}
