//! Goes through a message: header checks, `smtp_generic_maps`, and quoted-printable for 8-bit parts.

use filter::checks::{Action, Part, Visit};
use mail::addresses::{self, mailboxes_mut};
use mail::header::{Field, name_end, next_line, trim_line_end};
use mail::logline::printable;
use mail::mime::{Follows, Mime};
use mail::{Address, Class, Refusal};

use super::quoted;
use crate::agents::smtp::complaint::ours;
use crate::agents::smtp::service::Service;

/// Deepest nesting of parts, and longest boundary.
const NESTING: usize = 100;
const BOUNDARY: usize = 2048;

/// Fields with addresses.
const ADDRESSES: [&str; 18] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Apparently-To",
    "Errors-To",
    "Return-Receipt-To",
    "Disposition-Notification-To",
    "Mail-Followup-To",
    "Resent-From",
    "Resent-Sender",
    "Resent-Reply-To",
    "Resent-To",
    "Resent-Cc",
    "Resent-Bcc",
    "Return-Path",
];

/// A field or line that is longer passes as it is, piece by piece: nobody looks at it.
const LONGEST: usize = 256 << 10;

/// Bytes of a line that are logged.
const SHOWN: usize = 60;

/// What is left of a line after the checks.
enum Left {
    /// All of it.
    All,
    /// Nothing.
    Nothing,
    /// Something else in its place.
    Other(String),
    /// All of it, and this line before it.
    Behind(String),
}

/// Rewrites a message, piece by piece.
pub struct Rewrite<'a> {
    service: &'a Service,
    /// The message's queue id, for the log.
    id: String,
    /// The server, for what is said of a failure.
    server: String,
    /// 8-bit parts become quoted-printable.
    downgrade: bool,
    mime: Mime,
    /// Which header is under way; `None` in a body.
    header: Option<Part>,
    /// A field or line whose end has not come.
    pending: Vec<u8>,
    out: Vec<u8>,
    /// The body at hand is encoded.
    encode: bool,
    /// The text at hand goes on within a line that is too long.
    mid_line: bool,
}

/// What stands at the beginning of header text.
enum Piece {
    /// A field of so many bytes.
    Field(usize),
    /// No field.
    End,
    /// There is no telling yet.
    More,
}

impl<'a> Rewrite<'a> {
    /// For a server of this service.
    pub fn new(service: &'a Service, id: &str, server: &str, downgrade: bool) -> Rewrite<'a> {
        Rewrite {
            service,
            id: id.to_owned(),
            server: server.to_owned(),
            downgrade,
            mime: Mime::new(NESTING, BOUNDARY),
            header: Some(Part::Primary),
            pending: Vec::new(),
            out: Vec::new(),
            encode: false,
            mid_line: false,
        }
    }

    /// The next piece of the message, the last one or not; gives what goes out so far.
    pub async fn feed(&mut self, piece: &[u8], last: bool) -> Result<Vec<u8>, Refusal> {
        let mut buffer = std::mem::take(&mut self.pending);
        let mut rest = match buffer.is_empty() {
            true => piece,
            false => {
                buffer.extend_from_slice(piece);
                &buffer
            }
        };
        loop {
            if let Some(part) = self.header {
                match header_piece(rest, last) {
                    Piece::Field(len) => {
                        let (field, after) = rest.split_at(len);
                        if let Some(field) = Field::parse(trim_line_end(field)) {
                            self.header_field(&field, part).await?;
                        }
                        rest = after;
                        continue;
                    }
                    Piece::More if rest.len() > LONGEST => {
                        self.out.extend_from_slice(rest);
                        self.mid_line = !rest.ends_with(b"\n");
                        rest = b"";
                        self.mime.header_end();
                        self.header = None;
                        continue;
                    }
                    Piece::More => break,
                    Piece::End => {
                        let follows = self.header_end(part).await?;
                        if rest.first() == Some(&b'\n') {
                            self.out.push(b'\n');
                            rest = &rest[1..];
                        }
                        self.header = (follows == Follows::Header).then_some(Part::Nested);
                        if self.header.is_some() || !rest.is_empty() {
                            continue;
                        }
                        break;
                    }
                }
            }
            let line = next_line(rest);
            let whole = line.ends_with(b"\n");
            if line.is_empty() || !(whole || last || line.len() > LONGEST) {
                break;
            }
            rest = &rest[line.len()..];
            if self.mid_line || line.len() > LONGEST {
                self.piece_of_line(trim_lf(line), whole || last);
                self.mid_line = !whole;
                continue;
            }
            self.header = self.body_line(trim_lf(line)).await?;
        }
        self.pending = rest.to_vec();
        Ok(std::mem::take(&mut self.out))
    }

    async fn body_line(&mut self, line: &[u8]) -> Result<Option<Part>, Refusal> {
        let follows = self.mime.line(line);
        if follows != Follows::Body {
            self.encode = false;
        }
        if self.encode {
            let mut encoded = Vec::new();
            quoted::line(line, &mut encoded);
            // The checks see what goes out.
            for line in encoded.split_inclusive(|byte| *byte == b'\n') {
                self.checked_line(trim_lf(line)).await?;
            }
        } else {
            self.checked_line(line).await?;
        }
        Ok((follows == Follows::Header).then_some(Part::Mime))
    }

    /// Logs what the checks say of a line, and hands back what is left of it.
    async fn checked(&self, class: &str, text: &[u8], visit: Visit<'_>) -> Result<Left, Refusal> {
        let action = visit.result().await.map_err(|trouble| {
            log::warn!(target: &self.service.program, "{}: {class} checks lookup error: {trouble}", self.id);
            ours(Class::Later, (3, 0), format!("local data error while talking to {}", self.server))
        })?;
        let (word, said, left) = match action {
            Action::Ignore => return Ok(Left::Nothing),
            Action::Warn(said) => ("warning", said, Left::All),
            Action::Info(said) => ("info", said, Left::All),
            Action::Strip(said) => ("strip", said, Left::Nothing),
            Action::Replace(said) => ("replace", said.clone(), Left::Other(said)),
            Action::Prepend(said) => ("prepend", said.clone(), Left::Behind(said)),
            // The checks of outgoing mail know no others.
            _ => return Ok(Left::All),
        };
        let shown = String::from_utf8_lossy(&text[..text.len().min(SHOWN)]);
        let mut line = format!("{word}: {class} {shown}");
        if !said.is_empty() {
            line.push_str(&format!(": {said}"));
        }
        log::info!(target: &self.service.program, "{}: {}", self.id, printable(&line));
        Ok(left)
    }

    async fn checked_line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let service = self.service;
        match self.checked("body", line, service.checks.line(0, line)).await? {
            Left::All => self.push_line(line),
            Left::Nothing => {}
            Left::Other(text) => self.push_line(text.as_bytes()),
            Left::Behind(text) => {
                self.push_line(text.as_bytes());
                self.push_line(line);
            }
        }
        Ok(())
    }

