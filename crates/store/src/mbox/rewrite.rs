//! Changing an mbox file in place, so that a crash in the middle loses nothing.
//!
//! The file must stay the one that other programs have open, so it cannot be replaced by a new one. What has to move is
//! first written, whole, into a journal beside our ledger, and synced; a journal that is found when the mailbox is
//! locked the next time is carried out again. Its end is told apart from what other programs have appended meanwhile.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// A part of the new file.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Taken over from the old one.
    Old(std::ops::Range<u64>),
    /// New.
    New(Vec<u8>),
}

const MAGIC: &[u8; 16] = b"facteur mbox 1\n\0";
const HEAD: usize = 16 + 6 * 8;

/// What a journal says.
struct Plan {
    inode: u64,
    /// Where the new text starts.
    start: u64,
    old_len: u64,
    /// The new length of the file.
    new_len: u64,
    /// Checksum of the old text behind `new_len`.
    rest: u32,
    /// Checksum of the new text.
    text: u32,
}

/// Replaces everything from `start` on by these pieces. `file` is locked for writing.
pub fn rewrite(file: &File, path: &Path, journal: &Path, start: u64, pieces: &[Piece]) -> Result<()> {
    let failed = |error| Error::io("write", path, error);
    let meta = file.metadata().map_err(failed)?;
    let new_text: u64 = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Old(range) => range.end - range.start,
            Piece::New(text) => text.len() as u64,
        })
        .sum();
    let mut plan = Plan {
        inode: meta.ino(),
        start,
        old_len: meta.len(),
        new_len: start + new_text,
        rest: checksum(file, start + new_text, meta.len()).map_err(failed)?,
        text: 0,
    };
    let written = write_journal(file, journal, &mut plan, pieces);
    let journal_file = written.map_err(|error| {
        discard(journal);
        Error::io("write", journal, error)
    })?;
    // Room first: a full disk is met before anything is overwritten.
    if plan.new_len > plan.old_len
        && let Err(error) = grow(file, plan.old_len, plan.new_len)
    {
        let _ = file.set_len(plan.old_len);
        discard(journal);
        return Err(failed(error));
    }
    carry_out(file, &journal_file, &plan).map_err(failed)?;
    discard(journal);
    Ok(())
}

/// Carries out what a crash left half done. `file` is locked for writing.
pub fn recover(file: &File, path: &Path, journal: &Path) -> Result<()> {
    let left = match File::open(journal) {
        Ok(left) => left,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("open", journal, error)),
    };
    let failed = |error| Error::io("repair", path, error);
    let plan = read_journal(&left).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    let Some(plan) = plan.filter(|plan| plan.inode == meta.ino()) else {
        // It was not whole, so nothing had been changed yet; or it is of another file.
        discard(journal);
        return Ok(());
    };
    let first = plan.old_len.max(plan.new_len);
    log::warn!("{}: finishing a change that was interrupted", path.display());
    let len = meta.len();
    if plan.new_len >= plan.old_len {
        // Grown before anything was overwritten; still as long as before means that nothing was.
        if len >= first {
            carry_out_text(file, &left, &plan).map_err(failed)?;
        }
    } else if len >= first && checksum(file, plan.new_len, plan.old_len).map_err(failed)? == plan.rest {
        // Not cut yet. What others appended since is moved up.
        carry_out_text(file, &left, &plan).map_err(failed)?;
        let appended = len - plan.old_len;
        copy_down(file, plan.old_len, plan.new_len, appended).map_err(failed)?;
        file.set_len(plan.new_len + appended).map_err(failed)?;
    }
    file.sync_data().map_err(failed)?;
    discard(journal);
    Ok(())
}

/// The journal of a mailbox, in our own directory.
pub fn journal(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{}.journal", name.replace('/', "%2f")))
}

fn discard(journal: &Path) {
    if let Err(error) = std::fs::remove_file(journal)
        && error.kind() != io::ErrorKind::NotFound
    {
        log::warn!("remove {}: {error}", journal.display());
    }
}

fn grow(file: &File, from: u64, to: u64) -> io::Result<()> {
    let (offset, len) = (i64::try_from(from), i64::try_from(to - from));
    let (Ok(offset), Ok(len)) = (offset, len) else { return Err(io::ErrorKind::FileTooLarge.into()) };
    nix::fcntl::posix_fallocate(file, offset, len).map_err(io::Error::from)
}

fn write_journal(file: &File, journal: &Path, plan: &mut Plan, pieces: &[Piece]) -> io::Result<File> {
    let out = File::options().read(true).write(true).create(true).truncate(true).mode(0o600).open(journal)?;
    let mut at = HEAD as u64;
    let mut sum = crc32fast::Hasher::new();
    for piece in pieces {
        match piece {
            Piece::New(text) => {
                sum.update(text);
                out.write_all_at(text, at)?;
                at += text.len() as u64;
            }
            Piece::Old(range) => each(file, range.start, range.end, |text| {
                sum.update(text);
                out.write_all_at(text, at)?;
                at += text.len() as u64;
                Ok(())
            })?,
        }
    }
    plan.text = sum.finalize();
    let mut head = MAGIC.to_vec();
    for number in
        [plan.inode, plan.start, plan.old_len, plan.new_len, u64::from(plan.rest), u64::from(plan.text)]
    {
        head.extend_from_slice(&number.to_le_bytes());
    }
    (&out).write_all(&head)?;
    out.sync_all()?;
    Ok(out)
}

