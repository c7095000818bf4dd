//! `facteur queue export`: gives our mail to a stopped Postfix.
//!
//! A message is first written, complete, into `exporting/` of the spool; then it is removed from our queue; then
//! its file gets its name among the deferred mail or that on hold. Whatever is cut off in between, the message is
//! in one place that counts, and the same command goes on from there.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mail::QueueId;
use queue::spool::{self, Note};
use queue::{Brief, Queue, Selection, State, Stored};

use super::import::{source, stopped};
use super::options::Options;
use super::{counted, now};
use crate::commands::reach::queue_directory;
use crate::config::{self, Config};

/// So many messages are made durable together.
const AT_ONCE: usize = 200;

/// Files of messages that may still be in our queue.
const STAGE: &str = "exporting";

/// Gives all our mail to the spool that the options name.
pub fn export(config: &Config, options: &Options) -> Result<u8, String> {
    if options.names.is_empty() && options.postfix.is_none() {
        return Err("name the spool: a directory, or --config and the configuration of Postfix".to_owned());
    }
    let ours = queue_directory(config);
    let spool = source(options, &ours)?;
    stopped(&spool)?;
    let settings = queue::Settings::new(&ours);
    let opened = match options.dry_run {
        true => Queue::look(settings, now()),
        false => Queue::open(settings, now()),
    };
    let (queue, _) = opened.map_err(|failure| failure.to_string())?;
    let all = queue.briefs(None, usize::MAX);
    print!("{}", plan(&all, &spool));
    if options.dry_run {
        return Ok(0);
    }
    let postfix = match &options.postfix {
        Some(directory) => &Config::main_only(&config::directory(Some(directory)), "facteur"),
        None => config,
    };
    let done = Exporter::new(&queue, &spool, postfix).and_then(|exporter| exporter.run(&all));
    queue.close();
    let (given, left) = done?;
    println!("Exported: {}", counted(given, "message"));
    Ok(u8::from(left > 0))
}

fn plan(all: &[Brief], spool: &Path) -> String {
    let bytes: u64 = all.iter().map(|brief| brief.size).sum();
    let held = all.iter().filter(|brief| brief.state == State::Hold).count();
    format!(
        "To {}: {}, {} Kbytes; {held} to hold, {} to deferred\n",
        spool.display(),
        counted(all.len(), "message"),
        bytes / 1024,
        all.len() - held
    )
}

struct Exporter<'a> {
    queue: &'a Queue,
    spool: PathBuf,
    /// Who owns the files of the spool.
    owner: (u32, u32),
    hashed: Vec<String>,
    depth: usize,
}

