//! What the safe wrappers leave out: fork, poll, taking over received descriptors, and what the allocator
//! can be told. The only `unsafe` here.
//!
//! Audited for: forks happen while there is one thread; every descriptor is owned exactly once.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::unistd::{ForkResult, Pid};

/// Makes a copy of this process that runs `child` and ends with the status it gives. The copy closes `others`:
/// descriptors that are the parent's alone.
///
/// # Errors
/// There is more than one thread: a copy of a lock that another thread holds would stay locked for ever.
pub fn fork(others: &[BorrowedFd<'_>], child: impl FnOnce() -> u8) -> io::Result<Pid> {
    if threads()? != 1 {
        return Err(io::Error::other("a process with several threads must not be copied"));
    }
    // SAFETY: there is one thread, so every lock and allocation is in a sound state in the copy.
    match unsafe { nix::unistd::fork()? } {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            for other in others {
                // SAFETY: their owners are in frames that the copy never returns to, as it ends below.
                unsafe { libc::close(other.as_raw_fd()) };
            }
            let status = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(101);
            // SAFETY: ends at once, without the exit handlers that belong to the parent.
            unsafe { libc::_exit(i32::from(status)) }
        }
    }
}

fn threads() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// Waits until one of the descriptors can be read or is closed; says which. No time means for ever.
pub fn readable(fds: &[Option<BorrowedFd<'_>>], wait: Option<Duration>) -> io::Result<Vec<bool>> {
    // poll(2) passes over negative descriptors.
    let polled = fds.iter().map(|fd| libc::pollfd {
        fd: fd.map_or(-1, |fd| fd.as_raw_fd()),
        events: libc::POLLIN,
        revents: 0,
    });
    let mut polled: Vec<_> = polled.collect();
    let wait = wait.map_or(-1, |wait| i32::try_from(wait.as_millis()).unwrap_or(i32::MAX));
    // SAFETY: the vector lives through the call, and its length is given.
    let count = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, wait) };
    match io::Error::last_os_error() {
        error if count < 0 && error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(polled.iter().map(|one| one.revents != 0).collect()),
    }
}

/// Owns descriptors that the kernel has just installed for a received message.
pub fn adopt(received: &[RawFd]) -> Vec<OwnedFd> {
    // SAFETY: recvmsg(2) has made each of these new for us, and this is called once on them.
    received.iter().map(|fd| unsafe { OwnedFd::from_raw_fd(*fd) }).collect()
}

/// Gives memory that is free back to the system, page by page. It takes as long as there is memory to look through.
pub fn give_back_memory() {
    // SAFETY: it takes the allocator's own locks and touches only what is free.
    unsafe { libc::malloc_trim(0) };
}
