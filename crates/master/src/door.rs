//! The side of worker and keepers: asks the parent and waits for the answer, which comes at once.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::request::Request;
use crate::rules::Identity;
use crate::wire::{self, Reader, Writer};

/// Where they ask. One question at a time.
#[derive(Debug)]
pub struct Door(Mutex<OwnedFd>);

impl Door {
    pub(crate) fn new(socket: OwnedFd) -> Door {
        Door(Mutex::new(socket))
    }

    /// Opens a file for reading that configuration names.
    pub fn open(&self, path: &Path) -> io::Result<File> {
        self.descriptor(&Request::Open(path.to_owned())).map(File::from)
    }

    /// Listens on a port of master.cf; the socket does not block.
    pub fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        self.descriptor(&Request::Listen(address)).map(TcpListener::from)
    }

    /// A lane to the deliverer of this user.
    pub fn deliverer(&self, who: Identity, root: Option<&Path>) -> io::Result<UnixStream> {
        self.descriptor(&Request::Deliverer(who, root.map(Path::to_owned))).map(UnixStream::from)
    }

    /// A lane to the process that checks logins.
    pub fn checker(&self) -> io::Result<UnixStream> {
        self.descriptor(&Request::Checker).map(UnixStream::from)
    }

    /// A lane to the keeper of mailboxes.
    pub fn keeper(&self) -> io::Result<UnixStream> {
        self.descriptor(&Request::Keeper).map(UnixStream::from)
    }

    /// A lane to the keeper of this user's mailboxes. `EUSERS`: too many users have one already.
    pub fn mailboxes(&self, who: Identity) -> io::Result<UnixStream> {
        self.descriptor(&Request::Mailboxes(who)).map(UnixStream::from)
    }

    /// May a keeper end that was given so many lanes, and has nothing to do? Nothing can be asked afterwards.
    pub fn may_end(&self, received: u64) -> bool {
        self.ask(&Request::Idle(received)).is_err()
    }

    /// Listens on a socket of master.cf; it does not block.
    pub fn socket(&self, path: &Path) -> io::Result<UnixListener> {
        self.descriptor(&Request::Socket(path.to_owned())).map(UnixListener::from)
    }

    /// Makes a lock file in the mail spool.
    pub fn lock(&self, path: &Path) -> io::Result<File> {
        self.descriptor(&Request::Lock(path.to_owned())).map(File::from)
    }

    /// Takes it away again.
    pub fn unlock(&self, path: &Path) -> io::Result<()> {
        self.ask(&Request::Unlock(path.to_owned())).map(drop)
    }

    /// The log file, opened again.
    pub fn log(&self) -> io::Result<File> {
        self.descriptor(&Request::Log).map(File::from)
    }

    /// Tells that the new configuration is in force.
    pub fn reloaded(&self) -> io::Result<()> {
        self.ask(&Request::Reloaded).map(drop)
    }

    /// Tells that mail is taken.
    pub fn ready(&self) -> io::Result<()> {
        self.ask(&Request::Ready).map(drop)
    }

    fn descriptor(&self, request: &Request) -> io::Result<OwnedFd> {
        self.ask(request)?.ok_or_else(|| io::Error::other("the root process sent no descriptor"))
    }

    fn ask(&self, request: &Request) -> io::Result<Option<OwnedFd>> {
        let socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wire::send(&*socket, &request.encode(), &[])?;
        let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "the root process is gone");
        let (packet, mut descriptors) = wire::receive(&*socket)?.ok_or_else(gone)?;
        decode(&packet)?;
        Ok(descriptors.pop())
    }
}

/// An answer as a packet: nothing, or an error with its number.
pub(crate) fn encode(answer: Result<(), &io::Error>) -> Vec<u8> {
    let mut out = Writer::default();
    match answer {
        Ok(()) => out.number(0).bytes(b""),
        Err(error) => match error.raw_os_error().and_then(|number| u64::try_from(number).ok()) {
            Some(number) => out.number(number).bytes(b""),
            None => out.number(1).bytes(error.to_string().as_bytes()),
        },
    };
    out.finish()
}

fn decode(packet: &[u8]) -> io::Result<()> {
    let mut fields = Reader::new(packet);
    let (number, text) = (fields.number()?, fields.text()?);
    match (number, text) {
        (0, _) => Ok(()),
        (number, "") => Err(io::Error::from_raw_os_error(i32::try_from(number).unwrap_or(libc::EIO))),
        (_, text) => Err(io::Error::new(io::ErrorKind::PermissionDenied, text)),
    }
}
