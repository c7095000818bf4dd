//! Writing: rows come in key order, pages are filled one after the other, so building is one pass.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

use super::*;

const PAGE: usize = 4096;
/// Largest node; two must fit on a page. Longer data go to overflow pages.
const NODE_MAX: usize = (((PAGE - HEADER) / 2) & !1) - 2;
/// Longest key, with the NUL that may end it. (The library's own limit is 511 unless built otherwise.)
pub const KEY_MAX: usize = NODE_MAX - 8 - 8 - 2;

/// Writes a file from sorted rows.
pub struct Writer {
    out: BufWriter<File>,
    next_page: u64,
    /// Pages being filled, leaves first.
    levels: Vec<Page>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    branches: u64,
    leaves: u64,
    overflows: u64,
    entries: u64,
}

struct Page {
    flags: u16,
    nodes: Vec<(usize, usize)>,
    bytes: Vec<u8>,
    /// The first key of the page: what the level above calls it by.
    first: Vec<u8>,
}

impl Page {
    fn new(flags: u16) -> Page {
        Page { flags, nodes: Vec::with_capacity(128), bytes: Vec::with_capacity(PAGE), first: Vec::new() }
    }

    fn has_room(&self, node: usize) -> bool {
        HEADER + 2 * (self.nodes.len() + 1) + self.bytes.len() + even(node) <= PAGE
    }

    fn add(&mut self, low: [u8; 6], key: &[u8], data: &[u8]) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(&low);
        self.bytes.extend_from_slice(&(key.len() as u16).to_ne_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(data);
        if self.bytes.len() % 2 == 1 {
            self.bytes.push(0);
        }
        self.nodes.push((from, self.bytes.len()));
    }

    /// The page as it is stored: nodes from the end downwards, in the order they came.
    fn image(&self, number: u64) -> Vec<u8> {
        let mut page = vec![0; PAGE];
        let mut upper = PAGE;
        for (index, (from, to)) in self.nodes.iter().enumerate() {
            upper -= to - from;
            page[upper..upper + to - from].copy_from_slice(&self.bytes[*from..*to]);
            page[HEADER + 2 * index..][..2].copy_from_slice(&(upper as u16).to_ne_bytes());
        }
        let lower = HEADER + 2 * self.nodes.len();
        page[..8].copy_from_slice(&number.to_ne_bytes());
        page[10..12].copy_from_slice(&self.flags.to_ne_bytes());
        page[12..14].copy_from_slice(&(lower as u16).to_ne_bytes());
        page[14..16].copy_from_slice(&(upper as u16).to_ne_bytes());
        page
    }
}

fn even(size: usize) -> usize {
    size + size % 2
}

impl Writer {
    /// Starts a file, which must be empty.
    pub fn new(file: File) -> io::Result<Writer> {
        let mut out = BufWriter::with_capacity(1 << 18, file);
        out.write_all(&[0; 2 * PAGE])?;
        Ok(Writer { out, next_page: 2, levels: vec![Page::new(P_LEAF)], counts: Counts::default() })
    }

