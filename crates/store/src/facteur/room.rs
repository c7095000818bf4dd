//! Room for records that are still to come: zeros at the end of the file that is appended to.
//!
//! A record that fits into them leaves the length of the file as it is, so a sync has its bytes to write and nothing
//! else. No byte of a record's end is zero ([`record::END`](super::record::END)), so the records are known to end
//! behind the last byte that is not: nothing else has to be kept, or to be right after a crash.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;

use super::disk::Disk;

/// Most bytes of room.
const MOST: u64 = 512 << 10;
/// With less than this left there is time to make more; a file too small for so much has none.
const LITTLE: u64 = 64 << 10;
/// Room is no larger than this part of a file.
const SHARE: u64 = 8;
/// What is written, or looked at, at a time.
const WINDOW: usize = 64 << 10;
/// Bytes compared at a time.
const STEP: usize = 64;

static ZEROS: [u8; WINDOW] = [0; WINDOW];

/// How many zeros to write behind `end`, when there are `left` of them; nothing most of the time.
pub(super) fn missing(end: u64, left: u64) -> Option<u64> {
    let size = (end / SHARE).min(MOST);
    (left < LITTLE && size >= LITTLE).then_some(size)
}

/// Writes `len` zeros at `at`.
pub(super) fn make(disk: &dyn Disk, file: &File, at: u64, len: u64) -> io::Result<()> {
    let len = len as usize;
    let whole = std::iter::repeat_n(&ZEROS[..], len / WINDOW);
    let pieces: Vec<IoSlice<'_>> = whole.chain([&ZEROS[..len % WINDOW]]).map(IoSlice::new).collect();
    disk.write(file, &pieces, at)
}

/// Is there no record at `at`, where one would follow another, in a file of `len` bytes?
pub(super) fn is_free(file: &File, at: u64, len: u64) -> io::Result<bool> {
    // A record begins with its salt, which is not zero.
    let mut start = [0; size_of::<super::record::Salt>()];
    let there = (len.saturating_sub(at) as usize).min(start.len());
    file.read_exact_at(&mut start[..there], at)?;
    Ok(at <= len && start == [0; 8])
}

/// Where the records end in a file of `len` bytes; `guess` is where they ended some time ago.
pub(super) fn records_end(file: &File, len: u64, guess: u64) -> io::Result<u64> {
    if guess != 0 && is_free(file, guess, len)? {
        return Ok(guess);
    }
    let mut window = vec![0; WINDOW];
    let mut end = len;
    while end > 0 {
        let from = end.saturating_sub(WINDOW as u64);
        let window = &mut window[..(end - from) as usize];
        file.read_exact_at(window, from)?;
        if let Some(last) = last_that_is_not_zero(window) {
            return Ok(from + last as u64 + 1);
        }
        end = from;
    }
    Ok(0)
}

fn last_that_is_not_zero(bytes: &[u8]) -> Option<usize> {
    let steps = bytes.rchunks(STEP).take_while(|step| **step == ZEROS[..step.len()]).count();
    let before = bytes.len().saturating_sub(steps * STEP);
    bytes[..before].iter().rposition(|byte| *byte != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facteur::disk::RealDisk;

    #[test]
    fn the_last_byte_is_found_wherever_it_is() {
        for at in [0, 1, 31, STEP - 1, STEP, STEP + 1, 1000, WINDOW - 1, WINDOW, 3 * WINDOW + 17] {
            for zeros in [0, 1, STEP, WINDOW - 1, WINDOW, 2 * WINDOW + 3] {
                let file = tempfile::tempfile().unwrap();
                file.write_all_at(b"x", at as u64).unwrap();
                make(&RealDisk, &file, at as u64 + 1, zeros as u64).unwrap();
                let len = file.metadata().unwrap().len();
                assert_eq!(len, (at + 1 + zeros) as u64);
                assert_eq!(records_end(&file, len, 0).unwrap(), at as u64 + 1);
                assert!(is_free(&file, at as u64 + 1, len).unwrap());
                assert!(!is_free(&file, at as u64, len).unwrap());
                assert!(!is_free(&file, len + 1, len).unwrap(), "the file was made shorter");
                // A guess that is right costs no search; one that others have passed is none.
                assert_eq!(records_end(&file, len, at as u64 + 1).unwrap(), at as u64 + 1);
                assert_eq!(records_end(&file, len, at as u64).unwrap(), at as u64 + 1);
            }
        }
    }

    #[test]
    fn small_files_have_none_and_there_is_little_of_it() {
        assert_eq!(missing(100 << 10, 0), None);
        assert_eq!(missing(1 << 20, 0), Some(128 << 10));
        assert_eq!(missing(64 << 20, LITTLE - 1), Some(MOST));
        assert_eq!(missing(64 << 20, LITTLE), None);
    }
}
