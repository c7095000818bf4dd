//! Messages in quarantine: held, and with our reason on top.

use jiff::Timestamp;
use mail::QueueId;
use mail::header::Field;
use queue::State;
use queue::control::{Answer, Reason, Request};

use crate::commands::reach::Reach;

/// Bytes in which the header is looked for.
const HEAD: usize = 256 << 10;

/// One message.
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

impl Held {
    /// One line for programs.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "queue_id": self.id.as_str(),
            "arrival_time": self.arrival.as_second(),
            "message_size": self.size,
            "reason": self.reason,
            "sender": self.sender,
            "recipients": self.recipients,
            "subject": self.subject,
        })
    }
}

/// Why a message is held: our field is the first, above our own Received, where no sender can write.
fn reason(content: &[u8]) -> Option<String> {
    let mut fields = mail::header::fields(content);
    let first: Field<'_> = fields.next()?;
    first.is("x-quarantine").then(|| String::from_utf8_lossy(first.value()).trim().to_owned())
}

fn subject(content: &[u8]) -> String {
    let head = &content[..mail::header::header_len(&content[..content.len().min(HEAD)])];
    let field = mail::header::fields(head).find(|field| field.is("subject"));
    field.map(|field| mime::words::decode(field.value()).trim().to_owned()).unwrap_or_default()
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
