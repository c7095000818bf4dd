//! Handing a message to the running program, or leaving it in the maildrop.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use queue::{Submission, maildrop};

use crate::config::Config;

/// The socket on which the program takes submissions, below `queue_directory`.
pub const SOCKET: &str = "public/pickup";

/// The service of `-bs`, below `public` there.
pub const SESSION: &str = "session";

/// So long we wait for the program's answer: it has the message on disk by then, or says why not.
const PATIENCE: Duration = Duration::from_secs(300);

/// Returns when the message is safe. What is still open in it is filled in by `fill` where no program does that now.
///
/// # Errors
/// A sentence; nothing was queued.
pub fn hand_over(
    config: &Config,
    submission: Submission,
    fill: impl FnOnce(Submission) -> Result<Submission, String>,
) -> Result<(), String> {
    let queue = PathBuf::from(config.view.get("queue_directory"));
    let drop_it = |submission| drop_it(&queue, &fill(submission)?);
    match by_socket(&queue.join(SOCKET), &submission) {
        Ok(answer) => match answer.split_at_checked(1) {
            Some(("+", _)) => Ok(()),
            // It takes no such mail now: it will look at the maildrop again.
            Some(("-", reason)) if reason.starts_with('4') => drop_it(submission),
            Some(("-", reason)) => Err(reason.trim_end().to_owned()),
            // It went away before it answered: whether it has the message is not known, and twice is better than never.
            _ => drop_it(submission),
        },
        Err(_) => drop_it(submission),
    }
}

fn by_socket(path: &Path, submission: &Submission) -> io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&submission.encode())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    BufReader::new(stream).take(4096).read_line(&mut answer)?;
    Ok(answer)
}

fn drop_it(queue: &Path, submission: &Submission) -> Result<(), String> {
    let directory = queue.join("maildrop");
    let now = jiff::Timestamp::try_from(net::clock::wall()).unwrap_or_default();
    match maildrop::write(&directory, submission, now) {
        Ok(_) => Ok(()),
        Err(failure) => Err(format!("the mail system is down, and the maildrop cannot be used: {failure}")),
    }
}

/// `-bs`: an SMTP session on standard input and output with the running program.
pub fn session(directory: &Path) -> Result<(), String> {
    let config = Config::for_submission(directory);
    let path = PathBuf::from(config.view.get("queue_directory")).join("public").join(SESSION);
    let stream = UnixStream::connect(&path)
        .map_err(|error| format!("-bs needs the running mail system: {}: {error}", path.display()))?;
    let mut there = stream.try_clone().map_err(|error| error.to_string())?;
    let mut back = stream;
    let sender = std::thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        // The session ends when either side closes; how is its own affair.
        let _ = io::copy(&mut stdin, &mut there);
        let _ = there.shutdown(Shutdown::Write);
    });
    let copied = io::copy(&mut back, &mut io::stdout().lock());
    drop(sender);
    copied.map(drop).map_err(|error| error.to_string())
}
