//! The sessions of the running program, for commands that list and end them.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;

use gate::orders;

use super::gate::have_done;
use super::reach;
use crate::config::Config;

/// So many sessions are named in one order.
const AT_ONCE: usize = 1000;

/// A session.
pub struct Session {
    /// What it is called in orders.
    pub id: String,
    /// Who has logged in.
    pub user: String,
    /// `imap`, `pop3`, …
    pub service: String,
    /// Number of the process that serves it.
    pub process: String,
    /// The client's address; empty for a local one.
    pub remote: String,
}

/// All of them.
///
/// # Errors
/// The program does not run, or does not say: a sentence.
pub fn list(config: &Config) -> Result<Vec<Session>, String> {
    let read = |line: &String| {
        let [id, user, service, process, remote] = orders::words(line)?.try_into().ok()?;
        Some(Session { id, user, service, process, remote })
    };
    Ok(order(config, &["list"])?.iter().filter_map(read).collect())
}

/// Ends some.
///
/// # Errors
/// As [`list`].
pub fn end(config: &Config, sessions: &[Session]) -> Result<(), String> {
    for some in sessions.chunks(AT_ONCE) {
        let ids = some.iter().map(|session| session.id.as_str());
        order(config, &std::iter::once("end").chain(ids).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Ends those of a user. Where no program runs there are none.
///
/// # Errors
/// The program runs, and they cannot be ended: a sentence.
pub fn end_of(config: &Config, user: &str) -> Result<(), String> {
    let socket = reach::queue_directory(config).join(orders::SOCKET);
    if let Err(error) = UnixStream::connect(&socket)
        && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
    {
        return Ok(());
    }
    let ended = list(config).and_then(|mut found| {
        found.retain(|session| session.user.eq_ignore_ascii_case(user));
        end(config, &found)
    });
    ended.map_err(|what| format!("{user}: open sessions could not be ended: {what}"))
}

fn order(config: &Config, words: &[&str]) -> Result<Vec<String>, String> {
    let words: Vec<String> =
        std::iter::once("sessions").chain(words.iter().copied()).map(str::to_owned).collect();
    have_done(config, &words)
}
