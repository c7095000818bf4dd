//! Learning from what people do with their mail: who reads mail leaves a message in a directory, who filters mail takes it
//! from there. The two may be processes with different rights; a crash of either loses or repeats nothing.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use conf::{Block, Mistake, View};
use mail::Trouble;
use mail::logline::printable;
use nix::fcntl::OFlag;

use crate::Own;
use crate::params::Spam;
use crate::spam::{Class, Sample};

/// Messages that wait at most for each who leaves them, and that are learned at a time.
const WAITING: usize = 1000;

/// Bytes of a message that are learned.
const MOST: usize = 512 << 10;

/// Bytes of the first line.
const LINE: usize = 1000;

/// After this, what was begun and not finished is nobody's.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// Where messages are left (`training` in `queue_directory`). Started as root, anybody may leave some there and nobody may
/// see or remove another's; the kernel says whose each is.
#[derive(Clone, Debug)]
pub struct Training {
    place: PathBuf,
    /// What was left by this process, and may still be there.
    left: Arc<Mutex<VecDeque<PathBuf>>>,
}

/// A message that was left.
struct Lesson {
    /// Whose file it is.
    uid: u32,
    user: String,
    class: Class,
    message: Vec<u8>,
}

impl Training {
    /// The directory below this queue directory.
    pub fn below(queue: &Path) -> Training {
        Training { place: queue.join("training"), left: Arc::default() }
    }

    /// Where a configuration has people teach the filter; `None`: it does not.
    pub fn read(view: &View, mistakes: &mut Vec<Mistake>) -> Option<Training> {
        let read = Spam::read(view, mistakes);
        let learns = read.spam_check.trim() == "facteur" && read.spam_learn_from_junk != "no";
        learns.then(|| Training::below(Path::new(&view.get("queue_directory"))))
    }

    /// Leaves a message of a user.
    ///
    /// # Errors
    /// There is no such directory, too much waits there, or the disk failed.
    pub fn leave(&self, user: &str, class: Class, message: &[u8]) -> io::Result<()> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let user: String = user.chars().filter(|c| !c.is_control()).take(LINE / 4).collect();
        self.make_room()?;
        let name = format!("{}.{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let coming = self.place.join(format!(".{name}"));
        let _ = fs::remove_file(&coming);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&coming)?;
        // Whatever the umask: who learns is of the directory's group.
        file.set_permissions(Permissions::from_mode(0o640))?;
        let word = if class == Class::Spam { "spam" } else { "ham" };
        file.write_all(format!("{word} {user}\n").as_bytes())?;
        file.write_all(&message[..message.len().min(MOST)])?;
        drop(file);
        let path = self.place.join(name);
        fs::rename(&coming, &path)?;
        self.left.lock().unwrap_or_else(PoisonError::into_inner).push_back(path);
        Ok(())
    }

    /// Forgets what was taken; what remains has a limit.
    fn make_room(&self) -> io::Result<()> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.len() >= WAITING {
            left.retain(|path| path.exists());
        }
        if left.len() >= WAITING {
            return Err(io::Error::other("too much waits to be learned"));
        }
        Ok(())
    }

    /// Learns what was left, for the user, and for the site too where that is wanted. `may` says whether somebody with this
    /// uid may teach for this user. Gives how many there were.
    ///
    /// # Errors
    /// The statistics failed: what was left stays.
    pub fn collect(
        &self,
        own: &Own,
        site: bool,
        today: i64,
        may: impl Fn(&str, u32) -> Result<bool, Trouble>,
    ) -> Result<usize, Trouble> {
        let Ok(entries) = fs::read_dir(&self.place) else { return Ok(0) };
        let paths = entries.flatten().map(|entry| entry.path()).filter(|path| is_left(path));
        let mut paths: Vec<_> = paths.take(WAITING).collect();
        paths.sort();
        for path in &paths {
            if let Some(lesson) = read(path) {
                if may(&lesson.user, lesson.uid)? {
                    learn(own, site, today, &lesson)?;
                } else {
                    let (user, uid) = (printable(&lesson.user), lesson.uid);
                    log::warn!(target: "cleanup", "spam filter: uid {uid} may not teach for {user}");
                }
            }
            fs::remove_file(path).map_err(|error| Trouble::from_error(path.display().to_string(), error))?;
        }
        Ok(paths.len())
    }
}

