//! The btree access method.

use std::borrow::Cow;
use std::io;

use super::page::{File, Page, damaged};

const INNER: u8 = 3;
const LEAF: u8 = 5;
/// Item types: on the page, and on overflow pages; the high bit marks a deleted one.
const KEY_DATA: u8 = 1;
const OVERFLOW: u8 = 3;
const DELETED: u8 = 0x80;
const DEPTH_MAX: usize = 255;

pub(super) struct Btree {
    root: u32,
}

pub(super) fn is_data_page(kind: u8) -> bool {
    kind == LEAF
}

impl Btree {
    pub fn open(_: &File, meta: &Page) -> io::Result<Btree> {
        Ok(Btree { root: meta.u32(88)? })
    }

    pub fn get(&self, file: &File, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let mut number = self.root;
        for _ in 0..DEPTH_MAX {
            let page = file.page(number)?;
            match page.kind() {
                INNER => number = child(file, &page, key)?,
                LEAF => return leaf(file, &page, key),
                _ => return Err(damaged("unexpected page")),
            }
        }
        Err(damaged("too deep"))
    }
}

/// The page whose first key is the last not above `key`; the first one is below all keys.
fn child(file: &File, page: &Page, key: &[u8]) -> io::Result<u32> {
    let (mut low, mut high) = (1, page.entries()?);
    while low < high {
        let middle = (low + high) / 2;
        let at = page.item(middle)?;
        let found = match page.u8(at + 2)? & !DELETED {
            KEY_DATA => Cow::Borrowed(page.slice(at + 12, usize::from(page.u16(at)?))?),
            OVERFLOW => Cow::Owned(overflow(file, page, at + 12)?),
            _ => return Err(super::unsupported("this kind of item")),
        };
        if found.as_ref() <= key { low = middle + 1 } else { high = middle }
    }
    page.u32(page.item(low - 1)? + 4)
}

fn leaf(file: &File, page: &Page, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let (mut low, mut high) = (0, page.entries()? / 2);
    while low < high {
        let middle = (low + high) / 2;
        match item(file, page, 2 * middle)?.as_ref().cmp(key) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
            std::cmp::Ordering::Equal => {
                let deleted = page.u8(page.item(2 * middle + 1)? + 2)? & DELETED != 0;
                return match deleted {
                    true => Ok(None),
                    false => item(file, page, 2 * middle + 1).map(|value| Some(value.into_owned())),
                };
            }
        }
    }
    Ok(None)
}

pub(super) fn rows(file: &File, page: &Page) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut rows = Vec::new();
    for n in 0..page.entries()? / 2 {
        if page.u8(page.item(2 * n + 1)? + 2)? & DELETED == 0 {
            rows.push((item(file, page, 2 * n)?.into_owned(), item(file, page, 2 * n + 1)?.into_owned()));
        }
    }
    Ok(rows)
}

fn item<'a>(file: &File, page: &'a Page, index: usize) -> io::Result<Cow<'a, [u8]>> {
    let at = page.item(index)?;
    match page.u8(at + 2)? & !DELETED {
        KEY_DATA => page.slice(at + 3, usize::from(page.u16(at)?)).map(Cow::Borrowed),
        OVERFLOW => overflow(file, page, at).map(Cow::Owned),
        _ => Err(super::unsupported("a row with duplicates")),
    }
}

/// A reference to overflow pages: 2 bytes unused, type, unused, page, size.
fn overflow(file: &File, page: &Page, at: usize) -> io::Result<Vec<u8>> {
    file.overflow(page.u32(at + 4)?, page.u32(at + 8)?)
}
