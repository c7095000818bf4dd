//! Base64 whose line lengths, padding and stray characters do not matter.

/// The value of each letter; 64 is no letter, 65 is padding.
const VALUES: [u8; 256] = {
    let mut values = [64; 256];
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut at = 0;
    while at < letters.len() {
        values[letters[at] as usize] = at as u8;
        at += 1;
    }
    values[b'=' as usize] = 65;
    values
};

/// Up to three letters wait for their fourth.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    bits: u32,
    letters: u8,
}

impl Decoder {
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        out.reserve(piece.len() / 4 * 3);
        for byte in piece {
            match VALUES[usize::from(*byte)] {
                64 => {}
                // Text may go on behind padding: several encoded texts in a row.
                65 => self.flush(out),
                value => {
                    self.bits = self.bits << 6 | u32::from(value);
                    self.letters += 1;
                    if self.letters == 4 {
                        out.extend(&self.bits.to_be_bytes()[1..]);
                        (self.bits, self.letters) = (0, 0);
                    }
                }
            }
        }
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        let bits = self.bits << (6 * (4 - u32::from(self.letters)));
        let whole = usize::from(self.letters) * 6 / 8;
        out.extend(&bits.to_be_bytes()[1..1 + whole]);
        (self.bits, self.letters) = (0, 0);
    }

    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        self.flush(out);
    }
}
