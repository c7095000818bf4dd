//! Both drivers against each other, over a socket.

use std::sync::Arc;

use proto::smtp::client::{Event as Heard, Stage, Transaction};
use proto::smtp::server::{Answer, Event};
use proto::smtp::{Reply, client, server};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use super::*;

fn pair() -> (Stream, Stream) {
    let (a, b) = UnixStream::pair().unwrap();
    (Stream::Unix(a), Stream::Unix(b))
}

/// Takes one session and everything said in it.
async fn serve(stream: Stream, settings: server::Settings) -> (Vec<String>, Vec<u8>) {
    let mut server = Server::new(stream, settings);
    server.answer(Answer::Say(Reply::plain(220, "hi")));
    let (mut commands, mut body) = (Vec::new(), Vec::new());
    loop {
        let ok = Answer::Say(Reply::new(250, (0, 0), "Ok"));
        let answer = match server.next().await {
            Next::Event(Event::Content(bytes)) => {
                body.extend_from_slice(bytes);
                continue;
            }
            Next::Event(Event::Command(line)) => {
                let text = String::from_utf8(line.bytes).unwrap();
                let answer = match text.as_str() {
                    "DATA" => Answer::Data(Reply::plain(354, "go")),
                    "QUIT" => Answer::Close(Reply::plain(221, "bye")),
                    _ => ok,
                };
                commands.push(text);
                answer
            }
            Next::Event(Event::TimedOut) => Answer::Close(Reply::new(421, (4, 2), "timeout")),
            Next::Event(Event::EndOfContent { .. }) => ok,
            Next::Event(Event::Lost | Event::BareLf) | Next::StartTls | Next::Closed => {
                return (commands, body);
            }
        };
        server.answer(answer);
    }
}

#[tokio::test]
async fn a_big_message_goes_through() {
    let (a, b) = pair();
    let server = tokio::spawn(serve(a, server::Settings::default()));
    let body: Arc<Vec<u8>> = Arc::new(b"..line of text\n.\n".repeat(100_000));
    let mut client = Client::new(b, client::Settings::default());
    assert!(matches!(client.next().await, Heard::Reply(Stage::Greeting, _)));
    client.machine().transact(Transaction {
        sender: "<>".into(),
        recipients: vec!["<x>".into()],
        pipelining: true,
    });
    while client.next().await != Heard::WantContent {}
    client.content(&body).await.unwrap();
    client.machine().end_of_content(true);
    assert!(matches!(client.next().await, Heard::Done(None, reply) if reply.is_ok()));
    assert!(matches!(client.next().await, Heard::Reply(Stage::Quit, reply) if reply.code == 221));
    let (commands, received) = server.await.unwrap();
    assert_eq!(commands, ["MAIL FROM:<>", "RCPT TO:<x>", "DATA", "QUIT"]);
    assert!(received == *body);
    assert!(!client.is_alive());
}

#[tokio::test(start_paused = true)]
async fn silence_is_answered() {
    let (a, mut b) = pair();
    let settings = server::Settings { timeout: Duration::from_secs(1), ..Default::default() };
    let server = tokio::spawn(serve(a, settings));
    let mut said = String::new();
    b.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "220 hi\r\n421 4.4.2 timeout\r\n");
    server.await.unwrap();
}

#[tokio::test]
async fn a_client_that_hangs_up_in_the_middle_has_sent_nothing() {
    let (a, mut b) = pair();
    b.write_all(b"DATA\r\nhalf a message\r\n").await.unwrap();
    drop(b);
    let mut server = Server::new(a, server::Settings::default());
    server.answer(Answer::Say(Reply::plain(220, "hi")));
    assert!(matches!(server.next().await, Next::Event(Event::Command(_))));
    server.answer(Answer::Data(Reply::plain(354, "go")));
    while matches!(server.next().await, Next::Event(Event::Content(_))) {}
    assert_eq!(server.next().await, Next::Closed);
}

#[tokio::test]
async fn early_talkers_are_noticed() {
    let (a, mut b) = pair();
    let mut server = Server::new(a, server::Settings::default());
    assert!(!server.talks_early(Duration::from_millis(10)).await);
    b.write_all(b"EHLO x\r\n").await.unwrap();
    assert!(server.talks_early(Duration::from_secs(10)).await);
    assert_eq!(server.waiting(), b"EHLO x\r\n");
}

#[tokio::test]
async fn a_proxy_header_takes_its_own_bytes_only() {
    let (mut a, mut b) = pair();
    b.write_all(b"PROXY TCP4 10.1.2.3 127.0.0.1 5555 25\r\nEHLO x\r\n").await.unwrap();
    let header = crate::proxy::read_header(&mut a, Duration::from_secs(5)).await.unwrap();
    assert!(matches!(header, proto::proxy::Header::Proxied { client, .. } if client.port() == 5555));
    let mut rest = [0; 8];
    a.read_exact(&mut rest).await.unwrap();
    assert_eq!(&rest, b"EHLO x\r\n");
    let error = crate::proxy::read_header(&mut a, Duration::from_millis(10)).await.unwrap_err();
    assert_eq!(error, "timeout error");
}
