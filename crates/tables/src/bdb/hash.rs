//! The hash access method.

use std::borrow::Cow;
use std::io;

use super::page::{File, Page, damaged};

/// Data on the page, and data on overflow pages.
const KEY_DATA: u8 = 1;
const OFF_PAGE: u8 = 3;
/// What the header must hold if the file uses the usual hash function.
const CHECK: &[u8] = b"%$sniglet^&\0";

pub(super) struct Hash {
    max_bucket: u32,
    high_mask: u32,
    low_mask: u32,
    spares: [u32; 32],
}

pub(super) fn is_data_page(kind: u8) -> bool {
    matches!(kind, 2 | 13)
}

/// Fowler, Noll and Vo's, as of format 5.
fn hash(key: &[u8]) -> u32 {
    key.iter().fold(0, |hash: u32, byte| hash.wrapping_mul(16_777_619) ^ u32::from(*byte))
}

impl Hash {
    pub fn open(_: &File, meta: &Page) -> io::Result<Hash> {
        if meta.u32(92)? != hash(CHECK) {
            return Err(super::unsupported("a hash function of its own"));
        }
        let mut spares = [0; 32];
        for (n, spare) in spares.iter_mut().enumerate() {
            *spare = meta.u32(96 + 4 * n)?;
        }
        Ok(Hash { max_bucket: meta.u32(72)?, high_mask: meta.u32(76)?, low_mask: meta.u32(80)?, spares })
    }

    pub fn get(&self, file: &File, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let hash = hash(key);
        let mut bucket = hash & self.high_mask;
        if bucket > self.max_bucket {
            bucket &= self.low_mask;
        }
        let group = (u64::from(bucket) + 1).next_power_of_two().trailing_zeros() as usize;
        let spare = self.spares.get(group).ok_or_else(|| damaged("bucket"))?;
        let mut number = bucket.checked_add(*spare).ok_or_else(|| damaged("bucket"))?;
        // A chain longer than the file goes in circles.
        for _ in 0..file.pages() {
            if number == 0 {
                return Ok(None);
            }
            let page = file.page(number)?;
            if !is_data_page(page.kind()) {
                return Err(damaged("bucket page"));
            }
            for index in (0..page.entries()? / 2 * 2).step_by(2) {
                if item(file, &page, index)?.as_ref() == key {
                    return item(file, &page, index + 1).map(|value| Some(value.into_owned()));
                }
            }
            number = page.next()?;
        }
        Err(damaged("chain of pages"))
    }
}

pub(super) fn rows(file: &File, page: &Page) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    (0..page.entries()? / 2)
        .map(|n| Ok((item(file, page, 2 * n)?.into_owned(), item(file, page, 2 * n + 1)?.into_owned())))
        .collect()
}

/// Items lie from the end of the page downwards; one ends where the one before begins.
fn item<'a>(file: &File, page: &'a Page, index: usize) -> io::Result<Cow<'a, [u8]>> {
    let from = page.item(index)?;
    let to = if index == 0 { page.len() } else { page.item(index - 1)? };
    match page.u8(from)? {
        KEY_DATA => {
            let size = to.checked_sub(from + 1).ok_or_else(|| damaged("item bounds"))?;
            page.slice(from + 1, size).map(Cow::Borrowed)
        }
        OFF_PAGE => file.overflow(page.u32(from + 4)?, page.u32(from + 8)?).map(Cow::Owned),
        _ => Err(super::unsupported("a row with duplicates")),
    }
}