    /// Adds a row. Keys must come in strictly ascending order and be 1 to [`KEY_MAX`] bytes long.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        if key.is_empty() || key.len() > KEY_MAX || u32::try_from(value.len()).is_err() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "key or value too long for LMDB"));
        }
        let size = (value.len() as u32).to_ne_bytes();
        let (low, high) =
            if cfg!(target_endian = "little") { (&size[..2], &size[2..]) } else { (&size[2..], &size[..2]) };
        let mut head = [low[0], low[1], high[0], high[1], 0, 0];
        if 8 + key.len() + value.len() > NODE_MAX {
            let page = self.overflow(value)?;
            head[4..6].copy_from_slice(&BIG_DATA.to_ne_bytes());
            self.add(0, head, key, &page.to_ne_bytes())?;
        } else {
            self.add(0, head, key, value)?;
        }
        self.counts.entries += 1;
        Ok(())
    }

    fn overflow(&mut self, value: &[u8]) -> io::Result<u64> {
        let number = self.next_page;
        let pages = (HEADER + value.len()).div_ceil(PAGE);
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(&number.to_ne_bytes());
        header[10..12].copy_from_slice(&P_OVERFLOW.to_ne_bytes());
        header[12..16].copy_from_slice(&(pages as u32).to_ne_bytes());
        self.out.write_all(&header)?;
        self.out.write_all(value)?;
        self.out.write_all(&vec![0; pages * PAGE - HEADER - value.len()])?;
        self.next_page += pages as u64;
        self.counts.overflows += pages as u64;
        Ok(number)
    }

    /// Adds a node to the page being filled on a level; a full page is written and named one level up.
    fn add(&mut self, level: usize, head: [u8; 6], key: &[u8], data: &[u8]) -> io::Result<()> {
        if level == self.levels.len() {
            self.levels.push(Page::new(P_BRANCH));
        }
        let page = &self.levels[level];
        // The first key of an inner page is left out: it is below all others.
        let written = if level > 0 && page.nodes.is_empty() { &[] } else { key };
        if !page.has_room(8 + written.len() + data.len()) {
            let (number, first) = self.flush(level)?;
            self.add(level + 1, child(number), &first, &[])?;
            return self.add(level, head, key, data);
        }
        let page = &mut self.levels[level];
        if page.nodes.is_empty() {
            page.first = key.to_vec();
        }
        page.add(head, written, data);
        Ok(())
    }

    fn flush(&mut self, level: usize) -> io::Result<(u64, Vec<u8>)> {
        let flags = if level == 0 { P_LEAF } else { P_BRANCH };
        let page = std::mem::replace(&mut self.levels[level], Page::new(flags));
        let number = self.next_page;
        self.out.write_all(&page.image(number))?;
        self.next_page += 1;
        if level == 0 {
            self.counts.leaves += 1
        } else {
            self.counts.branches += 1
        }
        Ok((number, page.first))
    }

    /// Writes what is left, the meta pages, and makes it durable.
    pub fn finish(mut self) -> io::Result<u64> {
        let mut root = NO_PAGE;
        let mut depth = 0;
        if self.counts.entries > 0 {
            let mut level = 0;
            loop {
                let (number, first) = self.flush(level)?;
                if level + 1 == self.levels.len() {
                    root = number;
                    depth = level + 1;
                    break;
                }
                self.add(level + 1, child(number), &first, &[])?;
                level += 1;
            }
        }
        let counts = self.counts;
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        for number in 0..2u64 {
            let mut page = vec![0; PAGE];
            let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
            put(0, &number.to_ne_bytes());
            put(10, &P_META.to_ne_bytes());
            put(meta::MAGIC, &MAGIC.to_ne_bytes());
            put(meta::VERSION, &VERSION.to_ne_bytes());
            put(meta::MAP_SIZE, &((self.next_page * PAGE as u64).next_multiple_of(1 << 20)).to_ne_bytes());
            put(meta::FREE_DB + tree::PAGE_SIZE, &(PAGE as u32).to_ne_bytes());
            // The list of free pages has integer keys.
            put(meta::FREE_DB + tree::FLAGS, &8u16.to_ne_bytes());
            put(meta::FREE_DB + tree::ROOT, &NO_PAGE.to_ne_bytes());
            put(meta::MAIN_DB + tree::DEPTH, &(depth as u16).to_ne_bytes());
            put(meta::MAIN_DB + tree::BRANCHES, &counts.branches.to_ne_bytes());
            put(meta::MAIN_DB + tree::LEAVES, &counts.leaves.to_ne_bytes());
            put(meta::MAIN_DB + tree::OVERFLOWS, &counts.overflows.to_ne_bytes());
            put(meta::MAIN_DB + tree::ENTRIES, &counts.entries.to_ne_bytes());
            put(meta::MAIN_DB + tree::ROOT, &root.to_ne_bytes());
            put(meta::LAST_PAGE, &(self.next_page - 1).to_ne_bytes());
            put(meta::TXN, &(number + 1).to_ne_bytes());
            file.write_all_at(&page, number * PAGE as u64)?;
        }
        file.sync_data()?;
        Ok(counts.entries)
    }
}

fn child(number: u64) -> [u8; 6] {
    let parts = [number as u16, (number >> 16) as u16, (number >> 32) as u16];
    let mut head = [0; 6];
    for (slot, part) in head.chunks_exact_mut(2).zip(parts) {
        slot.copy_from_slice(&part.to_ne_bytes());
    }
    head
}
