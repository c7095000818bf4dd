//! `facteur queue import`: takes over the mail of a stopped Postfix.
//!
//! A message goes into our queue on hold, then its file is moved aside, then it is released. So an import that is
//! cut off can be repeated: what is in both places is known by the log of the import and is not taken twice, and
//! nothing of it was delivered meanwhile.

mod aside;
mod drops;
mod ledger;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mail::{Envelope, QueueId, Recipient};
use queue::spool::{self, Letter, Note, Place, Wrong};
use queue::{Action, Entry, Fate, Queue, Selection, Settlement, State};
use tokio::task::JoinSet;

use self::aside::Aside;
use self::ledger::Ledger;
use super::options::Options;
use super::{counted, now};
use crate::commands::reach::queue_directory;
use crate::config::{self, Config};
use crate::serve::directories;

/// So many messages are made durable together.
const AT_ONCE: usize = 200;

/// So many files are named one by one where something is wrong.
const NAMED: usize = 20;

/// Takes over the spool that the options name.
pub fn import(config: &Config, options: &Options) -> Result<u8, String> {
    let ours = queue_directory(config);
    let spool = source(options, &ours)?;
    stopped(&spool)?;
    let places = spool::scan(&spool).map_err(|error| error.to_string())?;
    let survey = Survey::of(places);
    print!("{}", survey.plan(&spool));
    if options.dry_run {
        return Ok(survey.status());
    }
    if survey.good.is_empty() && !spool.join(aside::DIRECTORY).exists() {
        return Ok(survey.status());
    }
    if !ours.exists() {
        // Nothing has ever run here.
        directories::prepare(&config.view)?;
    }
    let (queue, _) =
        Queue::open(queue::Settings::new(&ours), now()).map_err(|failure| failure.to_string())?;
    let done =
        Importer::new(queue.clone(), &spool, &ours).and_then(|mut importer| importer.run(&survey.good));
    queue.close();
    let taken = done?;
    println!(
        "Imported: {}; the files are in {}",
        counted(taken, "message"),
        spool.join(aside::DIRECTORY).display()
    );
    Ok(survey.status())
}

/// Which spool is meant: a directory, that of a configuration, or our own queue_directory.
pub(super) fn source(options: &Options, ours: &Path) -> Result<PathBuf, String> {
    let spool = match (&options.postfix, options.names.as_slice()) {
        (Some(directory), []) => {
            let config = Config::main_only(&config::directory(Some(directory)), "facteur");
            queue_directory(&config)
        }
        (None, [directory]) => PathBuf::from(directory),
        (None, []) => ours.to_owned(),
        _ => {
            return Err(
                "name one spool: a directory, or --config and the configuration of Postfix".to_owned()
            );
        }
    };
    let known = ["incoming", "active", "deferred", "hold"];
    if !known.iter().any(|queue| spool.join(queue).is_dir()) {
        return Err(format!("{} is no spool of Postfix: it has no directory deferred", spool.display()));
    }
    Ok(spool)
}

/// Refuses while a Postfix works there: it would deliver what we take.
pub(super) fn stopped(spool: &Path) -> Result<(), String> {
    match spool::is_in_use(spool) {
        None => Ok(()),
        Some(pid) => Err(format!(
            "Postfix runs on {} (process {pid}); stop it first: 'postfix stop' with its own configuration",
            spool.display()
        )),
    }
}

/// What is in a spool.
#[derive(Default)]
struct Survey {
    good: Vec<Place>,
    /// By queue: messages, recipients, bytes.
    counts: Vec<(&'static str, [u64; 3])>,
    damaged: Vec<String>,
    unfinished: usize,
}

impl Survey {
    /// Reads every file once.
    fn of(places: Vec<Place>) -> Survey {
        let mut survey = Survey::default();
        for place in places {
            if place.queue == "maildrop" && drops::is_ours(&place.path) {
                continue;
            }
            if !place.complete {
                survey.unfinished += 1;
                continue;
            }
            match spool::read(&place.path, &mut |_| Ok(())) {
                Ok(letter) => {
                    survey.count(place.queue, &letter);
                    survey.good.push(place);
                }
                Err(Wrong::Damaged(what)) => survey.damaged.push(format!("{}: {what}", place.path.display())),
                Err(Wrong::Ours(failure)) => survey.damaged.push(failure.to_string()),
            }
        }
        survey
    }

    fn count(&mut self, queue: &'static str, letter: &Letter) {
        if self.counts.last().is_none_or(|(last, _)| *last != queue) {
            self.counts.push((queue, [0; 3]));
        }
        let Some((_, counts)) = self.counts.last_mut() else { return };
        counts[0] += 1;
        counts[1] += letter.envelope.recipients.len() as u64;
        counts[2] += letter.size;
    }

