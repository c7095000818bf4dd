//! The directories of queue and data: made when they are missing, with the owners Postfix gives them.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use conf::View;
use nix::unistd::{Gid, Group, Uid, User, chown};

/// Makes `queue_directory`, `data_directory` and what belongs into them.
///
/// # Errors
/// A sentence that names the directory.
pub fn prepare(view: &View) -> Result<(), String> {
    let queue = PathBuf::from(view.get("queue_directory"));
    let data = PathBuf::from(view.get("data_directory"));
    let pid = queue.join(view.get("process_id_directory"));
    let root = Uid::effective().is_root();
    let owner = root.then(|| user(&view.get("mail_owner"))).flatten();
    let group = root.then(|| group_of(&view.get("setgid_group"))).flatten();
    make(&queue, 0o755, None, None)?;
    make(&pid, 0o755, None, None)?;
    make(&queue.join("private"), 0o700, owner, None)?;
    make(&queue.join("public"), 0o2711, owner, group)?;
    // Anybody may leave mail here while the program is down; nobody may read or remove another's.
    make(&queue.join("maildrop"), 0o1733, owner, group)?;
    make(&data, 0o700, owner, None)?;
    // Who reads mail leaves here what the spam filter is to learn, with the rights of the mailbox's owner; what is left is of
    // the learner's group.
    let learner = root.then(|| primary_group(&view.get("mail_owner"))).flatten();
    make(&queue.join("training"), if root { 0o3733 } else { 0o700 }, owner, learner)?;
    if let Some(owner) = owner {
        // The queue's owner may not make them beside the others, which are root's.
        make(&queue.join("journal"), 0o700, Some(owner), None)?;
        make(&queue.join("corrupt"), 0o700, Some(owner), None)?;
        // A former run may have left files of root's, which the queue's owner could not open.
        for tree in [queue.join("journal"), queue.join("corrupt"), data] {
            hand_over(&tree, owner)
                .map_err(|error| format!("cannot change the owner of {}: {error}", tree.display()))?;
        }
    }
    if !root {
        // One user runs everything: the sockets are for whoever can reach the directory.
        set_mode(&queue.join("public"), 0o711)?;
    }
    Ok(())
}

/// Gives what is in `tree` to its owner. Links are passed over: they may lead to anybody's files.
fn hand_over(tree: &Path, owner: Uid) -> io::Result<()> {
    let found = match fs::symlink_metadata(tree) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if found.uid() != owner.as_raw() && (found.is_dir() || (found.is_file() && found.nlink() == 1)) {
        lchown(tree, Some(owner.as_raw()), None)?;
    }
    if found.is_dir() {
        for entry in fs::read_dir(tree)? {
            hand_over(&entry?.path(), owner)?;
        }
    }
    Ok(())
}

fn user(name: &str) -> Option<Uid> {
    let number = name.parse::<u32>().ok().map(Uid::from_raw);
    number.or_else(|| User::from_name(name).ok().flatten().map(|user| user.uid))
}

fn primary_group(name: &str) -> Option<Gid> {
    User::from_name(name).ok().flatten().map(|user| user.gid)
}

fn group_of(name: &str) -> Option<Gid> {
    Group::from_name(name).ok().flatten().map(|group| group.gid)
}

fn make(path: &Path, mode: u32, owner: Option<Uid>, group: Option<Gid>) -> Result<(), String> {
    match DirBuilder::new().recursive(true).mode(mode).create(path) {
        Ok(()) => {}
        Err(error) => return Err(format!("cannot make {}: {error}", path.display())),
    }
    let found = fs::symlink_metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if !found.is_dir() {
        return Err(format!("{} is not a directory", path.display()));
    }
    if owner.is_some() || group.is_some() {
        chown(path, owner, group)
            .map_err(|error| format!("cannot change the owner of {}: {error}", path.display()))?;
        set_mode(path, mode)?;
    }
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> Result<(), String> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|error| format!("cannot change the mode of {}: {error}", path.display()))
}
