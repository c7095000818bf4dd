//! Sessions that begin in one process and go on in another: whoever has logged in is served by a keeper with the rights of
//! his mailboxes' owner.
//!
//! Before the login, a process that has no mailbox speaks with the client. What it hands over is the connection itself;
//! under TLS, which stays where its keys are, it is the end of a pair of sockets, and bytes are relayed. It keeps
//! the lane until the session ends, and with it the session's place.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use master::Identity;
use master::wire::{self, Reader, Writer};
use net::Stream;
use net::listener::Place;
use nix::sys::socket::{Shutdown, shutdown};
use people::{Account, Facts};
use tokio::io::AsyncReadExt;

use crate::service::Counted;

/// The byte that brings the connection along.
const BEGIN: u8 = b'h';
/// Longest description of a session, in bytes: what a client may have sent ahead is in it.
const LONGEST: u64 = 1 << 20;
/// How long the other process may take to open the mail. A lock on an mbox file may be waited for.
const PATIENCE: Duration = Duration::from_secs(330);
/// What is still under way to the client gets so long after the session has ended.
const LAST: Duration = Duration::from_secs(30);

/// The ways to those who keep the mailboxes of others.
pub trait Keepers: Send + Sync {
    /// With whose rights this account's mail is kept, where that is not this process.
    fn elsewhere(&self, account: &Account) -> Option<Identity>;
    /// A lane to that keeper. Blocks for a moment.
    ///
    /// # Errors
    /// There is none, or there are too many keepers.
    fn lane(&self, who: Identity) -> io::Result<UnixStream>;
}

/// A service's part in it.
#[derive(Clone, Default)]
pub struct Share {
    /// Where mailboxes are that other processes keep.
    pub keepers: Option<Arc<dyn Keepers>>,
    /// The service's line in master.cf: its first two columns.
    pub line: String,
    /// Sessions come from a process that takes logins: nobody can log in here.
    pub no_logins: bool,
}

/// A session as it is handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handed {
    /// The service of master.cf: its first two columns.
    pub line: String,
    /// Who has logged in.
    pub account: Account,
    /// From where, and to where.
    pub facts: Facts,
    /// The session, for the log.
    pub id: String,
    /// How he has logged in.
    pub method: String,
    /// The tag of the command that has logged in; IMAP.
    pub tag: Vec<u8>,
    /// What was read of the client and not used.
    pub input: Vec<u8>,
    /// The connection is TCP, and not a socket of this machine.
    pub tcp: bool,
}

impl Handed {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.bytes(self.line.as_bytes());
        write_account(&mut out, &self.account);
        let facts = &self.facts;
        out.bytes(facts.service.as_bytes()).bytes(shown(facts.local).as_bytes());
        out.number(facts.local_port.unwrap_or(0).into()).bytes(shown(facts.remote).as_bytes());
        out.number(facts.remote_port.unwrap_or(0).into())
            .number(facts.tls.into())
            .number(facts.trusted.into());
        out.bytes(self.id.as_bytes()).bytes(self.method.as_bytes()).bytes(&self.tag).bytes(&self.input);
        out.number(self.tcp.into());
        out.finish()
    }

    fn decode(bytes: &[u8]) -> io::Result<Handed> {
        let mut fields = Reader::new(bytes);
        let (line, account) = (fields.text()?.to_owned(), read_account(&mut fields)?);
        let facts = Facts {
            service: fields.text()?.to_owned(),
            local: fields.text()?.parse().ok(),
            local_port: port(&mut fields)?,
            remote: fields.text()?.parse().ok(),
            remote_port: port(&mut fields)?,
            tls: fields.number()? != 0,
            trusted: fields.number()? != 0,
            ..Facts::default()
        };
        let handed = Handed {
            line,
            account,
            facts,
            id: fields.text()?.to_owned(),
            method: fields.text()?.to_owned(),
            tag: fields.bytes()?.to_vec(),
            input: fields.bytes()?.to_vec(),
            tcp: fields.number()? != 0,
        };
        fields.end()?;
        Ok(handed)
    }
}

