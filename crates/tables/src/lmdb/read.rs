//! Reading: a look-up is one page read per level, less the inner pages that are kept.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::*;

/// Inner pages kept per file: enough for tens of millions of rows.
const KEPT_PAGES: usize = 4096;
/// Deeper than any tree that fits on a disk; a damaged file may have circles.
const DEPTH_MAX: usize = 32;
/// How often a look-up starts anew because somebody else wrote the file meanwhile.
const RETRIES: usize = 20;

/// An open file.
pub struct Reader {
    file: File,
    page_size: usize,
    /// Somebody may write the file in place while we read it (Postfix's own `postmap lmdb:`).
    shared: bool,
    state: Mutex<State>,
}

struct State {
    root: Root,
    inner: HashMap<u64, Arc<Vec<u8>>>,
}

/// Where a tree begins, in one transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Root {
    txn: u64,
    page: u64,
    entries: u64,
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("damaged LMDB file: {what}"))
}

fn bytes<const N: usize>(page: &[u8], at: usize) -> io::Result<[u8; N]> {
    page.get(at..at + N).and_then(|slice| slice.try_into().ok()).ok_or_else(|| damaged("offset out of page"))
}

fn u16_at(page: &[u8], at: usize) -> io::Result<u16> {
    bytes(page, at).map(u16::from_ne_bytes)
}

fn u32_at(page: &[u8], at: usize) -> io::Result<u32> {
    bytes(page, at).map(u32::from_ne_bytes)
}

fn u64_at(page: &[u8], at: usize) -> io::Result<u64> {
    bytes(page, at).map(u64::from_ne_bytes)
}

impl Reader {
    /// Opens a file. `shared`: it may be written in place, so each look-up checks that it was not.
    pub fn open(path: &Path, shared: bool) -> io::Result<Reader> {
        let file = conf::secrets::open(path)?;
        let mut head = [0; meta::END];
        file.read_exact_at(&mut head, 0).map_err(|_| damaged("too short"))?;
        let page_size = u32_at(&head, meta::FREE_DB + tree::PAGE_SIZE)? as usize;
        if u32_at(&head, meta::MAGIC)? != MAGIC
            || u32_at(&head, meta::VERSION)? != VERSION
            || !(256..=65536).contains(&page_size)
        {
            return Err(damaged("no LMDB header"));
        }
        let root = newest(&file, page_size)?;
        Ok(Reader { file, page_size, shared, state: Mutex::new(State { root, inner: HashMap::new() }) })
    }

    /// Looks a key up.
    pub fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        for _ in 0..RETRIES {
            let root = self.lock().root;
            let answer = self.get_from(root, key);
            if !self.shared {
                return answer;
            }
            // A page of the newest transaction is not overwritten before the next one has committed, so an
            // unchanged meta page means that what was read is whole.
            let now = newest(&self.file, self.page_size)?;
            if now == root {
                return answer;
            }
            *self.lock() = State { root: now, inner: HashMap::new() };
        }
        Err(io::Error::new(ErrorKind::WouldBlock, "LMDB file changes all the time"))
    }

    /// All rows, in key order.
    pub fn rows(&self) -> Rows<'_> {
        let root = self.lock().root;
        let stack = if root.page == NO_PAGE { Vec::new() } else { vec![(root.page, 0)] };
        Rows { reader: self, stack, left: root.entries, leaf: None }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get_from(&self, root: Root, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let mut number = root.page;
        if number == NO_PAGE {
            return Ok(None);
        }
        for _ in 0..DEPTH_MAX {
            let page = self.page(root, number)?;
            let count = count(&page)?;
            match kind(&page)? {
                P_BRANCH => {
                    // The first key of an inner page is not written: it is below all others.
                    let (mut low, mut high) = (1, count);
                    while low < high {
                        let middle = (low + high) / 2;
                        if node(&page, middle)?.key <= key { low = middle + 1 } else { high = middle }
                    }
                    number = node(&page, low - 1)?.child();
                }
                P_LEAF => {
                    let (mut low, mut high) = (0, count);
                    while low < high {
                        let middle = (low + high) / 2;
                        let node = node(&page, middle)?;
                        match node.key.cmp(key) {
                            std::cmp::Ordering::Less => low = middle + 1,
                            std::cmp::Ordering::Equal => return self.data(&node).map(Some),
                            std::cmp::Ordering::Greater => high = middle,
                        }
                    }
                    return Ok(None);
                }
                _ => return Err(damaged("unexpected page")),
            }
        }
        Err(damaged("too deep"))
    }

    fn page(&self, root: Root, number: u64) -> io::Result<Arc<Vec<u8>>> {
        if let Some(page) = self.lock().inner.get(&number) {
            return Ok(page.clone());
        }
        let at = number.checked_mul(self.page_size as u64).ok_or_else(|| damaged("page number"))?;
        let mut page = vec![0; self.page_size];
        self.file.read_exact_at(&mut page, at)?;
        let page = Arc::new(page);
        if kind(&page)? == P_BRANCH {
            let mut state = self.lock();
            if state.root == root && state.inner.len() < KEPT_PAGES {
                state.inner.insert(number, page.clone());
            }
        }
        Ok(page)
    }

    fn data(&self, node: &Node<'_>) -> io::Result<Vec<u8>> {
        let size = node.data_size();
        if node.flags & BIG_DATA == 0 {
            return node.rest.get(..size).map(<[u8]>::to_vec).ok_or_else(|| damaged("data out of page"));
        }
        let number = u64_at(node.rest, 0)?;
        let at = number
            .checked_mul(self.page_size as u64)
            .and_then(|at| at.checked_add(HEADER as u64))
            .ok_or_else(|| damaged("page number"))?;
        if at + size as u64 > self.file.metadata()?.len() {
            return Err(damaged("data beyond the end"));
        }
        let mut data = vec![0; size];
        self.file.read_exact_at(&mut data, at)?;
        Ok(data)
    }
}

