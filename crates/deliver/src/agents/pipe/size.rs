//! The size of a message as `${size}` and `size=` count it: that of its records in a queue file of Postfix, in which
//! a line takes a byte for its kind and one or more for its length, and none for its end.

use mail::{Refusal, Trouble};
use queue::Body;

use crate::mailbox::crew::Crew;

/// Bytes of the records of this content.
pub async fn of(content: &Body, crew: &Crew) -> Result<u64, Refusal> {
    if let Some(bytes) = content.in_memory() {
        let mut lines = Lines::default();
        lines.add(bytes);
        return Ok(lines.end());
    }
    let content = content.clone();
    let counted = crew.run(move || {
        let mut lines = Lines::default();
        for chunk in content.chunks() {
            lines.add(&chunk?);
        }
        Ok::<u64, queue::Failure>(lines.end())
    });
    let counted = counted.await.ok_or_else(|| Trouble::new("the count of the queued content died"))?;
    Ok(counted.map_err(|error| Trouble::from_error("read the queued content", error))?)
}

/// Counts while content goes by.
#[derive(Default)]
struct Lines {
    total: u64,
    /// Length of the line that has not ended yet.
    line: u64,
}

impl Lines {
    fn add(&mut self, content: &[u8]) {
        for piece in content.split_inclusive(|byte| *byte == b'\n') {
            match piece.split_last() {
                Some((b'\n', text)) => {
                    self.line += text.len() as u64;
                    self.end_line();
                }
                _ => self.line += piece.len() as u64,
            }
        }
    }

    fn end_line(&mut self) {
        self.total += self.line + record_head(self.line);
        self.line = 0;
    }

    fn end(mut self) -> u64 {
        if self.line > 0 {
            self.end_line();
        }
        self.total
    }
}

/// The kind, and the length in groups of seven bits.
fn record_head(mut len: u64) -> u64 {
    let mut bytes = 2;
    while len >= 128 {
        len >>= 7;
        bytes += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_two_bytes_more_and_a_long_one_three() {
        let count = |pieces: &[&[u8]]| {
            let mut lines = Lines::default();
            pieces.iter().for_each(|piece| lines.add(piece));
            lines.end()
        };
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&[b"a\n\nbc\n"]), 3 + 2 + 4);
        assert_eq!(count(&[b"a", b"b\nc", b"d"]), 4 + 4);
        let long = [vec![b'x'; 128], vec![b'\n']].concat();
        assert_eq!(count(&[&long]), 128 + 3);
        assert_eq!(count(&[&long[1..]]), 127 + 2);
    }
}
