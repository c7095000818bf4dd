use std::time::Duration;

use super::*;
use mail::Client;
use net::dns;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const HELLO: &str = "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nMECH\tEXTERNAL\n\
    MECH\tCRAM-MD5\tdictionary\tactive\nDONE\n";

/// A server that says `HELLO` to everybody, and answers each AUTH and CONT with the next of `answers`; an empty one is
/// a hang-up. Gives its port; connections and lines are counted by the log it sends.
async fn serve(hello: &'static str, answers: &'static [&'static str]) -> (u16, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut answers = answers.iter();
        while let Ok((stream, _)) = listener.accept().await {
            tell.send("connect".to_owned()).ok();
            talk(stream, hello, &mut answers, &tell).await;
        }
    });
    (port, told)
}

async fn talk(
    stream: TcpStream,
    hello: &str,
    answers: &mut impl Iterator<Item = &'static &'static str>,
    tell: &tokio::sync::mpsc::UnboundedSender<String>,
) {
    let mut stream = BufReader::new(stream);
    stream.write_all(hello.as_bytes()).await.ok();
    let mut line = String::new();
    while matches!(stream.read_line(&mut line).await, Ok(1..)) {
        let said = std::mem::take(&mut line);
        if said.starts_with("AUTH") || said.starts_with("CONT") {
            tell.send(said.trim_end().to_owned()).ok();
            match answers.next() {
                Some(answer) if !answer.is_empty() => stream.write_all(answer.as_bytes()).await.unwrap(),
                _ => return,
            }
        }
    }
}

fn server(port: u16, options: &str, filter: &str) -> Arc<Server> {
    let tables = Tables::new(tables::Settings::default());
    let options = |text: &'static str| Options::read(text.split_whitespace()).unwrap();
    let _ = options;
    let settings = Settings {
        endpoint: Endpoint::Inet("127.0.0.1".into(), port),
        path: format!("inet:127.0.0.1:{port}"),
        service: "smtp".into(),
        in_clear: Options::default(),
        under_tls: Options::default(),
        filter: tables.string_list("smtpd_sasl_mechanism_filter", filter).unwrap(),
    };
    let resolver = Resolver::new(dns::Settings::parse(""), dns::Hosts::parse(""));
    Arc::new(Server::new(settings, resolver, Protocols::default(), "smtpd"))
}
