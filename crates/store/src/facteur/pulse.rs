//! Has anybody committed to a catalogue? Seen without a lock and without a system call.
//!
//! In WAL mode SQLite keeps the head of the WAL index in memory that all processes share, and every commit changes
//! it (<https://www.sqlite.org/walformat.html>, 2.1). Where it is the same, the catalogue is the same.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::{Connection, ffi};

/// Length of the head, in words of 32 bits.
const WORDS: usize = 12;
/// Length of the part of the index that the head is in, in bytes: SQLite maps no smaller ones.
const REGION: c_int = 32_768;

/// The head of a WAL index at some moment.
pub(crate) type Pulse = [u32; WORDS];

/// The head as it is now; `None` where the catalogue has no WAL index, or was not read yet.
pub(crate) fn of(db: &Connection) -> Option<Pulse> {
    let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
    // SAFETY: the handle is that of an open connection, which nobody else uses meanwhile (`Connection` is not `Sync`);
    // this operation writes one pointer to where the last argument points.
    let told = unsafe {
        ffi::sqlite3_file_control(
            db.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_FILE_POINTER,
            ptr::from_mut(&mut file).cast::<c_void>(),
        )
    };
    if told != ffi::SQLITE_OK || file.is_null() {
        return None;
    }
    // SAFETY: the connection's own file, open as long as it is; its methods are null or a static table.
    let methods = unsafe { (*file).pMethods.as_ref() }?;
    // Below version 2 there are no methods for shared memory.
    let map = methods.xShmMap.filter(|_| methods.iVersion >= 2)?;
    let mut region: *mut c_void = ptr::null_mut();
    // SAFETY: as SQLite itself calls it for the first part of the index, and without leave to make it longer.
    let mapped = unsafe { map(file, 0, REGION, 0, ptr::from_mut(&mut region)) };
    let words = region.cast::<u32>();
    if mapped != ffi::SQLITE_OK || words.is_null() || !words.is_aligned() {
        return None;
    }
    Some(std::array::from_fn(|at| {
        // SAFETY: within the region, which stays mapped while the connection is open. Other processes write to it, so
        // that it is read as an atomic.
        unsafe { AtomicU32::from_ptr(words.add(at)) }.load(Ordering::Acquire)
    }))
}

/// Is `now` what one commit made of `before`? The third word counts them.
pub(crate) fn is_next(before: &Pulse, now: &Pulse) -> bool {
    now[2] == before[2].wrapping_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_changes_with_every_commit_of_anybody_and_with_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        let open = || {
            let db = Connection::open(&path).unwrap();
            db.pragma_update(None, "journal_mode", "wal").unwrap();
            db.pragma_update(None, "synchronous", "off").unwrap();
            db
        };
        let (one, other) = (open(), open());
        one.execute_batch("CREATE TABLE t (n INTEGER)").unwrap();
        let read = |db: &Connection| {
            db.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).unwrap();
            of(db).unwrap()
        };
        let mut last = read(&one);
        for n in 0..3000 {
            assert_eq!(of(&one), Some(last));
            assert_eq!(read(&other), last);
            let writer = if n % 2 == 0 { &one } else { &other };
            writer.execute("INSERT INTO t VALUES (?)", [n]).unwrap();
            let now = of(&one).unwrap();
            assert!(now != last && is_next(&last, &now));
            last = now;
        }
        let memory = Connection::open_in_memory().unwrap();
        assert_eq!(of(&memory), None);
    }
}
