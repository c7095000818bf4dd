//! Replies: the ones we say and the ones we hear. RFC 5321 4.2, RFC 2034.

use std::borrow::Cow;
use std::fmt::Write as _;

use mail::{Detail, Refusal};

/// A reply of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// Enhanced status code (RFC 3463): class digit is the first digit of `code`.
    pub detail: Option<Detail>,
    /// Text; `\n` divides lines. Every line carries the code and the enhanced status.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply with an enhanced status: `Reply::new(250, (1, 0), "Ok")` is `250 2.1.0 Ok`.
    pub fn new(code: u16, detail: (u16, u16), text: impl Into<Cow<'static, str>>) -> Reply {
        Reply { code, detail: Some(Detail(detail.0, detail.1)), text: text.into() }
    }

    /// A reply without an enhanced status: `220`, `354`, `250` to EHLO.
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Reply {
        Reply { code, detail: None, text: text.into() }
    }

    /// Adds a footer (`smtpd_reject_footer`), already expanded. `\n` (two characters) divides lines; a leading `\c`
    /// glues the first line to the reply's last one.
    pub fn with_footer(mut self, footer: &str) -> Reply {
        if footer.is_empty() {
            return self;
        }
        let (glue, rest) = match footer.strip_prefix("\\c") {
            Some(rest) => ("", rest),
            None => ("\n", footer),
        };
        let text = self.text.to_mut();
        text.push_str(glue);
        text.push_str(&rest.replace("\\n", "\n"));
        self
    }

    /// Appends the reply as it goes over the wire.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut head = String::with_capacity(10);
        if let Some(Detail(subject, detail)) = self.detail {
            // Writing to a string cannot fail.
            let _ = write!(head, "{}.{subject}.{detail} ", self.code / 100);
        }
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let separator = if lines.peek().is_some() { b'-' } else { b' ' };
            out.extend_from_slice(self.code.to_string().as_bytes());
            out.push(separator);
            out.extend_from_slice(head.as_bytes());
            // A reply never carries a line end of somebody else's making.
            out.extend(line.bytes().map(|b| if b == b'\r' || b == 0 { b'?' } else { b }));
            out.extend_from_slice(b"\r\n");
        }
    }
}

impl From<&Refusal> for Reply {
    fn from(refusal: &Refusal) -> Reply {
        Reply { code: refusal.smtp_code(), detail: Some(refusal.detail), text: refusal.say.clone().into() }
    }
}

/// A reply we heard: code, enhanced status, and its lines as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Three digits.
    pub code: u16,
    /// Enhanced status code of the first line that has one, `(class, detail)`; class is 2, 4 or 5.
    pub status: Option<(u8, Detail)>,
    /// The lines with code and enhanced status, without line ends. Non-printable characters are `?`.
    pub lines: Vec<String>,
}

impl Received {
    /// The lines joined by a space, as logs and notices show a reply.
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// 2xx.
    pub fn is_ok(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4xx.
    pub fn is_later(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5xx.
    pub fn is_never(&self) -> bool {
        self.code / 100 == 5
    }
}

/// The enhanced status code at the start of `text`, when its class fits `code`.
pub fn status_of(code: u16, text: &str) -> Option<(u8, Detail)> {
    let word = text.split([' ', '\t']).next()?;
    let mut parts = word.split('.');
    let class = parts.next()?;
    let number = |part: &str| (part.len() <= 3).then(|| part.parse::<u16>().ok()).flatten();
    let (subject, detail) = (number(parts.next()?)?, number(parts.next()?)?);
    let class = class.parse::<u8>().ok().filter(|class| matches!(class, 2 | 4 | 5))?;
    (parts.next().is_none() && u16::from(class) == code / 100).then_some((class, Detail(subject, detail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_line_carries_code_and_status() {
        assert_eq!(wire(&Reply::new(250, (1, 0), "Ok")), "250 2.1.0 Ok\r\n");
        assert_eq!(wire(&Reply::plain(250, "host\nSIZE")), "250-host\r\n250 SIZE\r\n");
        let refused = Reply::new(554, (7, 1), "no").with_footer("call us\\nor not");
        assert_eq!(wire(&refused), "554-5.7.1 no\r\n554-5.7.1 call us\r\n554 5.7.1 or not\r\n");
        assert_eq!(
            wire(&Reply::new(554, (7, 1), "no").with_footer("\\c. call us")),
            "554 5.7.1 no. call us\r\n"
        );
    }

    #[test]
    fn nobody_writes_reply_lines_for_us() {
        assert_eq!(wire(&Reply::plain(550, "a\r250 ok")), "550 a?250 ok\r\n");
    }

    #[test]
    fn finds_enhanced_status_codes() {
        assert_eq!(status_of(550, "5.1.1 no"), Some((5, Detail(1, 1))));
        assert_eq!(status_of(550, "4.1.1 no"), None);
        assert_eq!(status_of(250, "2.0.0"), Some((2, Detail(0, 0))));
        assert_eq!(status_of(550, "5.1 no"), None);
        assert_eq!(status_of(550, "127.0.0.1 no"), None);
    }
}
