//! Records: type, length, bytes.

use std::io::{self, BufRead, Seek, SeekFrom, Write};

/// Longest record believed: headers and recipients are far shorter.
const LONGEST: u64 = 1 << 20;

/// Pointers followed in one file. A file that has more goes in circles.
const JUMPS: u32 = 100_000;

/// Types of records, by the letter that stands for them in the file.
pub(super) mod kind {
    pub const SIZE: u8 = b'C';
    pub const TIME: u8 = b'T';
    pub const ATTRIBUTE: u8 = b'A';
    pub const FULL_NAME: u8 = b'F';
    pub const SENDER: u8 = b'S';
    pub const ORIGINAL: u8 = b'O';
    pub const RECIPIENT: u8 = b'R';
    pub const DONE: u8 = b'D';
    /// A recipient that a milter took back.
    pub const CANCELLED: u8 = b'/';
    /// In the envelope: `content_filter`. In the content: a line that goes on in the next record.
    pub const FILTER_OR_PART: u8 = b'L';
    pub const VERP: u8 = b'V';
    /// The one address that replaces all recipients (a REDIRECT action).
    pub const REDIRECT: u8 = b'>';
    pub const CONTENT: u8 = b'M';
    pub const LINE: u8 = b'N';
    /// Where to read on.
    pub const POINTER: u8 = b'p';
    pub const EXTRACTED: u8 = b'X';
    pub const END: u8 = b'E';
    /// Those that say nothing that is needed later: room for changes, flags of cleanup(8), the time of the delay
    /// warning, and fields of old versions.
    pub const IDLE: &[u8] = b"wcfmWIreP";
}

/// One record.
#[derive(Debug)]
pub(super) struct Record {
    pub kind: u8,
    pub data: Vec<u8>,
    /// Where it begins in the file.
    pub at: u64,
}

/// Reads records, following pointers.
pub(super) struct Records<R> {
    input: R,
    at: u64,
    jumps: u32,
}

impl<R: BufRead + Seek> Records<R> {
    pub fn new(input: R) -> Records<R> {
        Records { input, at: 0, jumps: 0 }
    }

    /// The next record that is no pointer. What is wrong is said with its place.
    pub fn next(&mut self) -> Result<Record, String> {
        loop {
            let record = self.plain()?;
            if record.kind != kind::POINTER {
                return Ok(record);
            }
            let target = std::str::from_utf8(&record.data).ok().and_then(|text| text.trim().parse().ok());
            let target: u64 = target.ok_or_else(|| format!("bad pointer at byte {}", record.at))?;
            // A pointer to nowhere is room for one that may be needed later.
            if target == 0 {
                continue;
            }
            self.jumps += 1;
            if self.jumps > JUMPS {
                return Err(format!("the pointers go in circles at byte {}", record.at));
            }
            self.input.seek(SeekFrom::Start(target)).map_err(|error| self.failed(&error))?;
            self.at = target;
        }
    }

    fn plain(&mut self) -> Result<Record, String> {
        let at = self.at;
        let kind = self.byte()?;
        let mut len = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            len |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            if shift == 28 {
                return Err(format!("bad record length at byte {at}"));
            }
        }
        if len > LONGEST {
            return Err(format!("bad record length at byte {at}"));
        }
        let mut data = vec![0; len as usize];
        self.input.read_exact(&mut data).map_err(|error| self.failed(&error))?;
        self.at += len;
        Ok(Record { kind, data, at })
    }

    fn byte(&mut self) -> Result<u8, String> {
        let mut byte = [0];
        self.input.read_exact(&mut byte).map_err(|error| self.failed(&error))?;
        self.at += 1;
        Ok(byte[0])
    }

    fn failed(&self, error: &io::Error) -> String {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("cut off at byte {}", self.at),
            _ => format!("byte {}: {error}", self.at),
        }
    }
}

/// Writes one record.
pub(super) fn write(out: &mut impl Write, kind: u8, data: &[u8]) -> io::Result<()> {
    let mut head = vec![kind];
    let mut len = data.len();
    loop {
        let low = (len & 0x7F) as u8;
        len >>= 7;
        if len == 0 {
            head.push(low);
            break;
        }
        head.push(low | 0x80);
    }
    out.write_all(&head)?;
    out.write_all(data)
}