    fn plan(&self, spool: &Path) -> String {
        let mut text = format!("{}: {}\n", spool.display(), counted(self.good.len(), "message"));
        for (queue, [messages, recipients, bytes]) in &self.counts {
            text.push_str(&format!(
                "  {queue:<9} {}, {}, {} Kbytes\n",
                counted(*messages as usize, "message"),
                counted(*recipients as usize, "recipient"),
                bytes / 1024
            ));
        }
        if self.unfinished > 0 {
            let files = counted(self.unfinished, "file");
            text.push_str(&format!("  {files} not complete: never acknowledged to anybody; left there\n"));
        }
        for what in self.damaged.iter().take(NAMED) {
            text.push_str(&format!("  damaged, left there: {what}\n"));
        }
        if self.damaged.len() > NAMED {
            text.push_str(&format!("  ... and {} more damaged files\n", self.damaged.len() - NAMED));
        }
        text
    }

    fn status(&self) -> u8 {
        u8::from(!self.damaged.is_empty())
    }
}

/// A message on its way into our queue.
struct Put {
    id: QueueId,
    draft: queue::Draft,
    envelope: Envelope,
    arrival: Timestamp,
}

/// A message that is in our queue, on hold.
struct Taken {
    place: Place,
    id: QueueId,
    hold: bool,
    settlement: Settlement,
}

struct Importer {
    queue: Queue,
    runtime: tokio::runtime::Runtime,
    spool: PathBuf,
    maildrop: PathBuf,
    notes: Notes,
    ledger: Ledger,
    aside: Aside,
}

/// Files beside the messages: why they wait, and what is owed.
struct Notes {
    defer: HashMap<String, PathBuf>,
    bounce: HashMap<String, PathBuf>,
    trace: HashMap<String, PathBuf>,
}

impl Importer {
    fn new(queue: Queue, spool: &Path, ours: &Path) -> Result<Importer, String> {
        let files = |directory| spool::notes_files(spool, directory).map_err(|error| error.to_string());
        let aside = Aside::new(spool)?;
        Ok(Importer {
            queue,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| format!("cannot start the runtime: {error}"))?,
            spool: spool.to_owned(),
            maildrop: ours.join("maildrop"),
            notes: Notes { defer: files("defer")?, bounce: files("bounce")?, trace: files("trace")? },
            ledger: Ledger::open(&aside.path("import.log"))?,
            aside,
        })
    }

    fn run(&mut self, places: &[Place]) -> Result<usize, String> {
        let (drops, queued): (Vec<&Place>, Vec<&Place>) =
            places.iter().partition(|place| place.queue == "maildrop");
        // An import was cut off between moving files and releasing their messages.
        let here: HashSet<&str> = queued.iter().map(|place| place.name.as_str()).collect();
        let stuck =
            self.ledger.unfinished().filter(|(queue, name, _)| *queue != "hold" && !here.contains(name));
        self.release(stuck.map(|(_, _, id)| id.clone()).collect())?;
        let mut taken = 0;
        for some in queued.chunks(AT_ONCE) {
            taken += self.batch(some)?;
        }
        drops::finish(&self.maildrop, &self.spool)?;
        for place in drops {
            drops::take(place, &self.maildrop, &mut self.aside)?;
            taken += 1;
        }
        Ok(taken)
    }

    /// Puts, moves aside, releases.
    fn batch(&mut self, places: &[&Place]) -> Result<usize, String> {
        let mut taken = Vec::new();
        let mut puts = Vec::new();
        for &place in places {
            if let Some((one, put)) = self.read(place)? {
                taken.push(one);
                puts.extend(put);
            }
        }
        self.ledger.sync()?;
        self.put(puts)?;
        let mut left = HashSet::new();
        for one in &taken {
            if let Err(what) = self.aside.take(&one.place) {
                // It stays on hold here, and the next import finds both.
                eprintln!("facteur queue: {what}; {} stays on hold", one.id);
                left.insert(one.id.clone());
                continue;
            }
            for (directory, files) in
                [("defer", &self.notes.defer), ("bounce", &self.notes.bounce), ("trace", &self.notes.trace)]
            {
                if let Some(path) = files.get(&one.place.name) {
                    // What they say is in our queue; where they are matters to nobody.
                    let _ = self.aside.take_file(directory, &one.place.name, path);
                }
            }
        }
        self.aside.sync()?;
        let mut released = Vec::new();
        for one in &taken {
            let _ = self.queue.settle(&one.id, one.settlement.clone()).now();
            if !one.hold && !left.contains(&one.id) {
                released.push(one.id.clone());
            }
        }
        self.release(released)?;
        self.ledger.done()?;
        Ok(taken.len())
    }

