//! Starting a program with the rights of a user. With `privilege`, the only place of this crate with `unsafe`.
//!
//! Audited for: nothing runs as user id 0 on behalf of a user; the groups are the one given; only calls that are
//! safe between fork and exec are made there (no allocation, no locks); the environment is ours, not inherited.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::SigSet;
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Gid, Pid, Uid};
use tokio::net::unix::pipe;

use crate::hand;
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
    /// Its standard input.
    pub input: Option<pipe::Sender>,
    /// What it writes to standard output and standard error.
    pub output: pipe::Receiver,
    process: Process,
}

/// A program that runs; whose child it is.
pub enum Process {
    /// Ours, and the group it leads.
    Ours(tokio::process::Child, Pid),
    /// A deliverer's: gives the status when the program ends, and ends it when it is closed.
    Lane(Option<tokio::net::UnixStream>),
}

impl Running {
    /// Waits for its end.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.process.wait().await
    }

    /// Ends the program and what it has started.
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }
}

impl Process {
    /// Waits for its end.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        match self {
            Process::Ours(child, _) => child.wait().await,
            Process::Lane(lane) => {
                let lane = lane.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
                let mut status = [0; 4];
                tokio::io::AsyncReadExt::read_exact(lane, &mut status).await?;
                Ok(ExitStatus::from_raw(i32::from_be_bytes(status)))
            }
        }
    }

    /// Ends the program and what it has started.
    pub async fn kill(&mut self) {
        match self {
            Process::Ours(child, group) => {
                kill(*group);
                let _ = child.wait().await;
            }
            Process::Lane(lane) => *lane = None,
        }
    }
}

/// Ends a group of processes. It may have ended by itself meanwhile.
pub fn kill(group: Pid) {
    let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
}

/// The group that a program leads.
pub fn group(child: &std::process::Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process id fits"))
}

/// Waits until a program has ended, and leaves its status to be taken: until then its number is not used again.
pub fn until_it_ends(child: &std::process::Child) -> io::Result<()> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    loop {
        match waitid(Id::Pid(group(child)), flags) {
            Err(nix::errno::Errno::EINTR) => {}
            other => return other.map(drop).map_err(io::Error::from),
        }
    }
}

/// Starts the program in a session of its own, or has it started by whoever may act as its user.
pub async fn start(job: &ChildJob) -> io::Result<Running> {
    let (input, ours) = io::pipe()?;
    let (reader, output) = io::pipe()?;
    let process = start_with(job, input.into(), output.into()).await?;
    let input = Some(pipe::Sender::from_owned_fd(ours.into())?);
    Ok(Running { input, output: pipe::Receiver::from_owned_fd(reader.into())?, process })
}

/// The same with these descriptors as its input and output, which are closed here.
pub async fn start_with(job: &ChildJob, input: OwnedFd, output: OwnedFd) -> io::Result<Process> {
    let Some(hand) = hand::hired() else {
        let command = command(job, input, output)?;
        let child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok()).expect("a child just started has an id");
        return Ok(Process::Ours(child, Pid::from_raw(id)));
    };
    let job = job.clone();
    let asked = move || hand.run(&job, input, output);
    let lane = tokio::task::spawn_blocking(asked).await.map_err(io::Error::other)??;
    lane.set_nonblocking(true)?;
    Ok(Process::Lane(Some(tokio::net::UnixStream::from_std(lane)?)))
}

/// Starts the program with these descriptors as its input and output.
pub fn spawn(job: &ChildJob, input: OwnedFd, output: OwnedFd) -> io::Result<std::process::Child> {
    command(job, input, output)?.spawn()
}

fn command(job: &ChildJob, input: OwnedFd, output: OwnedFd) -> io::Result<Command> {
    let own = Rights::own();
    if job.rights.uid == 0 {
        return Err(denied("no program is run with the rights of root"));
    }
    if own.uid != 0 && own.uid != job.rights.uid {
        return Err(denied("this program does not run as root"));
    }
    let (program, arguments) = job.argv.split_first().ok_or_else(|| denied("there is no command"))?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(job.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(input).stdout(output.try_clone()?).stderr(output);
    let before_exec = before_exec(job, own.uid == 0)?;
    // SAFETY: the closure makes system calls only, on values made before the fork; see `before_exec`.
    unsafe { command.pre_exec(before_exec) };
    Ok(command)
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
        // Whoever starts it may wait for signals in its own way; a program that blocks SIGTERM cannot be ended by it.
        SigSet::empty().thread_set_mask()?;
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
