//! A message that milters change.

use std::sync::Arc;

use filter::checks::Checks;
use mail::header::{Field, fields, header_len};
use mail::{Address, Recipient, Refusal, addresses};
use proto::milter::Change;
use proto::smtp::Command;
use proto::smtp::params::{Accepts, MailParams, RcptParams};
use queue::{Body, Draft, Queue};

use super::Told;
use super::checks::{self, Checked};
use crate::cleanup::{Clean, Cleaner};
use crate::house::House;

/// How much of a message is read at first for its header.
const HEAD: usize = 64 * 1024;

/// Header fields at hand, and the body where it is.
pub struct Letter {
    fields: Vec<Vec<u8>>,
    /// Where our own Received stands, which milters cannot touch.
    own: usize,
    body: Body,
    start: u64,
    /// A new body under way.
    coming: Option<Draft>,
    ends_line: bool,
    changed: bool,
    leading_space: bool,
    /// Recipients that milters added.
    added: Vec<Recipient>,
    /// `milter_header_checks`
    pub checks: Option<Arc<Checks>>,
    /// What they asked for.
    pub checked: Checked,
}

impl Letter {
    /// Finds the header.
    pub fn open(body: Body) -> Result<Letter, Refusal> {
        let mut size = HEAD;
        let (head, len) = loop {
            let head = body.read_at(0, size)?;
            let len = header_len(&head);
            if len < head.len() || head.len() as u64 == body.len() {
                break (head, len);
            }
            size *= 4;
        };
        let empty_line = usize::from(head.get(len) == Some(&b'\n'));
        Ok(Letter {
            fields: fields(&head[..len]).map(|field| field.raw.to_vec()).collect(),
            own: 0,
            start: (len + empty_line) as u64,
            body,
            coming: None,
            ends_line: true,
            changed: false,
            leading_space: false,
            added: Vec::new(),
            checks: None,
            checked: Checked::default(),
        })
    }

    /// The header, without line ends.
    pub fn fields(&self) -> impl Iterator<Item = &[u8]> {
        self.fields.iter().map(Vec::as_slice)
    }

    /// Where the body is.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Where it begins there.
    pub fn body_start(&self) -> u64 {
        self.start
    }

    /// Another milter's turn.
    pub fn begin(&mut self, leading_space: bool) {
        self.leading_space = leading_space;
    }

    fn field(&self, name: &[u8], value: &[u8]) -> Vec<u8> {
        let separator: &[u8] = if self.leading_space { b":" } else { b": " };
        let mut value = value.to_vec();
        value.retain(|byte| *byte != b'\r');
        while value.last() == Some(&b'\n') {
            value.pop();
        }
        [name, separator, &value].concat()
    }

    /// Puts a field before the one that is `index`th now.
    pub fn insert(&mut self, index: usize, field: Vec<u8>) {
        self.own += usize::from(index <= self.own && !self.fields.is_empty());
        self.fields.insert(index.min(self.fields.len()), field);
        self.changed = true;
    }

    /// Changes the field of this name that is `index`th among those but our own. `None` takes it away.
    fn change(&mut self, index: usize, name: &[u8], field: Option<Vec<u8>>) {
        let is_it =
            |raw: &Vec<u8>| Field::parse(raw).is_some_and(|field| field.name().eq_ignore_ascii_case(name));
        let mut found = self.fields.iter().enumerate().filter(|(at, raw)| *at != self.own && is_it(raw));
        let at = found.nth(index.max(1) - 1).map(|(at, _)| at);
        match (at, field) {
            (Some(at), None) => {
                self.fields.remove(at);
                self.own -= usize::from(at < self.own);
                self.changed = true;
            }
            (Some(at), Some(field)) => {
                self.fields[at] = field;
                self.changed = true;
            }
            (None, None) => {}
            (None, Some(field)) => self.insert(usize::MAX, field),
        }
    }

    /// Takes away the fields that this is true of.
    pub fn remove(&mut self, gone: impl Fn(&[u8]) -> bool) {
        let before = self.fields.len();
        self.fields.retain(|raw| !gone(raw));
        self.changed |= self.fields.len() != before;
    }

    /// A piece of a new body: carriage returns go.
    fn body_piece(&mut self, queue: &Queue, piece: &[u8]) -> Result<(), Refusal> {
        let mut draft = self.coming.take().unwrap_or_else(|| queue.draft(0));
        let mut out = piece.to_vec();
        out.retain(|byte| *byte != b'\r');
        if let Some(last) = out.last() {
            self.ends_line = *last == b'\n';
        }
        draft.write(&out)?;
        self.coming = Some(draft);
        Ok(())
    }

    /// The milter has answered: what it sent is the body now.
    pub fn end_of_body(&mut self) -> Result<(), Refusal> {
        let Some(mut draft) = self.coming.take() else { return Ok(()) };
        if !self.ends_line {
            draft.write(b"\n")?;
        }
        self.ends_line = true;
        // The draft is written anew with its header: its body stays readable until then.
        self.body = draft.body()?;
        self.start = 0;
        self.changed = true;
        Ok(())
    }

