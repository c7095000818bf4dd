//! cdb files (D. J. Bernstein's constant data base), read and written: at most 4 GB, two disk reads a look-up.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

const TABLES: usize = 256;
const HEADER: u64 = 2048;

fn hash(key: &[u8]) -> u32 {
    key.iter().fold(5381, |h: u32, byte| h.wrapping_mul(33) ^ u32::from(*byte))
}

fn damaged() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "damaged cdb file")
}

/// An open file.
pub struct Reader {
    file: File,
    size: u64,
}

impl Reader {
    /// Opens a file.
    pub fn open(path: &Path) -> io::Result<Reader> {
        let file = conf::secrets::open(path)?;
        let size = file.metadata()?.len();
        if size < HEADER {
            return Err(damaged());
        }
        Ok(Reader { file, size })
    }

    fn pair(&self, at: u64) -> io::Result<(u32, u32)> {
        let mut pair = [0; 8];
        self.file.read_exact_at(&mut pair, at)?;
        let number = |half: &[u8]| half.try_into().map(u32::from_le_bytes).map_err(|_| damaged());
        Ok((number(&pair[..4])?, number(&pair[4..])?))
    }

    fn bytes(&self, at: u64, size: u32) -> io::Result<Vec<u8>> {
        if at + u64::from(size) > self.size {
            return Err(damaged());
        }
        let mut bytes = vec![0; size as usize];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    /// Looks a key up; the first row of that key.
    pub fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let hash = hash(key);
        let (table, slots) = self.pair(u64::from(hash % 256) * 8)?;
        let Some(first) = (hash >> 8).checked_rem(slots) else { return Ok(None) };
        if u64::from(table) + u64::from(slots) * 8 > self.size {
            return Err(damaged());
        }
        for n in 0..slots {
            let slot = (u64::from(first) + u64::from(n)) % u64::from(slots);
            let (found, at) = self.pair(u64::from(table) + slot * 8)?;
            if at == 0 {
                return Ok(None);
            }
            if found == hash {
                let at = u64::from(at);
                let (key_size, value_size) = self.pair(at)?;
                if key_size as usize == key.len() && self.bytes(at + 8, key_size)? == key {
                    return self.bytes(at + 8 + u64::from(key_size), value_size).map(Some);
                }
            }
        }
        Ok(None)
    }
}

/// Writes a file.
pub struct Writer {
    out: BufWriter<File>,
    at: u64,
    /// Hash and place of each row.
    rows: Vec<(u32, u32)>,
}

impl Writer {
    /// Starts a file, which must be empty.
    pub fn new(file: File) -> io::Result<Writer> {
        let mut out = BufWriter::with_capacity(1 << 18, file);
        out.write_all(&[0; HEADER as usize])?;
        Ok(Writer { out, at: HEADER, rows: Vec::new() })
    }

    /// Adds a row.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let too_large = || io::Error::new(ErrorKind::FileTooLarge, "a cdb file holds 4 GB at most");
        let place = u32::try_from(self.at).map_err(|_| too_large())?;
        let sizes = [key, value].map(|part| u32::try_from(part.len()).unwrap_or(u32::MAX));
        self.out.write_all(&sizes[0].to_le_bytes())?;
        self.out.write_all(&sizes[1].to_le_bytes())?;
        self.out.write_all(key)?;
        self.out.write_all(value)?;
        self.at += 8 + key.len() as u64 + value.len() as u64;
        if self.at > u64::from(u32::MAX) {
            return Err(too_large());
        }
        self.rows.push((hash(key), place));
        Ok(())
    }

    /// Writes the hash tables and makes the file durable.
    pub fn finish(mut self) -> io::Result<u64> {
        let mut header = Vec::with_capacity(HEADER as usize);
        let mut tables: Vec<Vec<(u32, u32)>> = vec![Vec::new(); TABLES];
        for row in &self.rows {
            tables[(row.0 % 256) as usize].push(*row);
        }
        for rows in tables {
            let mut slots = vec![(0, 0); rows.len() * 2];
            for (hash, place) in rows {
                let count = slots.len();
                let first = (hash >> 8) as usize % count;
                let free = (0..count).map(|n| (first + n) % count).find(|slot| slots[*slot].1 == 0);
                slots[free.expect("half of the slots stay free")] = (hash, place);
            }
            let place = u32::try_from(self.at)
                .map_err(|_| io::Error::new(ErrorKind::FileTooLarge, "a cdb file holds 4 GB at most"))?;
            header.extend_from_slice(&place.to_le_bytes());
            header.extend_from_slice(&(slots.len() as u32).to_le_bytes());
            for (hash, place) in &slots {
                self.out.write_all(&hash.to_le_bytes())?;
                self.out.write_all(&place.to_le_bytes())?;
            }
            self.at += slots.len() as u64 * 8;
        }
        let mut file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        file.write_all(&header)?;
        file.sync_data()?;
        Ok(self.rows.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(count: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = Writer::new(file.reopen().unwrap()).unwrap();
        for n in 0..count {
            writer.put(format!("key{n}").as_bytes(), format!("value {n}").as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        file
    }

    #[test]
    fn what_is_written_is_read() {
        let reader = Reader::open(build(1000).path()).unwrap();
        for n in 0..1000 {
            let value = reader.get(format!("key{n}").as_bytes()).unwrap();
            assert_eq!(value, Some(format!("value {n}").into_bytes()));
        }
        assert_eq!(reader.get(b"none").unwrap(), None);
        assert_eq!(Reader::open(build(0).path()).unwrap().get(b"none").unwrap(), None);
    }

    proptest::proptest! {
        #[test]
        fn damage_is_an_error_not_a_panic(holes in proptest::collection::vec((0usize..3000, 0u8..=255), 1..40), cut in 0usize..4000) {
            let mut bytes = std::fs::read(build(40).path()).unwrap();
            for (at, byte) in holes {
                if let Some(slot) = bytes.get_mut(at) {
                    *slot = byte;
                }
            }
            bytes.truncate(cut);
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &bytes).unwrap();
            if let Ok(reader) = Reader::open(file.path()) {
                for n in 0..40 {
                    let _ = reader.get(format!("key{n}").as_bytes());
                }
            }
        }
    }
}
