//! The loop of the root process: signals, the worker's requests, and children that end.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::deliverers::{Deliverers, Post};
use crate::keepers::{Keeper, Keepers};
use crate::lanes::Purpose;
use crate::request::Request;
use crate::rules::{Identity, Rules};
use crate::{Door, Lanes, door, grants, promises, sys, wire};

/// Pause before a worker that has crashed is started again.
const PAUSE: Duration = Duration::from_secs(5);
/// How long keepers of users may take to end.
const LAST: Duration = Duration::from_secs(3);

/// The process that those who read mail come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Front {
    /// It keeps all mailboxes itself, with the rights of their owner.
    Keeper(Identity),
    /// It takes logins, and hands the sessions to the keepers of their users.
    Logins {
        /// Whose rights it has.
        who: Identity,
        /// Where it may read.
        readable: Vec<PathBuf>,
        /// Where it may write, too.
        writable: Vec<PathBuf>,
    },
}

impl Front {
    /// May one that runs as this go on as the other? Where it reads, it can change through the parent only.
    fn may_become(&self, other: &Front) -> bool {
        match (self, other) {
            (Front::Keeper(own), Front::Keeper(other)) => own == other,
            (Front::Logins { who: own, .. }, Front::Logins { who: other, .. }) => own == other,
            _ => false,
        }
    }
}

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
    /// To whom those come who read mail, where there is anything to read.
    fn front(&self) -> Option<Front>;
    /// The life of the keeper of all mailboxes, in a process of its own with the rights of their owner. Returns its exit
    /// status.
    fn keep(&self, door: Door, lanes: Lanes) -> u8;
    /// The life of the process that takes logins, without the rights to any mailbox. Returns its exit status.
    fn take_logins(&self, door: Door, missing: Vec<String>) -> u8;
    /// The life of the keeper of a user's mailboxes, in a process of its own with the user's rights. Returns its exit
    /// status.
    fn keep_for(&self, who: Identity, door: Door, lanes: Lanes) -> u8;
}

/// Runs as the root parent until SIGTERM or SIGINT; gives the exit status.
///
/// SIGUSR1 is passed on to all, SIGHUP to the worker, and to the others once it has taken the configuration. A worker that ends before it was ready ends the parent
/// too; one that crashes later is started again, and so is the front. Keepers of users are started when they are needed.
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
        front: None,
        front_was: None,
        keepers: Keepers::default(),
        ready: false,
        stopping: false,
        ended: None,
    };
    parent.start()?;
    parent.start_front()?;
    parent.watch(&queue)
}

struct Parent<'a> {
    staff: &'a dyn Staff,
    signals: SigSet,
    rules: Rules,
    deliverers: Deliverers,
    worker: Option<(Pid, OwnedFd)>,
    front: Option<Keeper>,
    /// What the front was started as.
    front_was: Option<Front>,
    keepers: Keepers,
    /// The worker has once taken mail.
    ready: bool,
    stopping: bool,
    /// The exit status of a worker that was told to end.
    ended: Option<u8>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    Worker,
    Front,
    Keeper(Identity),
}

