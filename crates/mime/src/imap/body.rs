//! BODY and BODYSTRUCTURE.

use super::envelope::envelope;
use super::string::{nstring, string};
use crate::params::Parameters;
use crate::structure::{Kind, Mime, Part, Structure};

/// Writes BODY: the structure without extension data.
pub fn body(structure: &Structure, out: &mut Vec<u8>) {
    Writer { structure, extended: false }.part(0, out);
}

/// Writes BODYSTRUCTURE.
pub fn bodystructure(structure: &Structure, out: &mut Vec<u8>) {
    Writer { structure, extended: true }.part(0, out);
}

/// What stands for the parts of a multipart without any.
const EMPTY: &[u8] = br#"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0"#;

struct Writer<'a> {
    structure: &'a Structure,
    extended: bool,
}

impl Writer<'_> {
    fn part(&self, index: usize, out: &mut Vec<u8>) {
        let part = &self.structure.parts[index];
        out.push(b'(');
        match part.kind {
            Kind::Multipart => self.multipart(index, part, out),
            Kind::Message | Kind::Leaf => self.single(index, part, out),
        }
        out.push(b')');
    }

    fn multipart(&self, index: usize, part: &Part, out: &mut Vec<u8>) {
        let before = out.len();
        for child in self.structure.children(index) {
            self.part(child, out);
        }
        if out.len() == before {
            out.extend(EMPTY);
            out.extend(if self.extended { &b" NIL NIL NIL NIL)"[..] } else { b")" });
        }
        out.push(b' ');
        string(part.mime.media().1, out);
        if self.extended {
            out.push(b' ');
            parameters(&part.mime.parameters, out);
            self.extension(&part.mime, out);
        }
    }

    fn single(&self, index: usize, part: &Part, out: &mut Vec<u8>) {
        let mime = &part.mime;
        let plain = self.extended && index == 0 && is_plain(mime);
        let (kind, subtype) = match part.kind {
            _ if plain => (&b"text"[..], &b"plain"[..]),
            Kind::Message => (&b"message"[..], &b"rfc822"[..]),
            _ => mime.media(),
        };
        string(kind, out);
        out.push(b' ');
        string(subtype, out);
        out.push(b' ');
        if plain {
            out.extend(br#"("charset" "us-ascii")"#);
        } else {
            self.single_parameters(mime, out);
        }
        for text in [&mime.id, &mime.description] {
            out.push(b' ');
            nstring(text.as_deref(), out);
        }
        out.push(b' ');
        string(if plain { b"7bit" } else { mime.encoding.as_deref().unwrap_or(b"7bit") }, out);
        out.extend(format!(" {}", part.body.wire).bytes());
        let child = self.structure.children(index).next().filter(|_| part.kind == Kind::Message);
        if let Some(child) = child {
            out.push(b' ');
            if let Some(value) = &self.structure.parts[child].envelope {
                envelope(value, out);
            }
            out.push(b' ');
            self.part(child, out);
        }
        if child.is_some() || mime.is("text", None) {
            out.extend(format!(" {}", part.body.lines).bytes());
        }
        if self.extended {
            out.push(b' ');
            nstring(mime.md5.as_deref(), out);
            self.extension(mime, out);
        }
    }

    /// A text always has a charset.
    fn single_parameters(&self, mime: &Mime, out: &mut Vec<u8>) {
        let start = out.len();
        parameters(&mime.parameters, out);
        if !mime.is("text", None) || mime.charset().is_some() {
            return;
        }
        if mime.parameters.is_empty() {
            out.truncate(start);
            out.push(b'(');
        } else {
            out.pop();
            out.push(b' ');
        }
        out.extend(br#""charset" "us-ascii")"#);
    }

    /// Disposition, language and location.
    fn extension(&self, mime: &Mime, out: &mut Vec<u8>) {
        match &mime.disposition {
            None => out.extend(b" NIL"),
            Some((kind, list)) => {
                out.extend(b" (");
                string(kind, out);
                out.push(b' ');
                parameters(list, out);
                out.push(b')');
            }
        }
        if mime.languages.is_empty() {
            out.extend(b" NIL ");
        } else {
            out.extend(b" (");
            for (index, tag) in mime.languages.iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                string(tag, out);
            }
            out.extend(b") ");
        }
        nstring(mime.location.as_deref(), out);
    }
}

fn parameters(list: &Parameters, out: &mut Vec<u8>) {
    if list.is_empty() {
        return out.extend(b"NIL");
    }
    for (index, (name, value)) in list.iter().enumerate() {
        out.push(if index == 0 { b'(' } else { b' ' });
        string(name, out);
        out.push(b' ');
        string(value, out);
    }
    out.push(b')');
}

/// Nothing but plain ASCII text: Dovecot then answers in its own words instead of the header's.
fn is_plain(mime: &Mime) -> bool {
    let charset = match mime.parameters.as_slice() {
        [] => true,
        [(name, value)] => name.eq_ignore_ascii_case(b"charset") && value.eq_ignore_ascii_case(b"us-ascii"),
        _ => false,
    };
    let extras = [&mime.id, &mime.description, &mime.md5, &mime.location];
    charset
        && mime.is("text", Some("plain"))
        && mime.encoding.as_ref().is_none_or(|encoding| encoding.eq_ignore_ascii_case(b"7bit"))
        && extras.iter().all(|extra| extra.is_none())
        && mime.disposition.is_none()
        && mime.languages.is_empty()
}
