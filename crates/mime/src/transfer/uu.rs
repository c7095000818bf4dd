//! Uuencode: lines of a length letter and sixes of bits, from `begin` to `end`.

/// More than the longest line there is.
const LINE: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Decoder {
    line: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Before,
    Within,
    After,
}

impl Decoder {
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        for byte in piece {
            if *byte == b'\n' {
                self.line(out);
            } else if self.line.len() < LINE {
                self.line.push(*byte);
            }
        }
    }

    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        self.line(out);
    }

    fn line(&mut self, out: &mut Vec<u8>) {
        let line = self.line.trim_ascii_end();
        match self.state {
            State::Before if line.starts_with(b"begin ") => self.state = State::Within,
            State::Within if line == b"end" => self.state = State::After,
            State::Within => data(line, out),
            State::Before | State::After => {}
        }
        self.line.clear();
    }
}

fn data(line: &[u8], out: &mut Vec<u8>) {
    let value = |byte: u8| byte.wrapping_sub(b' ') & 63;
    let Some((count, letters)) = line.split_first() else { return };
    let end = out.len() + usize::from(value(*count));
    for four in letters.chunks(4) {
        let at = |index: usize| u32::from(value(four.get(index).copied().unwrap_or(b' ')));
        let bits = at(0) << 18 | at(1) << 12 | at(2) << 6 | at(3);
        out.extend(&bits.to_be_bytes()[1..]);
    }
    // Blanks at the end of the line may have been lost on the way.
    out.resize(end, 0);
}
