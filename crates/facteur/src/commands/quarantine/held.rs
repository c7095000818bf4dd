//! Messages in quarantine as the running program tells of them, or the queue of one that is down.

use mail::QueueId;
use mta::quarantine::{Held, reason, subject};
use queue::State;
use queue::control::{Answer, Reason, Request};

use crate::commands::reach::Reach;

/// Bytes in which the header is looked for.
const HEAD: usize = 256 << 10;

/// One line for programs.
pub fn json(held: &Held) -> serde_json::Value {
    serde_json::json!({
        "queue_id": held.id.as_str(),
        "arrival_time": held.arrival.as_second(),
        "message_size": held.size,
        "reason": held.reason,
        "sender": held.sender,
        "recipients": held.recipients,
        "subject": held.subject,
    })
}

/// Everything in quarantine, oldest first.
pub fn all(reach: &mut Reach) -> Result<Vec<Held>, String> {
    let mut ids = Vec::new();
    reach.request(Request::List, &mut |answer| match answer {
        Answer::Summary(summary) if summary.brief.state == State::Hold => ids.push(summary.brief.id.clone()),
        _ => {}
    })?;
    let mut found = Vec::new();
    for id in ids {
        if let Some((held, _)) = look(reach, &id)? {
            found.push(held);
        }
    }
    found.sort_by(|a, b| a.arrival.cmp(&b.arrival).then_with(|| a.id.as_str().cmp(b.id.as_str())));
    Ok(found)
}

/// One message with its content.
pub fn one(reach: &mut Reach, id: &QueueId) -> Result<(Held, Vec<u8>), String> {
    look(reach, id)?.ok_or_else(|| format!("{id}: there is no such message in quarantine"))
}

/// `None`: it is gone, or held for something else.
fn look(reach: &mut Reach, id: &QueueId) -> Result<Option<(Held, Vec<u8>)>, String> {
    let mut shown = None;
    let mut content = Vec::new();
    let mut refused = None;
    let asked = reach.ask(Request::Show(id.clone()), &mut |answer| {
        match answer {
            Answer::Message(message) => shown = Some(message),
            Answer::Content(piece) => {
                let room = HEAD.saturating_sub(content.len());
                content.extend_from_slice(&piece[..piece.len().min(room)]);
            }
            Answer::Refused(Reason::NotFound, _) => {}
            Answer::Refused(_, text) => refused = Some(text),
            _ => {}
        }
        Ok(())
    });
    asked.map_err(|error| error.to_string())?;
    if let Some(text) = refused {
        return Err(text);
    }
    let Some(shown) = shown.filter(|shown| shown.state == State::Hold) else { return Ok(None) };
    let Some(reason) = reason(&content) else { return Ok(None) };
    let envelope = &shown.envelope;
    let held = Held {
        id: id.clone(),
        arrival: shown.arrival,
        size: shown.size,
        reason,
        sender: envelope.sender.external().to_string(),
        recipients: envelope.recipients.iter().map(|one| one.address.external().to_string()).collect(),
        subject: subject(&content),
    };
    Ok(Some((held, content)))
}
