//! The loop of the root process: signals, the worker's requests, and children that end.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen, setsockopt, socket,
    socketpair, sockopt,
};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::deliverers::{Deliverers, Post};
use crate::request::Request;
use crate::rules::{Identity, Rules};
use crate::{Door, Lanes, door, promises, sys, wire};

/// Connections that wait while all places are taken.
const BACKLOG: i32 = 1024;
/// Pause before a worker that has crashed is started again.
const PAUSE: Duration = Duration::from_secs(5);

/// What the parent needs from the rest of the program.
pub trait Staff {
    /// Reads the configuration; `None` when it has errors, and the rules that were stay in force.
    fn rules(&self) -> Option<Rules>;
    /// mail_owner, and the directories it writes to.
    fn owner(&self) -> (Identity, Vec<PathBuf>);
    /// Opens the log file; `None` when the log is none.
    fn open_log(&self) -> io::Result<Option<File>>;
    /// The worker takes mail for the first time.
    fn ready(&self);
    /// The worker's life, in a process of its own without privileges. Returns its exit status.
    fn work(&self, door: Door, missing: Vec<String>) -> u8;
    /// A deliverer's life, in a process of its own with the user's rights.
    fn deliver(&self, who: Identity, lanes: &Lanes);
    /// The life of the process that checks logins. It keeps root: what it may do is for this to hold.
    fn check(&self, lanes: &Lanes);
    /// Whose rights the keeper of mailboxes has, where there is one.
    fn keeper(&self) -> Option<Identity>;
    /// The keeper's life, in a process of its own with the rights of the mailboxes' owner. Returns its exit status.
    fn keep(&self, door: Door, lanes: Lanes) -> u8;
}

/// Runs as the root parent until SIGTERM or SIGINT; gives the exit status.
///
/// SIGHUP and SIGUSR1 are passed on to the worker and the keeper. A worker that ends before it was ready ends the parent
/// too; one that crashes later is started again, and so is the keeper.
///
/// # Errors
/// The system refuses a process, a socket or signals.
pub fn run(staff: &dyn Staff) -> io::Result<u8> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGCHLD] {
        signals.add(signal);
    }
    signals.thread_block()?;
    let queue = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let mut parent = Parent {
        staff,
        signals,
        rules: staff.rules().unwrap_or_default(),
        deliverers: Deliverers::default(),
        worker: None,
        keeper: None,
        ready: false,
        stopping: false,
        ended: None,
    };
    parent.start()?;
    parent.start_keeper()?;
    parent.watch(&queue)
}

struct Parent<'a> {
    staff: &'a dyn Staff,
    signals: SigSet,
    rules: Rules,
    deliverers: Deliverers,
    worker: Option<(Pid, OwnedFd)>,
    keeper: Option<Keeper>,
    /// The worker has once taken mail.
    ready: bool,
    stopping: bool,
    /// The exit status of a worker that was told to end.
    ended: Option<u8>,
}

/// The process that keeps the mailboxes: our ends of its door, and of the way to its lanes.
struct Keeper {
    pid: Pid,
    door: OwnedFd,
    lanes: UnixStream,
}

impl Keeper {
    fn lane(&self) -> io::Result<OwnedFd> {
        let (ours, theirs) = UnixStream::pair()?;
        wire::send(&self.lanes, b"l", &[theirs.as_raw_fd()])?;
        Ok(ours.into())
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    Worker,
    Keeper,
}

impl Parent<'_> {
    fn start(&mut self) -> io::Result<()> {
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        let parent = nix::unistd::getpid();
        let (staff, signals) = (self.staff, self.signals);
        let mut others = self.own_ends();
        others.push(ours.as_fd());
        let pid = sys::fork(&others, || {
            let (owner, writable) = staff.owner();
            let kept = promises::worker(owner, &writable).and_then(|missing| {
                promises::end_with(parent)?;
                signals.thread_unblock()?;
                Ok(missing)
            });
            match kept {
                Ok(missing) => staff.work(Door::new(theirs), missing),
                Err(error) => {
                    log::error!(target: "master", "cannot give up root: {error}");
                    1
                }
            }
        })?;
        self.worker = Some((pid, ours));
        Ok(())
    }

