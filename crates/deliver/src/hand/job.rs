//! Jobs and answers as fields.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use imap::handover::{read_account, write_account};
use mail::{Class, Detail};
use master::wire::{Reader, Writer};

use crate::cellar::{Parcel, Put};
use crate::child::ChildJob;
use crate::mailbox::{
    Failure, Lock, Locking, MailboxJob, MaildirPlace, MboxPlace, OpenAs, Place, Unexplained,
};
use crate::privilege::Rights;

/// The byte before a job, and the one before several mailbox jobs, each with its content.
pub(crate) const ONE: u8 = b'j';
pub(crate) const SEVERAL: u8 = b'm';
/// The byte before several parcels for the keeper of mailboxes, each with its content.
pub(crate) const PARCELS: u8 = b'p';
/// Bytes that are read or written at a time.
pub(crate) const PIECE: usize = 64 * 1024;

/// A packet behind its length.
pub(crate) fn with_length(packet: &[u8]) -> Vec<u8> {
    [&(packet.len() as u64).to_be_bytes(), packet].concat()
}

/// What a deliverer is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    /// Write the content that follows into a mailbox; only among [`SEVERAL`].
    Mailbox(MailboxJob),
    /// Run a program; its standard input and output come along.
    Run(ChildJob),
    /// Which of these `.forward` files is there?
    Find(Vec<PathBuf>),
    /// Read a file.
    Read(PathBuf, What),
}

/// Why a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// It is the user's `.forward` file.
    Forward,
    /// A `.forward` or alias file includes it.
    Include,
}

impl Job {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Job::Mailbox(job) => mailbox(out.number(1), job),
            Job::Run(job) => run(out.number(2), job),
            Job::Find(paths) => {
                out.number(3).number(paths.len() as u64);
                for path in paths {
                    out.bytes(path.as_os_str().as_bytes());
                }
            }
            Job::Read(file, what) => {
                out.number(if *what == What::Forward { 4 } else { 5 });
                out.bytes(file.as_os_str().as_bytes());
            }
        }
        out.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> io::Result<Job> {
        let mut fields = Reader::new(bytes);
        let job = match fields.number()? {
            1 => Job::Mailbox(read_mailbox(&mut fields)?),
            2 => Job::Run(read_run(&mut fields)?),
            3 => {
                let count = fields.number()?;
                Job::Find((0..count).map(|_| path(&mut fields)).collect::<io::Result<_>>()?)
            }
            4 => Job::Read(path(&mut fields)?, What::Forward),
            5 => Job::Read(path(&mut fields)?, What::Include),
            _ => return Err(invalid()),
        };
        fields.end()?;
        Ok(job)
    }
}

fn mailbox(out: &mut Writer, job: &MailboxJob) {
    rights(out, job.rights).bytes(&job.head).number(job.limit);
    match &job.place {
        Place::Maildir(place) => {
            let (seconds, micros) = place.stamp;
            out.number(0).bytes(place.directory.as_os_str().as_bytes());
            out.number(seconds.cast_unsigned()).number(micros.into());
            out.bytes(place.token.as_bytes()).bytes(place.host.as_bytes()).number(place.again.into());
        }
        Place::Mbox(place) => {
            out.number(1).bytes(place.path.as_os_str().as_bytes());
            let (how, group) = match place.open_as {
                OpenAs::User => (0, 0),
                OpenAs::Group(gid) => (1, gid),
                OpenAs::Ourselves => (2, 0),
            };
            out.number(how).number(group.into());
            out.number(place.strict_owner.into()).number(place.special.into());
            let Unexplained(class, Detail(subject, detail)) = place.unexplained;
            out.number((class == Class::Never).into()).number(subject.into()).number(detail.into());
            let locking = &place.locking;
            out.number(locking.kinds.len() as u64);
            for kind in &locking.kinds {
                out.number(*kind as u64);
            }
            out.number(locking.attempts.into()).number(locking.dotlock_may_fail.into());
            out.number(locking.delay.as_micros() as u64).number(locking.stale.as_secs());
        }
    }
}

