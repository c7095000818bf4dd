//! Mail into a program: shared by local and pipe.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use mail::{Blame, Class, Detail, Refusal};
use queue::Body;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::agents::split_status;
use crate::child::{self, ChildJob, Running};
use crate::mailbox::frame::{Dress, Dresser};
use crate::mailbox::reason;
use crate::sysexits;

/// Bytes of a program's output that are looked at.
const OUTPUT: usize = 4096;
/// Bytes written at a time.
const PIECE: usize = 64 * 1024;
/// PATH of programs.
pub const PATH: &str = "/usr/bin:/bin";

/// A message for a program.
pub struct CommandJob {
    /// The program.
    pub child: ChildJob,
    /// The command as it is shown in the log.
    pub shown: String,
    /// The logged program that runs it: `local`, `pipe`.
    pub agent: &'static str,
    /// What stands before the message.
    pub head: Vec<u8>,
    /// How lines are dressed.
    pub dress: Dress,
    /// The program ends after so long (`command_time_limit`).
    pub time_limit: Duration,
}

/// Runs the program on the message; gives what it said when it was content.
pub async fn run(job: &CommandJob, content: &Body) -> Result<String, Refusal> {
    let mut running = match child::start(&job.child).await {
        Ok(running) => running,
        Err(error) => return Err(not_started(job, &error)),
    };
    let mut said = Vec::new();
    let ended = tokio::time::timeout(job.time_limit, converse(job, content, &mut running, &mut said)).await;
    if ended.is_err() {
        running.kill().await;
    }
    let output = printable(&said);
    match ended {
        Ok(Ok((status, written))) => conclude(job, status, written, output),
        Ok(Err(error)) => {
            running.kill().await;
            Err(refusal(
                Class::Later,
                Detail(3, 0),
                format!("Command failed: {}: \"{}\"", reason(&error), job.shown),
                "",
            ))
        }
        Err(_) => {
            let text = format!("Command time limit exceeded: \"{}\"{}", job.shown, with_output(&output));
            Err(refusal(
                Class::Never,
                Detail(3, 0),
                text,
                if output.is_empty() { "internal software error" } else { &output },
            ))
        }
    }
}

/// Writes the message and reads what is said, both at once; then waits for the end.
async fn converse(
    job: &CommandJob,
    content: &Body,
    running: &mut Running,
    said: &mut Vec<u8>,
) -> io::Result<(ExitStatus, io::Result<()>)> {
    let mut input = running.input.take().expect("standard input is a pipe");
    let write = async {
        let result = write(job, content, &mut input).await;
        drop(input);
        result
    };
    let read = async {
        let mut buffer = vec![0; OUTPUT];
        loop {
            let len = running.output.read(&mut buffer).await?;
            if len == 0 {
                return Ok::<_, io::Error>(());
            }
            // The rest is read and forgotten: a chatty program is not blocked.
            let room = OUTPUT - said.len();
            said.extend_from_slice(&buffer[..len.min(room)]);
        }
    };
    let (written, read) = tokio::join!(write, read);
    read?;
    Ok((running.wait().await?, written))
}

async fn write(
    job: &CommandJob,
    content: &Body,
    input: &mut tokio::net::unix::pipe::Sender,
) -> io::Result<()> {
    let mut dresser = Dresser::new(&job.dress);
    let mut buffer = Vec::with_capacity(PIECE.min(usize::try_from(content.len()).unwrap_or(PIECE)) + 1024);
    dresser.head(&job.head, &mut buffer);
    let mut offset = 0;
    while offset < content.len() {
        let piece = match content.in_memory() {
            Some(bytes) => bytes.clone(),
            None => {
                let content = content.clone();
                let read = tokio::task::spawn_blocking(move || content.read_at(offset, PIECE));
                read.await.map_err(io::Error::other)?.map_err(io::Error::other)?
            }
        };
        offset += piece.len() as u64;
        dresser.push(&piece, &mut buffer);
        input.write_all(&buffer).await?;
        buffer.clear();
    }
    dresser.finish(&mut buffer);
    input.write_all(&buffer).await
}

fn conclude(
    job: &CommandJob,
    status: ExitStatus,
    written: io::Result<()>,
    output: String,
) -> Result<String, Refusal> {
    let shown = &job.shown;
    let extra = with_output(&output);
    if let Some(signal) = status.signal() {
        let text = format!("Command died with signal {signal}: \"{shown}\"{extra}");
        let said = if output.is_empty() { "internal software error" } else { &output };
        return Err(refusal(Class::Later, Detail(3, 0), text, said));
    }
    let code = status.code().unwrap_or(0);
    if code == 0 {
        return match written {
            // A program need not read all of a message it is content with.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let text = format!("Command failed: {}: \"{shown}\"", reason(&error));
                Err(refusal(Class::Later, Detail(3, 0), text, ""))
            }
            _ => Ok(output),
        };
    }
    if let (Some((class, detail)), text) = split_status(&output) {
        let (class, detail) = match class {
            '4' => (Class::Later, detail),
            '5' => (Class::Never, detail),
            // It failed, whatever it says.
            _ => (Class::Never, Detail(0, 0)),
        };
        return Err(refusal(class, detail, text.to_owned(), text));
    }
    let (class, detail, words, known) = sysexits::meaning(code);
    let said = if output.is_empty() { &words } else { &output };
    let text = if known {
        format!(
            "{words}{}",
            if output.is_empty() { String::new() } else { format!(". Command output: {output}") }
        )
    } else {
        format!("Command died with status {code}: \"{shown}\"{extra}")
    };
    Err(refusal(class, detail, text, said))
}

