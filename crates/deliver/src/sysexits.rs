//! sysexits(3): what a program says by its exit status.

use mail::{Class, Detail};

/// The class, detail and words for an exit status; the last is false for a status that is none of sysexits(3).
pub fn meaning(status: i32) -> (Class, Detail, String, bool) {
    use Class::{Later, Never};
    let (class, detail, words) = match status {
        64 => (Never, (3, 0), "command line usage error"),
        65 => (Never, (6, 0), "data format error"),
        66 => (Never, (3, 0), "cannot open input"),
        67 => (Never, (1, 1), "user unknown"),
        68 => (Never, (1, 2), "host name unknown"),
        69 => (Never, (3, 0), "service unavailable"),
        70 => (Never, (3, 0), "internal software error"),
        71 => (Later, (3, 0), "system resource problem"),
        72 => (Never, (3, 0), "critical OS file missing"),
        73 => (Never, (2, 0), "can't create user output file"),
        74 => (Never, (3, 0), "input/output error"),
        75 => (Later, (3, 0), "temporary failure"),
        76 => (Never, (5, 0), "remote error in protocol"),
        77 => (Never, (7, 0), "permission denied"),
        78 => (Never, (3, 5), "local configuration error"),
        other => {
            return (Never, Detail(3, 0), format!("unknown mail system error {other}"), false);
        }
    };
    (class, Detail(detail.0, detail.1), words.to_owned(), true)
}