fn read_mailbox(fields: &mut Reader<'_>) -> io::Result<MailboxJob> {
    let (rights, head, limit) = (read_rights(fields)?, fields.bytes()?.to_vec(), fields.number()?);
    let place = if fields.number()? == 0 {
        Place::Maildir(MaildirPlace {
            directory: path(fields)?,
            stamp: (fields.number()?.cast_signed(), fields.small()?),
            token: fields.text()?.to_owned(),
            host: fields.text()?.to_owned(),
            again: fields.number()? != 0,
        })
    } else {
        let path = path(fields)?;
        let open_as = match (fields.number()?, fields.small()?) {
            (0, _) => OpenAs::User,
            (1, gid) => OpenAs::Group(gid),
            (2, _) => OpenAs::Ourselves,
            _ => return Err(invalid()),
        };
        let (strict_owner, special) = (fields.number()? != 0, fields.number()? != 0);
        let class = class(fields.number()?);
        let unexplained = Unexplained(class, detail(fields)?);
        let count = fields.number()?;
        let locking = Locking {
            kinds: (0..count).map(|_| lock(fields.number()?)).collect::<io::Result<_>>()?,
            attempts: fields.small()?,
            dotlock_may_fail: fields.number()? != 0,
            delay: Duration::from_micros(fields.number()?),
            stale: Duration::from_secs(fields.number()?),
        };
        Place::Mbox(MboxPlace { path, locking, open_as, strict_owner, special, unexplained })
    };
    Ok(MailboxJob { rights, place, head, limit })
}

fn lock(number: u64) -> io::Result<Lock> {
    let known = [Lock::Dotlock, Lock::Fcntl, Lock::Flock];
    known.into_iter().find(|lock| *lock as u64 == number).ok_or_else(invalid)
}

fn run(out: &mut Writer, job: &ChildJob) {
    rights(out, job.rights).number(job.file_limit).bytes(job.directory.as_os_str().as_bytes());
    out.number(job.argv.len() as u64);
    for word in &job.argv {
        out.bytes(word.as_bytes());
    }
    out.number(job.environment.len() as u64);
    for (name, value) in &job.environment {
        out.bytes(name.as_bytes()).bytes(value.as_bytes());
    }
}

fn read_run(fields: &mut Reader<'_>) -> io::Result<ChildJob> {
    let (rights, file_limit, directory) = (read_rights(fields)?, fields.number()?, path(fields)?);
    let count = fields.number()?;
    let argv = (0..count).map(|_| fields.text().map(str::to_owned)).collect::<io::Result<_>>()?;
    let count = fields.number()?;
    let environment = (0..count)
        .map(|_| Ok((fields.text()?.to_owned(), fields.text()?.to_owned())))
        .collect::<io::Result<_>>()?;
    // The deliverer has its root directory since it began.
    Ok(ChildJob { rights, argv, environment, directory, chroot: None, file_limit })
}

impl Parcel {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.bytes(self.user.as_bytes()).bytes(&self.head).bytes(self.id.as_bytes());
        let (mailbox, create) = self.mailbox.as_ref().map_or(("", false), |(name, create)| (name, *create));
        out.bytes(mailbox.as_bytes()).number(create.into()).number(self.room_only.into());
        out.number(self.keywords.len() as u64);
        self.keywords.iter().for_each(|keyword| {
            out.bytes(keyword.as_bytes());
        });
        out.number(self.account.is_some().into());
        if let Some(account) = &self.account {
            write_account(&mut out, account);
        }
        out.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> io::Result<Parcel> {
        let mut fields = Reader::new(bytes);
        let parcel = Parcel {
            user: fields.text()?.to_owned(),
            head: fields.bytes()?.to_vec(),
            id: fields.text()?.to_owned(),
            mailbox: Some((fields.text()?.to_owned(), fields.number()? != 0))
                .filter(|(name, _)| !name.is_empty()),
            room_only: fields.number()? != 0,
            keywords: keywords(&mut fields)?,
            account: match fields.number()? {
                0 => None,
                _ => Some(read_account(&mut fields)?),
            },
        };
        fields.end()?;
        Ok(parcel)
    }
}

fn keywords(fields: &mut Reader<'_>) -> io::Result<Vec<String>> {
    let count = fields.number()?;
    (0..count).map(|_| fields.text().map(str::to_owned)).collect()
}

impl Put {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Put::Stored => out.number(0),
            Put::Unknown => out.number(1),
            Put::Full => out.number(2),
            Put::Elsewhere => out.number(4),
            Put::StoredIn(mailbox) => out.number(5).bytes(mailbox.as_bytes()),
            Put::Trouble(why) => out.number(3).bytes(why.as_bytes()),
        };
        out.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> io::Result<Put> {
        let mut fields = Reader::new(bytes);
        let put = match fields.number()? {
            0 => Put::Stored,
            1 => Put::Unknown,
            2 => Put::Full,
            4 => Put::Elsewhere,
            5 => Put::StoredIn(fields.text()?.to_owned()),
            3 => Put::Trouble(fields.text()?.to_owned()),
            _ => return Err(invalid()),
        };
        fields.end()?;
        Ok(put)
    }
}

