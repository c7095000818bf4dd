//! 7z: the names at its end, as 7zFormat.txt describes them. Contents are not unpacked.

use std::io::{Read, SeekFrom};

use lzma_rust2::{Lzma2Reader, LzmaReader};

use super::{Disk, File, Spending, State, Stop, bare, within};

/// Bytes of the list, packed or not.
const LIST: u64 = 4 << 20;

/// Largest dictionary that is made room for.
const DICTIONARY: u32 = 16 << 20;

/// Folders, coders, streams: more of them are nonsense.
const MANY: u64 = 1 << 16;

const LZMA: &[u8] = &[3, 1, 1];
const LZMA2: &[u8] = &[0x21];
const COPY: &[u8] = &[0];
const AES: &[u8] = &[6, 0xf1, 7, 1];

pub(super) fn list(
    spending: &mut Spending,
    disk: &mut dyn Disk,
    path: &str,
) -> Result<Result<(), State>, Stop> {
    let (names, encrypted) = match names(disk) {
        Ok(found) => found,
        Err(state) => return Ok(Err(state)),
    };
    for name in names {
        let name = bare(&name);
        let state = encrypted.then_some(State::Encrypted);
        spending.add(File { path: within(path, &name), name, state, ..File::default() })?;
    }
    Ok(Ok(()))
}

/// The names, and whether the contents need a password.
fn names(disk: &mut dyn Disk) -> Result<(Vec<String>, bool), State> {
    let mut head = [0; 32];
    let unreadable = |_| State::Unreadable;
    disk.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    disk.read_exact(&mut head).map_err(unreadable)?;
    let mut cursor = Cursor(&head[12..]);
    let (offset, size) = (cursor.fixed(8)?, cursor.fixed(8)?);
    if size == 0 {
        return Ok((Vec::new(), false));
    }
    let mut list = read(disk, offset, size)?;
    // A list may be packed, and that of its packing, too: once is what programs do.
    if list.first() == Some(&0x17) {
        let streams = Cursor(&list[1..]).streams()?;
        list = unpack(disk, &streams)?;
    }
    let mut cursor = Cursor(&list);
    if cursor.byte()? != 1 {
        return Err(State::Unreadable);
    }
    let mut encrypted = false;
    loop {
        match cursor.byte()? {
            2 => cursor.properties()?,
            3 | 4 => encrypted |= cursor.streams()?.coders.iter().any(|coder| coder.id == AES),
            5 => return Ok((cursor.files()?, encrypted)),
            // Nothing in it.
            0 => return Ok((Vec::new(), encrypted)),
            _ => return Err(State::Unreadable),
        }
    }
}

fn read(disk: &mut dyn Disk, offset: u64, size: u64) -> Result<Vec<u8>, State> {
    let at = offset.checked_add(32).filter(|_| size <= LIST).ok_or(State::Unreadable)?;
    let mut bytes = Vec::new();
    disk.seek(SeekFrom::Start(at)).map_err(|_| State::Unreadable)?;
    disk.take(size).read_to_end(&mut bytes).map_err(|_| State::Unreadable)?;
    if bytes.len() as u64 == size { Ok(bytes) } else { Err(State::Unreadable) }
}

fn unpack(disk: &mut dyn Disk, streams: &Streams) -> Result<Vec<u8>, State> {
    if streams.coders.iter().any(|coder| coder.id == AES) {
        return Err(State::Encrypted);
    }
    let ([coder], [packed], Some(size)) = (&streams.coders[..], &streams.packed[..], streams.unpacked.last())
    else {
        return Err(State::Unreadable);
    };
    let (packed, size) = (read(disk, streams.offset, *packed)?, *size);
    if size > LIST {
        return Err(State::Unreadable);
    }
    let props = &coder.properties;
    let mut out = Vec::new();
    let unpacked = match coder.id.as_slice() {
        COPY => return Ok(packed),
        LZMA if props.len() == 5 => {
            let dictionary = u32::from_le_bytes([props[1], props[2], props[3], props[4]]);
            if dictionary > DICTIONARY {
                return Err(State::Unreadable);
            }
            let reader = LzmaReader::new_with_props(packed.as_slice(), size, props[0], dictionary, None);
            reader.and_then(|reader| reader.take(size).read_to_end(&mut out))
        }
        LZMA2 if props.len() == 1 && props[0] <= 40 => {
            let bits = u32::from(props[0]);
            let dictionary = (2 | (bits & 1)).checked_shl(bits / 2 + 11).unwrap_or(u32::MAX);
            if dictionary > DICTIONARY {
                return Err(State::Unreadable);
            }
            Lzma2Reader::new(packed.as_slice(), dictionary, None).take(size).read_to_end(&mut out)
        }
        _ => return Err(State::Unreadable),
    };
    if unpacked.is_ok() && out.len() as u64 == size { Ok(out) } else { Err(State::Unreadable) }
}

#[derive(Default)]
struct Coder {
    id: Vec<u8>,
    properties: Vec<u8>,
}

/// Where streams lie and how they are packed.
#[derive(Default)]
struct Streams {
    offset: u64,
    packed: Vec<u64>,
    unpacked: Vec<u64>,
    coders: Vec<Coder>,
    /// Unpacked streams of each folder.
    outs: Vec<u64>,
}

