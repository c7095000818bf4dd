//! What visitors say of a message under way, done and logged.

use mail::logline::printable;
use mail::{Blame, Detail, Refusal};

use super::visit::{Action, Part};
use super::{Cleaning, Sink};

impl<S: Sink> Cleaning<S> {
    /// Shows a header (`part`) or body line (at `offset` in its part) to the visitors; `None` when it is left out.
    pub(super) async fn visit(
        &mut self,
        part: Option<Part>,
        offset: u64,
        text: &[u8],
    ) -> Result<Option<Vec<u8>>, Refusal> {
        let class = if part.is_some() { "header" } else { "body" };
        let mut text = text.to_vec();
        let mut visitors = std::mem::take(&mut self.visitors);
        let mut passed = false;
        for visitor in &mut visitors {
            let visit = match part {
                Some(part) => visitor.header(part, &text),
                None if visitor.wants_body() => visitor.line(offset, &text),
                None => continue,
            };
            let action = visit.await.map_err(|trouble| self.rewriting().later(&trouble))?;
            match self.obey(action, class, &text)? {
                Obeyed::Keep => {}
                Obeyed::Stop => passed = true,
                Obeyed::Drop => {
                    self.visitors = visitors;
                    return Ok(None);
                }
                Obeyed::Replace(new) => text = new,
            }
        }
        if !passed {
            self.visitors = visitors;
        }
        Ok(Some(text))
    }

    fn obey(&mut self, action: Action, class: &str, text: &[u8]) -> Result<Obeyed, Refusal> {
        let (word, said) = match &action {
            Action::Keep => return Ok(Obeyed::Keep),
            Action::Ignore => return Ok(Obeyed::Drop),
            Action::Reject(said) => return Err(self.reject(class, text, said)),
            Action::Hold(_) if self.orders.hold || self.orders.discard => return Ok(Obeyed::Keep),
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
            Action::Strip(_) => return Ok(Obeyed::Drop),
            Action::Replace(new) => return Ok(Obeyed::Replace(new.into_bytes())),
            Action::Prepend(new) if class == "header" => {
                self.out.field(new.as_bytes(), self.cleaner.header_size_limit)?;
            }
            Action::Prepend(new) => self.out.write(format!("{new}\n").as_bytes())?,
            Action::Hold(_) => self.orders.hold = true,
            Action::Discard(_) => {
                self.orders.discard = true;
                return Ok(Obeyed::Stop);
            }
            Action::Redirect(address) => {
                self.orders.redirect = Some(address.into());
                return Ok(Obeyed::Stop);
            }
            Action::Pass(_) => return Ok(Obeyed::Stop),
            Action::Filter(to) => self.envelope.content_filter = Some(to),
            Action::Bcc(address) => self.orders.copies.push(address.into()),
            Action::Keep | Action::Ignore | Action::Reject(_) | Action::Warn(_) | Action::Info(_) => {}
        }
        Ok(Obeyed::Keep)
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

    /// `<id>: <word>: header <text> from <origin>; from=<…> to=<…> proto=… helo=<…>: <said>`.
    fn log(&self, word: &str, class: &str, text: &[u8], said: &str) {
        let text = String::from_utf8_lossy(&text[..text.len().min(200)]);
        let client = &self.envelope.client;
        let mut line = format!(
            "{word}: {class} {text} from {}; from=<{}>",
            self.origin,
            self.envelope.sender.external()
        );
        if let Some(recipient) = self.recipients.last() {
            line.push_str(&format!(" to=<{}>", recipient.address.external()));
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

enum Obeyed {
    Keep,
    Drop,
    Replace(Vec<u8>),
    /// No more visits.
    Stop,
}

/// Divides `4.7.1 try later`.
fn status(text: &str) -> Option<(bool, Detail, &str)> {
    let (code, say) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let mut numbers = code.split('.');
    let class = numbers.next()?;
    let detail = Detail(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    (numbers.next().is_none() && matches!(class, "2" | "4" | "5"))
        .then(|| (class != "5", detail, say.trim_start()))
}
