//! What the others may ask: this list, and nothing else.

use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::rules::Identity;
use crate::wire::{Reader, Writer};

/// One request to the parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A file that configuration names, to read: a key, a table with passwords, a message in the maildrop.
    Open(PathBuf),
    /// A port that a service of master.cf listens on.
    Listen(SocketAddr),
    /// A way to the process that delivers as this user, in this root directory.
    Deliverer(Identity, Option<PathBuf>),
    /// A way to the process that checks logins by PAM and by programs.
    Checker,
    /// A way to the process that keeps all mailboxes.
    Keeper,
    /// A way to the process that keeps the mailboxes of this user: for deliveries when the worker asks, for a session
    /// when the process asks that takes logins.
    Mailboxes(Identity),
    /// A keeper that was given so many lanes has nothing to do: may it end?
    Idle(u64),
    /// A socket that a service of master.cf listens on.
    Socket(PathBuf),
    /// A lock file beside a mailbox in the mail spool.
    Lock(PathBuf),
    /// The lock file is not needed any more, or was left behind.
    Unlock(PathBuf),
    /// The log file, opened again.
    Log,
    /// The worker has taken a new configuration: the others may take it, too.
    Reloaded,
    /// The worker takes mail: whoever has started us may be told.
    Ready,
}

impl Request {
    /// As a packet.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Request::Open(path) => out.number(1).bytes(path.as_os_str().as_bytes()),
            Request::Listen(address) => out.number(2).bytes(address.to_string().as_bytes()),
            Request::Deliverer(who, root) => {
                let root = root.as_deref().unwrap_or(Path::new(""));
                out.number(3).number(who.uid.into()).number(who.gid.into()).bytes(root.as_os_str().as_bytes())
            }
            Request::Log => out.number(4),
            Request::Ready => out.number(5),
            Request::Checker => out.number(6),
            Request::Keeper => out.number(7),
            Request::Mailboxes(who) => out.number(8).number(who.uid.into()).number(who.gid.into()),
            Request::Idle(received) => out.number(9).number(*received),
            Request::Socket(path) => out.number(10).bytes(path.as_os_str().as_bytes()),
            Request::Lock(path) => out.number(11).bytes(path.as_os_str().as_bytes()),
            Request::Unlock(path) => out.number(12).bytes(path.as_os_str().as_bytes()),
            Request::Reloaded => out.number(13),
        };
        out.finish()
    }

    /// From a packet; `InvalidData` when it is none of ours.
    pub fn decode(packet: &[u8]) -> io::Result<Request> {
        let mut fields = Reader::new(packet);
        let request = match fields.number()? {
            1 => Request::Open(path(fields.bytes()?)),
            2 => Request::Listen(fields.text()?.parse().map_err(io::Error::other)?),
            3 => {
                let who = Identity { uid: fields.small()?, gid: fields.small()? };
                Request::Deliverer(
                    who,
                    Some(path(fields.bytes()?)).filter(|root| !root.as_os_str().is_empty()),
                )
            }
            4 => Request::Log,
            5 => Request::Ready,
            6 => Request::Checker,
            7 => Request::Keeper,
            8 => Request::Mailboxes(Identity { uid: fields.small()?, gid: fields.small()? }),
            9 => Request::Idle(fields.number()?),
            10 => Request::Socket(path(fields.bytes()?)),
            11 => Request::Lock(path(fields.bytes()?)),
            12 => Request::Unlock(path(fields.bytes()?)),
            13 => Request::Reloaded,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "there is no such request")),
        };
        fields.end()?;
        Ok(request)
    }
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsString::from_vec(bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_back() {
        let who = Identity { uid: 1000, gid: 8 };
        for request in [
            Request::Open("/etc/key".into()),
            Request::Listen("[::1]:25".parse().unwrap()),
            Request::Deliverer(who, None),
            Request::Deliverer(who, Some("/srv".into())),
            Request::Checker,
            Request::Log,
            Request::Ready,
            Request::Keeper,
            Request::Mailboxes(who),
            Request::Idle(3),
            Request::Reloaded,
            Request::Socket("/queue/private/lmtp".into()),
            Request::Lock("/var/mail/joe.lock".into()),
            Request::Unlock("/var/mail/joe.lock".into()),
        ] {
            let packet = request.encode();
            assert_eq!(Request::decode(&packet).unwrap(), request);
            assert!(Request::decode(&packet[1..]).is_err());
            assert!(Request::decode(&[&packet[..], b"x"].concat()).is_err());
        }
    }
}