/// Has it been left, by whomever? Directories are none of ours; of what is under way, what was given up goes.
fn is_left(path: &Path) -> bool {
    let Ok(found) = fs::symlink_metadata(path) else { return false };
    if found.is_dir() {
        return false;
    }
    if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
        let age = found.modified().ok().and_then(|then| net::clock::wall().duration_since(then).ok());
        if age.is_some_and(|age| age > FORGOTTEN) {
            let _ = fs::remove_file(path);
        }
        return false;
    }
    true
}

fn learn(own: &Own, site: bool, today: i64, lesson: &Lesson) -> Result<(), Trouble> {
    let sample = Sample::read(&lesson.message);
    let statistics = own.statistics()?;
    statistics.learn(&lesson.user, &sample, lesson.class, today)?;
    if site && !lesson.user.is_empty() {
        statistics.learn("", &sample, lesson.class, today)?;
    }
    Ok(())
}

/// A message that was left; `None`: it is none. Links and pipes are none of ours.
fn read(path: &Path) -> Option<Lesson> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file: File = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).ok()?;
    let found = file.metadata().ok()?;
    if !found.is_file() || found.nlink() != 1 {
        return None;
    }
    let mut content = Vec::new();
    file.take((MOST + LINE) as u64).read_to_end(&mut content).ok()?;
    let end = content.iter().take(LINE).position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&content[..end]).ok()?;
    let (word, user) = line.split_once(' ')?;
    let class = match word {
        "spam" => Class::Spam,
        "ham" => Class::Ham,
        _ => return None,
    };
    let user = user.to_lowercase();
    content.drain(..=end);
    Some(Lesson { uid: found.uid(), user, class, message: content })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_left_is_learned_once_and_what_is_odd_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let training = Training::below(folder.path());
        let message = b"From: a@b.test\nSubject: shoes\n\ncheap shoes\n";
        assert!(training.leave("ann", Class::Spam, message).is_err(), "there is no directory");
        let place = folder.path().join("training");
        fs::create_dir(&place).unwrap();
        training.leave("Ann\n@box.test", Class::Spam, message).unwrap();
        fs::write(folder.path().join("secret"), "ham bob\nx").unwrap();
        symlink(folder.path().join("secret"), place.join("0")).unwrap();
        fs::write(place.join("1"), "no line").unwrap();
        fs::write(place.join(".coming"), "ham bob\nx").unwrap();
        let own = Own::at(&folder.path().join("spam.sqlite"));
        fs::create_dir(place.join("2")).unwrap();
        fs::hard_link(folder.path().join("secret"), place.join("3")).unwrap();
        training.leave("eve@box.test", Class::Ham, message).unwrap();
        let own_uid = fs::metadata(&place).unwrap().uid();
        let may = |user: &str, uid: u32| Ok(uid == own_uid && user != "eve@box.test");
        assert_eq!(training.collect(&own, true, 1, may).unwrap(), 5);
        assert_eq!(training.collect(&own, true, 1, may).unwrap(), 0);
        let owners = own.statistics().unwrap().owners().unwrap();
        let names: Vec<(&str, u32)> =
            owners.iter().map(|owner| (owner.name.as_str(), owner.learned.spam)).collect();
        assert_eq!(names, [("", 1), ("ann@box.test", 1)]);
    }

    #[test]
    fn what_nobody_fetches_has_a_limit_and_a_failed_question_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("training")).unwrap();
        let training = Training::below(folder.path());
        let left = (0..2 * WAITING).take_while(|_| training.leave("ann", Class::Ham, b"x: y\n\nz\n").is_ok());
        assert_eq!(left.count(), WAITING);
        let own = Own::at(&folder.path().join("spam.sqlite"));
        let asked = training.collect(&own, false, 1, |_, _| Err(Trouble::new("the directory is away")));
        assert!(asked.is_err());
        assert_eq!(training.collect(&own, false, 1, |_, _| Ok(false)).unwrap(), WAITING);
        training.leave("ann", Class::Ham, b"x: y\n\nz\n").unwrap();
    }
}