impl Exporter<'_> {
    fn new<'a>(queue: &'a Queue, spool: &Path, postfix: &Config) -> Result<Exporter<'a>, String> {
        let directory = spool.join("deferred");
        let owner = fs::metadata(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        let hashed = postfix.view.get("hash_queue_names");
        let exporter = Exporter {
            queue,
            spool: spool.to_owned(),
            owner: (owner.uid(), owner.gid()),
            hashed: hashed.split([',', ' ', '\t', '\n']).map(str::to_owned).collect(),
            depth: postfix.view.get("hash_queue_depth").trim().parse().unwrap_or(1),
        };
        for queue in ["deferred", "hold", "defer"] {
            exporter.make(&exporter.stage(queue))?;
        }
        Ok(exporter)
    }

    fn stage(&self, queue: &str) -> PathBuf {
        self.spool.join(STAGE).join(queue)
    }

    /// How many went, and how many stayed.
    fn run(&self, all: &[Brief]) -> Result<(usize, usize), String> {
        let mut given = self.finish()?;
        let mut left = 0;
        for some in all.chunks(AT_ONCE) {
            let mut staged = Vec::new();
            for brief in some {
                match self.stage_one(&brief.id) {
                    Ok(()) => staged.push(brief.id.clone()),
                    Err(what) => {
                        eprintln!("facteur queue: {}: {what}; it stays here", brief.id);
                        left += 1;
                    }
                }
            }
            for queue in ["deferred", "hold"] {
                sync(&self.stage(queue))?;
            }
            if !staged.is_empty() {
                let gone = self.queue.delete(&Selection::These(staged, State::ALL.to_vec()));
                gone.wait().map_err(|failure| failure.to_string())?;
            }
            given += self.finish()?;
        }
        for queue in ["deferred", "hold", "defer"] {
            // What is not empty holds files that could not be moved; they were named.
            let _ = fs::remove_dir(self.stage(queue));
        }
        let _ = fs::remove_dir(self.spool.join(STAGE));
        Ok((given, left))
    }

    /// Writes the file of a message, durably, where Postfix does not look.
    fn stage_one(&self, id: &QueueId) -> Result<(), String> {
        let stored = self.queue.load(id).map_err(|failure| failure.to_string())?;
        if stored.owes_notice() {
            return Err(
                "a notice to its sender is owed; start and stop Facteur once, so that it goes out".into()
            );
        }
        let held = stored.state == State::Hold;
        let path = self.stage(if held { "hold" } else { "deferred" }).join(id.as_str());
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        let file = self.create(&path, 0o700).map_err(failed)?;
        let mut out = BufWriter::with_capacity(1 << 16, file);
        let written = spool::write(&stored, &mut out).map_err(|failure| failure.to_string())?;
        let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        // qmgr(8) looks at deferred mail when the time of its file has come.
        let next = SystemTime::from(stored.next_attempt.max(stored.arrival));
        file.set_modified(next).and_then(|()| file.sync_all()).map_err(failed)?;
        self.stage_notes(&stored, &written.recipients)
    }

    fn stage_notes(&self, stored: &Stored, recipients: &[(usize, u64)]) -> Result<(), String> {
        let notes = recipients.iter().filter_map(|(index, at)| {
            Some(Note {
                recipient: stored.envelope.recipients[*index].address.as_str().to_owned(),
                offset: Some(*at),
                report: stored.fates[*index].report()?.clone(),
            })
        });
        let notes: Vec<Note> = notes.collect();
        if notes.is_empty() {
            return Ok(());
        }
        let path = self.stage("defer").join(stored.id.as_str());
        let write = self.create(&path, 0o600);
        write
            .and_then(|mut file| file.write_all(spool::write_notes(&notes).as_bytes()))
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    fn create(&self, path: &Path, mode: u32) -> std::io::Result<File> {
        let _ = fs::remove_file(path);
        let file = File::options().write(true).create_new(true).mode(mode).open(path)?;
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::fchown(&file, Some(self.owner.0), Some(self.owner.1))?;
        }
        Ok(file)
    }

    /// Names the staged files that are no longer in our queue.
    fn finish(&self) -> Result<usize, String> {
        let mut touched = BTreeSet::new();
        let mut given = 0;
        for queue in ["deferred", "hold"] {
            let stage = self.stage(queue);
            let entries = fs::read_dir(&stage).map_err(|error| format!("{}: {error}", stage.display()))?;
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let Some(old) = QueueId::parse(&name) else { continue };
                if self.queue.brief(&old).is_some() {
                    // Cut off before it was removed here: it is written again.
                    continue;
                }
                let meta = entry.metadata().map_err(|error| format!("{name}: {error}"))?;
                let micros = arrival_micros(&entry.path())?;
                let new = format!("{micros:05X}{:X}", meta.ino());
                self.name(&stage.join(&name), queue, &new, &mut touched)?;
                let notes = self.stage("defer").join(&name);
                if notes.exists() {
                    self.name(&notes, "defer", &new, &mut touched)?;
                }
                log::debug!(target: "facteur", "{old} is {new} in {queue}");
                given += 1;
            }
        }
        for directory in touched {
            sync(&directory)?;
        }
        Ok(given)
    }

    fn name(
        &self,
        from: &Path,
        queue: &str,
        new: &str,
        touched: &mut BTreeSet<PathBuf>,
    ) -> Result<(), String> {
        let mut directory = self.spool.join(queue);
        if self.hashed.iter().any(|name| name == queue) {
            for letter in new.chars().take(self.depth) {
                directory.push(letter.to_string());
            }
        }
        self.make(&directory)?;
        let to = directory.join(new);
        fs::rename(from, &to).map_err(|error| format!("cannot name {}: {error}", to.display()))?;
        touched.insert(directory);
        Ok(())
    }

    /// A directory as Postfix makes it.
    fn make(&self, directory: &Path) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("cannot make {}: {error}", directory.display());
        if directory.is_dir() {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(directory, Some(self.owner.0), Some(self.owner.1)).map_err(failed)?;
        }
        Ok(())
    }
}

/// Microseconds within the second of arrival: with the number of the file they make a queue id.
fn arrival_micros(path: &Path) -> Result<i64, String> {
    match spool::read(path, &mut |_| Ok(())) {
        Ok(letter) => Ok(letter.arrival.as_microsecond().rem_euclid(1_000_000)),
        Err(_) => Err(format!("{} cannot be read back; it stays there", path.display())),
    }
}

fn sync(directory: &Path) -> Result<(), String> {
    File::open(directory)
        .and_then(|open| open.sync_all())
        .map_err(|error| format!("cannot sync {}: {error}", directory.display()))
}