    /// Some of a line that is too long to be looked at, or the end of it.
    fn piece_of_line(&mut self, piece: &[u8], ends: bool) {
        if self.encode {
            quoted::line(piece, &mut self.out);
            if !ends {
                // A line end that is none (RFC 2045 6.7).
                self.out.pop();
                self.out.extend_from_slice(b"=\n");
            }
        } else {
            self.out.extend_from_slice(piece);
            if ends {
                self.out.push(b'\n');
            }
        }
    }

    fn push_line(&mut self, line: &[u8]) {
        self.out.extend_from_slice(line);
        self.out.push(b'\n');
    }

    async fn header_field(&mut self, field: &Field<'_>, part: Part) -> Result<(), Refusal> {
        if field.is("Content-Type") {
            self.mime
                .content_type(field.value())
                .map_err(|_| ours(Class::Never, (6, 0), "MIME nesting exceeds safety limit"))?;
        }
        if field.is("Content-Transfer-Encoding") {
            self.mime.transfer_encoding(field.value());
            if self.downgrade && self.mime.encoding().is_eight_bit() {
                return Ok(());
            }
        }
        let looked_up_as = if mail::mime::is_field(field.name()) { Part::Mime } else { part };
        self.field(field, part, looked_up_as).await
    }

    async fn header_end(&mut self, part: Part) -> Result<Follows, Refusal> {
        self.encode = false;
        if self.downgrade && self.mime.encoding().is_eight_bit() {
            self.encode = !self.mime.is_composite();
            let encoding = if self.encode { "quoted-printable" } else { "7bit" };
            let text = format!("Content-Transfer-Encoding: {encoding}");
            if let Some(field) = Field::parse(text.as_bytes()) {
                // Where it stands decides which checks see it, though it is about MIME.
                self.field(&field, part, part).await?;
            }
        }
        Ok(self.mime.header_end())
    }

    async fn field(&mut self, field: &Field<'_>, part: Part, looked_up_as: Part) -> Result<(), Refusal> {
        let service = self.service;
        let visit = service.checks.header(looked_up_as, field.raw);
        let replaced;
        let mut text = field.raw;
        match self.checked("header", field.raw, visit).await? {
            Left::All => {}
            Left::Nothing => return Ok(()),
            Left::Behind(line) => self.push_line(line.as_bytes()),
            Left::Other(other) => {
                replaced = other;
                text = replaced.as_bytes();
            }
        }
        if part == Part::Primary
            && !service.generic.is_empty()
            && ADDRESSES.iter().any(|known| field.is(known))
            && let Some(field) = Field::parse(text)
            && let Some(changed) = self.generic(&field).await?
        {
            for (at, line) in changed.split(|byte| *byte == b'\n').enumerate() {
                if at > 0 && !matches!(line.first(), Some(b' ' | b'\t')) {
                    self.out.push(b'\t');
                }
                self.push_line(line);
            }
        } else {
            self.push_line(trim_line_end(text));
        }
        Ok(())
    }

    /// The field with addresses that `smtp_generic_maps` changes; `None` when it changes none.
    async fn generic(&self, field: &Field<'_>) -> Result<Option<Vec<u8>>, Refusal> {
        let mut tokens = addresses::parse(field.value(), 0);
        let mut changed = false;
        for mailbox in mailboxes_mut(&mut tokens) {
            let address = Address::from(String::from_utf8_lossy(mailbox.internal()).into_owned());
            let mapped = self.service.outgoing_address(&address).await?;
            if mapped != address {
                changed = true;
                mailbox.set(mapped.external().into_bytes());
            }
        }
        if !changed {
            return Ok(None);
        }
        let mut out = field.name().to_vec();
        out.extend_from_slice(b": ");
        out.extend_from_slice(&addresses::header(&tokens));
        addresses::fold(&mut out);
        Ok(Some(out))
    }
}

/// What header text begins with; `last` when no more comes.
fn header_piece(text: &[u8], last: bool) -> Piece {
    let line = next_line(text);
    if !line.ends_with(b"\n") && !last {
        return Piece::More;
    }
    if name_end(trim_line_end(line)).is_none() {
        return Piece::End;
    }
    let mut len = line.len();
    while let Some(b' ' | b'\t') = text.get(len) {
        len += next_line(&text[len..]).len();
    }
    // A line that follows may continue the field.
    if len == text.len() && !last { Piece::More } else { Piece::Field(len) }
}

/// A carriage return before the line feed is content.
fn trim_lf(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}
