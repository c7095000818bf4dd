//! Stored lines end in LF or CRLF; on the wire all end in CRLF. Sizes and ranges are those of the wire.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr_iter};

use crate::Size;

/// The size of stored text. `wire` is its size with CRLF line ends.
pub fn size(stored: &[u8]) -> Size {
    let (mut lines, mut bare) = (0, 0);
    for at in memchr_iter(b'\n', stored) {
        lines += 1;
        bare += u64::from(at == 0 || stored[at - 1] != b'\r');
    }
    Size { stored: stored.len() as u64, wire: stored.len() as u64 + bare, lines }
}

/// Stored text with CRLF line ends; borrowed when it has them already.
pub fn wire(stored: &[u8]) -> Cow<'_, [u8]> {
    let size = size(stored);
    if size.wire == size.stored {
        return Cow::Borrowed(stored);
    }
    let mut out = Vec::with_capacity(size.wire as usize);
    Converter::default().push(stored, &mut out);
    Cow::Owned(out)
}

/// The bytes `range` of stored text with CRLF line ends; fewer at its end. Nothing is converted before the range.
pub fn slice(stored: &[u8], range: Range<u64>) -> Cow<'_, [u8]> {
    let Some(start) = seek(stored, range.start) else { return Cow::Borrowed(b"") };
    let len = range.end.saturating_sub(range.start) as usize;
    // The LF whose CR lies before the range.
    let half = start.within;
    let mut out = Vec::with_capacity(len.min(stored.len() - start.offset) + 2);
    let enough = stored.len().min(start.offset.saturating_add(len).saturating_add(1));
    let mut converter = Converter { after_cr: start.offset > 0 && stored[start.offset - 1] == b'\r' };
    converter.push(&stored[start.offset..enough], &mut out);
    if half {
        out.remove(0);
    }
    out.truncate(len);
    Cow::Owned(out)
}

/// A place in stored text, found by its offset on the wire.
struct Place {
    offset: usize,
    /// Between the CR that is not stored and its LF.
    within: bool,
}

fn seek(stored: &[u8], wire: u64) -> Option<Place> {
    let (mut at, mut passed) = (0, 0_u64);
    loop {
        let rest = &stored[at..];
        let line = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let bare = rest[..line].ends_with(b"\n") && !rest[..line].ends_with(b"\r\n");
        let len = line as u64 + u64::from(bare);
        let wanted = wire - passed;
        if wanted < len {
            let within = bare && wanted == len - 1;
            return Some(Place { offset: at + wanted as usize - usize::from(within), within });
        }
        if line == rest.len() {
            return None;
        }
        at += line;
        passed += len;
    }
}

/// Converts text that comes piece by piece.
#[derive(Clone, Copy, Debug, Default)]
pub struct Converter {
    after_cr: bool,
}

impl Converter {
    /// Appends the next piece to `out` with CRLF line ends.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut from = 0;
        for at in memchr_iter(b'\n', piece) {
            let has_cr = if at == 0 { self.after_cr } else { piece[at - 1] == b'\r' };
            if !has_cr {
                out.extend(&piece[from..at]);
                out.push(b'\r');
                from = at;
            }
        }
        out.extend(&piece[from..]);
        if let Some(last) = piece.last() {
            self.after_cr = *last == b'\r';
        }
    }
}
