//! Acting with the rights of another user. With `child`, the only place of this crate with `unsafe`.
//!
//! Linux keeps the user id that decides about files per thread (setfsuid(2)), so a thread of a privileged program
//! can create a file as its owner, without a process for every mailbox. The kernel takes the file
//! capabilities away together with user id 0: what the thread cannot do as that user, it cannot do at all.
//! Audited for: failing closed (each change is read back), restoring on every path (a guard), never
//! acting as user id 0 on behalf of a user, no groups but the one given.

use std::io;
use std::marker::PhantomData;

use nix::unistd::{Gid, Uid};

/// User and group a delivery acts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rights {
    /// User id.
    pub uid: u32,
    /// Group id, the only one.
    pub gid: u32,
}

impl Rights {
    /// What the program has itself.
    pub fn own() -> Rights {
        Rights { uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() }
    }
}

/// Can mail be delivered with the rights of others: as root, or through a process that root has started for it?
pub fn serves_others() -> bool {
    nix::unistd::geteuid().is_root() || crate::hand::hired().is_some()
}

/// While it lives, this thread creates and opens files as somebody else.
pub struct Acting {
    root: bool,
    /// Bound to its thread.
    _thread: PhantomData<*const ()>,
}

impl Acting {
    /// Takes on `rights` for this thread.
    ///
    /// Without root this succeeds only for the user the program runs as. `PermissionDenied` otherwise.
    pub fn as_user(rights: Rights) -> io::Result<Acting> {
        let own = Rights::own();
        if own.uid != 0 {
            return if own.uid == rights.uid {
                Ok(Acting { root: false, _thread: PhantomData })
            } else {
                Err(refused("this program does not run as root"))
            };
        }
        if rights.uid == 0 {
            return Err(refused("mail is never delivered with the rights of root"));
        }
        Acting::take(rights)
    }

    /// Keeps the program's own rights: only for locking in a mail spool that root alone may write, as
    /// Postfix does there.
    pub fn as_ourselves() -> Acting {
        Acting { root: false, _thread: PhantomData }
    }

    fn take(rights: Rights) -> io::Result<Acting> {
        let acting = Acting { root: true, _thread: PhantomData };
        if !drop_groups() || !set_gid(rights.gid) || !set_uid(rights.uid) {
            return Err(refused("the kernel did not change the user of this thread"));
        }
        Ok(acting)
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        if self.root {
            // Root may always come back; a thread that could not would keep failing closed.
            set_uid(0);
            set_gid(0);
        }
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

fn set_uid(uid: u32) -> bool {
    nix::unistd::setfsuid(Uid::from_raw(uid));
    // The call says only what it was before: asking for an impossible id changes nothing and tells.
    nix::unistd::setfsuid(Uid::from_raw(u32::MAX)).as_raw() == uid
}

fn set_gid(gid: u32) -> bool {
    nix::unistd::setfsgid(Gid::from_raw(gid));
    nix::unistd::setfsgid(Gid::from_raw(u32::MAX)).as_raw() == gid
}

/// Takes the supplementary groups from this thread alone.
///
/// The C library's setgroups(3) would change every thread of the program; the system call changes one.
fn drop_groups() -> bool {
    // SAFETY: setgroups(2) with a count of 0 reads no memory.
    unsafe { libc::syscall(libc::SYS_setgroups, 0usize, std::ptr::null::<libc::gid_t>()) == 0 }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn never_root_on_behalf_of_a_user() {
        if Rights::own().uid == 0 {
            assert!(Acting::as_user(Rights { uid: 0, gid: 0 }).is_err());
        } else {
            assert!(Acting::as_user(Rights { uid: 0, gid: 0 }).is_err());
            assert!(Acting::as_user(Rights::own()).is_ok());
        }
    }

    #[test]
    fn files_belong_to_the_user_and_rights_come_back() {
        if Rights::own().uid != 0 {
            return;
        }
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .expect("chmod");
        let (theirs, ours) = (dir.path().join("theirs"), dir.path().join("ours"));
        {
            let _acting = Acting::as_user(Rights { uid: 65534, gid: 65533 }).expect("root may");
            std::fs::write(&theirs, "x").expect("a world-writable directory");
            assert!(std::fs::read("/etc/shadow").is_err(), "the rights of root are gone");
        }
        std::fs::write(&ours, "x").expect("root again");
        let meta = std::fs::metadata(&theirs).expect("written");
        assert_eq!((meta.uid(), meta.gid()), (65534, 65533));
        assert_eq!(std::fs::metadata(&ours).expect("written").uid(), 0);
    }
}
