//! A disk in memory that fails on demand and loses what was not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::Dice;
use crate::disk::{Disk, DiskFile};

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// EIO; a failed sync loses what it should have written, as on Linux.
    Eio,
    /// ENOSPC.
    NoSpace,
    /// A write takes half and the rest fails. Other operations: EIO.
    Torn,
    /// A write takes only a part, which is no failure. Other operations succeed.
    Short,
}

/// When it fails.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) at: usize,
    pub(super) fault: Fault,
    /// How many operations in a row fail.
    pub(super) times: usize,
}

/// What a crash leaves of what was not synced.
#[derive(Clone, Copy, Debug)]
pub(super) enum Crash {
    Nothing,
    Everything,
    Something(u64),
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

#[derive(Clone, Debug, Default)]
struct Content {
    current: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Add(PathBuf, usize),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf, usize),
}

#[derive(Debug, Default)]
struct World {
    files: Vec<Content>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    unsynced_names: Vec<NameChange>,
    directories: BTreeSet<PathBuf>,
    operations: usize,
    plan: Option<Plan>,
    torn: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RamDisk(Arc<Mutex<World>>);

#[derive(Debug)]
struct RamFile {
    disk: RamDisk,
    number: usize,
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(5)
}

fn full() -> io::Error {
    io::Error::from_raw_os_error(28)
}

impl Content {
    fn apply(data: &mut Vec<u8>, change: &Change) {
        match change {
            Change::Length(len) => data.resize(*len as usize, 0),
            Change::Write(at, bytes) => {
                let end = *at as usize + bytes.len();
                data.resize(data.len().max(end), 0);
                data[*at as usize..end].copy_from_slice(bytes);
            }
        }
    }

    fn change(&mut self, change: Change) {
        Content::apply(&mut self.current, &change);
        self.unsynced.push(change);
    }
}

fn rename(names: &mut BTreeMap<PathBuf, usize>, change: &NameChange) {
    match change {
        NameChange::Add(path, number) => drop(names.insert(path.clone(), *number)),
        NameChange::Remove(path) => drop(names.remove(path)),
        NameChange::Rename(from, to, number) => {
            names.remove(from);
            names.insert(to.clone(), *number);
        }
    }
}

impl World {
    /// Counts an operation; the fault it meets, if any.
    fn meets(&mut self) -> Option<Fault> {
        let at = self.operations;
        self.operations += 1;
        self.plan.filter(|plan| (plan.at..plan.at + plan.times).contains(&at)).map(|plan| plan.fault)
    }

    fn step(&mut self) -> io::Result<()> {
        match self.meets() {
            None | Some(Fault::Short) => Ok(()),
            Some(Fault::NoSpace) => Err(full()),
            Some(Fault::Eio | Fault::Torn) => Err(eio()),
        }
    }

    fn change_name(&mut self, change: NameChange) {
        rename(&mut self.names, &change);
        self.unsynced_names.push(change);
    }
}

impl RamDisk {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().expect("no test panics while it holds the disk")
    }

    pub(super) fn plan(&self, plan: Option<Plan>) {
        let mut world = self.world();
        world.operations = 0;
        world.plan = plan;
    }

    pub(super) fn operations(&self) -> usize {
        self.world().operations
    }

    /// The disk after the power came back.
    pub(super) fn crash(&self, crash: Crash) -> RamDisk {
        let world = self.world();
        let mut after = World { directories: world.directories.clone(), ..World::default() };
        let mut dice = match crash {
            Crash::Something(seed) => Dice(seed * 2 + 1),
            _ => Dice(1),
        };
        after.durable_names = world.durable_names.clone();
        let kept_names = match crash {
            Crash::Nothing => 0,
            Crash::Everything => world.unsynced_names.len(),
            Crash::Something(_) => dice.roll(world.unsynced_names.len() + 1),
        };
        for change in &world.unsynced_names[..kept_names] {
            rename(&mut after.durable_names, change);
        }
        for file in &world.files {
            let mut data = file.durable.clone();
            match crash {
                Crash::Nothing => {}
                Crash::Everything => data.clone_from(&file.current),
                Crash::Something(_) => {
                    for change in &file.unsynced {
                        match (dice.roll(3), change) {
                            (0, _) => {}
                            (1, Change::Write(at, bytes)) => {
                                let some = bytes[..dice.roll(bytes.len() + 1)].to_vec();
                                Content::apply(&mut data, &Change::Write(*at, some));
                            }
                            _ => Content::apply(&mut data, change),
                        }
                    }
                }
            }
            after.files.push(Content { current: data.clone(), durable: data, unsynced: Vec::new() });
        }
        after.names = after.durable_names.clone();
        RamDisk(Arc::new(Mutex::new(after)))
    }

