//! A running program with its site.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Address, Client, Maildir, Site, command, kept, secrets, wait};

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Spoken {
    /// The exit status; 256 when a signal ended it.
    pub status: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// The program at work on a site. Dropped, it is killed, and everything of it is removed.
pub struct Instance {
    site: Site,
    child: Option<Child>,
}

impl Instance {
    /// Starts the program on `site` and waits until it greets.
    pub fn start(site: Site) -> Instance {
        site.write();
        let mut instance = Instance { site, child: None };
        instance.restart();
        instance
    }

    /// Starts the program again, after [`Instance::kill`] or [`Instance::stop`].
    pub fn restart(&mut self) {
        self.launch();
        let greeted = wait::within(wait::LIMIT, || {
            if let Some(status) = self.child.as_mut()?.try_wait().expect("our child") {
                self.child = None;
                panic!("it ended with {status}:\n{}\n{}", self.output(), self.log());
            }
            greets(self.smtp()).then_some(())
        });
        assert!(greeted.is_some(), "no greeting at {}:\n{}\n{}", self.smtp(), self.output(), self.log());
    }

    /// Starts the program and waits for nothing.
    pub fn launch(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let output = File::options().create(true).append(true).open(self.site.path().join("output"));
        let output = output.expect("the directory is ours");
        let mut command = command("postfix");
        if let Some((file, place)) = self.site.seen() {
            let program = command;
            command = Command::new("unshare");
            command
                .args(["--mount", "/bin/sh", "-c", "mount --bind \"$0\" \"$1\" && shift && exec \"$@\""])
                .args([file, place])
                .arg(program.get_program())
                .args(program.get_args())
                .env_remove("MAIL_CONFIG");
        }
        let child = command
            .args(["-c".as_ref(), self.site.conf().as_os_str(), "start-fg".as_ref()])
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("an open file"))
            .stderr(output)
            .current_dir(self.site.path())
            .spawn();
        self.child = Some(child.expect("the program starts"));
    }

    /// Waits for the end of a program that is not to run; gives what it printed.
    pub fn wait_end(&mut self) -> (ExitStatus, String) {
        let status =
            wait::until("the program to end", || self.child.as_mut()?.try_wait().expect("our child"));
        self.child = None;
        (status, self.output())
    }

    /// Ends the program without giving it any time (SIGKILL).
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("our child");
        child.wait().expect("our child");
    }

    /// Ends the program in good order (SIGTERM).
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait_end().0
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it runs");
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.as_ref().expect("it runs").id().try_into().expect("a process id"))
    }

    /// The resident memory of all its processes that is shared with nobody and backed by no file, in bytes.
    pub fn memory(&self) -> u64 {
        let mut processes = vec![self.pid().as_raw()];
        let mut sum = 0;
        // Started as root, it is a parent and its children.
        while let Some(process) = processes.pop() {
            sum += anonymous(process);
            let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
            let children = children.unwrap_or_default();
            processes.extend(children.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        }
        assert!(sum > 0, "Linux says how much memory a process has");
        sum
    }

    /// Changes the configuration on disk; the program hears of it by [`Instance::reload`].
    pub fn rewrite(&mut self, change: impl FnOnce(&mut Site)) {
        change(&mut self.site);
        self.site.write();
    }

    /// `postfix reload`.
    pub fn reload(&self) -> Spoken {
        self.run("postfix", &["reload"])
    }

    /// Runs a command on this configuration.
    pub fn run(&self, name: &str, arguments: &[&str]) -> Spoken {
        self.run_with(name, arguments, b"")
    }

    /// The same, with something to read on standard input.
    pub fn run_with(&self, name: &str, arguments: &[&str], input: &[u8]) -> Spoken {
        self.site.run_with(name, arguments, input)
    }

    /// The log so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.site.path().join("mail.log")).unwrap_or_default()).into_owned()
    }

    /// Waits for a line of the log that has all of these texts; gives the line.
    pub fn wait_log(&self, texts: &[&str]) -> String {
        let look = || {
            let log = self.log();
            log.lines().find(|line| texts.iter().all(|text| line.contains(text))).map(str::to_owned)
        };
        wait::within(wait::LIMIT, look).unwrap_or_else(|| panic!("no line with {texts:?} in\n{}", self.log()))
    }

    /// What it printed.
    pub fn output(&self) -> String {
        fs::read_to_string(self.site.path().join("output")).unwrap_or_default()
    }

    /// A connection to its SMTP port; the greeting is read, nothing is said.
    pub fn client(&self) -> Client {
        Client::greeted(self.smtp())
    }

    /// Hands in one message from `from` to `to`; it must be taken.
    pub fn send(&self, from: &str, to: &[&str], content: &str) {
        let mut client = self.client();
        let reply = client.deliver(from, to, content);
        assert_eq!(reply.code, 250, "{reply:?}");
        client.ask("QUIT");
    }

    /// See [`Site::smtp`].
    pub fn smtp(&self) -> Address {
        self.site.smtp()
    }

    /// See [`Site::nexthop`].
    pub fn nexthop(&self) -> String {
        self.site.nexthop()
    }

    /// See [`Site::maildir`].
    pub fn maildir(&self, user: &str) -> Maildir {
        self.site.maildir(user)
    }

    /// Its site.
    pub fn site(&self) -> &Site {
        &self.site
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; either way nothing stays behind.
            let _ = child.kill();
            let _ = child.wait();
        }
        // A test that failed has said why; of the others none may leave a password in a log.
        if !std::thread::panicking() {
            secrets::check(self.site.path());
        }
    }
}

impl Site {
    /// Runs a command on this configuration, with something to read on standard input.
    pub fn run_with(&self, name: &str, arguments: &[&str], input: &[u8]) -> Spoken {
        let mut child = command(name)
            .args(arguments)
            .env("MAIL_CONFIG", self.conf())
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut pipe = child.stdin.take().expect("it was asked for");
        let input = input.to_owned();
        // A command that does not read all of it closes the pipe.
        let feeding = std::thread::spawn(move || drop(pipe.write_all(&input)));
        let output = kept::outcome(child);
        feeding.join().expect("it cannot fail");
        Spoken {
            status: output.status.code().unwrap_or(256),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// What one process has, in bytes; nothing when it has ended meanwhile.
fn anonymous(process: i32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

fn greets(at: Address) -> bool {
    use std::io::Read;
    let Ok(mut socket) = TcpStream::connect_timeout(&at, Duration::from_secs(1)) else { return false };
    socket.set_read_timeout(Some(wait::LIMIT)).expect("a limit above zero");
    let mut first = [0; 4];
    let greeted = socket.read_exact(&mut first).is_ok() && &first == b"220 ";
    // In good order, or the log would have a lost connection that no test made.
    let _ = socket.write_all(b"QUIT\r\n");
    let _ = socket.read_to_end(&mut Vec::new());
    greeted
}
