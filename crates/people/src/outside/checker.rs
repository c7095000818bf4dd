//! The process of the root parent that makes checks for the worker. It keeps root, for PAM's modules want it, and does
//! what the configuration names and nothing else.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use master::Lanes;

use super::{Job, LONGEST, answer};
use crate::listed;

/// What may be checked: programs and PAM services of `passdb`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    programs: HashSet<PathBuf>,
    services: HashSet<String>,
    /// `pam:*`: every service, by its name.
    any_service: bool,
}

/// How long the worker may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);

impl Allowed {
    /// What the values of `passdb` name.
    pub fn read<'a>(passdbs: impl IntoIterator<Item = &'a str>) -> Allowed {
        let mut allowed = Allowed::default();
        for listed in passdbs.into_iter().flat_map(|text| listed::parse(text).unwrap_or_default()) {
            match (listed.kind.as_str(), listed.argument.as_str()) {
                ("checkpassword", path) => drop(allowed.programs.insert(PathBuf::from(path))),
                ("pam", "") => drop(allowed.services.insert("dovecot".to_owned())),
                ("pam", service) if service == "*" || service.contains('%') => allowed.any_service = true,
                ("pam", service) => drop(allowed.services.insert(service.to_owned())),
                _ => {}
            }
        }
        allowed
    }

    /// Is there anything to check?
    pub fn is_empty(&self) -> bool {
        *self == Allowed::default()
    }

    fn allows(&self, job: &Job) -> bool {
        match &job.program {
            Some(program) => self.programs.contains(program),
            None => {
                let name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
                self.services.contains(&job.service)
                    || (self.any_service && job.service.chars().all(name) && !job.service.starts_with('.'))
            }
        }
    }
}

/// The worker's side: sends a job over a lane and waits for the answer.
///
/// # Errors
/// The lane is broken.
pub fn send(mut lane: UnixStream, job: &Job) -> io::Result<Vec<u8>> {
    lane.write_all(&job.encode())?;
    lane.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    lane.take(LONGEST as u64).read_to_end(&mut answer)?;
    Ok(answer)
}

/// Serves lanes, one job each, until there are no more.
pub fn serve(allowed: &Allowed, lanes: &Lanes) {
    let allowed = Arc::new(allowed.clone());
    while let Some((lane, open)) = lanes.next() {
        let allowed = allowed.clone();
        let serving = std::thread::Builder::new().name("check".to_owned()).spawn(move || {
            if let Err(error) = one(lane, &allowed) {
                log::warn!(target: "auth", "a check of a login was lost: {error}");
            }
            drop(open);
        });
        if let Err(error) = serving {
            log::error!(target: "auth", "cannot check a login: {error}");
        }
    }
}

fn one(mut lane: UnixStream, allowed: &Allowed) -> io::Result<()> {
    lane.set_read_timeout(Some(PATIENCE))?;
    let mut packet = Vec::new();
    Read::by_ref(&mut lane).take(LONGEST as u64).read_to_end(&mut packet)?;
    let job = Job::decode(&packet)?;
    if !allowed.allows(&job) {
        return Err(io::Error::other(format!("passdb names no {}", mail::logline::printable(&job.shown()))));
    }
    lane.write_all(&answer(&job))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::databases::Password;

    #[test]
    fn only_what_the_configuration_names_is_checked() {
        let job = |program: Option<&str>, service: &str| Job {
            program: program.map(PathBuf::from),
            service: service.to_owned(),
            user: "joe".to_owned(),
            password: Password::new("x").expect("no NUL"),
            remote: String::new(),
        };
        let some = Allowed::read(["directory, pam:smtp { checkpassword:/bin/check, result_failure=return }"]);
        assert!(some.allows(&job(None, "smtp")) && some.allows(&job(Some("/bin/check"), "imap")));
        for (program, service) in [(None, "imap"), (Some("/bin/sh"), "smtp"), (None, "")] {
            assert!(!some.allows(&job(program, service)), "{program:?} {service}");
        }
        let any = Allowed::read(["pam:*"]);
        assert!(any.allows(&job(None, "imap")));
        assert!(!any.allows(&job(None, "../../tmp/x")) && !any.allows(&job(None, "..")));
        assert!(Allowed::read(["directory passwd-file:/x"]).is_empty());
    }
}
