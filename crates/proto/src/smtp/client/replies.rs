//! Replies come in: lines, continuation, limits. RFC 5321 4.2.

use crate::smtp::reply::{Received, status_of};

/// Lines of one reply that are kept; more are dropped. No sane server says more.
const LINES_KEPT: usize = 200;
/// Bytes of one reply after which the server is not worth listening to.
const REPLY_LIMIT: usize = 256 * 1024;

/// Cuts the stream into replies.
#[derive(Debug, Default)]
pub(super) struct Replies {
    input: Vec<u8>,
    scanned: usize,
    overlong: Option<Vec<u8>>,
    reply: Received,
    bytes: usize,
}

impl Replies {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    pub(super) fn clear(&mut self) {
        *self = Replies::default();
    }

    /// The next whole reply. The error says what the server said instead.
    pub(super) fn next(&mut self, line_limit: usize) -> Result<Option<Received>, String> {
        loop {
            let Some(line) = self.line(line_limit) else {
                if self.bytes + self.input.len() > REPLY_LIMIT {
                    return Err("endless reply".to_owned());
                }
                return Ok(None);
            };
            self.bytes += line.len();
            let text: String = String::from_utf8_lossy(&line)
                .chars()
                .map(|c| if c.is_control() || c == char::REPLACEMENT_CHARACTER { '?' } else { c })
                .collect();
            let Some((code, more)) = head(line.as_slice()) else {
                return Err(text);
            };
            if self.reply.status.is_none() {
                self.reply.status = text.get(4..).and_then(|text| status_of(code, text));
            }
            if self.reply.lines.len() < LINES_KEPT {
                self.reply.lines.push(text);
            }
            if self.bytes > REPLY_LIMIT {
                return Err("endless reply".to_owned());
            }
            if !more {
                // As in Postfix, the last line decides.
                self.reply.code = code;
                self.bytes = 0;
                return Ok(Some(std::mem::take(&mut self.reply)));
            }
        }
    }

    fn line(&mut self, limit: usize) -> Option<Vec<u8>> {
        let Some(found) = memchr::memchr(b'\n', &self.input[self.scanned..]) else {
            self.scanned = self.input.len();
            if self.input.len() > limit.max(4) || self.overlong.is_some() {
                let input = std::mem::take(&mut self.input);
                self.bytes += input.len();
                self.overlong.get_or_insert_with(|| input[..limit.max(4)].to_vec());
                self.scanned = 0;
            }
            return None;
        };
        let end = self.scanned + found;
        let mut line: Vec<u8> = self.input.drain(..=end).collect();
        self.scanned = 0;
        line.pop();
        while line.last() == Some(&b'\r') {
            line.pop();
        }
        let mut line = self.overlong.take().unwrap_or(line);
        line.truncate(limit.max(4));
        Some(line)
    }
}

/// The code, and whether more lines follow.
fn head(line: &[u8]) -> Option<(u16, bool)> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest.first() {
        None | Some(b' ') => Some((code, false)),
        Some(b'-') => Some((code, true)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use mail::Detail;

    use super::*;

    fn all(pieces: &[&[u8]]) -> Result<Vec<Received>, String> {
        let (mut replies, mut found) = (Replies::default(), Vec::new());
        for piece in pieces {
            replies.feed(piece);
            while let Some(reply) = replies.next(20)? {
                found.push(reply);
            }
        }
        Ok(found)
    }

    #[test]
    fn reads_replies_however_they_are_cut() {
        let wire = b"250-a\r\n250-5.0.0 x\r\n250 2.1.0 Ok\n550\r\n421 4.3.2 far too long for this\r\n";
        for at in 0..wire.len() {
            let (a, b) = wire.split_at(at);
            let found = all(&[a, b]).unwrap();
            assert_eq!(found.len(), 3, "cut at {at}");
            assert_eq!(found[0].status, Some((2, Detail(1, 0))));
            assert_eq!(found[0].text(), "250-a 250-5.0.0 x 250 2.1.0 Ok");
            assert_eq!((found[1].code, found[1].lines[0].as_str()), (550, "550"));
            assert_eq!(found[2].text(), "421 4.3.2 far too lo");
        }
    }

    #[test]
    fn refuses_nonsense_and_endless_replies() {
        assert_eq!(all(&[b"hello\r\n"]), Err("hello".to_owned()));
        assert_eq!(all(&[b"250_x\r\n"]), Err("250_x".to_owned()));
        assert_eq!(all(&[b"12\r\n"]), Err("12".to_owned()));
        let line = b"250-more\r\n".repeat(1000);
        let endless: Vec<&[u8]> = std::iter::repeat_n(line.as_slice(), 100).collect();
        assert_eq!(all(&endless), Err("endless reply".to_owned()));
        let dribble = vec![b'2'; 10_000];
        let endless: Vec<&[u8]> = std::iter::repeat_n(dribble.as_slice(), 100).collect();
        assert_eq!(all(&endless), Err("endless reply".to_owned()));
    }
}
