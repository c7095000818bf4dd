//! checkpassword: name, password and a stamp on descriptor 3; exit status 0 is yes, 1 is no, anything else is trouble.
//!
//! A program that says yes runs the command it was given, which here tells its environment: `USER`, `HOME`, `uid`,
//! `gid` and whatever `EXTRA` names become fields, as in Dovecot.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, killpg};
use nix::unistd::Pid;

use super::{Job, LONGEST};
use crate::Fields;
use crate::databases::Checked;

/// Descriptors 3 and 4 are what the program's input and output were.
const SHELL: &str = "exec 3<&0 4>&1 </dev/null >/dev/null; exec \"$@\"";

/// What a program that says yes runs: its environment goes to descriptor 4, each variable with a NUL behind it.
const REPLY: &str = "exec env -0 >&4";

/// Asks the program, for so long at most.
pub fn check(program: &Path, job: &Job, patience: Duration) -> Result<Checked, String> {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", SHELL, "sh"])
        .arg(program)
        .args(["/bin/sh", "-c", REPLY])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        .env("PROTO", "TCP")
        .env("SERVICE", &job.service)
        .env("TCPREMOTEIP", &job.remote)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    let child = start(&mut command).map_err(|error| format!("cannot start it: {error}"))?;
    let input = format!("{}\0{}\0\0", job.user, job.password.text());
    let output = output(child, input.into_bytes(), patience)?;
    match output.status.code() {
        Some(0) => Ok(Checked::Right(fields(&output.bytes))),
        Some(1) => Ok(Checked::Wrong),
        Some(3) => Ok(Checked::Unknown),
        _ => Err(format!("it ended with {}", output.status)),
    }
}

/// Starts a program that listens to signals. Whoever checks for others waits for its own in another way, and has them
/// blocked; a program would inherit that, and a script that is ended by SIGTERM would go on and say yes. Those that may
/// be waiting here stay blocked: they are not for the program.
pub fn start(command: &mut Command) -> io::Result<Child> {
    let mask = [Signal::SIGHUP, Signal::SIGUSR1].into_iter().collect::<SigSet>();
    let before = mask.thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let child = command.spawn();
    before.thread_set_mask()?;
    child
}

/// What a child said, and how it ended.
pub struct Output {
    pub bytes: Vec<u8>,
    pub status: ExitStatus,
}

/// Gives a child, which leads a process group, its input and waits for its end, so long at most. What it said to the end
/// of its output counts; one that says too much is cut off.
pub fn output(mut child: Child, input: Vec<u8>, patience: Duration) -> Result<Output, String> {
    let (done, waited) = std::sync::mpsc::channel();
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let group = Pid::from_raw(i32::try_from(child.id()).expect("process numbers are small"));
    std::thread::spawn(move || {
        if let Some(mut stdin) = stdin {
            // One that does not read it has its reasons.
            let _ = stdin.write_all(&input);
        }
    });
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stdout) = stdout {
            let _ = stdout.take(LONGEST as u64).read_to_end(&mut bytes);
        }
        // Nobody waits any more when it was too slow.
        let _ = done.send(child.wait().map(|status| Output { bytes, status }));
    });
    match waited.recv_timeout(patience) {
        Ok(ended) => ended.map_err(|error| format!("waiting for it: {error}")),
        Err(_) => {
            // With whatever it has started: then the threads see an end, too.
            let _ = killpg(group, Signal::SIGKILL);
            Err(format!("no answer within {} seconds", patience.as_secs()))
        }
    }
}

fn fields(environment: &[u8]) -> Fields {
    let text = String::from_utf8_lossy(environment);
    let variables: Fields = text.split('\0').filter_map(|variable| variable.split_once('=')).collect();
    let mut fields = Fields::default();
    for (variable, field) in [
        ("USER", "user"),
        ("HOME", "userdb_home"),
        ("userdb_uid", "userdb_uid"),
        ("userdb_gid", "userdb_gid"),
    ] {
        if let Some(value) = variables.get(variable).filter(|value| !value.is_empty()) {
            fields.set(field, value);
        }
    }
    for name in variables.get("EXTRA").unwrap_or_default().split_ascii_whitespace() {
        if let Some(value) = variables.get(name) {
            fields.set(name, value);
        }
    }
    fields
}
