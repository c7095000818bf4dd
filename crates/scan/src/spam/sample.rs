//! What is looked at of a message.

use mail::header::Field;
use mime::transfer::Encoding;
use mime::{Kind, Part, charset, html, words};
use sha2::{Digest, Sha256};

use super::tokens::{self, Tokens};

/// The budget: more parts, or deeper ones, hide nothing that a reader would see.
const LIMITS: mime::Limits =
    mime::Limits { parts: 200, depth: 12, fields: 500, header: 256 << 10, parameters: 30, addresses: 100 };

/// Bytes of decoded text that are looked at.
const TEXT: usize = 128 << 10;

/// Different hosts in links that are remembered.
const LINKS: usize = 40;

/// Bytes of a field that are looked at.
const VALUE: usize = 2000;

/// Fields whose words are read, with the mark of their tokens.
const READ: [(&str, &str); 6] = [
    ("subject", "s"),
    ("x-mailer", "m"),
    ("user-agent", "m"),
    ("organization", "o"),
    ("list-id", "l"),
    ("content-type", "c"),
];

/// Fields that say nothing: every message has them, we put them there, or each hop does.
const IGNORED: [&str; 14] = [
    "received",
    "return-path",
    "delivered-to",
    "x-original-to",
    "date",
    "from",
    "to",
    "subject",
    "message-id",
    "status",
    "x-status",
    "authentication-results",
    "received-spf",
    "x-quarantine",
];

/// A message as the classifier and the rules see it. Made once, of as much of the message as the budget allows.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Decoded header, `Name: value` lines.
    pub header: String,
    /// Decoded Subject.
    pub subject: String,
    /// Decoded From.
    pub from: String,
    /// Decoded To and Cc.
    pub to: String,
    /// Text a reader sees, of all parts.
    pub body: String,
    /// Hosts that links lead to, in lower case, each once.
    pub links: Vec<String>,
    /// The sending domain that was proven when it came, as our own field says.
    pub sender: Option<String>,
    /// Fields of which there should be one and are none, or several.
    pub odd: Vec<&'static str>,
    tokens: Vec<String>,
    fingerprint: [u8; 16],
}

impl Sample {
    /// Reads a message, whose lines may end in LF or CRLF.
    pub fn read(message: &[u8]) -> Sample {
        let structure = mime::parse(message, &LIMITS);
        let mut sample = Sample::default();
        let mut tokens = Tokens::default();
        let head = &message[structure.root().header_range()];
        sample.read_header(head, &mut tokens);
        for part in &structure.parts {
            sample.read_part(message, part, &mut tokens);
        }
        tokens.text(&sample.body);
        for host in &sample.links {
            tokens.mark("u", host);
            let site = tokens::site(host);
            if site != host {
                tokens.mark("u", site);
            }
        }
        sample.tokens = tokens.into_sorted();
        let mut hash = Sha256::new();
        for text in [&sample.subject, &sample.from, &sample.body] {
            hash.update(text.as_bytes());
            hash.update([0]);
        }
        // Two messages of the same words are two messages.
        for name in ["message-id", "date"] {
            hash.update(field(head, name).unwrap_or_default());
        }
        sample.fingerprint.copy_from_slice(&hash.finalize()[..16]);
        sample
    }

    /// The domains that links lead to, as their owners have them, each once.
    pub fn sites(&self) -> impl Iterator<Item = &str> {
        let sites: std::collections::BTreeSet<&str> =
            self.links.iter().map(|host| tokens::site(host)).collect();
        sites.into_iter()
    }

    /// What the statistics count, sorted, each once.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// Tells this message from others, whatever fields it is given on its way.
    pub fn fingerprint(&self) -> &[u8; 16] {
        &self.fingerprint
    }

