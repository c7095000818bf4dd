//! Quoted-printable. What is no escape stays as it is; blanks at line ends are dropped.

/// Holds what cannot be judged before more has come: an escape, or blanks.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    held: Vec<u8>,
}

/// Blanks held back; a longer run is text.
const BLANKS: usize = 1000;

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

impl Decoder {
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        for byte in piece {
            self.byte(*byte, out);
        }
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        match (self.held.first(), byte) {
            (None, b'=' | b' ' | b'\t' | b'\r') => self.held.push(byte),
            (None, byte) => out.push(byte),
            (Some(b'='), byte) => self.escape(byte, out),
            // Blanks, perhaps with a CR behind them.
            (Some(_), b'\n') => {
                let crlf = self.held.last() == Some(&b'\r');
                self.held.clear();
                out.extend(if crlf { &b"\r\n"[..] } else { b"\n" });
            }
            (Some(_), b' ' | b'\t' | b'\r')
                if self.held.len() < BLANKS && self.held.last() != Some(&b'\r') =>
            {
                self.held.push(byte);
            }
            (Some(_), byte) => self.give_up(byte, out),
        }
    }

    /// What was held is text after all.
    fn give_up(&mut self, byte: u8, out: &mut Vec<u8>) {
        out.append(&mut self.held);
        self.byte(byte, out);
    }

    fn escape(&mut self, byte: u8, out: &mut Vec<u8>) {
        match (&self.held[1..], byte) {
            // A soft line break, perhaps with blanks behind the sign.
            (_, b'\n') if self.held[1..].iter().all(|held| matches!(held, b' ' | b'\t' | b'\r')) => {
                self.held.clear()
            }
            ([] | [.., b' ' | b'\t'], b' ' | b'\t' | b'\r') if self.held.len() < BLANKS => {
                self.held.push(byte)
            }
            ([], byte) if hex(byte).is_some() => self.held.push(byte),
            ([high], byte) => match (hex(*high), hex(byte)) {
                (Some(high), Some(low)) => {
                    self.held.clear();
                    out.push(high << 4 | low);
                }
                _ => self.give_up(byte, out),
            },
            _ => self.give_up(byte, out),
        }
    }

    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        // A sign at the very end was a soft line break.
        if self.held != b"=" && self.held.first() == Some(&b'=') {
            out.append(&mut self.held);
        }
    }
}
