//! Pages of a Berkeley DB file: byte order, header, overflow chains.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

const HEADER: usize = 26;
const OVERFLOW: u8 = 7;
/// A value longer than this is damage, not data.
const ITEM_MAX: u32 = 64 << 20;

pub(super) fn damaged(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("damaged Berkeley DB file: {what}"))
}

/// An open file whose byte order and page size are known.
pub(super) struct File {
    file: fs::File,
    swapped: bool,
    page_size: usize,
    pages: u32,
}

/// One page.
pub(super) struct Page {
    bytes: Vec<u8>,
    swapped: bool,
}

impl File {
    /// Opens a file and reads its meta page, whose magic number must be one of `magics`.
    pub fn open(path: &Path, magics: &[u32]) -> io::Result<(File, Page, u32)> {
        let file = conf::secrets::open(path)?;
        let size = file.metadata()?.len();
        let mut head = vec![0; 512];
        file.read_exact_at(&mut head, 0).map_err(|_| damaged("too short"))?;
        let mut meta = Page { bytes: head, swapped: false };
        let mut magic = meta.u32(12)?;
        if !magics.contains(&magic) {
            meta.swapped = true;
            magic = meta.u32(12)?;
        }
        if !magics.contains(&magic) {
            return Err(damaged("no Berkeley DB header"));
        }
        let page_size = meta.u32(20)? as usize;
        if !(8..=10).contains(&meta.u32(16)?) {
            return Err(super::unsupported("this version of the format"));
        }
        if meta.bytes[24] != 0 || meta.bytes[26] & 1 != 0 {
            return Err(super::unsupported("encryption or checksums"));
        }
        if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
            return Err(damaged("page size"));
        }
        let pages = u32::try_from(size / page_size as u64).unwrap_or(u32::MAX);
        Ok((File { file, swapped: meta.swapped, page_size, pages }, meta, magic))
    }

    pub fn pages(&self) -> u32 {
        self.pages
    }

    pub fn page(&self, number: u32) -> io::Result<Page> {
        if number >= self.pages {
            return Err(damaged("page number"));
        }
        let mut bytes = vec![0; self.page_size];
        self.file.read_exact_at(&mut bytes, u64::from(number) * self.page_size as u64)?;
        Ok(Page { bytes, swapped: self.swapped })
    }

    /// An item of `size` bytes on a chain of overflow pages.
    pub fn overflow(&self, first: u32, size: u32) -> io::Result<Vec<u8>> {
        if size > ITEM_MAX {
            return Err(damaged("item size"));
        }
        let mut item = Vec::new();
        let mut number = first;
        while number != 0 && item.len() < size as usize {
            let page = self.page(number)?;
            let used = usize::from(page.u16(22)?);
            if page.kind() != OVERFLOW || used == 0 {
                return Err(damaged("overflow page"));
            }
            item.extend_from_slice(page.slice(HEADER, used)?);
            number = page.next()?;
        }
        if item.len() != size as usize {
            return Err(damaged("overflow chain"));
        }
        Ok(item)
    }
}

impl Page {
    pub fn slice(&self, at: usize, size: usize) -> io::Result<&[u8]> {
        self.bytes.get(at..at.saturating_add(size)).ok_or_else(|| damaged("offset out of page"))
    }

    pub fn u8(&self, at: usize) -> io::Result<u8> {
        self.bytes.get(at).copied().ok_or_else(|| damaged("offset out of page"))
    }

    pub fn u16(&self, at: usize) -> io::Result<u16> {
        let slice = self.slice(at, 2)?;
        let value = u16::from_ne_bytes([slice[0], slice[1]]);
        Ok(if self.swapped { value.swap_bytes() } else { value })
    }

    pub fn u32(&self, at: usize) -> io::Result<u32> {
        let slice = self.slice(at, 4)?;
        let value = u32::from_ne_bytes([slice[0], slice[1], slice[2], slice[3]]);
        Ok(if self.swapped { value.swap_bytes() } else { value })
    }

    pub fn kind(&self) -> u8 {
        self.bytes[25]
    }

    pub fn next(&self) -> io::Result<u32> {
        self.u32(16)
    }

    /// How many items.
    pub fn entries(&self) -> io::Result<usize> {
        self.u16(20).map(usize::from)
    }

    /// Where an item begins.
    pub fn item(&self, index: usize) -> io::Result<usize> {
        self.u16(HEADER + 2 * index).map(usize::from)
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}
