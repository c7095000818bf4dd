//! A file of short records: appended to by a thread of its own, and written anew when it has grown.
//!
//! Each line is a checksum and a record. A line that a crash tore, or that is damaged, is left out when the file is
//! read, and counted. Records say what is now, never what changed, so that reading one twice does no harm. Appending
//! never waits for the disk: what is remembered of strangers may lose its last second when the power fails.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, atomic};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// Records that may wait for the disk.
const WAITING: usize = 4096;

/// Records written at once.
const BATCH: usize = 1024;

/// A file smaller than this many bytes is not written anew.
const SMALL: u64 = 1 << 20;

/// Everything there is to remember, record by record.
pub type Snapshot = Box<dyn Fn() -> Vec<String> + Send>;

/// The file, open for appending. It is flushed and closed when dropped.
#[derive(Debug)]
pub struct Ledger {
    orders: Option<SyncSender<Order>>,
    /// Records were lost because too many waited: the file must be written anew.
    behind: Arc<atomic::AtomicBool>,
    writer: Option<JoinHandle<()>>,
}

enum Order {
    Append(String),
    /// Everything so far is to be on disk.
    Sync(std::sync::mpsc::Sender<()>),
}

/// What a file held.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// The records, oldest first.
    pub records: Vec<String>,
    /// Lines that were torn or damaged.
    pub damaged: usize,
}

/// Reads a file; one that is not there is empty.
///
/// # Errors
/// Those of the file system.
pub fn read(path: &Path) -> io::Result<Read> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Read::default()),
        Err(error) => return Err(error),
    };
    let mut read = Read::default();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match record(line) {
            Some(record) => read.records.push(record.to_owned()),
            None => read.damaged += 1,
        }
    }
    Ok(read)
}

fn record(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (sum, record) = line.split_once('\t')?;
    let sum = u32::from_str_radix(sum, 16).ok()?;
    (sum == crc32fast::hash(record.as_bytes())).then_some(record)
}

fn line(record: &str) -> String {
    format!("{:08x}\t{record}\n", crc32fast::hash(record.as_bytes()))
}

/// Locks a file. A process that was killed a moment ago may hold it until its last thread has ended: that is waited for.
fn alone(mut file: File) -> io::Result<Flock<File>> {
    const TRIES: u32 = 100;
    let mut tries = 1;
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Ok(locked),
            Err((file, Errno::EWOULDBLOCK)) if tries < TRIES => file,
            Err((_, errno)) => return Err(errno.into()),
        };
        std::thread::sleep(Duration::from_millis(50));
        tries += 1;
    }
}

/// Opens the file of a memory in `directory` for this program alone: what it holds, shared with the thread that writes
/// the file anew from all `records` there are.
///
/// # Errors
/// A sentence: it cannot be read or written, or another program has it.
pub fn keep<S: Send + 'static>(
    directory: &Path,
    file: &str,
    of: impl FnOnce(&[String]) -> S,
    records: fn(&S) -> Vec<String>,
) -> Result<(Arc<Mutex<S>>, Ledger), String> {
    let path = directory.join(file);
    let cannot = |error: io::Error| format!("cannot open {}: {error}", path.display());
    let (opened, read) = Ledger::open(&path).map_err(cannot)?;
    if read.damaged > 0 {
        log::warn!(target: "master", "{}: {} damaged records are left out", path.display(), read.damaged);
    }
    let state = Arc::new(Mutex::new(of(&read.records)));
    let all = state.clone();
    let snapshot = Box::new(move || records(&all.lock().unwrap_or_else(PoisonError::into_inner)));
    Ok((state, opened.start(snapshot).map_err(cannot)?))
}

impl Ledger {
    /// Takes a file for this program alone, and gives what it holds.
    ///
    /// # Errors
    /// Those of the file system; `WouldBlock` when another program has it.
    pub fn open(path: &Path) -> io::Result<(Opened, Read)> {
        let lock = path.with_extension("lock");
        let lock = File::options().create(true).truncate(false).write(true).mode(0o600).open(lock)?;
        let lock = alone(lock)?;
        let read = read(path)?;
        Ok((Opened { path: path.to_owned(), lock }, read))
    }

    /// Appends a record, which must not contain a line feed.
    pub fn append(&self, record: String) {
        let Some(orders) = &self.orders else { return };
        if let Err(TrySendError::Full(_)) = orders.try_send(Order::Append(record)) {
            self.behind.store(true, atomic::Ordering::Relaxed);
        }
    }

    /// Waits until everything so far is on disk.
    pub fn sync(&self) {
        let (done, wait) = channel();
        if let Some(orders) = &self.orders
            && orders.send(Order::Sync(done)).is_ok()
        {
            // The other end is dropped when the writer is gone; then there is nothing to wait for.
            let _ = wait.recv();
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing more to write.
            let _ = writer.join();
        }
    }
}

/// A file that was read, and whose writer is still to be started.
#[derive(Debug)]
pub struct Opened {
    path: PathBuf,
    lock: Flock<File>,
}

impl Opened {
    /// Starts the writer. `snapshot` is asked for everything when the file is written anew.
    ///
    /// # Errors
    /// The thread cannot be started, or the file not be written.
    pub fn start(self, snapshot: Snapshot) -> io::Result<Ledger> {
        let (orders, received) = sync_channel(WAITING);
        let behind = Arc::new(atomic::AtomicBool::new(false));
        let mut writer = Writer {
            path: self.path,
            _lock: self.lock,
            snapshot,
            behind: behind.clone(),
            file: None,
            size: 0,
            live: 0,
            complained: false,
        };
        writer.rewrite()?;
        let writer =
            std::thread::Builder::new().name("ledger".to_owned()).spawn(move || writer.run(&received))?;
        Ok(Ledger { orders: Some(orders), behind, writer: Some(writer) })
    }
}