/// The root by the newer of the two meta pages.
fn newest(file: &File, page_size: usize) -> io::Result<Root> {
    let mut pages = vec![0; page_size + meta::END];
    file.read_exact_at(&mut pages, 0)?;
    let root = |page: &[u8]| -> io::Result<Root> {
        let flags = u16_at(page, meta::MAIN_DB + tree::FLAGS)?;
        if u32_at(page, meta::MAGIC)? != MAGIC || flags != 0 {
            return Err(damaged("meta page"));
        }
        Ok(Root {
            txn: u64_at(page, meta::TXN)?,
            page: u64_at(page, meta::MAIN_DB + tree::ROOT)?,
            entries: u64_at(page, meta::MAIN_DB + tree::ENTRIES)?,
        })
    };
    match (root(&pages), root(&pages[page_size..])) {
        (Ok(a), Ok(b)) => Ok(if a.txn > b.txn { a } else { b }),
        (Ok(root), Err(_)) | (Err(_), Ok(root)) => Ok(root),
        (Err(error), Err(_)) => Err(error),
    }
}

fn kind(page: &[u8]) -> io::Result<u16> {
    Ok(u16_at(page, 10)? & (P_BRANCH | P_LEAF | P_OVERFLOW | P_META))
}

fn count(page: &[u8]) -> io::Result<usize> {
    let lower = usize::from(u16_at(page, 12)?);
    lower.checked_sub(HEADER).map(|bytes| bytes / 2).ok_or_else(|| damaged("page bounds"))
}

struct Node<'a> {
    low: u16,
    high: u16,
    flags: u16,
    key: &'a [u8],
    rest: &'a [u8],
}

impl Node<'_> {
    fn child(&self) -> u64 {
        u64::from(self.low) | u64::from(self.high) << 16 | u64::from(self.flags) << 32
    }

    fn data_size(&self) -> usize {
        usize::from(self.low) | usize::from(self.high) << 16
    }
}

fn node(page: &[u8], index: usize) -> io::Result<Node<'_>> {
    let at = usize::from(u16_at(page, HEADER + 2 * index)?);
    let key_size = usize::from(u16_at(page, at + 6)?);
    let key = page.get(at + 8..at + 8 + key_size).ok_or_else(|| damaged("key out of page"))?;
    Ok(Node {
        low: u16_at(page, at)?,
        high: u16_at(page, at + 2)?,
        flags: u16_at(page, at + 4)?,
        key,
        rest: &page[at + 8 + key_size..],
    })
}

/// The rows of a file. See [`Reader::rows`].
pub struct Rows<'a> {
    reader: &'a Reader,
    /// Pages above and at the place we are, with the next node of each.
    stack: Vec<(u64, usize)>,
    left: u64,
    leaf: Option<(u64, Arc<Vec<u8>>)>,
}

impl Rows<'_> {
    fn step(&mut self) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
        let root = self.reader.lock().root;
        while let Some((number, next)) = self.stack.last_mut() {
            let (number, index) = (*number, *next);
            *next += 1;
            let page = match &self.leaf {
                Some((kept, page)) if *kept == number => page.clone(),
                _ => self.reader.page(root, number)?,
            };
            if index >= count(&page)? {
                self.stack.pop();
                continue;
            }
            let node = node(&page, index)?;
            match kind(&page)? {
                P_BRANCH if self.stack.len() < DEPTH_MAX => self.stack.push((node.child(), 0)),
                P_LEAF => {
                    let row = (node.key.to_vec(), self.reader.data(&node)?);
                    self.leaf = Some((number, page.clone()));
                    return Ok(Some(row));
                }
                _ => return Err(damaged("unexpected page")),
            }
        }
        Ok(None)
    }
}

impl Iterator for Rows<'_> {
    type Item = io::Result<(Vec<u8>, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let row = self.step().transpose();
        if !matches!(row, Some(Ok(_))) {
            self.left = 0;
        }
        row
    }
}