    /// Returns when that is durable, and all that was recorded before.
    fn release(&self, ids: Vec<QueueId>) -> Result<(), String> {
        let released = self.queue.release(&Selection::These(ids, vec![State::Hold]));
        released.wait().map(drop).map_err(|failure| failure.to_string())
    }

    fn put(&self, puts: Vec<Put>) -> Result<(), String> {
        self.runtime.block_on(async {
            let mut waiting = JoinSet::new();
            for Put { id, draft, envelope, arrival } in puts {
                let queue = self.queue.clone();
                waiting.spawn(
                    async move { queue.put(id, draft, envelope, Entry { arrival, hold: true }).await },
                );
            }
            while let Some(done) = waiting.join_next().await {
                done.map_err(|error| error.to_string())?.map_err(|failure| failure.to_string())?;
            }
            Ok(())
        })
    }

    /// Reads one file. `None` when it has nothing left to do or became damaged; without a put when the message is
    /// in our queue since an import that was cut off.
    fn read(&mut self, place: &Place) -> Result<Option<(Taken, Option<Put>)>, String> {
        let mut draft = self.queue.draft(0);
        let letter = match spool::read(&place.path, &mut |piece| draft.write(piece)) {
            Ok(letter) => letter,
            Err(Wrong::Damaged(what)) => {
                eprintln!("facteur queue: {}: {what}; left there", place.path.display());
                return Ok(None);
            }
            Err(Wrong::Ours(failure)) => return Err(failure.to_string()),
        };
        let (envelope, fates) = self.fates(place, &letter);
        if envelope.recipients.is_empty() {
            eprintln!("facteur queue: {}: all recipients are done; left there", place.path.display());
            return Ok(None);
        }
        let known = self.ledger.known(place, letter.arrival).filter(|id| self.queue.brief(id).is_some());
        let is_new = known.is_none();
        let id = known.unwrap_or_else(|| self.queue.new_id(letter.arrival.max(Timestamp::UNIX_EPOCH)));
        if is_new {
            self.ledger.note(place, letter.arrival, &id)?;
        }
        let defer_until = (place.queue == "deferred").then(|| modified(&place.path).unwrap_or_else(now));
        let settlement = Settlement { fates, defer_until, ..Settlement::default() };
        let hold = place.queue == "hold";
        let put = is_new.then(|| Put { id: id.clone(), draft, envelope, arrival: letter.arrival });
        Ok(Some((Taken { place: place.clone(), id, hold, settlement }, put)))
    }

    /// The recipients that are not done with what was said of them; behind them those that are done but for a
    /// notice of failure.
    fn fates(&self, place: &Place, letter: &Letter) -> (Envelope, Vec<(u32, Fate)>) {
        let read = |files: &HashMap<String, PathBuf>| -> Vec<Note> {
            let Some(path) = files.get(&place.name) else { return Vec::new() };
            let at = modified(path).unwrap_or_default();
            std::fs::read(path)
                .map(|text| spool::parse_notes(&String::from_utf8_lossy(&text), at))
                .unwrap_or_default()
        };
        let deferred = by_place(read(&self.notes.defer));
        let failed = by_place(read(&self.notes.bounce));
        let mut envelope = letter.envelope.clone();
        if envelope.client.ident == place.name {
            envelope.client.ident.clear();
        }
        envelope.origin = "import".to_owned();
        let mut fates = Vec::new();
        let said = |notes: &HashMap<u64, Note>, at: u64, recipient: &Recipient| {
            notes.get(&at).filter(|note| note.recipient == recipient.address.as_str()).cloned()
        };
        for (index, (recipient, at)) in envelope.recipients.iter().zip(&letter.offsets).enumerate() {
            if let Some(note) = said(&deferred, *at, recipient) {
                fates.push((index as u32, Fate::Deferred(note.report)));
            }
        }
        for (at, recipient) in &letter.done {
            if let Some(note) =
                said(&failed, *at, recipient).filter(|note| note.report.action == Action::Failed)
            {
                fates.push((envelope.recipients.len() as u32, Fate::Failed(note.report)));
                envelope.recipients.push(recipient.clone());
            }
        }
        (envelope, fates)
    }
}

fn by_place(notes: Vec<Note>) -> HashMap<u64, Note> {
    notes.into_iter().filter_map(|note| Some((note.offset?, note))).collect()
}

fn modified(path: &Path) -> Option<Timestamp> {
    let time = std::fs::metadata(path).ok()?.modified().ok()?;
    Timestamp::try_from(time).ok()
}