    fn read_header(&mut self, head: &[u8], tokens: &mut Tokens) {
        let (mut dates, mut ids, mut froms) = (0, 0, 0);
        for field in mail::header::fields(head).take(LIMITS.fields) {
            let value = &field.value()[..field.value().len().min(VALUE)];
            let name = String::from_utf8_lossy(field.name()).to_ascii_lowercase();
            let text = words::decode(value);
            let text = text.trim();
            if self.header.len() < TEXT {
                self.header.push_str(&format!("{}: {text}\n", String::from_utf8_lossy(field.name())));
            }
            match name.as_str() {
                "subject" => text.clone_into(&mut self.subject),
                "from" => {
                    froms += 1;
                    text.clone_into(&mut self.from);
                    address(value, "f", tokens);
                }
                "reply-to" => address(value, "r", tokens),
                "to" | "cc" => {
                    self.to.push_str(text);
                    self.to.push('\n');
                }
                "date" => dates += 1,
                "message-id" => ids += 1,
                "x-spam-status" if self.sender.is_none() => self.sender = super::sender_of(text),
                _ => {}
            }
            if let Some((_, mark)) = READ.iter().find(|(known, _)| *known == name) {
                tokens.field(mark, text);
            }
            if !IGNORED.contains(&name.as_str()) && !name.starts_with("x-spam-") {
                tokens.mark("h", &name);
            }
        }
        self.odd.extend((dates == 0).then_some("no Date"));
        self.odd.extend((ids == 0).then_some("no Message-ID"));
        self.odd.extend((froms != 1).then_some("not one From"));
    }

    fn read_part(&mut self, message: &[u8], part: &Part, tokens: &mut Tokens) {
        if part.kind != Kind::Leaf {
            return;
        }
        let (kind, subtype) = part.mime.media();
        let media = format!("{}/{}", String::from_utf8_lossy(kind), String::from_utf8_lossy(subtype));
        tokens.mark("p", &media.to_ascii_lowercase());
        if !part.mime.is("text", None) || self.body.len() >= TEXT {
            return;
        }
        let body = message.get(part.body_range()).unwrap_or_default();
        // An encoded text is at most three times as long as what it says.
        let body = &body[..body.len().min((TEXT - self.body.len()) * 3)];
        let encoding = part.mime.encoding.as_deref().and_then(Encoding::named);
        let decoded = encoding.unwrap_or(Encoding::Identity).decode(body);
        let text = charset::to_utf8(&decoded, part.mime.charset());
        links(&text, &mut self.links);
        if part.mime.is("text", Some("html")) {
            tokens.markup(&text);
            self.body.push_str(&html::to_text(&text));
        } else {
            self.body.push_str(&text);
        }
        self.body.push('\n');
        if self.body.len() > TEXT {
            let end = (0..=TEXT).rev().find(|at| self.body.is_char_boundary(*at)).unwrap_or(0);
            self.body.truncate(end);
        }
    }
}

/// The value of the first field of this name.
fn field<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    mail::header::fields(head).take(LIMITS.fields).find(|field: &Field<'_>| field.is(name)).map(|f| f.value())
}

/// Domain and display name of a sender.
fn address(value: &[u8], mark: &str, tokens: &mut Tokens) {
    let mut found = Vec::new();
    mime::address::parse(value, 4, &mut found);
    for address in found.iter().filter(|address| address.is_mailbox()) {
        let spec = address.addr_spec().unwrap_or_default();
        let spec = String::from_utf8_lossy(&spec).to_ascii_lowercase();
        tokens.mark(mark, &spec);
        if let Some((_, domain)) = spec.rsplit_once('@') {
            tokens.mark(mark, domain);
        }
    }
    let text = words::decode(value);
    let name = text.split('<').next().unwrap_or_default();
    if !name.contains('@') {
        tokens.field("n", name);
    }
}

/// Hosts of `http://` and `https://` links.
fn links(text: &str, out: &mut Vec<String>) {
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let scheme = rest.as_bytes()[at.saturating_sub(5)..at].to_ascii_lowercase();
        rest = &rest[at + 3..];
        if out.len() >= LINKS {
            return;
        }
        if !scheme.ends_with(b"http") && !scheme.ends_with(b"https") {
            continue;
        }
        let end = rest.find(|c: char| !(c.is_alphanumeric() || ".-_@:%".contains(c)));
        let authority = &rest[..end.unwrap_or(rest.len())];
        let host = authority.rsplit('@').next().unwrap_or_default();
        let host = host.split(':').next().unwrap_or_default().trim_matches('.').to_lowercase();
        if host.contains('.') && host.len() < 254 && !out.contains(&host) {
            out.push(host);
        }
    }
}
