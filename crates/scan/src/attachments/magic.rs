//! What a file is by its first bytes.

/// Bytes that are enough to tell.
pub(super) const ENOUGH: usize = 600;

/// Kinds with the bytes they begin with.
const KINDS: &[(&[u8], &str)] = &[
    (b"MZ", "exe"),
    (b"\x7fELF", "elf"),
    (b"\xca\xfe\xba\xbe", "class"),
    (b"\xcf\xfa\xed\xfe", "macho"),
    (b"#!", "script"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"MSCF", "cab"),
    (b"ITSF", "chm"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"\x4c\0\0\0\x01\x14\x02\0", "lnk"),
    (b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", "onenote"),
    (b"{\\rtf", "rtf"),
    (b"%PDF-", "pdf"),
    (b"\x89PNG", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
];

/// The kind, or an empty text.
pub(super) fn kind(head: &[u8]) -> &'static str {
    if head.get(257..262) == Some(b"ustar") {
        return "tar";
    }
    KINDS.iter().find(|(start, _)| head.starts_with(start)).map_or("", |(_, kind)| kind)
}

/// Can it be opened by us?
pub(super) fn is_opened(kind: &str) -> bool {
    matches!(kind, "zip" | "gzip" | "tar" | "7z")
}

/// Is it an archive that we cannot open?
pub(super) fn is_closed(kind: &str) -> bool {
    matches!(kind, "rar" | "bzip2" | "xz" | "zstd" | "cab")
}
