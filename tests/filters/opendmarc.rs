//! opendmarc as a milter, which asks a resolver of ours.

use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use testbed::{address, neighbour};

use super::{Folder, message, offered, site, start_at};

/// A resolver that knows one text: `far.test` wants mail that fails to be refused. All else does not exist.
struct Resolver {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Resolver {
    fn start(socket: UdpSocket) -> Resolver {
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("it is no zero");
        let ends = Arc::new(AtomicBool::new(false));
        let stop = ends.clone();
        let thread = std::thread::spawn(move || {
            let mut question = [0; 512];
            while !stop.load(Ordering::Relaxed) {
                if let Ok((len, from)) = socket.recv_from(&mut question)
                    && let Some(answer) = answer(&question[..len])
                {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Resolver { ends, thread: Some(thread) }
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn answer(question: &[u8]) -> Option<Vec<u8>> {
    const NAME: &[u8] = b"\x06_dmarc\x03far\x04test\0";
    const TEXT: &[u8] = b"v=DMARC1; p=reject";
    let end = 12 + question.get(12..)?.iter().position(|byte| *byte == 0)? + 1;
    let asked = question.get(12..end + 4)?;
    let known = asked.to_ascii_lowercase() == [NAME, b"\0\x10\0\x01"].concat();
    // Head: id, an answer with recursion, one question, perhaps one record.
    let (code, count) = if known { (0x80, 1) } else { (0x83, 0) };
    let mut reply = [&question[..2], &[0x85, code, 0, 1, 0, count, 0, 0, 0, 0], asked].concat();
    if known {
        let len = u8::try_from(TEXT.len()).ok()?;
        reply.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, len + 1, len]);
        reply.extend(TEXT);
    }
    Some(reply)
}

#[test]
fn opendmarc_refuses_what_a_domain_wants_refused() {
    let Some([opendmarc, unshare]) = neighbour::installed(["opendmarc", "unshare"]) else { return };
    if !neighbour::root() {
        return;
    }
    let (folder, at) = (Folder::new(), address());
    // It asks whom resolv.conf names, at port 53: an address of our own, and a resolv.conf that only it sees.
    let socket = UdpSocket::bind((at.ip(), 53)).expect("root may, and nobody else has this address");
    let _resolver = Resolver::start(socket);
    let names =
        folder.file("resolv.conf", &format!("nameserver {}\noptions timeout:5 attempts:2\n", at.ip()));
    let settings = folder.file(
        "opendmarc.conf",
        &format!(
            "Socket inet:{}@{}\nBackground false\nAuthservID mx.test\nTrustedAuthservIDs mx.test\nRejectFailures true\n\
             Syslog false\nIgnoreHosts {}\nRequiredHeaders false\nPidFile {}\n",
            at.port(),
            at.ip(),
            // Instead of 127.0.0.1, who is our stranger.
            folder.file("ignored", "192.0.2.1\n"),
            folder.path("pid")
        ),
    );
    let mut command = Command::new(unshare);
    command.args(["--mount", "--propagation", "private", "sh", "-c"]);
    command.args(["mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"", &names]);
    command.arg(opendmarc).args(["-f", "-c", &settings]);
    let _opendmarc = start_at(&mut command, at);
    let mx = site()
        .set("smtpd_milters", &format!("inet:{}:{}", at.ip(), at.port()))
        .set("milter_default_action", "tempfail")
        .start();
    let reply = offered(&mx, &message("forged", "x"));
    assert_eq!((reply.code, reply.text.contains("5.7.1")), (550, true), "{reply:?}");
    mx.wait_log(&["milter-reject: END-OF-MESSAGE", "DMARC policy"]);
    mx.send(
        "joe@near.test",
        &["bob@box.test"],
        &message("well", "x").replace("joe@far.test", "joe@near.test"),
    );
    let passed = mx.maildir("bob").one();
    assert!(passed.contains("Authentication-Results: ") && passed.contains("dmarc=none"), "{passed}");
}