    pub(super) fn names(&self, directory: &str) -> Vec<PathBuf> {
        self.world()
            .names
            .keys()
            .filter(|path| path.parent() == Some(Path::new(directory)))
            .cloned()
            .collect()
    }

    pub(super) fn bytes(&self, path: &Path) -> Vec<u8> {
        let world = self.world();
        world.files[world.names[path]].current.clone()
    }

    pub(super) fn overwrite(&self, path: &Path, bytes: &[u8]) {
        let mut world = self.world();
        let number = world.names[path];
        world.files[number] =
            Content { current: bytes.to_vec(), durable: bytes.to_vec(), unsynced: Vec::new() };
    }
}

impl Disk for RamDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        world.step()?;
        if world.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = world.files.len();
        world.files.push(Content::default());
        world.change_name(NameChange::Add(path.to_owned(), number));
        Ok(Arc::new(RamFile { disk: self.clone(), number }))
    }

    fn open(&self, path: &Path, _write: bool) -> io::Result<Arc<dyn DiskFile>> {
        let number = *self.world().names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(RamFile { disk: self.clone(), number }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.step()?;
        let number = *world.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        world.change_name(NameChange::Rename(from.to_owned(), to.to_owned(), number));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.step()?;
        if !world.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.change_name(NameChange::Remove(path.to_owned()));
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let names = self.names(directory.to_str().expect("a test path"));
        Ok(names.iter().filter_map(|path| path.file_name()?.to_str()).map(str::to_owned).collect())
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.world().directories.insert(path.to_owned());
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.step()?;
        let touches = |change: &NameChange| match change {
            NameChange::Add(name, _) | NameChange::Remove(name) | NameChange::Rename(_, name, _) => {
                name.parent() == Some(path)
            }
        };
        let changes = std::mem::take(&mut world.unsynced_names);
        let (synced, rest): (Vec<_>, Vec<_>) = changes.into_iter().partition(touches);
        for change in &synced {
            rename(&mut world.durable_names, change);
        }
        world.unsynced_names = rest;
        Ok(())
    }

    fn free(&self, _path: &Path) -> io::Result<u64> {
        Ok(1 << 30)
    }
}

impl DiskFile for RamFile {
    fn write_at(&self, pieces: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let mut world = self.disk.world();
        let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
        let fault = world.meets();
        if std::mem::take(&mut world.torn) {
            return Err(full());
        }
        let len = match fault {
            None => bytes.len(),
            Some(Fault::Eio) => return Err(eio()),
            Some(Fault::NoSpace) => return Err(full()),
            Some(Fault::Torn) => {
                world.torn = true;
                bytes.len() / 2
            }
            Some(Fault::Short) => bytes.len().div_ceil(2),
        };
        if len == 0 {
            return Err(eio());
        }
        world.files[self.number].change(Change::Write(offset, bytes[..len].to_vec()));
        Ok(len)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let world = self.disk.world();
        let data = &world.files[self.number].current;
        let from = data.get(offset as usize..).unwrap_or_default();
        let len = from.len().min(into.len());
        into[..len].copy_from_slice(&from[..len]);
        Ok(len)
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.disk.world();
        let answer = world.step();
        let file = &mut world.files[self.number];
        // After a failure the pages count as clean: no later sync writes them.
        let unsynced = std::mem::take(&mut file.unsynced);
        if answer.is_ok() {
            for change in &unsynced {
                Content::apply(&mut file.durable, change);
            }
        }
        answer
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        world.step()?;
        world.files[self.number].change(Change::Length(len));
        Ok(())
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        world.step()?;
        let file = &mut world.files[self.number];
        if (file.current.len() as u64) < len.min(8192) {
            file.change(Change::Length(len.min(8192)));
        }
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.world().files[self.number].current.len() as u64)
    }
}