fn shown(address: Option<IpAddr>) -> String {
    address.map(|address| address.to_string()).unwrap_or_default()
}

fn port(fields: &mut Reader<'_>) -> io::Result<Option<u16>> {
    Ok(u16::try_from(fields.number()?).ok().filter(|port| *port != 0))
}

/// The field that names the groups of a user whom others share mailboxes with.
const ACL_GROUPS: &str = "acl_groups";

/// An account as fields; those of its own that no store asks for are left out.
pub fn write_account(out: &mut Writer, account: &Account) {
    let number = |number: Option<u32>| number.map_or(0, |number| u64::from(number) + 1);
    out.bytes(account.user.as_bytes()).number(number(account.uid)).number(number(account.gid));
    for text in [account.home.as_deref(), account.mail.as_deref(), account.fields.get(ACL_GROUPS)] {
        out.bytes(text.unwrap_or_default().as_bytes());
    }
    out.number(account.quota.len() as u64);
    for rule in &account.quota {
        out.bytes(rule.as_bytes());
    }
}

/// The account that [`write_account`] wrote.
///
/// # Errors
/// It did not write this.
pub fn read_account(fields: &mut Reader<'_>) -> io::Result<Account> {
    let number = |number: u64| number.checked_sub(1).and_then(|number| u32::try_from(number).ok());
    let mut account = Account::named(fields.text()?);
    account.uid = number(fields.number()?);
    account.gid = number(fields.number()?);
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    account.home = text(fields.text()?);
    account.mail = text(fields.text()?);
    let groups = text(fields.text()?);
    account.fields = groups.map(|groups| (ACL_GROUPS, groups)).into_iter().collect();
    let rules = fields.number()?;
    account.quota = (0..rules).map(|_| fields.text().map(str::to_owned)).collect::<io::Result<_>>()?;
    Ok(account)
}

/// A session that goes on elsewhere, as long as it does.
pub struct Gone {
    lane: tokio::net::UnixStream,
    relay: Option<(Stream, Stream)>,
    /// The connection that was passed on, to be cut where the session is ended from here.
    passed: OwnedFd,
    /// The process that has it now.
    process: u32,
}

/// Why a session was not taken.
#[derive(Debug)]
pub enum Refused {
    /// Too many users have a keeper.
    Busy,
    /// The keeper says why, and has logged it.
    Said(String),
    /// It could not be reached.
    Trouble(io::Error),
}

/// Hands a session over. When it is not taken, the connection comes back as it was.
///
/// # Errors
/// Nothing was said to the client: the login has failed.
pub async fn give(
    keepers: &Arc<dyn Keepers>,
    who: Identity,
    mut handed: Handed,
    stream: Stream,
) -> Result<Gone, (Stream, Refused)> {
    let passed = match &stream {
        Stream::Tcp(tcp) => tcp.as_fd().try_clone_to_owned().map(|fd| (fd, None)),
        Stream::Unix(unix) => unix.as_fd().try_clone_to_owned().map(|fd| (fd, None)),
        _ => UnixStream::pair().and_then(|(ours, theirs)| {
            ours.set_nonblocking(true)?;
            Ok((theirs.into(), Some(Stream::Unix(tokio::net::UnixStream::from_std(ours)?))))
        }),
    };
    let (fd, relay): (OwnedFd, Option<Stream>) = match passed {
        Ok(passed) => passed,
        Err(error) => return Err((stream, Refused::Trouble(error))),
    };
    handed.tcp = matches!(stream, Stream::Tcp(_));
    let keepers = keepers.clone();
    let asked =
        tokio::task::spawn_blocking(move || ask(&*keepers, who, &handed, &fd).map(|taken| (taken, fd))).await;
    let taken = asked.unwrap_or_else(|error| Err(Refused::Trouble(io::Error::other(error))));
    let lane = taken.and_then(|((lane, process), fd)| {
        let async_lane = lane.set_nonblocking(true).and_then(|()| tokio::net::UnixStream::from_std(lane));
        async_lane.map(|lane| (lane, process, fd)).map_err(Refused::Trouble)
    });
    match lane {
        Ok((lane, process, passed)) => {
            Ok(Gone { lane, relay: relay.map(|relay| (stream, relay)), passed, process })
        }
        Err(refused) => Err((stream, refused)),
    }
}