    /// Starts the keeper, where there is to be one and there is none.
    fn start_keeper(&mut self) -> io::Result<()> {
        let Some(who) = self.staff.keeper().filter(|_| self.keeper.is_none() && !self.stopping) else {
            return Ok(());
        };
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        let (lanes, their_lanes) = UnixStream::pair()?;
        let parent = nix::unistd::getpid();
        let (staff, signals) = (self.staff, self.signals);
        let mut others = self.own_ends();
        others.extend([ours.as_fd(), lanes.as_fd()]);
        let pid = sys::fork(&others, || {
            let kept = promises::keeper(who).and_then(|()| {
                promises::end_with(parent)?;
                signals.thread_unblock()?;
                Ok(())
            });
            match kept {
                Ok(()) => staff.keep(Door::new(theirs), Lanes::lasting(their_lanes)),
                Err(error) => {
                    log::error!(target: "master", "cannot act as user {}: {error}", who.uid);
                    1
                }
            }
        })?;
        self.keeper = Some(Keeper { pid, door: ours, lanes });
        Ok(())
    }

    /// Descriptors that no child keeps.
    fn own_ends(&self) -> Vec<BorrowedFd<'_>> {
        let mut ends = self.deliverers.controls();
        ends.extend(doors(self.worker.as_ref(), self.keeper.as_ref()));
        ends
    }

    fn watch(&mut self, queue: &SignalFd) -> io::Result<u8> {
        loop {
            let door = self.worker.as_ref().map(|(_, door)| door.as_fd());
            let keeper = self.keeper.as_ref().map(|keeper| keeper.door.as_fd());
            let missing = self.worker.is_none() || (self.keeper.is_none() && self.staff.keeper().is_some());
            let pause = (missing && !self.stopping).then_some(PAUSE);
            let [signal, asked, kept] = sys::readable([Some(queue.as_fd()), door, keeper], pause)?;
            if asked {
                self.serve(Asker::Worker);
            }
            if kept {
                self.serve(Asker::Keeper);
            }
            if !signal && !asked && !kept {
                if self.worker.is_none() && !self.stopping {
                    self.start()?;
                }
                self.start_keeper()?;
            }
            while let Some(info) = queue.read_signal()? {
                let signal =
                    i32::try_from(info.ssi_signo).ok().and_then(|number| Signal::try_from(number).ok());
                if let Some(status) = signal.and_then(|signal| self.take(signal)) {
                    return Ok(status);
                }
            }
        }
    }

    /// Does what a signal asks for; the exit status when that is the end.
    fn take(&mut self, signal: Signal) -> Option<u8> {
        match signal {
            Signal::SIGCHLD => return self.bury(),
            Signal::SIGTERM | Signal::SIGINT => {
                self.stopping = true;
                if self.worker.is_none() && self.keeper.is_none() {
                    return Some(0);
                }
                self.pass_on(Signal::SIGTERM);
            }
            Signal::SIGHUP => {
                if let Some(rules) = self.staff.rules() {
                    self.rules = rules;
                    self.deliverers.renew();
                }
                self.pass_on(signal);
                if let Err(error) = self.start_keeper() {
                    log::error!(target: "master", "cannot start the keeper of mailboxes: {error}");
                }
            }
            _ => self.pass_on(signal),
        }
        None
    }

    fn pass_on(&self, signal: Signal) {
        let keeper = self.keeper.as_ref().map(|keeper| keeper.pid);
        for pid in self.worker.iter().map(|(worker, _)| *worker).chain(keeper) {
            // It may just have ended; then we are told.
            let _ = kill(pid, signal);
        }
    }

    fn bury(&mut self) -> Option<u8> {
        loop {
            let (pid, status, how) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, status)) => {
                    (pid, u8::try_from(status).unwrap_or(1), format!("exit status {status}"))
                }
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, 1, format!("signal {}", signal as i32)),
                _ => return None,
            };
            self.deliverers.ended(pid);
            if self.keeper.as_ref().is_some_and(|keeper| keeper.pid == pid) {
                self.keeper = None;
            } else if self.worker.as_ref().is_some_and(|(worker, _)| *worker == pid) {
                self.worker = None;
                self.ended = Some(status);
                if !self.stopping && !self.ready {
                    return self.ended;
                }
            } else {
                continue;
            }
            if self.stopping {
                if self.worker.is_none() && self.keeper.is_none() {
                    return self.ended.or(Some(0));
                }
                continue;
            }
            log::warn!(target: "master", "process {pid} has ended with {how}; it is started again in {} seconds", PAUSE.as_secs());
        }
    }

    /// Answers one request.
    fn serve(&mut self, asker: Asker) {
        let Some(socket) = self.door(asker) else { return };
        let request = match wire::receive(socket) {
            Ok(Some((packet, _))) => Request::decode(&packet),
            // It ends, and we shall be told.
            Ok(None) => return std::thread::sleep(Duration::from_millis(1)),
            Err(error) => Err(error),
        };
        let answer = request.and_then(|request| self.carry_out(&request, asker));
        let Some(socket) = self.door(asker) else { return };
        let descriptor = answer.as_ref().ok().and_then(|fd| fd.as_ref().map(AsRawFd::as_raw_fd));
        let packet = door::encode(answer.as_ref().map(|_| ()));
        if let Err(error) = wire::send(socket, &packet, descriptor.as_slice()) {
            log::warn!(target: "master", "cannot answer a request: {error}");
        }
    }

    fn door(&self, asker: Asker) -> Option<&OwnedFd> {
        match asker {
            Asker::Worker => self.worker.as_ref().map(|(_, door)| door),
            Asker::Keeper => self.keeper.as_ref().map(|keeper| &keeper.door),
        }
    }

    fn carry_out(&mut self, request: &Request, asker: Asker) -> io::Result<Option<OwnedFd>> {
        let refused = || {
            log::warn!(target: "master", "refused: {request:?}: the configuration names no such thing");
            io::Error::new(io::ErrorKind::PermissionDenied, "the root process refuses")
        };
        match request {
            Request::Open(path) if self.rules.may_open(path) => open(path, &self.rules).map(Some),
            Request::Listen(address) if self.rules.may_listen(*address) => listen_on(*address).map(Some),
            Request::Deliverer(who, root)
                if asker == Asker::Worker && self.rules.may_deliver(*who, root.as_deref()) =>
            {
                let doors = doors(self.worker.as_ref(), self.keeper.as_ref());
                self.deliverers.lane(&Post::User(*who, root.clone()), self.staff, &doors).map(Some)
            }
            Request::Checker if self.rules.checks => {
                let doors = doors(self.worker.as_ref(), self.keeper.as_ref());
                self.deliverers.lane(&Post::Checks, self.staff, &doors).map(Some)
            }
            Request::Keeper if asker == Asker::Worker => match &self.keeper {
                Some(keeper) => keeper.lane().map(Some),
                None => Err(io::Error::new(io::ErrorKind::NotConnected, "nobody keeps mailboxes")),
            },
            Request::Open(_)
            | Request::Listen(_)
            | Request::Deliverer(..)
            | Request::Checker
            | Request::Keeper => Err(refused()),
            Request::Log => {
                // New ones get the new file.
                self.deliverers.renew();
                Ok(self.staff.open_log()?.map(OwnedFd::from))
            }
            Request::Ready => {
                if asker == Asker::Worker && !std::mem::replace(&mut self.ready, true) {
                    self.staff.ready();
                }
                Ok(None)
            }
        }
    }
}

/// Our ends of what leads to the worker and to the keeper.
fn doors<'a>(worker: Option<&'a (Pid, OwnedFd)>, keeper: Option<&'a Keeper>) -> Vec<BorrowedFd<'a>> {
    let worker = worker.map(|(_, door)| door.as_fd());
    let keeper = keeper.map(|keeper| [keeper.door.as_fd(), keeper.lanes.as_fd()]);
    worker.into_iter().chain(keeper.into_iter().flatten()).collect()
}

/// Opens a regular file. Where users leave files, links are refused: they may point anywhere.
fn open(path: &Path, rules: &Rules) -> io::Result<OwnedFd> {
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

fn listen_on(address: SocketAddr) -> io::Result<OwnedFd> {
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
