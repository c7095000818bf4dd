//! A program that the configuration names and that delivers nothing: it gets no mail, and its status counts.

use std::time::Duration;

use crate::agents::local;
use crate::child::{self, ChildJob};
use crate::command::PATH;

/// Output that is read, in bytes, and shown when it fails.
const OUTPUT: usize = 500;

/// Runs `argv` with the rights of `user`, written as in `default_privs`; with our own where the mail system is not root's.
///
/// # Errors
/// It could not be started, failed, or took longer than `limit`: a sentence with what it said.
pub async fn run(user: &str, argv: Vec<String>, limit: Duration) -> Result<(), String> {
    let shown = argv.join(" ");
    let rights = local::default_rights(user)?;
    let job = ChildJob {
        rights,
        argv,
        environment: vec![("PATH".to_owned(), PATH.to_owned())],
        directory: "/".into(),
        chroot: None,
        file_limit: 0,
    };
    let mut running = child::start(&job).await.map_err(|error| format!("{shown}: {error}"))?;
    running.input = None;
    let outcome = tokio::time::timeout(limit, async {
        let mut said = Vec::new();
        let mut chunk = [0; 1024];
        loop {
            match tokio::io::AsyncReadExt::read(&mut running.output, &mut chunk).await {
                Ok(0) | Err(_) => break,
                Ok(length) => said.extend_from_slice(&chunk[..length.min(OUTPUT.saturating_sub(said.len()))]),
            }
        }
        (running.wait().await, mail::logline::printable(String::from_utf8_lossy(&said).trim()))
    });
    match outcome.await {
        Ok((Ok(status), _)) if status.success() => Ok(()),
        Ok((Ok(status), said)) if said.is_empty() => Err(format!("{shown}: {status}")),
        Ok((Ok(status), said)) => Err(format!("{shown}: {status}: {said}")),
        Ok((Err(error), _)) => Err(format!("{shown}: {error}")),
        Err(_) => {
            running.kill().await;
            Err(format!("{shown}: did not end within {} s", limit.as_secs()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn outcome(line: &str, limit: Duration) -> String {
        let argv = ["/bin/sh", "-c", line].map(str::to_owned).to_vec();
        run("nobody", argv, limit).await.err().unwrap_or_default()
    }

    #[tokio::test]
    async fn its_status_and_words_count() {
        let long = Duration::from_secs(20);
        assert_eq!(outcome("exit 0", long).await, "");
        assert_eq!(outcome("exit 3", long).await, "/bin/sh -c exit 3: exit status: 3");
        assert!(
            outcome("echo no such zone >&2; exit 1", long).await.ends_with("exit status: 1: no such zone")
        );
        assert!(outcome("sleep 60", Duration::from_millis(100)).await.contains("did not end"));
    }

    #[tokio::test]
    async fn nothing_runs_as_root() {
        if nix::unistd::geteuid().is_root() {
            assert!(run("root", vec!["/bin/true".to_owned()], Duration::from_secs(20)).await.is_err());
        }
    }
}