fn read_journal(mut journal: &File) -> io::Result<Option<Plan>> {
    let mut head = [0; HEAD];
    if journal.read_exact(&mut head).is_err() || !head.starts_with(MAGIC) {
        return Ok(None);
    }
    let number = |n: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&head[16 + 8 * n..24 + 8 * n]);
        u64::from_le_bytes(bytes)
    };
    let plan = Plan {
        inode: number(0),
        start: number(1),
        old_len: number(2),
        new_len: number(3),
        rest: number(4) as u32,
        text: number(5) as u32,
    };
    if plan.new_len < plan.start {
        return Ok(None);
    }
    let end = HEAD as u64 + plan.new_len - plan.start;
    let whole = journal.metadata()?.len() == end && checksum(journal, HEAD as u64, end)? == plan.text;
    Ok(whole.then_some(plan))
}

fn carry_out(file: &File, journal: &File, plan: &Plan) -> io::Result<()> {
    carry_out_text(file, journal, plan)?;
    if plan.new_len < plan.old_len {
        file.sync_data()?;
        file.set_len(plan.new_len)?;
    }
    file.sync_data()
}

fn carry_out_text(file: &File, journal: &File, plan: &Plan) -> io::Result<()> {
    let mut to = plan.start;
    each(journal, HEAD as u64, HEAD as u64 + plan.new_len - plan.start, |text| {
        file.write_all_at(text, to)?;
        to += text.len() as u64;
        Ok(())
    })
}

fn copy_down(file: &File, from: u64, to: u64, len: u64) -> io::Result<()> {
    let mut to = to;
    each(file, from, from + len, |text| {
        file.write_all_at(text, to)?;
        to += text.len() as u64;
        Ok(())
    })
}

fn checksum(file: &File, from: u64, to: u64) -> io::Result<u32> {
    let mut sum = crc32fast::Hasher::new();
    each(file, from, to, |text| {
        sum.update(text);
        Ok(())
    })?;
    Ok(sum.finalize())
}

/// Reads a part of a file piece by piece.
fn each(file: &File, from: u64, to: u64, mut work: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut at = from;
    let mut buffer = vec![0; 256 << 10];
    while at < to {
        let wanted = usize::try_from(to - at).unwrap_or(usize::MAX).min(buffer.len());
        let read = file.read_at(&mut buffer[..wanted], at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        work(&buffer[..read])?;
        at += read as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        directory: tempfile::TempDir,
    }

    impl Case {
        fn new(text: &[u8]) -> Case {
            let case = Case { directory: tempfile::tempdir().unwrap() };
            std::fs::write(case.path(), text).unwrap();
            case
        }
        fn path(&self) -> PathBuf {
            self.directory.path().join("inbox")
        }
        fn journal(&self) -> PathBuf {
            journal(self.directory.path(), "INBOX")
        }
        fn file(&self) -> File {
            File::options().read(true).write(true).open(self.path()).unwrap()
        }
        fn text(&self) -> Vec<u8> {
            std::fs::read(self.path()).unwrap()
        }
    }

    fn shorter() -> [Piece; 2] {
        [Piece::New(b"B".to_vec()), Piece::Old(7..10)]
    }

    #[test]
    fn shorter_and_longer() {
        let case = Case::new(b"0123456789");
        rewrite(&case.file(), &case.path(), &case.journal(), 2, &shorter()).unwrap();
        assert_eq!(case.text(), b"01B789");
        rewrite(
            &case.file(),
            &case.path(),
            &case.journal(),
            1,
            &[Piece::New(b"xxxxxxx".to_vec()), Piece::Old(1..6)],
        )
        .unwrap();
        assert_eq!(case.text(), b"0xxxxxxx1B789");
        assert!(!case.journal().exists());
    }

    /// Stops a rewrite after so many octets have got into the file, lets another program append, and recovers.
    fn interrupted(old: &[u8], start: u64, pieces: &[Piece], after: usize, cut: bool) -> Vec<u8> {
        let case = Case::new(old);
        let file = case.file();
        let mut plan = Plan {
            inode: file.metadata().unwrap().ino(),
            start,
            old_len: old.len() as u64,
            new_len: 0,
            rest: 0,
            text: 0,
        };
        let text: u64 = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Old(range) => range.end - range.start,
                Piece::New(text) => text.len() as u64,
            })
            .sum();
        plan.new_len = start + text;
        plan.rest = checksum(&file, plan.new_len, plan.old_len).unwrap();
        let journal = write_journal(&file, &case.journal(), &mut plan, pieces).unwrap();
        if plan.new_len > plan.old_len {
            grow(&file, plan.old_len, plan.new_len).unwrap();
        }
        let mut text = vec![0; text as usize];
        journal.read_exact_at(&mut text, HEAD as u64).unwrap();
        file.write_all_at(&text[..after.min(text.len())], start).unwrap();
        if cut {
            file.set_len(plan.new_len).unwrap();
        }
        File::options().append(true).open(case.path()).unwrap().write_all(b"more").unwrap();
        recover(&case.file(), &case.path(), &case.journal()).unwrap();
        assert!(!case.journal().exists());
        case.text()
    }

    #[test]
    fn an_interrupted_change_is_finished_and_what_came_after_stays() {
        for after in 0..=4 {
            assert_eq!(interrupted(b"0123456789", 2, &shorter(), after, false), b"01B789more", "{after}");
        }
        assert_eq!(interrupted(b"0123456789", 2, &shorter(), 9, true), b"01B789more");
        let longer = [Piece::New(b"LONGER".to_vec()), Piece::Old(3..5)];
        for after in 0..=8 {
            assert_eq!(interrupted(b"01234", 2, &longer, after, false), b"01LONGER34more", "{after}");
        }
    }

    #[test]
    fn a_journal_that_is_not_whole_is_no_journal() {
        let case = Case::new(b"0123456789");
        std::fs::write(case.journal(), MAGIC).unwrap();
        recover(&case.file(), &case.path(), &case.journal()).unwrap();
        assert_eq!(case.text(), b"0123456789");
    }
}
