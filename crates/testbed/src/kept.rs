//! Processes of tests: none outlives its test, and none is waited for without a limit.

use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait;

/// How long a process may take to end in good order.
const FAREWELL: Duration = Duration::from_secs(10);

/// How long a command may run that a test starts and waits for.
const COMMAND: Duration = Duration::from_secs(240);

/// A process that does not outlive its test: asked to end (SIGTERM, so that its own children end, too), and killed
/// when it does not.
pub struct Kept(Option<Child>);

impl Kept {
    /// Takes it into care.
    pub fn new(child: Child) -> Kept {
        Kept(Some(child))
    }

    /// Starts a program that reads nothing and whose words nobody reads.
    pub fn quiet(command: &mut Command) -> Kept {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Kept::new(command.spawn().expect("it starts"))
    }

    /// Its process id; zero when it was ended.
    pub fn id(&self) -> u32 {
        self.0.as_ref().map_or(0, Child::id)
    }

    /// Ends it in good order.
    pub fn end(&mut self) {
        if let Some(child) = self.0.take() {
            end(child, Signal::SIGTERM);
        }
    }

    /// Waits for the end of one that was told to end; kills it when that takes too long.
    pub fn wait(&mut self) {
        if let Some(child) = &mut self.0 {
            wait::within(FAREWELL, || child.try_wait().ok().flatten());
        }
        self.kill();
    }

    /// Ends it without giving it any time (SIGKILL).
    pub fn kill(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.end();
    }
}

/// Ends a process by this signal, and by SIGKILL when it does not listen.
pub fn end(mut child: Child, by: Signal) {
    let pid = pid(&child);
    // A program that looks for signals between two waits may miss one: it is asked until it has heard.
    let heard = wait::within(FAREWELL, || {
        let ended = child.try_wait().ok().flatten();
        if ended.is_none() {
            let _ = kill(pid, by);
        }
        ended
    });
    if heard.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// What a command said, when it has ended. One that does not end is killed, and the test fails.
pub fn outcome(child: Child) -> Output {
    let pid = pid(&child);
    let (over, ended) = channel::<()>();
    let watching = std::thread::spawn(move || {
        let late = ended.recv_timeout(COMMAND) == Err(RecvTimeoutError::Timeout);
        if late {
            let _ = kill(pid, Signal::SIGKILL);
        }
        late
    });
    let output = child.wait_with_output().expect("our child");
    drop(over);
    let late = watching.join().expect("it only waits");
    assert!(!late, "a command ran for more than {COMMAND:?}: {output:?}");
    output
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().expect("a process id"))
}