/// The program could not be started: that may pass.
fn not_started(job: &CommandJob, error: &io::Error) -> Refusal {
    let program = job.child.argv.first().map(String::as_str).unwrap_or_default();
    let output = format!("{}: fatal: execvp {program}: {} ", job.agent, reason(error));
    let text = format!("temporary failure. Command output: {output}");
    refusal(Class::Later, Detail(3, 0), text, &output)
}

fn refusal(class: Class, detail: Detail, text: String, said: &str) -> Refusal {
    let code = if class == Class::Later { 51 } else { 54 };
    let mut refusal = Refusal::new(class, code, detail, Blame::Ourselves, text);
    refusal.diagnostic = (!said.is_empty()).then(|| format!("x-unix; {}", said.trim_end()));
    refusal
}

fn with_output(output: &str) -> String {
    if output.is_empty() { String::new() } else { format!(". Command output: {output}") }
}

/// One line of text.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars()
        .map(|c| match c {
            '\n' | '\t' | '\r' => ' ',
            c if c.is_control() => '?',
            c => c,
        })
        .collect()
}

/// What runs a command line of an alias or of `mailbox_command`: itself where it is plain words, else a shell.
pub fn words_or_shell(command: &str) -> Vec<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"!@%-_=+:,./ \t".contains(&b);
    if command.bytes().all(plain) && !command.trim().is_empty() {
        let words: Vec<String> = command.split_ascii_whitespace().map(str::to_owned).collect();
        // Shell builtins and names that are in no PATH directory are for the shell to find.
        let found = words[0].contains('/')
            || PATH.split(':').any(|dir| std::path::Path::new(dir).join(&words[0]).exists());
        if found {
            return words;
        }
    }
    ["/bin/sh", "-c", command].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use nix::sys::signal::{SigSet, Signal};

    use super::*;
    use crate::privilege::Rights;

    fn job(command: &str) -> CommandJob {
        let rights = match Rights::own() {
            Rights { uid: 0, .. } => Rights { uid: 65534, gid: 65534 },
            own => own,
        };
        CommandJob {
            child: ChildJob {
                rights,
                argv: words_or_shell(command),
                environment: vec![("PATH".to_owned(), PATH.to_owned())],
                directory: "/".into(),
                chroot: None,
                file_limit: 0,
            },
            shown: command.to_owned(),
            agent: "local",
            head: Vec::new(),
            dress: Dress::plain(),
            time_limit: Duration::from_secs(5),
        }
    }

    async fn outcome(command: &str) -> String {
        let body = Body::from(Bytes::from_static(b"Subject: x\n\nbody\n"));
        match run(&job(command), &body).await {
            Ok(output) => format!("ok {output}"),
            Err(refusal) => format!("{} {}", refusal.status(), refusal.log_text()),
        }
    }

    #[tokio::test]
    async fn exit_statuses_and_output_decide() {
        for (command, expected) in [
            ("exit 0", "ok "),
            ("cat", "ok Subject: x  body "),
            ("exit 75", "4.3.0 temporary failure"),
            ("exit 67", "5.1.1 user unknown"),
            ("exit 1", "5.3.0 Command died with status 1: \"exit 1\""),
            ("kill -9 $$", "4.3.0 Command died with signal 9: \"kill -9 $$\""),
            ("echo 5.7.8 custom text; exit 77", "5.7.8 custom text "),
            ("echo 4.2.9 later; exit 69", "4.2.9 later "),
            ("echo 2.0.0 fine; exit 1", "5.0.0 fine "),
            ("echo oops; exit 69", "5.3.0 service unavailable. Command output: oops "),
            (
                "/nonexistent/program",
                "4.3.0 temporary failure. Command output: local: fatal: execvp /nonexistent/program: No such file or directory ",
            ),
        ] {
            assert_eq!(outcome(command).await, expected, "{command}");
        }
    }

    #[tokio::test]
    async fn a_signal_that_we_wait_for_ends_a_program_all_the_same() {
        let mut blocked = SigSet::empty();
        blocked.add(Signal::SIGTERM);
        blocked.thread_block().expect("a signal of ours");
        let said = outcome("kill -15 $$").await;
        blocked.thread_unblock().expect("a signal of ours");
        assert_eq!(said, "4.3.0 Command died with signal 15: \"kill -15 $$\"");
    }

    #[tokio::test]
    async fn a_program_that_takes_too_long_is_ended_with_its_children() {
        let mut slow = job("sleep 30 & sleep 30");
        slow.time_limit = Duration::from_millis(200);
        let refusal = run(&slow, &Body::from(Bytes::from_static(b"x\n"))).await.expect_err("too slow");
        assert_eq!(refusal.log_text(), "Command time limit exceeded: \"sleep 30 & sleep 30\"");
    }

    #[tokio::test]
    async fn programs_run_as_their_user_with_our_environment() {
        if Rights::own().uid == 0 {
            assert_eq!(outcome("id -u; id -G; umask").await, "ok 65534 65534 0077 ");
            let mut root = job("true");
            root.child.rights = Rights { uid: 0, gid: 0 };
            assert!(run(&root, &Body::from(Bytes::from_static(b"x\n"))).await.is_err());
        }
        assert!(!outcome("env").await.contains("CARGO"));
    }
}
