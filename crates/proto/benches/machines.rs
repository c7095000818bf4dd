//! Both SMTP machines talking to each other in memory: `cargo bench -p proto`.
#![allow(clippy::disallowed_methods, reason = "a bench looks at the clock")]
#![allow(missing_docs)]

use std::time::Instant;

use proto::smtp::Reply;
use proto::smtp::client::{self, Stage, Step, Transaction};
use proto::smtp::server::{self, Answer, Want};

const MESSAGES: u32 = 100_000;

fn main() {
    for (size, pipelining) in [(4 << 10, false), (4 << 10, true), (50 << 10, true)] {
        let line = b"A line of text as people write them, some seventy characters long, and so on.\n";
        let content: Vec<u8> = line.iter().copied().cycle().take(size).collect();
        let start = Instant::now();
        let bytes = talk(&content, pipelining);
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{size} bytes, pipelining {pipelining}: {:.2} us a message, {:.0} MB/s",
            seconds * 1e6 / f64::from(MESSAGES),
            bytes as f64 / seconds / 1e6
        );
    }
}

/// Sends the same message over and over in one session; the number of bytes of content that arrived.
fn talk(content: &[u8], pipelining: bool) -> u64 {
    let now = Instant::now();
    let mut client = client::Machine::new(client::Settings::default());
    let mut server = server::Machine::new(server::Settings::default());
    server.answer(Answer::Say(Reply::plain(220, "bench.example.test ESMTP")));
    let mut left = MESSAGES;
    let mut arrived = 0;
    loop {
        loop {
            match server.advance(now) {
                Want::Decision => arrived += decide(&mut server),
                Want::Input => break,
                Want::Tls | Want::Close => return arrived,
            }
        }
        client.feed(server.output());
        server.output().clear();
        while let Step::Event(event) = client.step(now) {
            match event {
                client::Event::WantContent => {
                    client.content(content);
                    client.end_of_content(left == 0);
                }
                client::Event::Reply(Stage::Greeting, _) | client::Event::Done(..) if left > 0 => {
                    left -= 1;
                    client.transact(Transaction {
                        sender: "<sender@example.test> SIZE=4096".to_owned(),
                        recipients: vec!["<user@dest.test>".to_owned()],
                        pipelining,
                    });
                }
                _ => {}
            }
        }
        server.feed(client.output());
        client.output().clear();
    }
}

fn decide(server: &mut server::Machine) -> u64 {
    let ok = Answer::Say(Reply::new(250, (2, 0), "Ok"));
    let answer = match server.event() {
        server::Event::Content(bytes) => return bytes.len() as u64,
        server::Event::Command(line) => match &line.bytes[..4] {
            b"DATA" => Answer::Data(Reply::plain(354, "End data with <CR><LF>.<CR><LF>")),
            b"QUIT" => Answer::Close(Reply::new(221, (2, 0), "Bye")),
            _ => ok,
        },
        _ => ok,
    };
    server.answer(answer);
    0
}