/// An answer to a mailbox job.
pub(crate) fn encode_outcome(outcome: &Result<(), Failure>) -> Vec<u8> {
    let mut out = Writer::default();
    if let Err(failure) = outcome {
        let Detail(subject, detail) = failure.detail;
        out.number((failure.class == Class::Never).into()).number(subject.into()).number(detail.into());
        out.bytes(failure.text.as_bytes()).number(failure.denied.into()).number(failure.writing.into());
    }
    out.finish()
}

pub(crate) fn decode_outcome(bytes: &[u8]) -> io::Result<Result<(), Failure>> {
    if bytes.is_empty() {
        return Ok(Ok(()));
    }
    let mut fields = Reader::new(bytes);
    let class = class(fields.number()?);
    Ok(Err(Failure {
        class,
        detail: detail(&mut fields)?,
        text: fields.text()?.to_owned(),
        denied: fields.number()? != 0,
        writing: fields.number()? != 0,
    }))
}

fn rights(out: &mut Writer, rights: Rights) -> &mut Writer {
    out.number(rights.uid.into()).number(rights.gid.into())
}

fn read_rights(fields: &mut Reader<'_>) -> io::Result<Rights> {
    Ok(Rights { uid: fields.small()?, gid: fields.small()? })
}

fn class(number: u64) -> Class {
    if number == 0 { Class::Later } else { Class::Never }
}

fn detail(fields: &mut Reader<'_>) -> io::Result<Detail> {
    let mut digit = || u16::try_from(fields.number()?).map_err(io::Error::other);
    Ok(Detail(digit()?, digit()?))
}

fn path(fields: &mut Reader<'_>) -> io::Result<PathBuf> {
    Ok(Path::new(&OsString::from_vec(fields.bytes()?.to_vec())).to_owned())
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a job has not the form it should have")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_come_back_and_cut_ones_do_not() {
        let rights = Rights { uid: 1000, gid: 8 };
        let locking = Locking {
            kinds: vec![Lock::Fcntl, Lock::Dotlock],
            attempts: 20,
            delay: Duration::from_millis(1500),
            stale: Duration::from_secs(500),
            dotlock_may_fail: true,
        };
        let mbox = MboxPlace {
            path: "/var/mail/u".into(),
            locking,
            open_as: OpenAs::Group(8),
            strict_owner: true,
            special: false,
            unexplained: Unexplained::NEVER,
        };
        let maildir = Place::Maildir(MaildirPlace {
            directory: "/m/".into(),
            stamp: (-1, 999_999),
            token: "Q1A2N3".to_owned(),
            host: "h".to_owned(),
            again: true,
        });
        let mailbox =
            |place| Job::Mailbox(MailboxJob { rights, place, head: b"From x\n".to_vec(), limit: 7 });
        let child = ChildJob {
            rights,
            argv: vec!["/bin/x".to_owned(), String::new()],
            environment: vec![("A".to_owned(), "b=c".to_owned())],
            directory: "/".into(),
            chroot: None,
            file_limit: 1 << 40,
        };
        for job in [
            mailbox(maildir),
            mailbox(Place::Mbox(mbox)),
            Job::Run(child),
            Job::Find(vec!["/a".into(), "/b".into()]),
            Job::Read("/a".into(), What::Forward),
            Job::Read("/a".into(), What::Include),
        ] {
            let packet = job.encode();
            assert_eq!(format!("{:?}", Job::decode(&packet).unwrap()), format!("{job:?}"));
            assert!((0..packet.len()).all(|length| Job::decode(&packet[..length]).is_err()), "{job:?}");
        }
        let parcel = Parcel {
            user: "joe@x".to_owned(),
            head: b"A: b\n".to_vec(),
            id: "1".to_owned(),
            mailbox: Some(("lists".to_owned(), true)),
            room_only: false,
            keywords: vec!["$Junk".to_owned()],
            account: Some(people::Account::named("joe@x")),
        };
        assert_eq!(Parcel::decode(&parcel.encode()).unwrap(), parcel);
        for put in [Put::Stored, Put::Unknown, Put::Full, Put::Trouble("disk".to_owned())] {
            assert_eq!(Put::decode(&put.encode()).unwrap(), put);
        }
        let failure = Failure { writing: true, ..Failure::plain("no", Unexplained::WRITE) };
        for outcome in [Ok(()), Err(failure)] {
            assert_eq!(decode_outcome(&encode_outcome(&outcome)).unwrap(), outcome);
        }
    }
}