impl Parent<'_> {
    fn start(&mut self) -> io::Result<()> {
        let (ours, theirs) = door_ends()?;
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

    /// Starts the front, where there is to be one and there is none.
    fn start_front(&mut self) -> io::Result<()> {
        let Some(front) = self.staff.front().filter(|_| self.front.is_none() && !self.stopping) else {
            return Ok(());
        };
        let staff = self.staff;
        let groups = self.rules.keepers.groups.clone();
        self.front = Some(self.fork_keeper(|door, lanes, begin| match &front {
            Front::Keeper(who) => match promises::keeper(*who, &groups).and_then(|()| begin()) {
                Ok(()) => staff.keep(door, Lanes::lasting(lanes)),
                Err(error) => cannot_act(*who, &error),
            },
            Front::Logins { who, readable, writable } => {
                match promises::logins(*who, readable, writable).and_then(|missing| begin().map(|()| missing))
                {
                    Ok(missing) => staff.take_logins(door, missing),
                    Err(error) => cannot_act(*who, &error),
                }
            }
        })?);
        self.front_was = Some(front);
        Ok(())
    }

    /// A lane to the keeper of a user, who is started when there is none.
    fn mailboxes(&mut self, who: Identity, purpose: Purpose) -> io::Result<OwnedFd> {
        if let Some(keeper) = self.keepers.get_mut(who) {
            return keeper.lane(purpose);
        }
        let most = self.rules.keepers.most;
        if self.stopping || self.keepers.len() >= most {
            log::warn!(target: "master", "mailboxes of user {} wait: there are {most} keepers (mailbox_process_limit)", who.uid);
            return Err(Errno::EUSERS.into());
        }
        let staff = self.staff;
        let groups = self.rules.keepers.groups.clone();
        let mut keeper = self.fork_keeper(|door, lanes, begin| {
            match promises::keeper(who, &groups).and_then(|()| begin()) {
                Ok(()) => staff.keep_for(who, door, Lanes::new(lanes)),
                Err(error) => cannot_act(who, &error),
            }
        })?;
        let lane = keeper.lane(purpose);
        self.keepers.insert(who, keeper);
        lane
    }

    /// Forks a process with a door and lanes. It calls what it is given once it has given up root. Signals wait until it
    /// takes them.
    fn fork_keeper(
        &self,
        live: impl FnOnce(Door, UnixStream, &dyn Fn() -> io::Result<()>) -> u8,
    ) -> io::Result<Keeper> {
        let (ours, theirs) = door_ends()?;
        let (lanes, their_lanes) = UnixStream::pair()?;
        // One that does not take its lanes must not hold us.
        lanes.set_nonblocking(true)?;
        let parent = nix::unistd::getpid();
        let mut others = self.own_ends();
        others.extend([ours.as_fd(), lanes.as_fd()]);
        let pid =
            sys::fork(&others, || live(Door::new(theirs), their_lanes, &|| promises::end_with(parent)))?;
        Ok(Keeper::new(pid, ours, lanes))
    }

    /// Descriptors that no child keeps.
    fn own_ends(&self) -> Vec<BorrowedFd<'_>> {
        let mut ends = self.deliverers.controls();
        ends.extend(doors(self.worker.as_ref(), self.front.as_ref(), &self.keepers));
        ends
    }

    fn watch(&mut self, queue: &SignalFd) -> io::Result<u8> {
        loop {
            let worker = self.worker.as_ref().map(|(_, door)| door.as_fd());
            let front = self.front.as_ref().map(|front| front.door.as_fd());
            let mut waited = vec![Some(queue.as_fd()), worker, front];
            let mut askers = vec![Asker::Worker, Asker::Front];
            for (who, keeper) in self.keepers.iter() {
                waited.push(Some(keeper.door.as_fd()));
                askers.push(Asker::Keeper(*who));
            }
            let missing = self.worker.is_none() || (self.front.is_none() && self.staff.front().is_some());
            let pause = match (self.stopping, self.is_empty_but_for_keepers()) {
                (true, true) => Some(LAST),
                (true, false) => None,
                (false, _) => missing.then_some(PAUSE),
            };
            let ready = sys::readable(&waited, pause)?;
            for (asker, _) in askers.into_iter().zip(&ready[1..]).filter(|(_, ready)| **ready) {
                self.serve(asker);
            }
            if !ready.contains(&true) {
                if self.stopping {
                    return Ok(self.ended.unwrap_or(0));
                }
                if self.worker.is_none() {
                    self.start()?;
                }
                self.start_front()?;
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
                if self.is_empty_but_for_keepers() && self.keepers.len() == 0 {
                    return Some(0);
                }
                self.pass_on(Signal::SIGTERM);
            }
            Signal::SIGHUP => {
                if let Some(rules) = self.staff.rules() {
                    self.rules = rules;
                    self.deliverers.renew();
                }
                // The worker judges the new configuration, and tells the others through us.
                match &self.worker {
                    Some((pid, _)) => {
                        let _ = kill(*pid, signal);
                    }
                    None => self.reloaded(),
                }
            }
            _ => self.pass_on(signal),
        }
        None
    }

    /// The new configuration is in force: front and keepers take it.
    fn reloaded(&mut self) {
        self.keepers.pass_on(Signal::SIGHUP);
        if let Some(front) = &self.front {
            // What it is to be now it may not be able to become: then another takes its place.
            let wanted = self.staff.front();
            let same =
                self.front_was.as_ref().zip(wanted.as_ref()).is_some_and(|(was, is)| was.may_become(is));
            let _ = kill(front.pid, if same { Signal::SIGHUP } else { Signal::SIGTERM });
        }
        if let Err(error) = self.start_front() {
            log::error!(target: "master", "cannot start the process for those who read mail: {error}");
        }
    }

    fn pass_on(&self, signal: Signal) {
        let front = self.front.as_ref().map(|front| front.pid);
        for pid in self.worker.iter().map(|(worker, _)| *worker).chain(front) {
            // It may just have ended; then we are told.
            let _ = kill(pid, signal);
        }
        self.keepers.pass_on(signal);
    }

    fn is_empty_but_for_keepers(&self) -> bool {
        self.worker.is_none() && self.front.is_none()
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
            let mut again = "it is started again in 5 seconds";
            if self.front.as_ref().is_some_and(|front| front.pid == pid) {
                self.front = None;
            } else if self.worker.as_ref().is_some_and(|(worker, _)| *worker == pid) {
                self.worker = None;
                self.ended = Some(status);
                if !self.stopping && !self.ready {
                    return self.ended;
                }
            } else if self.keepers.ended(pid) {
                again = "it is started again when its user needs it";
            } else {
                continue;
            }
            if self.stopping {
                if self.is_empty_but_for_keepers() && self.keepers.len() == 0 {
                    return self.ended.or(Some(0));
                }
                continue;
            }
            log::warn!(target: "master", "process {pid} has ended with {how}; {again}");
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
            Asker::Front => self.front.as_ref().map(|front| &front.door),
            Asker::Keeper(who) => self.keepers.get(who).map(|keeper| &keeper.door),
        }
    }

    fn carry_out(&mut self, request: &Request, asker: Asker) -> io::Result<Option<OwnedFd>> {
        let refused = || {
            log::warn!(target: "master", "refused: {request:?}: the configuration names no such thing");
            io::Error::new(io::ErrorKind::PermissionDenied, "the root process refuses")
        };
        let kept = matches!(asker, Asker::Keeper(_));
        match (request, asker) {
            (Request::Open(path), _) if !kept && self.rules.may_open(path) => {
                grants::open(path, &self.rules).map(Some)
            }
            (Request::Open(path), Asker::Keeper(_)) if self.rules.configuration.contains(path) => {
                grants::open(path, &self.rules).map(Some)
            }
            (Request::Listen(address), _) if !kept && self.rules.may_listen(*address) => {
                grants::port(*address).map(Some)
            }
            (Request::Socket(path), Asker::Front) if self.rules.may_serve(path) => {
                grants::unix(path).map(Some)
            }
            (Request::Deliverer(who, root), Asker::Worker)
                if self.rules.may_deliver(*who, root.as_deref()) =>
            {
                let doors = doors(self.worker.as_ref(), self.front.as_ref(), &self.keepers);
                self.deliverers.lane(&Post::User(*who, root.clone()), self.staff, &doors).map(Some)
            }
            (Request::Checker, _) if !kept && self.rules.checks => {
                let doors = doors(self.worker.as_ref(), self.front.as_ref(), &self.keepers);
                self.deliverers.lane(&Post::Checks, self.staff, &doors).map(Some)
            }
            (Request::Keeper, Asker::Worker) => match (&mut self.front, self.staff.front()) {
                (Some(front), Some(Front::Keeper(_))) => front.lane(Purpose::Mail).map(Some),
                _ => Err(io::Error::new(io::ErrorKind::NotConnected, "nobody keeps mailboxes")),
            },
            (Request::Mailboxes(who), Asker::Worker | Asker::Front) if self.rules.may_keep(*who) => {
                let purpose = if asker == Asker::Worker { Purpose::Mail } else { Purpose::Session };
                self.mailboxes(*who, purpose).map(Some)
            }
            (Request::Idle(received), Asker::Keeper(who)) => {
                self.keepers.idle(who, *received);
                Ok(None)
            }
            (Request::Lock(path), Asker::Keeper(who)) if self.rules.may_lock(path) => {
                self.keepers.lock(who, path).map(Some)
            }
            (Request::Unlock(path), Asker::Keeper(who)) if self.rules.may_lock(path) => {
                self.keepers.unlock(who, path).map(|()| None)
            }
            (Request::Log, _) => {
                if asker == Asker::Worker {
                    // New ones get the new file.
                    self.deliverers.renew();
                }
                Ok(self.staff.open_log()?.map(OwnedFd::from))
            }
            (Request::Reloaded, Asker::Worker) => {
                self.reloaded();
                Ok(None)
            }
            (Request::Ready, _) => {
                if asker == Asker::Worker && !std::mem::replace(&mut self.ready, true) {
                    self.staff.ready();
                }
                Ok(None)
            }
            _ => Err(refused()),
        }
    }
}

/// Both ends of a door; ours never waits.
fn door_ends() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((ours, theirs))
}

/// Our ends of what leads to the others.
fn doors<'a>(
    worker: Option<&'a (Pid, OwnedFd)>,
    front: Option<&'a Keeper>,
    keepers: &'a Keepers,
) -> Vec<BorrowedFd<'a>> {
    let worker = worker.map(|(_, door)| door.as_fd());
    let keepers = front.into_iter().chain(keepers.iter().map(|(_, keeper)| keeper)).flat_map(Keeper::ends);
    worker.into_iter().chain(keepers).collect()
}

fn cannot_act(who: Identity, error: &io::Error) -> u8 {
    log::error!(target: "master", "cannot act as user {}: {error}", who.uid);
    1
}
