//! `milter_header_checks`: headers that milters add or change.

use filter::checks::{Action, Checks, Part};
use mail::logline::printable;
use mail::{Address, Blame, Detail, Recipient, Refusal};

use super::Told;
use crate::cleanup::{Clean, Cleaner, status};

/// What is done when the milters have said all they have to say.
#[derive(Debug, Default)]
pub struct Checked {
    /// The message is refused, unless a milter says something else.
    pub refusal: Option<Refusal>,
    discard: bool,
    redirect: Option<Address>,
    copies: Vec<Address>,
}

/// Looks at a new header; `None` when it is left out, and what it would replace stays.
pub async fn look(
    checks: Option<&Checks>,
    field: Vec<u8>,
    clean: &mut Clean<queue::Draft>,
    told: &Told,
    checked: &mut Checked,
) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(checks) = checks.filter(|_| !checked.discard && checked.refusal.is_none()) else {
        return Ok(Some(field));
    };
    let action = checks.header(Part::Primary, &field).result().await.map_err(|trouble| {
        log::warn!(target: "cleanup", "{}: {trouble} -- message not accepted, try again later", clean.id);
        Refusal::from(trouble)
    })?;
    let log = |clean: &Clean<queue::Draft>, word: &str, said: &str| {
        let text = String::from_utf8_lossy(&field);
        let envelope = told.envelope(clean);
        let line = format!("milter-header-{word}: header {text} from {}; {envelope}: {said}", told.origin);
        log::info!(target: "cleanup", "{}: {}", clean.id, printable(&line));
    };
    match action {
        Action::Keep | Action::Pass(_) => {}
        Action::Ignore => return Ok(None),
        Action::Strip(said) => {
            log(clean, "strip", &said);
            return Ok(None);
        }
        Action::Replace(new) => {
            log(clean, "replace", &new);
            return Ok(Some(new.into_bytes()));
        }
        Action::Prepend(said) => {
            log(clean, "prepend", &said);
            log::warn!(target: "cleanup", "the milter_header/body_checks prepend action is not implemented");
        }
        Action::Warn(said) => log(clean, "warning", &said),
        Action::Info(said) => log(clean, "info", &said),
        Action::Hold(_) if clean.hold => {}
        Action::Hold(said) => {
            log(clean, "hold", &said);
            clean.hold = true;
        }
        Action::Discard(said) => {
            log(clean, "discard", &said);
            checked.discard = true;
        }
        Action::Filter(to) => {
            log(clean, "filter", &to);
            clean.envelope.content_filter = Some(to);
        }
        Action::Redirect(to) => {
            log(clean, "redirect", &to);
            checked.redirect = Some(to.into());
        }
        Action::Bcc(to) => {
            log(clean, "bcc", &to);
            checked.copies.push(to.into());
        }
        Action::Reject(said) => {
            let said = if said.is_empty() { "message content rejected" } else { said.as_str() };
            let (later, detail, say) = status(said).unwrap_or((false, Detail(7, 1), said));
            let refusal = match later {
                true => Refusal::later(51, detail, Blame::Policy, say),
                false => Refusal::never(50, detail, Blame::Policy, say),
            };
            log(clean, "reject", &format!("{} {say}", refusal.status()));
            checked.refusal = Some(refusal);
        }
    }
    Ok(Some(field))
}

impl Checked {
    /// Does what concerns the message as a whole.
    pub async fn settle(
        &mut self,
        cleaner: &Cleaner,
        clean: &mut Clean<queue::Draft>,
    ) -> Result<(), Refusal> {
        clean.discard |= self.discard;
        for copy in std::mem::take(&mut self.copies) {
            let more = cleaner.late_recipient(&clean.id, clean.skip, Recipient::new(copy)).await?;
            clean.envelope.recipients.extend(more);
        }
        if let Some(to) = self.redirect.take() {
            let recipients = &mut clean.envelope.recipients;
            recipients.drain(..recipients.len().saturating_sub(1));
            if let Some(only) = recipients.first_mut() {
                only.address = cleaner.completed(&to);
            }
        }
        Ok(())
    }
}
