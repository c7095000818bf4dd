//! The text of a message: what SEARCH looks through, and the first words of it (PREVIEW, RFC 8970).

use crate::structure::{Kind, Part, Structure};
use crate::transfer::Encoding;
use crate::{charset, fields, html, words};

/// All text of a message, decoded to UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// `Name: value` lines of the header, and of the headers of parts.
    pub header: String,
    /// Text parts one after the other, with the headers of attached messages.
    pub body: String,
}

/// Decodes what SEARCH TEXT looks through; no more than about `most` bytes of header and body each.
pub fn searchable(message: &[u8], structure: &Structure, most: usize) -> Text {
    let mut text = Text::default();
    for (index, part) in structure.parts.iter().enumerate() {
        let attached = index > 0 && part.envelope.is_some();
        let into = if attached { &mut text.body } else { &mut text.header };
        if let Some(header) = message.get(part.header_range()) {
            header_text(header, into, most);
        }
        if is_text(part) && text.body.len() < most {
            text.body.push_str(&part_text(message, part, most - text.body.len()));
            text.body.push('\n');
        }
    }
    text
}

/// Decoded `Name: value` lines.
fn header_text(header: &[u8], out: &mut String, most: usize) {
    for field in fields::fields(header) {
        if out.len() >= most {
            return;
        }
        out.push_str(&charset::to_utf8(field.name, None));
        out.push_str(": ");
        out.push_str(&words::decode(field.value));
        out.push('\n');
    }
}

fn is_text(part: &Part) -> bool {
    part.kind == Kind::Leaf && part.mime.is("text", None)
}

/// The text of one part, HTML without its tags; about `most` bytes of the encoded text are looked at.
pub fn part_text(message: &[u8], part: &Part, most: usize) -> String {
    let body = message.get(part.body_range()).unwrap_or_default();
    let body = &body[..body.len().min(most)];
    let encoding = part.mime.encoding.as_deref().and_then(Encoding::named).unwrap_or(Encoding::Identity);
    let decoded = encoding.decode(body);
    let text = charset::to_utf8(&decoded, part.mime.charset());
    match part.mime.is("text", Some("html")) {
        true => html::to_text(&text),
        false => text.into_owned(),
    }
}

/// Letters of a preview. RFC 8970 wants 200, and allows 256.
const PREVIEW: usize = 200;

/// Bytes of a part in which a preview is looked for.
const LOOKED_AT: usize = 64 << 10;

/// The first words of a message: of the first text part that is shown, without quoted lines if there are others,
/// blanks as one space. Empty when there is no text.
pub fn preview(message: &[u8], structure: &Structure) -> String {
    let shown = |part: &&Part| {
        let attachment =
            part.mime.disposition.as_ref().is_some_and(|(kind, _)| kind.eq_ignore_ascii_case(b"attachment"));
        is_text(part) && !attachment
    };
    let part = structure.parts.iter().find(shown);
    let text = part.map(|part| part_text(message, part, LOOKED_AT)).unwrap_or_default();
    let own = cut(text.lines().filter(|line| !line.starts_with('>')));
    if own.is_empty() { cut(text.lines().map(|line| line.trim_start_matches(['>', ' ']))) } else { own }
}

fn cut<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::new();
    let mut letters = 0;
    for word in lines.flat_map(str::split_whitespace) {
        if letters > 0 {
            out.push(' ');
            letters += 1;
        }
        for letter in word.chars().filter(|letter| !letter.is_control()) {
            if letters >= PREVIEW {
                out.truncate(out.trim_end().len());
                return out;
            }
            out.push(letter);
            letters += 1;
        }
    }
    out
}
