//! `facteur demo`: what somebody sees who tries the program for the first time.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use testbed::{Client, Maildir, command, wait};

/// A demo that runs.
struct Demo {
    child: Option<Child>,
    env: HashMap<String, String>,
}

/// A base with both ports free, which no other test of this process is given; below the ports of outgoing connections.
fn base_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 100) as u16;
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut bases = (0..100).map(|_| 10_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 100 * 200);
    bases.find(|base| free(base + 25) && free(base + 87)).expect("some ports are free")
}

impl Demo {
    fn start(directory: &Path) -> Demo {
        let file = directory.join("env");
        let child = command("demo")
            .args(["--lang", "en", "--base-port", &base_port().to_string(), "--dir"])
            .arg(directory.join("demo"))
            .arg("--env")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut demo = Demo { child: Some(child), env: HashMap::new() };
        let text = wait::within(wait::LIMIT, || fs::read_to_string(&file).ok()).unwrap_or_else(|| {
            let mut child = demo.child.take().expect("it was started");
            let _ = child.kill();
            panic!("no file of --env: {:?}", child.wait_with_output())
        });
        let pairs = text.lines().map(|line| line.split_once('=').expect("NAME=value"));
        demo.env.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        demo
    }

    fn client(&self, port: &str) -> Client {
        Client::greeted(format!("{}:{}", self.env["HOST"], self.env[port]).parse().expect("an address"))
    }

    /// Ctrl-C; what it printed.
    fn interrupt(mut self) -> Output {
        let pid = self.env["SERVER_PID"].parse().expect("a process id");
        let child = self.child.take().expect("it runs");
        assert_eq!(u32::try_from(pid), Ok(child.id()), "SERVER_PID is the process that was started");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT)
            .expect("it runs");
        testbed::kept::outcome(child)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // A test that failed leaves nothing running.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn mailbox(directory: &Path, user: &str) -> Maildir {
    Maildir::at(directory.join("demo/mail").join(user))
}

#[test]
fn a_message_to_a_demo_user_is_in_the_maildir_and_told_in_plain_words() {
    let directory = tempfile::tempdir().expect("/tmp is there");
    let demo = Demo::start(directory.path());
    assert_eq!(demo.env["USER1"], "alice@demo.test");
    assert_eq!(demo.env["USER2"], "bob@demo.test");
    let mut client = demo.client("SMTP_PORT");
    let reply = client.deliver("alice@demo.test", &["bob@demo.test"], "Subject: hello\n\nhi bob\n");
    assert_eq!(reply.code, 250, "{reply:?}");
    let message = mailbox(directory.path(), "bob").one();
    for part in [
        "Return-Path: <alice@demo.test>\n",
        "Delivered-To: bob@demo.test\n",
        "Subject: hello\n",
        "\n\nhi bob\n",
    ] {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    client.expect(250, "MAIL FROM:<alice@demo.test>");
    client.expect(554, "RCPT TO:<somebody@elsewhere.test>");
    client.expect(221, "QUIT");

    let output = demo.interrupt();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    for part in [
        "swaks --server 127.0.0.1:",
        "curl smtp://127.0.0.1:",
        "bob@demo.test: delivered; look in",
        "Refused: 554 5.7.1",
        "Stopped.",
    ] {
        assert!(said.contains(part), "{part:?} in {said}");
    }
    assert!(!directory.path().join("env").exists(), "the file of a demo that is gone misleads scripts");
}

#[test]
fn a_second_demo_in_the_same_directory_finds_its_mail_and_its_certificate() {
    let directory = tempfile::tempdir().expect("/tmp is there");
    let demo = Demo::start(directory.path());
    let authority = demo.env["CAFILE"].clone();
    let before = fs::read(&authority).expect("CAFILE can be read");
    demo.client("SMTP_PORT").deliver("a@demo.test", &["carol@demo.test"], "Subject: one\n\n1\n");
    mailbox(directory.path(), "carol").one();
    assert!(demo.interrupt().status.success());

    let demo = Demo::start(directory.path());
    assert_eq!(fs::read(&demo.env["CAFILE"]).expect("CAFILE can be read"), before);
    demo.client("SMTP_PORT").deliver("a@demo.test", &["carol@demo.test"], "Subject: two\n\n2\n");
    let messages = mailbox(directory.path(), "carol").wait_for(2);
    assert!(messages.iter().any(|message| message.contains("Subject: one\n")), "{messages:?}");
    assert!(demo.interrupt().status.success());
}

#[test]
fn submission_of_the_demo_asks_for_tls_and_a_login_and_has_a_certificate_of_its_authority() {
    let directory = tempfile::tempdir().expect("/tmp is there");
    let demo = Demo::start(directory.path());
    let mut client = demo.client("SUBMISSION_PORT");
    client.hello();
    client.expect(530, "MAIL FROM:<alice@demo.test>");
    let offer = client.starttls(Path::new(&demo.env["CAFILE"]), "mail.demo.test");
    assert!(!offer.offers("STARTTLS"), "{offer:?}");
    client.expect(250, "MAIL FROM:<alice@demo.test>");
    client.expect(554, "RCPT TO:<bob@demo.test>");
    client.expect(250, "RSET");
    client.expect(235, "AUTH PLAIN AGFsaWNlQGRlbW8udGVzdABhbGljZS1kZW1v");
    let reply = client.try_deliver("alice@demo.test", &["bob@demo.test"], "Subject: safe\n\nover TLS\n");
    assert_eq!(reply.expect("the server listens").code, 250);
    let message = mailbox(directory.path(), "bob").one();
    assert!(message.contains("with ESMTPSA id "), "{message}");
}

#[test]
fn mail_comes_by_lmtp_and_is_read_over_tls() {
    let directory = tempfile::tempdir().expect("/tmp is there");
    let demo = Demo::start(directory.path());
    let mut lmtp = demo.client("LMTP_PORT");
    lmtp.expect(250, "LHLO client.test");
    lmtp.expect(250, "MAIL FROM:<alice@demo.test>");
    lmtp.expect(250, "RCPT TO:<bob@demo.test>");
    lmtp.expect(354, "DATA");
    lmtp.send(b"Subject: by LMTP\r\n\r\nhello\r\n.\r\n");
    assert_eq!(lmtp.reply().code, 250);
    for (port, ask, expected) in [
        ("POP3S_PORT", "USER bob@demo.test\r\nPASS bob-demo\r\nRETR 1\r\nQUIT\r\n", "Subject: by LMTP\r\n"),
        ("IMAPS_PORT", "a LOGIN bob@demo.test bob-demo\r\nb SELECT INBOX\r\nc LOGOUT\r\n", "* 1 EXISTS\r\n"),
    ] {
        let at = format!("{}:{}", demo.env["HOST"], demo.env[port]);
        let socket = TcpStream::connect(at).expect("it listens");
        socket.set_read_timeout(Some(wait::LIMIT)).expect("a time-out");
        let authority = Path::new(&demo.env["CAFILE"]);
        let mut secured = testbed::tls::connect(socket, authority, "mail.demo.test").expect("a handshake");
        secured.write_all(ask.as_bytes()).expect("it listens");
        let mut said = Vec::new();
        // The end may come without its notice.
        let _ = secured.read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.contains(expected), "{port}: {said}");
    }
    assert!(demo.interrupt().status.success());
}
