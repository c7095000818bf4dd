//! The fields of a header as IMAP sees them: up to the empty line, whatever stands between.

use memchr::memchr;

/// One field with its folding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    /// The name as written; empty for a line without a colon.
    pub(crate) name: &'a [u8],
    /// What follows the colon and its blanks, without the last line end.
    pub(crate) value: &'a [u8],
    /// The whole field with its line ends.
    pub(crate) raw: &'a [u8],
}

impl Field<'_> {
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value without its line ends.
    pub(crate) fn unfolded(&self) -> Vec<u8> {
        unfold(self.value)
    }
}

/// Removes line ends; the blanks behind them stay.
pub(crate) fn unfold(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = memchr(b'\n', rest) {
        let line = &rest[..at];
        out.extend(line.strip_suffix(b"\r").unwrap_or(line));
        rest = &rest[at + 1..];
    }
    out.extend(rest);
    out
}

/// The fields of a header (bytes up to and with the empty line, which is no field).
pub(crate) fn fields(header: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut rest = header;
    std::iter::from_fn(move || {
        if rest.is_empty() || mail::header::trim_line_end(mail::header::next_line(rest)).is_empty() {
            return None;
        }
        let mut len = mail::header::next_line(rest).len();
        while matches!(rest.get(len), Some(b' ' | b'\t')) {
            len += mail::header::next_line(&rest[len..]).len();
        }
        let (raw, after) = rest.split_at(len);
        rest = after;
        Some(field(raw))
    })
}

fn field(raw: &[u8]) -> Field<'_> {
    let text = mail::header::trim_line_end(raw);
    let first = mail::header::trim_line_end(mail::header::next_line(raw));
    match memchr(b':', first) {
        Some(colon) => {
            let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
            let value = &text[colon + 1..];
            // Of nothing but blanks, all but the first are the value.
            let start = value.iter().position(|byte| !blank(byte)).unwrap_or(value.len().min(1));
            let name = first[..colon].trim_ascii_end();
            Field { name, value: &value[start..], raw }
        }
        None => Field { name: b"", value: text, raw },
    }
}