struct Writer {
    path: PathBuf,
    _lock: Flock<File>,
    snapshot: Snapshot,
    behind: Arc<atomic::AtomicBool>,
    file: Option<File>,
    /// Bytes in the file, and how many it had when it was last written anew.
    size: u64,
    live: u64,
    complained: bool,
}

impl Writer {
    fn run(&mut self, orders: &Receiver<Order>) {
        let mut dirty = false;
        loop {
            let first = if dirty {
                match orders.recv_timeout(Duration::from_secs(1)) {
                    Ok(order) => Some(order),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            } else {
                match orders.recv() {
                    Ok(order) => Some(order),
                    Err(_) => break,
                }
            };
            let Some(first) = first else {
                self.sync();
                dirty = false;
                continue;
            };
            let (mut text, mut waiting) = (String::new(), Vec::new());
            for order in std::iter::once(first).chain(orders.try_iter().take(BATCH)) {
                match order {
                    Order::Append(record) => text.push_str(&line(&record)),
                    Order::Sync(done) => waiting.push(done),
                }
            }
            self.write(text.as_bytes());
            dirty = true;
            if !waiting.is_empty() {
                self.sync();
                for done in waiting {
                    // Whoever asked may have gone.
                    let _ = done.send(());
                }
            }
        }
        self.sync();
    }

    fn write(&mut self, text: &[u8]) {
        let grown = self.size > SMALL.max(self.live.saturating_mul(3));
        let written = match &mut self.file {
            Some(file) if !grown && !self.behind.swap(false, atomic::Ordering::Relaxed) => {
                file.write_all(text).map(|()| self.size += text.len() as u64)
            }
            // What is to be appended is part of the snapshot.
            _ => self.rewrite(),
        };
        self.tell(written);
    }

    fn sync(&mut self) {
        let synced = self.file.as_ref().map_or(Ok(()), File::sync_data);
        self.tell(synced);
    }

    /// Told once, until it goes well again.
    fn tell(&mut self, result: io::Result<()>) {
        match result {
            Ok(()) => self.complained = false,
            Err(error) => {
                // A line may be half written: the next one begins a new file.
                self.file = None;
                if !std::mem::replace(&mut self.complained, true) {
                    log::warn!(target: "master", "cannot write {}: {error}; it is tried again", self.path.display());
                }
            }
        }
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let text: String = (self.snapshot)().iter().map(|record| line(record)).collect();
        let new = self.path.with_extension("new");
        let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&new, &self.path)?;
        (self.size, self.live) = (text.len() as u64, text.len() as u64);
        self.file = Some(file);
        Ok(())
    }
}

/// A text as a field of a record: without tabs, line ends and other control characters.
pub fn escape(text: &str) -> String {
    let mut field = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '%' || c.is_ascii_control() {
            field.push_str(&format!("%{:02X}", c as u32));
        } else {
            field.push(c);
        }
    }
    field
}

/// The text of a field. `None` when it was not made by [`escape`].
pub fn unescape(field: &str) -> Option<String> {
    let mut parts = field.split('%');
    let mut text = parts.next()?.to_owned();
    for part in parts {
        let code = part.get(..2).filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()))?;
        text.push(char::from(u8::from_str_radix(code, 16).ok()?));
        text.push_str(&part[2..]);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Mutex;

    type Shared = Arc<Mutex<Vec<String>>>;

    fn open(path: &Path) -> (Ledger, Shared) {
        let (opened, read) = Ledger::open(path).unwrap();
        let state = Arc::new(Mutex::new(read.records));
        let snapshot = state.clone();
        (opened.start(Box::new(move || snapshot.lock().unwrap().clone())).unwrap(), state)
    }

    #[test]
    fn records_are_there_again_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("things");
        let (ledger, _) = open(&path);
        ledger.append("a\t1".to_owned());
        ledger.append("b\t2".to_owned());
        ledger.sync();
        assert_eq!(read(&path).unwrap().records, ["a\t1", "b\t2"]);
        assert!(Ledger::open(&path).is_err(), "one program at a time");
        drop(ledger);
        let (_ledger, state) = open(&path);
        assert_eq!(*state.lock().unwrap(), ["a\t1", "b\t2"]);
    }

    #[test]
    fn a_torn_line_and_a_damaged_one_are_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("things");
        let mut bytes = (line("good\t1") + &line("bad\t1") + &line("good\t2")).into_bytes();
        let at = line("good\t1").len() + 10;
        bytes[at] ^= 1;
        bytes.extend_from_slice(b"0000aaaa\ttorn");
        fs::write(&path, bytes).unwrap();
        let read = read(&path).unwrap();
        assert_eq!((read.records, read.damaged), (vec!["good\t1".to_owned(), "good\t2".to_owned()], 2));
    }

    #[test]
    fn a_file_that_grew_is_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("things");
        let (ledger, state) = open(&path);
        state.lock().unwrap().push("all\tthere is".to_owned());
        let record = "x".repeat(100_000);
        for _ in 0..3 * SMALL / 100_000 {
            ledger.append(record.clone());
            ledger.sync();
        }
        assert!(fs::metadata(&path).unwrap().len() < 2 * SMALL);
        assert_eq!(read(&path).unwrap().records[0], "all\tthere is");
    }

    proptest! {
        #[test]
        fn every_text_is_a_field(text in any::<String>()) {
            let field = escape(&text);
            prop_assert!(!field.contains(['\t', '\n', '\r', '\0']));
            prop_assert_eq!(unescape(&field), Some(text));
        }

        #[test]
        fn no_file_makes_reading_fail(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("things");
            fs::write(&path, &bytes).unwrap();
            prop_assert!(read(&path).is_ok());
        }
    }
}