/// The lane, and the process at its other end.
fn ask(
    keepers: &dyn Keepers,
    who: Identity,
    handed: &Handed,
    fd: &OwnedFd,
) -> Result<(UnixStream, u32), Refused> {
    let trouble = Refused::Trouble;
    // The keeper may end at this very moment; another is started then.
    let mut again = true;
    loop {
        let mut lane = keepers.lane(who).map_err(|error| match error.raw_os_error() {
            Some(nix::libc::EUSERS) => Refused::Busy,
            _ => Refused::Trouble(error),
        })?;
        match describe(&mut lane, handed, fd) {
            Ok(Ok(process)) => return Ok((lane, process)),
            Ok(Err(why)) => return Err(Refused::Said(why)),
            Err(_) if again => again = false,
            Err(error) => return Err(trouble(error)),
        }
    }
}

/// The number of the process that has taken the session, or why it has not.
fn describe(lane: &mut UnixStream, handed: &Handed, fd: &OwnedFd) -> io::Result<Result<u32, String>> {
    lane.set_read_timeout(Some(PATIENCE))?;
    wire::send(&*lane, &[BEGIN], &[fd.as_raw_fd()])?;
    let packet = handed.encode();
    lane.write_all(&(packet.len() as u64).to_be_bytes())?;
    lane.write_all(&packet)?;
    let mut length = [0; 8];
    lane.read_exact(&mut length)?;
    let length = u64::from_be_bytes(length);
    if length == 0 {
        let mut process = [0; 4];
        lane.read_exact(&mut process)?;
        return Ok(Ok(u32::from_be_bytes(process)));
    }
    let mut answer = String::new();
    let read = lane.take(length.min(LONGEST)).read_to_string(&mut answer)?;
    if read as u64 == length { Ok(Err(answer)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

impl Gone {
    /// Relays what has to be relayed, and returns when the session has ended. `held` is what it holds meanwhile.
    pub async fn end(self, held: (Option<Place>, Counted)) {
        let Gone { mut lane, relay, passed, process } = self;
        held.1.entry.goes_on_in(process);
        let ending = held.1.entry.ending();
        let mut nothing = [0];
        let ended = async {
            tokio::select! {
                // Nothing is said here: this is the end, whatever it is.
                _ = lane.read(&mut nothing) => {}
                // It may have been cut already.
                () = ending.comes() => drop(shutdown(passed.as_raw_fd(), Shutdown::Both)),
            }
        };
        match relay {
            None => ended.await,
            Some((mut client, mut keeper)) => {
                let last = async {
                    ended.await;
                    tokio::time::sleep(LAST).await;
                };
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut client, &mut keeper) => {}
                    () = last => {}
                }
            }
        }
        drop(held);
    }
}

/// A session that comes from another process.
pub struct Taken {
    /// What it is.
    pub handed: Handed,
    stream: OwnedFd,
    lane: UnixStream,
}

impl Taken {
    /// Takes the session that comes on this lane. Blocks.
    ///
    /// # Errors
    /// The other side is gone, or sends something else.
    pub fn from(mut lane: UnixStream) -> io::Result<Taken> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidData);
        lane.set_read_timeout(Some(Duration::from_secs(30)))?;
        let (first, mut streams) = wire::receive_some(&lane, 1)?.ok_or_else(invalid)?;
        let (Some(stream), [BEGIN]) = (streams.pop(), first.as_slice()) else { return Err(invalid()) };
        let mut length = [0; 8];
        lane.read_exact(&mut length)?;
        let length =
            Some(u64::from_be_bytes(length)).filter(|length| *length <= LONGEST).ok_or_else(invalid)?;
        let mut packet = Vec::new();
        (&mut lane).take(length).read_to_end(&mut packet)?;
        Ok(Taken { handed: Handed::decode(&packet)?, stream, lane })
    }

    /// The session is taken: the connection, and what to keep until it ends.
    ///
    /// # Errors
    /// The other side is gone.
    pub fn accept(mut self) -> io::Result<(Handed, Stream, UnixStream)> {
        let stream = match self.handed.tcp {
            true => {
                let tcp = std::net::TcpStream::from(self.stream);
                tcp.set_nonblocking(true)?;
                Stream::Tcp(tokio::net::TcpStream::from_std(tcp)?)
            }
            false => {
                let unix = UnixStream::from(self.stream);
                unix.set_nonblocking(true)?;
                Stream::Unix(tokio::net::UnixStream::from_std(unix)?)
            }
        };
        self.lane.write_all(&[&0_u64.to_be_bytes()[..], &std::process::id().to_be_bytes()].concat())?;
        Ok((self.handed, stream, self.lane))
    }

    /// It is not; the client hears why.
    pub fn refuse(mut self, why: &str) {
        let answer = [&(why.len() as u64).to_be_bytes(), why.as_bytes()].concat();
        // Where the other side is gone there is nobody to hear it.
        let _ = self.lane.write_all(&answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handed() -> Handed {
        let mut account = Account::named("joe@site.test");
        account.uid = Some(1000);
        account.home = Some("/home/joe".to_owned());
        account.quota = vec!["*:storage=1G".to_owned()];
        account.fields = [(ACL_GROUPS, "staff")].into_iter().collect();
        Handed {
            line: "imap inet".to_owned(),
            account,
            facts: Facts {
                remote: "192.0.2.1".parse().ok(),
                remote_port: Some(4000),
                tls: true,
                ..Facts::of("imap")
            },
            id: "x".to_owned(),
            method: "PLAIN".to_owned(),
            tag: b"a1".to_vec(),
            input: b"a2 SELECT INBOX\r\n".to_vec(),
            tcp: false,
        }
    }

    #[test]
    fn sessions_come_back() {
        let packet = handed().encode();
        assert_eq!(Handed::decode(&packet).unwrap(), handed());
        for length in 0..packet.len() {
            assert!(Handed::decode(&packet[..length]).is_err(), "{length}");
        }
    }

    struct Way(std::sync::Mutex<Vec<UnixStream>>);

    impl Keepers for Way {
        fn elsewhere(&self, _: &Account) -> Option<Identity> {
            Some(Identity { uid: 1000, gid: 1000 })
        }

        fn lane(&self, _: Identity) -> io::Result<UnixStream> {
            self.0.lock().unwrap().pop().ok_or_else(|| io::Error::from_raw_os_error(nix::libc::EUSERS))
        }
    }

    /// A client's connection, handed over to a keeper that ends at once, and to the one that comes after it.
    #[tokio::test]
    async fn a_connection_goes_to_another_process() {
        let (lane, keeper) = UnixStream::pair().unwrap();
        let (ended, _) = UnixStream::pair().unwrap();
        let keepers: Arc<dyn Keepers> = Arc::new(Way(vec![lane, ended].into()));
        let (mut client, server) = tokio::net::UnixStream::pair().unwrap();
        let kept = tokio::task::spawn_blocking(move || Taken::from(keeper).unwrap().accept());
        let who = Identity { uid: 1000, gid: 1000 };
        let gone = give(&keepers, who, handed(), Stream::Unix(server)).await.map_err(|(_, why)| why).unwrap();
        let (taken, mut stream, lane) = kept.await.unwrap().unwrap();
        assert_eq!(taken.input, handed().input);
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"hello").await.unwrap();
        drop((stream, lane));
        let mut said = String::new();
        let counts = Arc::new(crate::Counts::default());
        let counted = counts.enter("imap", "joe", None, 1).unwrap();
        gone.end((None, counted)).await;
        assert!(counts.enter("imap", "joe", None, 1).is_some(), "its place is free again");
        client.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "hello");
        let (_client, server) = tokio::net::UnixStream::pair().unwrap();
        let refused = give(&keepers, who, handed(), Stream::Unix(server)).await.err();
        assert!(matches!(refused, Some((Stream::Unix(_), Refused::Busy))));
    }
}
