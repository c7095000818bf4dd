//! Security list, item 16: servers that we ask and that answer nonsense, endlessly, or not at all: mail waits, nothing else happens.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use testbed::{Address, Answer, Instance, Sink, Site, address};

/// A server for one kind of misbehaviour: `talk` gets each connection.
pub fn server(talk: impl Fn(std::net::TcpStream) + Send + Sync + 'static) -> Address {
    let at = address();
    let listener = TcpListener::bind(at).expect("the address is free");
    let talk = std::sync::Arc::new(talk);
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let talk = talk.clone();
            std::thread::spawn(move || talk(socket));
        }
    });
    at
}

fn with_policy(at: Address) -> Instance {
    Site::new("mx.test")
        .set("smtpd_recipient_restrictions", &format!("check_policy_service inet:{}:{}", at.ip(), at.port()))
        .set("smtpd_policy_service_timeout", "1s")
        .set("smtpd_policy_service_try_limit", "1")
        .set("smtpd_policy_service_retry_delay", "1s")
        .set("smtpd_error_sleep_time", "0")
        .start()
}

/// The recipient is put off, the session goes on, and memory does not grow.
fn assert_put_off(mx: &Instance) {
    let mut client = mx.client();
    client.hello();
    let before = mx.memory();
    client.expect(250, "MAIL FROM:<a@x.test>");
    let reply = client.ask("RCPT TO:<bob@box.test>");
    assert_eq!(
        (reply.code, reply.text.as_str()),
        (451, "451 4.3.5 <bob@box.test>: Recipient address rejected: Server configuration problem"),
        "{}",
        mx.log()
    );
    client.expect(250, "RSET");
    client.expect(221, "QUIT");
    let grown = mx.memory().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more");
    mx.wait_log(&["warning: "]);
}

#[test]
fn a_policy_server_that_talks_nonsense_puts_mail_off() {
    for nonsense in
        ["nonsense\n\n", "\n", "action\n\n", "\0\0\0\0", "=\n\n", "HTTP/1.1 400 Bad Request\r\n\r\n"]
    {
        assert_put_off(&with_policy(server(move |mut socket| {
            let _ = socket.read(&mut [0; 4096]);
            let _ = socket.write_all(nonsense.as_bytes());
        })));
    }
}

#[test]
fn a_policy_server_that_never_stops_puts_mail_off_and_costs_no_memory() {
    for endless in ["action=DUNNO\n", "x"] {
        let text = endless.repeat(10_000);
        assert_put_off(&with_policy(server(move |mut socket| {
            let _ = socket.read(&mut [0; 4096]);
            while socket.write_all(text.as_bytes()).is_ok() {}
        })));
    }
}

