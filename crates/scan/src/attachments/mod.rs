//! The files in a message, and those inside archives: names, types, and what they are by their first bytes.
//!
//! The message streams through; only archives are written aside, to files without a name. A [`Budget`] bounds what is
//! unpacked, how many files are looked at and how deep: a bomb costs its budget and no more.

mod gzip;
mod look;
mod magic;
mod parts;
mod settings;
mod seven;
mod tar;
mod zip;

use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;

use mail::Trouble;

pub use parts::Walk;
pub use settings::{Attachments, Decision, OnLimit};

/// How much is looked at.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Bytes that all archives of a message may unpack to.
    pub unpack: u64,
    /// Files looked at, those inside archives included.
    pub files: usize,
    /// Archives within each other.
    pub depth: usize,
    /// Where archives are written aside.
    pub aside: PathBuf,
}

/// What could not be looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It needs a password.
    Encrypted,
    /// It is of a kind that we cannot open, or damaged.
    Unreadable,
}

impl State {
    /// As tables have it.
    pub fn name(self) -> &'static str {
        match self {
            State::Encrypted => "encrypted",
            State::Unreadable => "unreadable",
        }
    }
}

/// One file, attached or inside an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Its name in lower case, without folders; empty when it has none.
    pub name: String,
    /// The media type that the message gives it; empty inside archives.
    pub media: String,
    /// What its first bytes say it is; empty when they say nothing.
    pub magic: &'static str,
    /// Names of the archives it is in and its own, for people.
    pub path: String,
    /// What could not be looked into.
    pub state: Option<State>,
}

/// Why no more is looked at.
#[derive(Debug)]
pub enum Stop {
    /// The budget is used up: of bytes, of files, of depth.
    TooMuch(&'static str),
    /// A disk of ours failed.
    Trouble(Trouble),
}

/// What was found so far, and what may still be spent.
#[derive(Debug)]
struct Spending {
    budget: Budget,
    unpacked: u64,
    found: Vec<File>,
}

impl Spending {
    fn new(budget: Budget) -> Spending {
        Spending { budget, unpacked: 0, found: Vec::new() }
    }

    fn add(&mut self, file: File) -> Result<(), Stop> {
        if self.found.len() >= self.budget.files {
            return Err(Stop::TooMuch("files"));
        }
        self.found.push(file);
        Ok(())
    }

    fn unpacked(&mut self, bytes: usize) -> Result<(), Stop> {
        self.unpacked = self.unpacked.saturating_add(bytes as u64);
        if self.unpacked > self.budget.unpack { Err(Stop::TooMuch("bytes")) } else { Ok(()) }
    }

    /// A file without a name.
    fn aside(&self) -> Result<std::fs::File, Stop> {
        let made = tempfile::tempfile_in(&self.budget.aside);
        made.map_err(|error| trouble(&error, &self.budget.aside.display().to_string()))
    }
}

fn trouble(error: &io::Error, what: &str) -> Stop {
    Stop::Trouble(Trouble::new(format!("{what}: {error}")))
}

/// An archive at hand.
trait Disk: Read + Seek {}

impl<T: Read + Seek> Disk for T {}

/// The last part of a path, whatever system wrote it, in lower case.
fn bare(name: &str) -> String {
    let name = name.trim_end_matches(['\0', ' ', '.']);
    let last = name.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or_default();
    last.chars().filter(|c| !c.is_control()).take(255).collect::<String>().trim().to_lowercase()
}

/// Where a file is, for people.
fn within(path: &str, name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).take(255).collect();
    let all = if path.is_empty() { name } else { format!("{path}/{name}") };
    all.chars().take(600).collect()
}

/// Writes aside what was read already and what is still to come, as far as the budget goes.
fn put_aside(
    spending: &mut Spending,
    head: &[u8],
    rest: &mut dyn Read,
) -> Result<Result<std::fs::File, State>, Stop> {
    let mut file = spending.aside()?;
    let write = |file: &mut std::fs::File, bytes: &[u8]| {
        file.write_all(bytes).map_err(|error| trouble(&error, "an archive written aside"))
    };
    write(&mut file, head)?;
    let mut piece = vec![0; 64 << 10];
    loop {
        match rest.read(&mut piece) {
            Ok(0) => break,
            Ok(len) => {
                spending.unpacked(len)?;
                write(&mut file, &piece[..len])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What is damaged is no fault of our disk.
            Err(_) => return Ok(Err(State::Unreadable)),
        }
    }
    file.rewind().map_err(|error| trouble(&error, "an archive written aside"))?;
    Ok(Ok(file))
}

#[cfg(test)]
mod tests;