    /// The message with its changes; `None` when there are none.
    pub fn rewritten(&self, queue: &Queue) -> Result<Option<Draft>, Refusal> {
        if !self.changed {
            return Ok(None);
        }
        let mut draft = queue.draft(self.body.len());
        let mut head = Vec::new();
        for field in &self.fields {
            crate::cleanup::push_field(&mut head, field);
        }
        head.push(b'\n');
        draft.write(&head)?;
        let mut at = self.start;
        loop {
            let piece = self.body.read_at(at, HEAD)?;
            if piece.is_empty() {
                return Ok(Some(draft));
            }
            at += piece.len() as u64;
            draft.write(&piece)?;
        }
    }
}

/// Does a change; true when the message is to be held.
pub(super) async fn apply(
    change: Change,
    house: &House,
    cleaner: &Arc<Cleaner>,
    clean: &mut Clean<Draft>,
    letter: &mut Letter,
    told: &Told,
) -> Result<bool, Refusal> {
    let checks = letter.checks.clone();
    let new = match &change {
        Change::ChangeHeader { value, .. } if value.is_empty() => None,
        Change::AddHeader { name, value }
        | Change::InsertHeader { name, value, .. }
        | Change::ChangeHeader { name, value, .. } => {
            let field = letter.field(name, value);
            let Some(field) =
                checks::look(checks.as_deref(), field, clean, told, &mut letter.checked).await?
            else {
                return Ok(false);
            };
            Some(field)
        }
        _ => None,
    };
    let place = |index: u32| usize::try_from(index).unwrap_or(usize::MAX);
    match change {
        Change::AddHeader { .. } => letter.insert(usize::MAX, new.unwrap_or_default()),
        Change::InsertHeader { index, .. } => letter.insert(place(index), new.unwrap_or_default()),
        Change::ChangeHeader { index, name, .. } => letter.change(place(index), &name, new),
        Change::Body(piece) => letter.body_piece(&house.queue, &piece)?,
        Change::Quarantine(_) => return Ok(true),
        Change::Sender { address: text, args } => {
            let (sender, copies) = cleaner.late_sender(&clean.id, clean.skip, &address(&text)).await?;
            clean.envelope.sender = sender;
            let known =
                |copy: &Recipient| clean.envelope.recipients.iter().any(|one| one.address == copy.address);
            let copies: Vec<Recipient> = copies.into_iter().filter(|copy| !known(copy)).collect();
            clean.envelope.recipients.extend(copies);
            let command = Command::parse(&args);
            for token in &command.tokens {
                let accepts = Accepts { smtputf8: false, ..Accepts::default() };
                match MailParams::parse(std::slice::from_ref(token), accepts) {
                    Ok(params) => {
                        clean.envelope.ret = params.ret.or(clean.envelope.ret.take());
                        clean.envelope.envid = params.envid.or(clean.envelope.envid.take());
                    }
                    Err(_) => ignored(token.text(), "SMFI_CHGFROM"),
                }
            }
        }
        Change::AddRecipient { address: text, args } => {
            let address = address(&text);
            if address.is_null() {
                log::warn!(target: "cleanup", "{}: ignoring attempt from Milter to add null recipient", clean.id);
                return Ok(false);
            }
            let mut recipient = Recipient::new(address);
            for token in &Command::parse(&args).tokens {
                match RcptParams::parse(std::slice::from_ref(token), Accepts::default()) {
                    Ok(params) => {
                        if params.notify.is_set() {
                            recipient.notify = params.notify;
                        }
                        recipient.orcpt = params.orcpt.or(recipient.orcpt.take());
                    }
                    Err(_) => ignored(token.text(), "SMFIR_ADDRCPT_PAR"),
                }
            }
            for recipient in cleaner.late_recipient(&clean.id, clean.skip, recipient).await? {
                if !letter.added.contains(&recipient) {
                    letter.added.push(recipient.clone());
                    clean.envelope.recipients.push(recipient);
                }
            }
        }
        Change::DeleteRecipient(text) => {
            let gone = cleaner.completed(&address(&text));
            let is_gone = |recipient: &Recipient| {
                if recipient.original.is_null() {
                    recipient.address == gone
                } else {
                    cleaner.completed(&recipient.original) == gone
                }
            };
            let before = clean.envelope.recipients.len();
            clean.envelope.recipients.retain(|recipient| !is_gone(recipient));
            let gone = before - clean.envelope.recipients.len();
            clean.envelope.withdrawn += u32::try_from(gone).unwrap_or(u32::MAX);
            letter.added.retain(|recipient| !is_gone(recipient));
        }
    }
    Ok(false)
}

fn ignored(parameter: &str, request: &str) {
    let parameter = mail::logline::printable(parameter);
    log::warn!(target: "cleanup", "Ignoring bad ESMTP parameter \"{parameter}\" in {request} request");
}

/// An address as a milter writes it: mostly `<user@domain>`.
fn address(text: &str) -> Address {
    let tokens = addresses::parse(text.as_bytes(), 1000);
    let found = addresses::mailboxes(&tokens).next();
    found.map_or_else(Address::null, |mailbox| {
        Address::from(String::from_utf8_lossy(mailbox.internal()).into_owned())
    })
}
