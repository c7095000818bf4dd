//! How records lie in a segment: a header for the segment, then frames, each with checksums of its parts.
//!
//! Every segment has a random salt that begins each of its frames. After damage the next frame is found by
//! looking for the salt: mail content cannot be taken for a frame, because nobody who sends mail knows it.

use bytes::Bytes;

use crate::record::RecordKind;

/// Bytes of a segment header, and of the head of a frame.
pub(crate) const HEAD: usize = 32;

const MAGIC: &[u8; 8] = b"FACTEUR1";

/// The header of segment `number`.
pub(crate) fn segment_header(number: u64, salt: u64) -> [u8; HEAD] {
    let mut header = [0; HEAD];
    header[..8].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&number.to_le_bytes());
    header[16..24].copy_from_slice(&salt.to_le_bytes());
    let crc = crc32fast::hash(&header[..28]);
    header[28..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// The salt in a segment header, if it is whole and of segment `number`.
pub(crate) fn salt_of(header: &[u8], number: u64) -> Option<u64> {
    let header = header.get(..HEAD)?;
    let salt = u64_at(header, 16);
    (header == segment_header(number, salt)).then_some(salt)
}

/// One record on its way to the journal: `meta` is read by replay, `blob` (the content of a small message) is not.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: RecordKind,
    pub(crate) meta: Bytes,
    pub(crate) blob: Bytes,
    meta_crc: u32,
    blob_crc: u32,
}

impl Frame {
    /// Computes the checksums: call it where the work is spread over threads, not in the committer.
    pub(crate) fn new(kind: RecordKind, meta: Vec<u8>, blob: Bytes) -> Frame {
        let (meta_crc, blob_crc) = (crc32fast::hash(&meta), crc32fast::hash(&blob));
        Frame { kind, meta: meta.into(), blob, meta_crc, blob_crc }
    }

    /// Bytes in the journal.
    pub(crate) fn len(&self) -> u64 {
        (HEAD + self.meta.len() + self.blob.len()) as u64
    }

    /// The head of this frame at `offset` of segment `number`.
    pub(crate) fn head(&self, number: u64, salt: u64, offset: u64) -> [u8; HEAD] {
        Head {
            kind: self.kind as u8,
            meta: self.meta.len() as u32,
            blob: self.blob.len() as u32,
            meta_crc: self.meta_crc,
            blob_crc: self.blob_crc,
        }
        .write(number, salt, offset)
    }
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: u8,
    pub(crate) meta: u32,
    pub(crate) blob: u32,
    pub(crate) meta_crc: u32,
    pub(crate) blob_crc: u32,
}

impl Head {
    fn write(&self, number: u64, salt: u64, offset: u64) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(&salt.to_le_bytes());
        head[8] = self.kind;
        head[12..16].copy_from_slice(&self.meta.to_le_bytes());
        head[16..20].copy_from_slice(&self.blob.to_le_bytes());
        head[20..24].copy_from_slice(&self.meta_crc.to_le_bytes());
        head[24..28].copy_from_slice(&self.blob_crc.to_le_bytes());
        // Number and offset are not in the head but in its checksum: a frame is valid only where it was written.
        let mut crc = crc32fast::Hasher::new();
        crc.update(&head[..28]);
        crc.update(&number.to_le_bytes());
        crc.update(&offset.to_le_bytes());
        head[28..].copy_from_slice(&crc.finalize().to_le_bytes());
        head
    }

    /// The fields of a head whose place is known; at least [`HEAD`] bytes.
    pub(crate) fn parse(bytes: &[u8]) -> Head {
        Head {
            kind: bytes[8],
            meta: u32_at(bytes, 12),
            blob: u32_at(bytes, 16),
            meta_crc: u32_at(bytes, 20),
            blob_crc: u32_at(bytes, 24),
        }
    }

    /// The head at `offset` of segment `number`, if it is one.
    pub(crate) fn read(bytes: &[u8], number: u64, salt: u64, offset: u64) -> Option<Head> {
        let bytes = bytes.get(..HEAD)?;
        if u64_at(bytes, 0) != salt {
            return None;
        }
        let head = Head::parse(bytes);
        (head.write(number, salt, offset) == bytes).then_some(head)
    }

    /// Bytes of the whole frame.
    pub(crate) fn len(&self) -> u64 {
        HEAD as u64 + u64::from(self.meta) + u64::from(self.blob)
    }
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}
