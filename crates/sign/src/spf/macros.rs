//! Macros in domain names and explanations (RFC 7208 7).

use std::net::IpAddr;

/// A text with macros, checked.
#[derive(Debug)]
pub struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Macro { letter: u8, escape: bool, keep: Option<usize>, reverse: bool, delimiters: String },
}

/// What macros stand for.
pub struct Values<'a> {
    pub sender_local: &'a str,
    pub sender_domain: &'a str,
    /// The domain whose policy is evaluated.
    pub domain: &'a str,
    pub helo: &'a str,
    pub client: IpAddr,
    pub receiver: &'a str,
    /// The client's validated name, for `%{p}`.
    pub name: &'a str,
    /// Seconds since 1970, for `%{t}`.
    pub now: i64,
}

impl Template {
    /// A domain name: it ends in a macro or in a top level domain.
    pub fn domain(text: &str) -> Option<Template> {
        let template = Template::parse(text, false)?;
        match template.0.last()? {
            Part::Macro { .. } => Some(template),
            Part::Text(end) => {
                let top = end.strip_suffix('.').unwrap_or(end).rsplit('.').next()?;
                let has_dot = end.strip_suffix('.').unwrap_or(end).contains('.');
                let fits = !top.is_empty()
                    && top.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                    && !top.bytes().all(|byte| byte.is_ascii_digit())
                    && !top.starts_with('-')
                    && !top.ends_with('-');
                (has_dot && fits).then_some(template)
            }
        }
    }

    /// The value of a modifier that we do not know.
    pub fn any(text: &str) -> Option<Template> {
        Template::parse(text, false)
    }

    /// An explanation: there may be spaces, and three more letters.
    pub fn explanation(text: &str) -> Option<Template> {
        Template::parse(text, true)
    }

    fn parse(text: &str, explains: bool) -> Option<Template> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            if c != '%' {
                let visible = ('!'..='~').contains(&c) || (explains && c == ' ');
                if !visible {
                    return None;
                }
                plain.push(c);
                continue;
            }
            let next = rest.chars().next()?;
            rest = &rest[next.len_utf8()..];
            match next {
                '%' => plain.push('%'),
                '_' => plain.push(' '),
                '-' => plain.push_str("%20"),
                '{' => {
                    let (inner, after) = rest.split_once('}')?;
                    rest = after;
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(Part::of(inner, explains)?);
                }
                _ => return None,
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Some(Template(parts))
    }

    /// Does it ask for the client's name?
    pub fn wants_name(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Macro { letter: b'p', .. }))
    }

    /// The text.
    pub fn expand(&self, values: &Values<'_>) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Macro { letter, escape, keep, reverse, delimiters } => {
                    let value = values.of(*letter);
                    let mut pieces: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
                    if *reverse {
                        pieces.reverse();
                    }
                    let from = keep.map_or(0, |keep| pieces.len().saturating_sub(keep));
                    let text = pieces[from..].join(".");
                    if *escape { out.push_str(&escaped(&text)) } else { out.push_str(&text) }
                }
            }
        }
        out
    }

    /// The text as a name to ask for: shortened from the left to what fits.
    pub fn name(&self, values: &Values<'_>) -> String {
        let mut name = self.expand(values);
        if name.ends_with('.') {
            name.pop();
        }
        while name.len() > 253 {
            match name.split_once('.') {
                Some((_, rest)) => name = rest.to_owned(),
                None => break,
            }
        }
        name
    }
}

impl Part {
    fn of(inner: &str, explains: bool) -> Option<Part> {
        let first = *inner.as_bytes().first()?;
        let letter = first.to_ascii_lowercase();
        let known = b"slodiphv".contains(&letter) || (explains && b"crt".contains(&letter));
        if !known {
            return None;
        }
        let rest = &inner[1..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let keep = match &rest[..digits] {
            "" => None,
            number => Some(number.parse::<usize>().unwrap_or(usize::MAX)),
        };
        if keep == Some(0) {
            return None;
        }
        let rest = &rest[digits..];
        let (reverse, rest) = match rest.strip_prefix(['r', 'R']) {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        if !rest.chars().all(|c| ".-+,/_=".contains(c)) {
            return None;
        }
        let delimiters = if rest.is_empty() { "." } else { rest }.to_owned();
        Some(Part::Macro { letter, escape: first.is_ascii_uppercase(), keep, reverse, delimiters })
    }
}

impl Values<'_> {
    fn of(&self, letter: u8) -> String {
        match letter {
            b's' => format!("{}@{}", self.sender_local, self.sender_domain),
            b'l' => self.sender_local.to_owned(),
            b'o' => self.sender_domain.to_owned(),
            b'd' => self.domain.to_owned(),
            b'i' => match self.client {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => {
                    let nibbles = address.octets().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
                    let digits: Vec<String> = nibbles.map(|nibble| format!("{nibble:X}")).collect();
                    digits.join(".")
                }
            },
            b'p' => self.name.to_owned(),
            b'v' => if self.client.is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
            b'h' => self.helo.to_owned(),
            b'c' => self.client.to_string(),
            b'r' => self.receiver.to_owned(),
            b't' => self.now.to_string(),
            _ => String::new(),
        }
    }
}

/// Bytes that are not unreserved in a URI become `%xx`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
