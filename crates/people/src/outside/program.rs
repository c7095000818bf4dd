//! checkpassword: name, password and a stamp on descriptor 3; exit status 0 is yes, 1 is no, anything else is trouble.
//!
//! A program that says yes runs the command it was given, which here tells its environment: `USER`, `HOME`, `uid`,
//! `gid` and whatever `EXTRA` names become fields, as in Dovecot.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::{Job, LONGEST, PATIENCE};
use crate::Fields;
use crate::databases::Checked;

/// Descriptors 3 and 4 are what the program's input and output were.
const SHELL: &str = "exec 3<&0 4>&1 </dev/null >/dev/null; exec \"$@\"";

/// What a program that says yes runs: its environment goes to descriptor 4, each variable with a NUL behind it.
const REPLY: &str = "exec env -0 >&4";

pub fn check(program: &Path, job: &Job) -> Result<Checked, String> {
    let mut child = Command::new("/bin/sh")
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
        .spawn()
        .map_err(|error| format!("cannot start it: {error}"))?;
    if let Some(mut input) = child.stdin.take() {
        // One that does not read it has its reasons.
        let _ = write!(input, "{}\0{}\0\0", job.user, job.password.text());
    }
    let output = output(child, PATIENCE)?;
    match output.status.code() {
        Some(0) => Ok(Checked::Right(fields(&output.bytes))),
        Some(1) => Ok(Checked::Wrong),
        Some(3) => Ok(Checked::Unknown),
        _ => Err(format!("it ended with {}", output.status)),
    }
}

/// What a child said, and how it ended.
pub struct Output {
    pub bytes: Vec<u8>,
    pub status: ExitStatus,
}

/// Waits for a child, so long at most.
pub fn output(mut child: Child, patience: Duration) -> Result<Output, String> {
    let (done, waited) = std::sync::mpsc::channel();
    let output = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(output) = output {
            // One that says more than this makes no sense.
            let _ = output.take(LONGEST as u64).read_to_end(&mut bytes);
        }
        let _ = done.send(bytes);
    });
    let said = waited.recv_timeout(patience);
    if said.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| format!("waiting for it: {error}"))?;
    let _ = reader.join();
    let bytes = said.map_err(|_| format!("no answer within {} seconds", patience.as_secs()))?;
    Ok(Output { bytes, status })
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