/// The list, as far as it is read.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn bytes(&mut self, len: u64) -> Result<&'a [u8], State> {
        let len = usize::try_from(len).map_err(|_| State::Unreadable)?;
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(State::Unreadable)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, State> {
        Ok(self.bytes(1)?[0])
    }

    fn fixed(&mut self, len: u64) -> Result<u64, State> {
        Ok(self.bytes(len)?.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    /// A number whose first byte says by its leading ones how many follow.
    fn number(&mut self) -> Result<u64, State> {
        let first = self.byte()?;
        let more = first.leading_ones().min(8);
        let low = self.fixed(more.into())?;
        let high = if more >= 7 { 0 } else { u64::from(first) & ((1 << (7 - more)) - 1) };
        Ok(low | high << (8 * more).min(63))
    }

    fn count(&mut self) -> Result<u64, State> {
        self.number().and_then(|number| if number > MANY { Err(State::Unreadable) } else { Ok(number) })
    }

    fn properties(&mut self) -> Result<(), State> {
        while self.byte()? != 0 {
            let size = self.number()?;
            self.bytes(size)?;
        }
        Ok(())
    }

    /// Checksums of `count` streams.
    fn digests(&mut self, count: u64) -> Result<(), State> {
        let mut defined = count;
        if self.byte()? == 0 {
            let bits = self.bytes(count.div_ceil(8))?;
            defined = bits.iter().map(|byte| u64::from(byte.count_ones())).sum();
        }
        self.bytes(defined.checked_mul(4).ok_or(State::Unreadable)?)?;
        Ok(())
    }

    fn streams(&mut self) -> Result<Streams, State> {
        let mut streams = Streams::default();
        loop {
            match self.byte()? {
                0 => return Ok(streams),
                6 => self.packed(&mut streams)?,
                7 => self.folders(&mut streams)?,
                8 => self.substreams(&streams)?,
                _ => return Err(State::Unreadable),
            }
        }
    }

    fn packed(&mut self, streams: &mut Streams) -> Result<(), State> {
        streams.offset = self.number()?;
        let count = self.count()?;
        loop {
            match self.byte()? {
                0 => return Ok(()),
                9 => {
                    for _ in 0..count {
                        streams.packed.push(self.number()?);
                    }
                }
                10 => self.digests(count)?,
                _ => return Err(State::Unreadable),
            }
        }
    }

    fn folders(&mut self, streams: &mut Streams) -> Result<(), State> {
        if self.byte()? != 11 {
            return Err(State::Unreadable);
        }
        let folders = self.count()?;
        if self.byte()? != 0 {
            return Err(State::Unreadable);
        }
        for _ in 0..folders {
            let outs = self.folder(&mut streams.coders)?;
            streams.outs.push(outs);
        }
        loop {
            match self.byte()? {
                0 => return Ok(()),
                12 => {
                    for _ in 0..streams.outs.iter().sum::<u64>() {
                        streams.unpacked.push(self.number()?);
                    }
                }
                10 => self.digests(folders)?,
                _ => return Err(State::Unreadable),
            }
        }
    }

    /// One chain of coders; gives how many streams come out of them.
    fn folder(&mut self, coders: &mut Vec<Coder>) -> Result<u64, State> {
        let count = self.count()?;
        let (mut ins, mut outs) = (0_u64, 0_u64);
        for _ in 0..count {
            let flags = self.byte()?;
            let mut coder = Coder { id: self.bytes((flags & 15).into())?.to_vec(), ..Coder::default() };
            let (own_ins, own_outs) = if flags & 16 != 0 { (self.count()?, self.count()?) } else { (1, 1) };
            (ins, outs) = (ins + own_ins, outs + own_outs);
            if flags & 32 != 0 {
                let size = self.number()?;
                coder.properties = self.bytes(size)?.to_vec();
            }
            if flags & 128 != 0 || ins > MANY || outs > MANY {
                return Err(State::Unreadable);
            }
            coders.push(coder);
        }
        let pairs = outs.saturating_sub(1);
        for _ in 0..pairs * 2 {
            self.number()?;
        }
        let left = ins.checked_sub(pairs).ok_or(State::Unreadable)?;
        if left > 1 {
            for _ in 0..left {
                self.number()?;
            }
        }
        Ok(outs)
    }

    fn substreams(&mut self, streams: &Streams) -> Result<(), State> {
        let mut counts = vec![1; streams.outs.len()];
        loop {
            match self.byte()? {
                0 => return Ok(()),
                13 => {
                    for count in &mut counts {
                        *count = self.count()?;
                    }
                }
                9 => {
                    for count in &counts {
                        for _ in 1..*count {
                            self.number()?;
                        }
                    }
                }
                10 => self.digests_of_substreams(&counts)?,
                _ => return Err(State::Unreadable),
            }
        }
    }

    /// Those of folders with one stream may stand with the folder: both numbers are tried, and what follows decides.
    fn digests_of_substreams(&mut self, counts: &[u64]) -> Result<(), State> {
        let all: u64 = counts.iter().sum();
        let several: u64 = counts.iter().filter(|count| **count != 1).sum();
        for count in [all, several] {
            let mut trial = Cursor(self.0);
            if trial.digests(count).is_ok() && trial.0.starts_with(&[0, 5]) {
                self.0 = trial.0;
                return Ok(());
            }
        }
        self.digests(all)
    }

    fn files(&mut self) -> Result<Vec<String>, State> {
        let count = self.number()?;
        let mut names = Vec::new();
        loop {
            let kind = self.byte()?;
            if kind == 0 {
                let whole = names.len() as u64 == count;
                return if whole { Ok(names) } else { Err(State::Unreadable) };
            }
            let size = self.number()?;
            let bytes = self.bytes(size)?;
            if kind == 17 {
                let (external, text) = bytes.split_first().ok_or(State::Unreadable)?;
                if *external != 0 {
                    return Err(State::Unreadable);
                }
                let units: Vec<u16> =
                    text.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
                let text = String::from_utf16_lossy(&units);
                names = text.split_terminator('\0').map(str::to_owned).collect();
            }
        }
    }
}
