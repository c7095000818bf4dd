//! As much of XML as reports are made of: elements and text. No document types, so no entities but the five; bounded depth
//! and text.

/// Elements within each other.
const DEPTH: usize = 16;

/// Bytes of a text.
const TEXT: usize = 4096;

/// What comes next in a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// An element begins; its name without prefix, in lower case.
    Start(String),
    /// The innermost one ends, with this text in it.
    End(String),
}

/// A document that is read.
pub(super) struct Reader<'a> {
    rest: &'a str,
    open: Vec<&'a str>,
    text: String,
    /// `<x/>` has begun and is to end.
    empty: bool,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Reader<'a> {
        Reader {
            rest: text.trim_start_matches('\u{feff}'),
            open: Vec::new(),
            text: String::new(),
            empty: false,
        }
    }

    /// The next event; `None` at the end of a whole document.
    pub fn next(&mut self) -> Result<Option<Event>, &'static str> {
        if std::mem::take(&mut self.empty) {
            return Ok(Some(self.end()));
        }
        loop {
            let Some(at) = self.rest.find('<') else {
                return match self.open.is_empty() {
                    true => Ok(None),
                    false => Err("it ends within an element"),
                };
            };
            let (text, tag) = self.rest.split_at(at);
            self.take_text(text, true);
            self.rest = tag;
            if let Some(rest) = tag.strip_prefix("<!--") {
                self.rest = rest.split_once("-->").ok_or("a comment does not end")?.1;
            } else if let Some(rest) = tag.strip_prefix("<![CDATA[") {
                let (text, rest) = rest.split_once("]]>").ok_or("a CDATA section does not end")?;
                self.take_text(text, false);
                self.rest = rest;
            } else if let Some(rest) = tag.strip_prefix("<?") {
                self.rest = rest.split_once("?>").ok_or("an instruction does not end")?.1;
            } else if tag.starts_with("<!") {
                return Err("it has a document type");
            } else {
                return self.tag().map(Some);
            }
        }
    }

    fn tag(&mut self) -> Result<Event, &'static str> {
        let whole = self.rest;
        let end = whole.find('>').ok_or("a tag does not end")?;
        let tag = &whole[1..end];
        self.rest = &whole[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if self.open.last() != Some(&name.trim()) {
                return Err("elements overlap");
            }
            return Ok(self.end());
        }
        let tag = match tag.strip_suffix('/') {
            Some(tag) => {
                self.empty = true;
                tag
            }
            None => tag,
        };
        let name = tag.split_whitespace().next().ok_or("a tag has no name")?;
        if self.open.len() >= DEPTH {
            return Err("elements are too deep within each other");
        }
        self.open.push(name);
        self.text.clear();
        Ok(Event::Start(name.rsplit(':').next().unwrap_or_default().to_ascii_lowercase()))
    }

    fn end(&mut self) -> Event {
        self.open.pop();
        Event::End(std::mem::take(&mut self.text).trim().to_owned())
    }

    fn take_text(&mut self, text: &str, entities: bool) {
        if self.open.is_empty() || self.text.len() + text.len() > TEXT {
            return;
        }
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('&').filter(|_| entities) {
            self.text.push_str(before);
            rest = match after.split_once(';').and_then(|(name, after)| Some((entity(name)?, after))) {
                Some((character, after)) => {
                    self.text.push(character);
                    after
                }
                None => after,
            };
        }
        self.text.push_str(rest);
    }
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(code).filter(|c| !c.is_control())?
        }
    })
}

/// A text as it stands in a document.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !c.is_control()) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}
