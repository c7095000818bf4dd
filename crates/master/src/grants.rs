//! What the parent does as root for others, once rules have allowed it: files, ports, sockets, lock files.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen, setsockopt, socket, sockopt,
};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::rules::{Identity, Rules};

/// Connections that wait while all places are taken.
const BACKLOG: i32 = 1024;

/// Opens a regular file. Where users leave files, links are refused: they may point anywhere.
pub(crate) fn open(path: &Path, rules: &Rules) -> io::Result<OwnedFd> {
    let dropped =
        !rules.files.contains(path) && path.parent().is_some_and(|at| rules.drops.iter().any(|d| d == at));
    let follow = if dropped { libc::O_NOFOLLOW } else { 0 };
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | follow;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() || (dropped && meta.nlink() != 1) {
        return Err(Errno::EACCES.into());
    }
    Ok(file.into())
}

/// Listens on a port.
pub(crate) fn port(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(family, SockType::Stream, flags, None)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    if address.is_ipv6() {
        // As in Postfix, IPv4 has its own socket.
        setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(&fd, Backlog::new(BACKLOG)?)?;
    Ok(fd)
}

/// Listens on a socket in the queue directory; one that a former run left there is taken away. Its directory decides who
/// comes near it.
pub(crate) fn unix(path: &Path) -> io::Result<OwnedFd> {
    let (directory, name) = directory_of(path)?;
    let left = fstatat(&directory, &name, AtFlags::AT_SYMLINK_NOFOLLOW);
    if left
        .is_ok_and(|meta| SFlag::from_bits_truncate(meta.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFSOCK)
    {
        unlinkat(&directory, &name, UnlinkatFlags::NoRemoveDir)?;
    }
    // The owner of the directory could put a link in its place: this is the directory itself.
    let listener =
        UnixListener::bind(Path::new(&format!("/proc/self/fd/{}", directory.as_raw_fd())).join(&name))?;
    fchmodat(&directory, &name, Mode::from_bits_truncate(0o666), FchmodatFlags::FollowSymlink)?;
    listener.set_nonblocking(true)?;
    Ok(listener.into())
}

/// Makes the lock file of a mailbox, for the owner of that mailbox.
pub(crate) fn lock(lock: &Path, who: Identity) -> io::Result<OwnedFd> {
    owned(lock, who)?;
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(lock)?;
    fchown(&made, Some(who.uid), Some(who.gid))?;
    Ok(made.into())
}

/// Takes the lock file of a mailbox away, for the owner of that mailbox.
pub(crate) fn unlock(lock: &Path, who: Identity) -> io::Result<()> {
    owned(lock, who)?;
    match std::fs::symlink_metadata(lock)?.is_file() {
        true => std::fs::remove_file(lock),
        false => Err(Errno::EACCES.into()),
    }
}

/// Is this the name of the lock file of a mailbox that belongs to this user?
fn owned(lock: &Path, who: Identity) -> io::Result<()> {
    let file = lock.as_os_str().to_str().and_then(|name| name.strip_suffix(".lock")).ok_or(Errno::EACCES)?;
    let meta = std::fs::symlink_metadata(file)?;
    if meta.is_file() && meta.uid() == who.uid { Ok(()) } else { Err(Errno::EACCES.into()) }
}

fn directory_of(path: &Path) -> io::Result<(File, PathBuf)> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::EINVAL.into());
    };
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
    Ok((OpenOptions::new().read(true).custom_flags(flags).open(directory)?, name.into()))
}
