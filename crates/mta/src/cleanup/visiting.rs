//! What visitors say of a message under way, done and logged.

use mail::logline::printable;
use mail::{Blame, Detail, Refusal};

use super::visit::{Action, Part};
use super::{Cleaning, Sink};

/// What becomes of a line that visitors saw.
#[derive(Debug)]
pub(super) struct Seen {
    /// Lines to put before it, each without its line end.
    pub before: Vec<String>,
    /// The line itself.
    pub line: Fate,
}

impl Seen {
    /// Nobody wants anything.
    pub fn unchanged() -> Seen {
        Seen { before: Vec::new(), line: Fate::Stays }
    }

    /// Does nobody want anything?
    pub fn is_unchanged(&self) -> bool {
        self.before.is_empty() && matches!(self.line, Fate::Stays)
    }
}

/// What becomes of the line itself.
#[derive(Debug)]
pub(super) enum Fate {
    /// It stays as it is.
    Stays,
    /// It is left out.
    Goes,
    /// This takes its place.
    Becomes(String),
}

/// Whether the visits of a message go on.
enum Visits {
    GoOn,
    Stop,
}

impl<S: Sink> Cleaning<S> {
    /// Shows a header (`part`) or body line (at `offset` in its part) to the visitors.
    pub(super) async fn visit(
        &mut self,
        part: Option<Part>,
        offset: u64,
        text: &[u8],
    ) -> Result<Seen, Refusal> {
        let class = if part.is_some() { "header" } else { "body" };
        let mut seen = Seen::unchanged();
        let mut visitors = std::mem::take(&mut self.visitors);
        for visitor in &mut visitors {
            let now = match &seen.line {
                Fate::Stays => text,
                Fate::Becomes(new) => new.as_bytes(),
                Fate::Goes => break,
            };
            let visit = match part {
                Some(part) => visitor.header(part, now),
                None if offset < visitor.body_limit() => visitor.line(offset, now),
                None => continue,
            };
            let action = visit.result().await.map_err(|trouble| self.rewriting().later(&trouble))?;
            if action == Action::Keep {
                continue;
            }
            let now = now.to_vec();
            if let Visits::Stop = self.obey(action, class, &now, &mut seen)? {
                return Ok(seen);
            }
        }
        self.visitors = visitors;
        Ok(seen)
    }

    fn obey(&mut self, action: Action, class: &str, text: &[u8], seen: &mut Seen) -> Result<Visits, Refusal> {
        let (word, said) = match &action {
            Action::Keep => return Ok(Visits::GoOn),
            Action::Ignore => {
                seen.line = Fate::Goes;
                return Ok(Visits::GoOn);
            }
            Action::Reject(said) => return Err(self.reject(class, text, said)),
            Action::Hold(_) if self.orders.hold || self.orders.discard => return Ok(Visits::GoOn),
            Action::Warn(said) => ("warning", said),
            Action::Info(said) => ("info", said),
            Action::Strip(said) => ("strip", said),
            Action::Replace(said) => ("replace", said),
            Action::Prepend(said) => ("prepend", said),
            Action::Hold(said) => ("hold", said),
            Action::Discard(said) => ("discard", said),
            Action::Filter(said) => ("filter", said),
            Action::Redirect(said) => ("redirect", said),
            Action::Bcc(said) => ("bcc", said),
            Action::Pass(said) => ("pass", said),
        };
        self.log(word, class, text, said);
        match action {
            Action::Strip(_) => seen.line = Fate::Goes,
            Action::Replace(new) => seen.line = Fate::Becomes(new),
            Action::Prepend(new) => seen.before.push(new),
            Action::Hold(_) => self.orders.hold = true,
            Action::Discard(_) => {
                self.orders.discard = true;
                return Ok(Visits::Stop);
            }
            Action::Redirect(address) => {
                self.orders.redirect = Some(address.into());
                return Ok(Visits::Stop);
            }
            Action::Pass(_) => return Ok(Visits::Stop),
            Action::Filter(to) => self.envelope.content_filter = Some(to),
            Action::Bcc(address) => self.orders.copies.push(address.into()),
            Action::Keep | Action::Ignore | Action::Reject(_) | Action::Warn(_) | Action::Info(_) => {}
        }
        Ok(Visits::GoOn)
    }

    /// Logs and makes the refusal of a message for its content. `said` may begin with a status of its own.
    pub(super) fn reject(&self, class: &str, text: &[u8], said: &str) -> Refusal {
        let said = if said.is_empty() { "message content rejected" } else { said };
        let (later, detail, say) = status(said).unwrap_or((false, Detail(7, 1), said));
        let refusal = match later {
            true => Refusal::later(51, detail, Blame::Policy, say),
            false => Refusal::never(50, detail, Blame::Policy, say),
        };
        self.log("reject", class, text, &format!("{} {say}", refusal.status()));
        refusal
    }

    /// Logs and makes the refusal of a message whose MIME structure is not as it must be.
    pub(super) fn mime_error(&self, what: &str, text: &[u8]) -> Refusal {
        let recipient = self.recipients.last.as_ref().map(mail::Address::external);
        let line = format!(
            "reject: mime-error {what}: {} from {}; from=<{}> to=<{}>",
            shown(text, 100),
            self.origin,
            self.envelope.sender.external(),
            recipient.unwrap_or_else(|| "unknown".into()),
        );
        log::info!(target: "cleanup", "{}: {}", self.id, printable(&line));
        Refusal::never(50, Detail(6, 0), Blame::Peer, what)
    }

    /// `<id>: <word>: header <text> from <origin>; from=<…> to=<…> proto=… helo=<…>: <said>`.
    fn log(&self, word: &str, class: &str, text: &[u8], said: &str) {
        let text = shown(text, 200);
        let client = &self.envelope.client;
        let mut line = format!(
            "{word}: {class} {text} from {}; from=<{}>",
            self.origin,
            self.envelope.sender.external()
        );
        if let Some(recipient) = &self.recipients.last {
            line.push_str(&format!(" to=<{}>", recipient.external()));
        }
        if !client.protocol.is_empty() {
            line.push_str(&format!(" proto={}", client.protocol));
        }
        if !client.helo.is_empty() {
            line.push_str(&format!(" helo=<{}>", client.helo));
        }
        if !said.is_empty() {
            line.push_str(&format!(": {said}"));
        }
        log::info!(target: "cleanup", "{}: {}", self.id, printable(&line));
    }
}

/// The first bytes of a line, for the log.
fn shown(text: &[u8], limit: usize) -> String {
    let shown = String::from_utf8_lossy(&text[..text.len().min(limit)]);
    shown.replace(char::REPLACEMENT_CHARACTER, "?")
}

/// Divides `4.7.1 try later`.
pub(crate) fn status(text: &str) -> Option<(bool, Detail, &str)> {
    let (code, say) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let mut numbers = code.split('.');
    let class = numbers.next()?;
    let detail = Detail(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    (numbers.next().is_none() && matches!(class, "2" | "4" | "5"))
        .then(|| (class != "5", detail, say.trim_start()))
}
