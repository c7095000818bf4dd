//! Checks that foreign code makes: PAM modules, which may crash, and checkpassword programs. Each runs in a process that
//! lives for one check.
//!
//! Where this process may start programs, it starts them itself. The worker of a root parent may not: whoever has the
//! right lends it ([`lend`]), and checks each job against the configuration before it is done.

pub mod checker;
#[allow(unsafe_code, reason = "the one module that calls libpam")]
mod libpam;
mod program;

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use mail::Trouble;
use master::wire::{Reader, Writer};

use crate::Fields;
use crate::databases::{Checked, Password};

/// The command of our own binary that asks PAM.
pub const COMMAND: &str = "pam-check";

/// For one check.
const PATIENCE: Duration = Duration::from_secs(60);

/// Largest job or answer, in bytes.
const LONGEST: usize = 64 << 10;

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The checkpassword program; `None` for PAM.
    pub program: Option<PathBuf>,
    /// PAM's service, or the session's.
    pub service: String,
    /// The name.
    pub user: String,
    /// The password.
    pub password: Password,
    /// The client's address; empty when there is none.
    pub remote: String,
}

type Lent = Box<dyn Fn(&Job) -> io::Result<Vec<u8>> + Send + Sync>;

static LENT: OnceLock<Lent> = OnceLock::new();

/// From now on `ask` makes the checks of this process, and gives what [`answer`] gave. Only the first call counts.
pub fn lend(ask: impl Fn(&Job) -> io::Result<Vec<u8>> + Send + Sync + 'static) {
    let _ = LENT.set(Box::new(ask));
}

/// Has it checked.
pub(crate) fn ask(job: &Job) -> Result<Checked, Trouble> {
    let trouble = |error: io::Error| Trouble::from_error(job.shown(), error);
    let answer = match LENT.get() {
        Some(lent) => lent(job).map_err(trouble)?,
        None => answer(job),
    };
    decode(&answer).map_err(trouble)?.map_err(|why| Trouble::new(format!("{}: {why}", job.shown())))
}

/// Makes the check, by a process of its own, and gives the answer as a packet.
pub fn answer(job: &Job) -> Vec<u8> {
    let checked = match &job.program {
        Some(program) => program::check(program, job, PATIENCE),
        None => pam(job),
    };
    encode(&checked)
}

/// Starts our own binary, which asks PAM.
fn pam(job: &Job) -> Result<Checked, String> {
    let binary = std::env::current_exe().map_err(|error| format!("cannot find our own program: {error}"))?;
    let mut command = Command::new(binary);
    command.arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let child = program::start(&mut command).map_err(|error| format!("cannot start a process: {error}"))?;
    let answer = program::output(child, job.encode(), PATIENCE)?;
    decode(&answer.bytes).unwrap_or_else(|_| Err(format!("PAM's process died ({})", answer.status)))
}

/// The life of the process that asks PAM: a job from the input, an answer to the output.
pub fn pam_process() -> io::Result<()> {
    let mut input = Vec::new();
    io::stdin().lock().take(LONGEST as u64).read_to_end(&mut input)?;
    let checked = libpam::check(&Job::decode(&input)?);
    let mut output = io::stdout().lock();
    output.write_all(&encode(&checked))?;
    output.flush()
}

impl Job {
    fn shown(&self) -> String {
        match &self.program {
            Some(program) => format!("checkpassword:{}", program.display()),
            None => format!("pam:{}", self.service),
        }
    }

    /// As a packet.
    pub fn encode(&self) -> Vec<u8> {
        use std::os::unix::ffi::OsStrExt;
        let mut out = Writer::default();
        let program = self.program.as_ref().map_or(&b""[..], |program| program.as_os_str().as_bytes());
        out.bytes(program)
            .bytes(self.service.as_bytes())
            .bytes(self.user.as_bytes())
            .bytes(self.password.text().as_bytes())
            .bytes(self.remote.as_bytes());
        out.finish()
    }

    /// From a packet.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(packet: &[u8]) -> io::Result<Job> {
        let mut fields = Reader::new(packet);
        let program = fields.text()?;
        let job = Job {
            program: (!program.is_empty()).then(|| PathBuf::from(program)),
            service: fields.text()?.to_owned(),
            user: fields.text()?.to_owned(),
            password: Password::new(fields.text()?).ok_or(io::ErrorKind::InvalidData)?,
            remote: fields.text()?.to_owned(),
        };
        fields.end()?;
        Ok(job)
    }
}

fn encode(checked: &Result<Checked, String>) -> Vec<u8> {
    let mut out = Writer::default();
    match checked {
        Err(why) => out.number(0).bytes(why.as_bytes()),
        Ok(Checked::Right(fields)) => {
            out.number(1);
            for (name, value) in fields.iter() {
                out.bytes(name.as_bytes()).bytes(value.as_bytes());
            }
            &mut out
        }
        Ok(Checked::Unknown) => out.number(3),
        Ok(Checked::Disabled) => out.number(4),
        Ok(Checked::Expired) => out.number(5),
        Ok(Checked::Wrong | Checked::Compare) => out.number(2),
    };
    out.finish()
}

fn decode(packet: &[u8]) -> io::Result<Result<Checked, String>> {
    let mut fields = Reader::new(packet);
    let checked = match fields.number()? {
        0 => return Ok(Err(fields.text()?.to_owned())),
        1 => {
            let mut right = Fields::default();
            while let Ok(name) = fields.text() {
                right.set(name, fields.text()?);
            }
            Checked::Right(right)
        }
        2 => Checked::Wrong,
        3 => Checked::Unknown,
        4 => Checked::Disabled,
        5 => Checked::Expired,
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    Ok(Ok(checked))
}

#[cfg(test)]
mod tests;
