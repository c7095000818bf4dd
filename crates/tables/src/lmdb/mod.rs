//! LMDB files, read and written without the library: no lock file, no memory map, no C.
//!
//! A page that cannot be read is an error of one look-up, where a memory map would end the process, and a
//! damaged file is an error too. The format is LMDB 0.9's (data version 1, 64 bit, native byte order), so
//! that Postfix's own `lmdb:` reads what we write and the other way round.
//!
//! A page is a header of 16 bytes (number, flags, bounds of free space), an array of 2-byte offsets, and nodes
//! growing down from its end. Pages 0 and 1 are *meta* pages: the one with the higher transaction number
//! names the root.

mod read;
mod write;

pub use read::Reader;
pub use write::{KEY_MAX, Writer};

const MAGIC: u32 = 0xBEEF_C0DE;
const VERSION: u32 = 1;
const HEADER: usize = 16;
/// Pages: inner, leaf, overflow, meta.
const P_BRANCH: u16 = 0x01;
const P_LEAF: u16 = 0x02;
const P_OVERFLOW: u16 = 0x04;
const P_META: u16 = 0x08;
/// A node whose data are on overflow pages.
const BIG_DATA: u16 = 0x01;
/// The root of an empty tree.
const NO_PAGE: u64 = u64::MAX;
/// Offsets within a meta page.
mod meta {
    pub const MAGIC: usize = 16;
    pub const VERSION: usize = 20;
    pub const MAP_SIZE: usize = 32;
    pub const FREE_DB: usize = 40;
    pub const MAIN_DB: usize = 88;
    pub const LAST_PAGE: usize = 136;
    pub const TXN: usize = 144;
    pub const END: usize = 152;
}
/// Offsets within the description of a tree.
mod tree {
    pub const PAGE_SIZE: usize = 0;
    pub const FLAGS: usize = 4;
    pub const DEPTH: usize = 6;
    pub const BRANCHES: usize = 8;
    pub const LEAVES: usize = 16;
    pub const OVERFLOWS: usize = 24;
    pub const ENTRIES: usize = 32;
    pub const ROOT: usize = 40;
}

#[cfg(test)]
mod tests;
