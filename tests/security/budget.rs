//! What a stranger costs before he has said who he is: many slow sessions stay small, and others are served.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use testbed::{Client, Instance, Site, wait};

/// Sessions at a time.
const SESSIONS: u64 = 500;

/// Bytes that one of them may cost. The program is not optimised here, which makes its futures larger.
const EACH: u64 = 48 * 1024;

fn site() -> Instance {
    let site = Site::new("mx.test").with_tls("mx.test").set("smtpd_client_connection_count_limit", "0");
    let (ip, port) = (site.smtp().ip(), site.smtp().port());
    // As many sessions as there is room for.
    site.service(&format!("{ip}:{port} inet n - n - 0 smtpd"))
        .set("smtpd_error_sleep_time", "0")
        .set("smtpd_hard_error_limit", "1000000")
        .set("smtpd_junk_command_limit", "1000000")
        .start()
}

fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("every process has limits");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit it is ours");
}

/// Opens the sessions, lets each of them misbehave, and holds what the program has grown by against the budget.
fn assert_cheap(mx: &Instance, count: u64, misbehave: impl Fn(&mut Client)) {
    raise_file_limit();
    // What every first session brings along, once: resolver, caches, threads, processes.
    let mut first = mx.client();
    first.hello();
    mx.send("a@x.test", &["bob@box.test"], "Subject: before\n\nx\n");
    // As root, a process of its own delivers it.
    mx.maildir("bob").wait_for(1);
    let before = mx.memory();
    let mut sessions = Vec::new();
    for _ in 0..count {
        let mut client = mx.client();
        misbehave(&mut client);
        sessions.push(client);
    }
    let after = wait::now();
    mx.send("a@x.test", &["ann@box.test"], "Subject: meanwhile\n\nx\n");
    mx.maildir("ann").wait_for(1);
    let took = after.elapsed();
    let each = mx.memory().saturating_sub(before) / count;
    println!("{each} bytes for each of {count} sessions; other mail took {took:?}");
    assert!(each <= EACH, "{each} bytes for each session");
    assert!(took < Duration::from_secs(20), "other mail took {took:?}");
}

#[test]
fn a_line_that_never_ends_costs_no_more_than_its_beginning() {
    let mx = site();
    assert_cheap(&mx, SESSIONS, |client| {
        client.hello();
        client.send(b"MAIL FROM:<");
        client.send("x".repeat(300_000).as_bytes());
    });
}

#[test]
fn a_flood_of_commands_whose_replies_nobody_reads_costs_no_memory() {
    let mx = site();
    // A few, for each keeps the program busy until the buffers of the kernel are full.
    assert_cheap(&mx, 20, |client| {
        client.send(b"EHLO flood.test\r\n");
        client.socket().set_write_timeout(Some(Duration::from_millis(200))).expect("a limit above zero");
        let flood = "NOOP\r\n".repeat(2000);
        for _ in 0..10 {
            // What the program cannot say it does not read on for.
            if client.try_send(flood.as_bytes()).is_err() {
                break;
            }
        }
    });
}

#[test]
fn tiny_chunks_cost_no_more_than_their_bytes() {
    let mx = site();
    assert_cheap(&mx, SESSIONS, |client| {
        client.hello();
        client.expect(250, "MAIL FROM:<a@x.test>");
        client.expect(250, "RCPT TO:<bob@box.test>");
        client.send("BDAT 1\r\nx".repeat(200).as_bytes());
        for _ in 0..200 {
            assert_eq!(client.reply().code, 250);
        }
    });
}

#[test]
fn half_a_handshake_costs_no_more_than_a_session() {
    let mx = site();
    assert_cheap(&mx, SESSIONS, |client| {
        client.hello();
        client.expect(220, "STARTTLS");
        // A record that promises more than it has.
        client.send(&[0x16, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb, 3, 3]);
        client.send(&[7; 8000]);
    });
}

/// Sends `bytes` on a new connection and counts what the program says until it closes.
fn ends(at: SocketAddr, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(at).expect("it listens");
    // It may close before it has read everything.
    let _ = socket.write_all(bytes);
    let mut client = Client::over(socket);
    client.rest()
}

#[test]
fn whoever_makes_too_many_errors_or_speaks_http_is_shown_the_door() {
    let mx =
        Site::new("mx.test").set("smtpd_error_sleep_time", "0").set("smtpd_hard_error_limit", "5").start();
    let said = ends(mx.smtp(), "BOGUS\r\n".repeat(100).as_bytes());
    assert_eq!(said.matches("500 5.5.2 Error: command not recognized").count(), 5, "{said}");
    assert!(said.ends_with("421 4.7.0 mx.test Error: too many errors\r\n"), "{said}");
    mx.wait_log(&["too many errors after UNKNOWN from unknown[127.0.0.1]"]);
    let said = ends(mx.smtp(), b"GET / HTTP/1.1\r\nHost: mx.test\r\n\r\nMAIL FROM:<a@x.test>\r\n");
    assert!(said.ends_with("221 2.7.0 Error: I can break rules, too. Goodbye.\r\n"), "{said}");
}
