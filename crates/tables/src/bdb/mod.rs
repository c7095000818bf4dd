//! Berkeley DB files, read only: what an existing site has as `x.db` and no source for.
//!
//! Hash formats 8 to 10 and btree formats 8 to 10 (Berkeley DB 4.0 to 18), of either byte order, with keys and
//! values on overflow pages. No duplicates, no encryption, no checksums: Postfix makes none.

mod btree;
mod hash;
mod page;

use std::io;
use std::path::Path;

use page::{File, damaged};

/// An open file.
pub struct Reader {
    file: File,
    method: Method,
}

enum Method {
    Hash(hash::Hash),
    Btree(btree::Btree),
}

const HASH_MAGIC: u32 = 0x0006_1561;
const BTREE_MAGIC: u32 = 0x0005_3162;

impl Reader {
    /// Opens a file of either access method.
    pub fn open(path: &Path) -> io::Result<Reader> {
        let (file, meta, magic) = File::open(path, &[HASH_MAGIC, BTREE_MAGIC])?;
        let method = match magic {
            HASH_MAGIC => Method::Hash(hash::Hash::open(&file, &meta)?),
            _ => Method::Btree(btree::Btree::open(&file, &meta)?),
        };
        Ok(Reader { file, method })
    }

    /// Looks a key up.
    pub fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        match &self.method {
            Method::Hash(hash) => hash.get(&self.file, key),
            Method::Btree(btree) => btree.get(&self.file, key),
        }
    }

    /// All rows, page by page as they lie in the file.
    pub fn rows(&self) -> impl Iterator<Item = io::Result<(Vec<u8>, Vec<u8>)>> + '_ {
        let leaf = match self.method {
            Method::Hash(_) => hash::is_data_page as fn(u8) -> bool,
            Method::Btree(_) => btree::is_data_page,
        };
        let mut queue = std::collections::VecDeque::new();
        let mut number = 1;
        std::iter::from_fn(move || {
            loop {
                if let Some(row) = queue.pop_front() {
                    return Some(row);
                }
                if number >= self.file.pages() {
                    return None;
                }
                let page = match self.file.page(number) {
                    Ok(page) => page,
                    Err(error) => return Some(Err(error)),
                };
                number += 1;
                if leaf(page.kind()) {
                    let rows = match self.method {
                        Method::Hash(_) => hash::rows(&self.file, &page),
                        Method::Btree(_) => btree::rows(&self.file, &page),
                    };
                    match rows {
                        Ok(rows) => queue.extend(rows.into_iter().map(Ok)),
                        Err(error) => return Some(Err(error)),
                    }
                }
            }
        })
    }
}

/// A feature of the format that Postfix never uses.
fn unsupported(what: &str) -> io::Error {
    damaged(&format!("{what} is not supported"))
}

#[cfg(test)]
mod tests;
