//! Learning from what people do with their mail: who reads mail leaves a message in a directory, who filters mail takes it
//! from there. The two may be processes with different rights; a crash of either loses or repeats nothing.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use conf::{Block, Mistake, View};
use mail::Trouble;

use crate::Own;
use crate::params::Spam;
use crate::spam::{Class, Sample};

/// Messages that wait at most; what comes beyond is not learned.
const WAITING: usize = 1000;

/// Bytes of a message that are learned.
const MOST: usize = 512 << 10;

/// Bytes of the first line.
const LINE: usize = 1000;

/// Where messages are left (`training` in `queue_directory`).
#[derive(Clone, Debug)]
pub struct Training(PathBuf);

impl Training {
    /// The directory below this queue directory.
    pub fn below(queue: &Path) -> Training {
        Training(queue.join("training"))
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
    /// There is no such directory, it is full, or the disk failed.
    pub fn leave(&self, user: &str, class: Class, message: &[u8]) -> io::Result<()> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let user: String = user.chars().filter(|c| !c.is_control()).take(LINE / 4).collect();
        if fs::read_dir(&self.0)?.take(WAITING).count() >= WAITING {
            return Err(io::Error::other("too much waits to be learned"));
        }
        let name = format!("{}.{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let coming = self.0.join(format!(".{name}"));
        let _ = fs::remove_file(&coming);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&coming)?;
        // Whatever the umask: who learns is of the directory's group.
        file.set_permissions(Permissions::from_mode(0o640))?;
        let word = if class == Class::Spam { "spam" } else { "ham" };
        file.write_all(format!("{word} {user}\n").as_bytes())?;
        file.write_all(&message[..message.len().min(MOST)])?;
        drop(file);
        fs::rename(&coming, self.0.join(name))
    }

    /// Learns what was left, for the user, and for the site too where that is wanted. Gives how many there were.
    ///
    /// # Errors
    /// The statistics failed: what was left stays.
    pub fn collect(&self, own: &Own, site: bool, today: i64) -> Result<usize, Trouble> {
        let Ok(entries) = fs::read_dir(&self.0) else { return Ok(0) };
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).take(WAITING).collect();
        names.retain(|name| !name.to_string_lossy().starts_with('.'));
        names.sort();
        for name in &names {
            let path = self.0.join(name);
            if let Some((class, user, message)) = read(&path) {
                let sample = Sample::read(&message);
                let statistics = own.statistics()?;
                statistics.learn(&user, &sample, class, today)?;
                if site && !user.is_empty() {
                    statistics.learn("", &sample, class, today)?;
                }
            }
            fs::remove_file(&path).map_err(|error| Trouble::from_error(path.display().to_string(), error))?;
        }
        Ok(names.len())
    }
}

/// A message that was left; `None`: it is none.
fn read(path: &Path) -> Option<(Class, String, Vec<u8>)> {
    // Links and pipes are none of ours.
    if !fs::symlink_metadata(path).ok()?.is_file() {
        return None;
    }
    let mut content = Vec::new();
    let file = fs::File::open(path).ok()?;
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
    Some((class, user, content))
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
        assert_eq!(training.collect(&own, true, 1).unwrap(), 3);
        assert_eq!(training.collect(&own, true, 1).unwrap(), 0);
        let owners = own.statistics().unwrap().owners().unwrap();
        let names: Vec<(&str, u32)> =
            owners.iter().map(|owner| (owner.name.as_str(), owner.learned.spam)).collect();
        assert_eq!(names, [("", 1), ("ann@box.test", 1)]);
    }
}
