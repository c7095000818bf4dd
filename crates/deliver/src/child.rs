//! Starting a program with the rights of a user. With `privilege`, the only place of this crate with `unsafe`.
//!
//! Audited for: nothing runs as user id 0 on behalf of a user; the groups are the one given; only calls that are
//! safe between fork and exec are made there (no allocation, no locks); the environment is ours, not inherited.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Pid, Uid};

use crate::privilege::Rights;

/// A program to start: plain data, so that it may be started elsewhere.
#[derive(Clone, Debug)]
pub struct ChildJob {
    /// Whose rights.
    pub rights: Rights,
    /// Program and arguments; the program is searched in PATH.
    pub argv: Vec<String>,
    /// The whole environment.
    pub environment: Vec<(String, String)>,
    /// Working directory, within `chroot`.
    pub directory: PathBuf,
    /// New root directory.
    pub chroot: Option<PathBuf>,
    /// Largest file it may write, in bytes; 0 is no limit.
    pub file_limit: u64,
}

/// A program that runs, with one pipe for all it says.
pub struct Running {
    /// The process.
    pub child: tokio::process::Child,
    /// What it writes to standard output and standard error.
    pub output: tokio::net::unix::pipe::Receiver,
    group: Pid,
}

impl Running {
    /// Ends the program and what it has started.
    pub fn kill(&self) {
        // It may have ended by itself meanwhile.
        let _ = nix::sys::signal::killpg(self.group, nix::sys::signal::Signal::SIGKILL);
    }
}

/// Starts the program in a session of its own, standard input being a pipe.
pub fn start(job: &ChildJob) -> io::Result<Running> {
    let own = Rights::own();
    if job.rights.uid == 0 {
        return Err(denied("no program is run with the rights of root"));
    }
    if own.uid != 0 && own.uid != job.rights.uid {
        return Err(denied("this program does not run as root"));
    }
    let (program, arguments) = job.argv.split_first().ok_or_else(|| denied("there is no command"))?;
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(job.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::piped()).stdout(writer.try_clone()?).stderr(writer);
    let before_exec = before_exec(job, own.uid == 0)?;
    // SAFETY: the closure makes system calls only, on values made before the fork; see `before_exec`.
    unsafe { command.pre_exec(before_exec) };
    let child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    let id = child.id().and_then(|id| i32::try_from(id).ok()).expect("a child just started has an id");
    let output = tokio::net::unix::pipe::Receiver::from_owned_fd(reader.into())?;
    Ok(Running { child, output, group: Pid::from_raw(id) })
}

fn before_exec(
    job: &ChildJob,
    root: bool,
) -> io::Result<impl FnMut() -> io::Result<()> + Send + Sync + 'static> {
    let directory = CString::new(job.directory.as_os_str().as_bytes())?;
    let chroot = job.chroot.as_ref().map(|path| CString::new(path.as_os_str().as_bytes())).transpose()?;
    let (uid, gid) = (Uid::from_raw(job.rights.uid), Gid::from_raw(job.rights.gid));
    let limit = job.file_limit;
    Ok(move || {
        nix::unistd::setsid()?;
        umask(Mode::from_bits_truncate(0o077));
        if limit > 0 {
            setrlimit(Resource::RLIMIT_FSIZE, limit, limit)?;
        }
        if let Some(chroot) = &chroot {
            nix::unistd::chroot(chroot.as_c_str())?;
        }
        if root {
            nix::unistd::setgroups(&[gid])?;
            nix::unistd::setgid(gid)?;
            nix::unistd::setuid(uid)?;
            if nix::unistd::setuid(Uid::from_raw(0)).is_ok() {
                // Allocating an error is not allowed here.
                return Err(io::ErrorKind::PermissionDenied.into());
            }
        }
        nix::unistd::chdir(directory.as_c_str())?;
        Ok(())
    })
}

fn denied(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}