#[test]
fn a_policy_server_that_is_slow_or_silent_puts_mail_off() {
    let dripping = server(|mut socket| {
        while socket.write_all(b"a").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    for at in [server(|mut socket| drop(socket.read_to_end(&mut Vec::new()))), dripping, address()] {
        assert_put_off(&with_policy(at));
    }
}

/// A script of one misbehaviour at one stage.
fn misbehaving(stage: &'static str, answer: impl Fn() -> Answer + Send + Sync + 'static) -> Sink {
    Sink::scripted(move |line| {
        let here = if stage.is_empty() { line.is_empty() } else { line.starts_with(stage) };
        here.then(&answer)
    })
}

/// The message stays in the queue with a reason, memory stays as it is, and other mail flows.
fn assert_waits(sinks: Vec<Sink>) {
    let mut table = String::new();
    for (n, sink) in sinks.iter().enumerate() {
        table.push_str(&format!("d{n}.test=smtp:{} l{n}.test=lmtp:inet:{} ", sink.nexthop(), sink.nexthop()));
    }
    let mut site = Site::new("mx.test").set("transport_maps", &format!("inline:{{{table}}}"));
    for name in ["connect", "helo", "mail", "rcpt", "data_init", "data_xfer", "data_done", "quit", "rset"] {
        site.change(&format!("smtp_{name}_timeout"), "1s");
        site.change(&format!("lmtp_{}_timeout", name.replace("helo", "lhlo")), "1s");
    }
    let mx = site.set("smtp_per_request_deadline", "yes").set("lmtp_per_request_deadline", "yes").start();
    mx.send("a@x.test", &["bob@box.test"], "Subject: warm\n\nx\n");
    mx.maildir("bob").wait_for(1);
    let before = mx.memory();
    let recipients: Vec<String> =
        (0..sinks.len()).flat_map(|n| [format!("x@d{n}.test"), format!("x@l{n}.test")]).collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    mx.send("a@x.test", &recipients, "Subject: to nobody good\n\nx\n");
    mx.send("a@x.test", &["ann@box.test"], "Subject: other\n\nx\n");
    mx.maildir("ann").wait_for(1);
    for recipient in &recipients {
        mx.wait_log(&[&format!("to=<{recipient}>"), "status=deferred"]);
    }
    let grown = mx.memory().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more");
    assert!(!mx.log().contains("status=sent (250-and"), "{}", mx.log());
    let listed = mx.run("postqueue", &["-p"]).out;
    for recipient in recipients {
        assert!(listed.contains(recipient), "{recipient} in {listed}");
    }
}

const STAGES: &[&str] = &["", "EHLO", "LHLO", "MAIL", "RCPT", "DATA", "."];

#[test]
fn a_server_that_closes_at_any_stage_leaves_mail_in_the_queue() {
    // One that closes at EHLO is greeted with HELO and takes the mail; LMTP has no second greeting.
    let stages = STAGES.iter().filter(|stage| !stage.ends_with("HLO"));
    assert_waits(stages.map(|stage| misbehaving(stage, || Answer::Close)).collect());
}

#[test]
fn a_server_that_is_silent_at_any_stage_leaves_mail_in_the_queue() {
    let stages = STAGES.iter().filter(|stage| !stage.ends_with("HLO"));
    assert_waits(stages.map(|stage| misbehaving(stage, || Answer::Silence)).collect());
}

#[test]
fn a_server_whose_reply_never_ends_leaves_mail_in_the_queue_and_costs_no_memory() {
    let stages = STAGES.iter().filter(|stage| !stage.ends_with("HLO"));
    assert_waits(stages.map(|stage| misbehaving(stage, || Answer::Endless)).collect());
}

#[test]
fn a_server_that_talks_nonsense_leaves_mail_in_the_queue() {
    let nonsense: [&'static [u8]; 7] =
        [&b"\0\0\0\0"[..], b"hello\r\n", b"2\r\n", b"25\r\n", b"-1 x\r\n", b"\xff\xfe\r\n", b"\r\n\r\n"];
    let sinks = nonsense.into_iter().flat_map(|bytes| {
        ["", "MAIL", "."].map(|stage| misbehaving(stage, move || Answer::Raw(bytes.to_vec())))
    });
    assert_waits(sinks.collect());
}

/// Item 16 of the list: what a milter does behind its agreement: it declines everything but the end of the message, and then `answer`s.
pub fn milter(answer: impl Fn(&mut std::net::TcpStream) + Send + Sync + 'static) -> Address {
    server(move |mut socket| {
        while let Some((letter, data)) = packet(&mut socket) {
            match letter {
                // Version 6, all actions that are offered; no event wanted that can be declined.
                b'O' => {
                    let steps = 0x1_u32 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x40 | 0x100 | 0x200;
                    let agreed = [&data[..8], &steps.to_be_bytes()].concat();
                    say(&mut socket, b'O', &agreed);
                }
                b'E' => answer(&mut socket),
                _ => {}
            }
        }
    })
}

pub fn packet(socket: &mut std::net::TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut len = [0; 4];
    socket.read_exact(&mut len).ok()?;
    let mut data = vec![0; u32::from_be_bytes(len) as usize];
    socket.read_exact(&mut data).ok()?;
    let letter = *data.first()?;
    Some((letter, data.split_off(1)))
}

pub fn say(socket: &mut std::net::TcpStream, letter: u8, data: &[u8]) -> bool {
    let len = u32::try_from(data.len() + 1).expect("it is short").to_be_bytes();
    socket.write_all(&[&len[..], &[letter], data].concat()).is_ok()
}

/// The end of a message is put off, the program goes on, and memory does not grow.
fn assert_message_waits(mx: &Instance, code: u16) {
    let before = mx.memory();
    let mut client = mx.client();
    client.hello();
    client.expect(250, "MAIL FROM:<a@x.test>");
    client.expect(250, "RCPT TO:<bob@box.test>");
    client.expect(354, "DATA");
    let reply = client.ask("Subject: x\r\n\r\ntext\r\n.");
    assert_eq!(reply.code, code, "{}\n{}", reply.text, mx.log());
    let grown = mx.memory().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
    mx.wait_log(&["warning: "]);
}

#[test]
fn milters_that_never_stop_are_stopped() {
    let endless: [fn(&mut std::net::TcpStream); 4] = [
        // Progress, and nothing but progress.
        |socket| while say(socket, b'p', b"") {},
        |socket| while say(socket, b'h', &[b"X-A\0".as_slice(), &[b'x'; 1000], b"\0"].concat()) {},
        |socket| while say(socket, b'+', b"<more@x.test>\0") {},
        |socket| {
            say(socket, b'b', &[0xff; 3]);
            // A packet longer than any can be.
            let _ = socket.write_all(&[0x7f, 0xff, 0xff, 0xff, b'b']);
        },
    ];
    for answer in endless {
        let at = milter(answer);
        let mx = Site::new("mx.test")
            .set("smtpd_milters", &format!("inet:{}:{}", at.ip(), at.port()))
            .set("milter_content_timeout", "5s")
            .start();
        assert_message_waits(&mx, 451);
    }
}

#[test]
fn a_clamd_that_talks_nonsense_or_nothing_puts_mail_off_or_not_as_is_set() {
    let answers: [&'static [u8]; 4] = [b"", b"stream: OK", b"stream: FOUND\0", b"220 mx ESMTP\r\n\0"];
    for answer in answers {
        let at = server(move |mut socket| {
            let mut seen = Vec::new();
            let mut piece = [0; 4096];
            while !seen.ends_with(&[0, 0, 0, 0]) {
                match socket.read(&mut piece) {
                    Ok(len) if len > 0 => seen.extend_from_slice(&piece[..len]),
                    _ => return,
                }
            }
            let _ = socket.write_all(answer);
        });
        let mx = |action: &str| {
            Site::new("mx.test")
                .set("clamd_service", &format!("inet:{}:{}", at.ip(), at.port()))
                .set("clamd_timeout", "2s")
                .set("clamd_default_action", action)
                .start()
        };
        assert_message_waits(&mx("tempfail"), 451);
        if answer.is_empty() {
            assert_message_waits(&mx("accept"), 250);
        }
    }
}
