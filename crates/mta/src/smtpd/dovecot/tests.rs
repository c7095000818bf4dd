use super::*;
use mail::Client;
use net::dns;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const HELLO: &str = "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nMECH\tEXTERNAL\n\
    MECH\tCRAM-MD5\tdictionary\tactive\nDONE\n";

/// A server that says `HELLO` to everybody, and answers each AUTH and CONT with the next of `answers`; an empty one is
/// a hang-up. Gives its port, and tells what comes.
async fn serve(hello: &'static str, answers: &'static [&'static str]) -> (u16, UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = unbounded_channel();
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
    tell: &UnboundedSender<String>,
) {
    let mut stream = BufReader::new(stream);
    stream.write_all(hello.as_bytes()).await.ok();
    let mut line = String::new();
    while matches!(stream.read_line(&mut line).await, Ok(1..)) {
        let said = std::mem::take(&mut line);
        if said.starts_with("CANCEL") {
            tell.send(said.trim_end().to_owned()).ok();
        }
        if said.starts_with("AUTH") || said.starts_with("CONT") {
            tell.send(said.trim_end().to_owned()).ok();
            match answers.next() {
                Some(answer) if !answer.is_empty() => stream.write_all(answer.as_bytes()).await.unwrap(),
                _ => return,
            }
        }
    }
}

fn server(port: u16, options: &'static str, filter: &str) -> Arc<Server> {
    let tables = Tables::new(tables::Settings::default());
    let settings = Settings {
        endpoint: Endpoint::Inet("127.0.0.1".into(), port),
        path: format!("inet:127.0.0.1:{port}"),
        service: "smtp".into(),
        in_clear: Options::read(options.split_whitespace()).unwrap(),
        under_tls: Options::default(),
        filter: tables.string_list("smtpd_sasl_mechanism_filter", filter).unwrap(),
        step: Duration::from_millis(500),
    };
    let resolver = Resolver::new(dns::Settings::parse(""), dns::Hosts::parse(""));
    Arc::new(Server::new(settings, resolver, Protocols { v4: true, v6: true }, "smtpd"))
}

fn peer() -> Peer {
    let client = Client { address: "192.0.2.1".into(), ..Client::default() };
    Peer { client, server_address: "127.0.0.1".into(), ..Peer::default() }
}

fn heard(told: &mut UnboundedReceiver<String>) -> Vec<String> {
    std::iter::from_fn(|| told.try_recv().ok()).collect()
}

fn failure(progress: Progress) -> (String, Option<String>) {
    match progress {
        Progress::Failed(failure) => (failure.why, failure.username),
        Progress::Lost => ("lost".into(), None),
        Progress::Trouble(why) => (why, None),
        Progress::Ask(_, question) => panic!("asked {question}"),
        Progress::Done(login) => panic!("{login:?}"),
    }
}

#[tokio::test]
async fn what_is_offered() {
    let (port, mut told) = serve(HELLO, &[]).await;
    let offered = async |options, filter| server(port, options, filter).mechanisms(&peer()).await;
    assert_eq!(offered("", "!external, static:rest").await.as_deref(), Some("PLAIN LOGIN CRAM-MD5"));
    assert_eq!(offered("noplaintext", "static:all").await.as_deref(), Some("EXTERNAL CRAM-MD5"));
    assert_eq!(offered("", "plain").await.as_deref(), Some("PLAIN"));
    assert_eq!(offered("", "scram-sha-1").await.as_deref(), Some(""), "the filter hides only");
    assert_eq!(offered("mutual_auth", "static:all").await, None, "nothing is left");
    assert_eq!(heard(&mut told).len(), 5);

    let server = server(port, "noplaintext", "static:all");
    let mut encrypted = peer();
    encrypted.tls = Some(Box::default());
    assert_eq!(server.mechanisms(&encrypted).await.as_deref(), Some("PLAIN LOGIN EXTERNAL CRAM-MD5"));
    let (why, _) = failure(server.clone().begin(&peer(), "PLAIN", Some("AG8AbwA=")).await);
    assert_eq!(why, "Invalid authentication mechanism");
    assert_eq!(heard(&mut told), ["connect"], "one connection, and no password on it");
}

#[tokio::test]
async fn a_conversation_on_a_connection_that_is_used_again() {
    let answers =
        &["CONT\t1\tVXNlcg==\n", "OK\t1\tuser=o\x01rrc\n", "FAIL\t2\tuser=eve\treason=too\x01nlate\ttemp\n"];
    let (port, mut told) = serve(HELLO, answers).await;
    let server = server(port, "", "static:all");
    let Progress::Ask(exchange, question) = server.clone().begin(&peer(), "login", None).await else {
        panic!("no question");
    };
    assert_eq!(question, "VXNlcg==");
    let Progress::Done(login) = exchange.answer("b3Jj").await else { panic!("no login") };
    assert_eq!(login.username, "o?rc", "a name stands in logs and headers");
    let progress = server.clone().begin(&peer(), "PLAIN", Some("AGV2ZQB4")).await;
    assert_eq!(failure(progress), ("too?late".into(), Some("eve".into())));
    let heard = heard(&mut told);
    assert_eq!(
        heard[..3],
        ["connect", "AUTH\t1\tlogin\tservice=smtp\tnologin\tlip=127.0.0.1\trip=192.0.2.1", "CONT\t1\tb3Jj"]
    );
    assert!(heard[3].starts_with("AUTH\t2\tPLAIN\t") && heard[3].ends_with("\tresp=AGV2ZQB4"));
}

#[tokio::test]
async fn a_client_that_gives_up_costs_no_connection() {
    let (port, mut told) = serve(HELLO, &["CONT\t1\t\n", "OK\t2\tuser=orc\n"]).await;
    let server = server(port, "", "static:all");
    let Progress::Ask(exchange, _) = server.clone().begin(&peer(), "PLAIN", None).await else {
        panic!("no question");
    };
    exchange.give_up().await;
    assert!(matches!(server.clone().begin(&peer(), "PLAIN", Some("AA==")).await, Progress::Done(_)));
    assert_eq!(heard(&mut told)[2], "CANCEL\t1");
}

#[tokio::test]
async fn a_server_that_hangs_up_is_lost_and_asked_anew() {
    let (port, mut told) = serve(HELLO, &["", "OK\t1\tnologin\n", "OK\t2\tuser=orc\n"]).await;
    let server = server(port, "", "static:all");
    assert_eq!(failure(server.clone().begin(&peer(), "PLAIN", Some("AA==")).await).0, "lost");
    let nameless = failure(server.clone().begin(&peer(), "PLAIN", Some("AA==")).await).0;
    assert_eq!(nameless, "Authentication server didn't send username");
    assert!(matches!(server.clone().begin(&peer(), "PLAIN", Some("AA==")).await, Progress::Done(_)));
    assert_eq!(heard(&mut told).iter().filter(|line| *line == "connect").count(), 2);
}

#[tokio::test]
async fn no_server_is_no_mechanisms() {
    let (port, _told) = serve("VERSION\t9\t1\nDONE\n", &[]).await;
    assert_eq!(server(port, "", "static:all").mechanisms(&peer()).await, None);
    let (port, _told) = serve("VERSION\t1\t1\nDONE\n", &[]).await;
    assert_eq!(server(port, "", "static:all").mechanisms(&peer()).await, None);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let (why, _) = failure(server(closed, "", "static:all").begin(&peer(), "PLAIN", None).await);
    assert_eq!(why, "Can't connect to authentication server");
}

#[tokio::test]
async fn a_slow_server_costs_its_time_only() {
    let (port, mut told) = serve(HELLO, &["nonsense\n"]).await;
    let server = server(port, "", "static:all");
    let peer = peer();
    server.mechanisms(&peer).await.unwrap();
    assert_eq!(heard(&mut told), ["connect"]);
    let login = server.clone().begin(&peer, "PLAIN", Some("AA=="));
    let ended = timeout(Duration::from_secs(5), login).await;
    assert_eq!(failure(ended.expect("an end")).0, "lost");
    assert_eq!(heard(&mut told).len(), 1);
}

#[test]
fn where_servers_are() {
    let parse = |text| Endpoint::parse(text, "/var/spool/postfix");
    let unix = |path: &str| Some(Endpoint::Unix(path.into()));
    assert_eq!(parse("private/auth"), unix("/var/spool/postfix/private/auth"));
    assert_eq!(parse("unix:/run/dovecot/auth"), unix("/run/dovecot/auth"));
    assert_eq!(parse("inet:auth.test:12345"), Some(Endpoint::Inet("auth.test".into(), 12345)));
    assert_eq!(parse("inet:[::1]:12345"), Some(Endpoint::Inet("::1".into(), 12345)));
    assert_eq!(parse("inet:auth.test"), None);
    assert_eq!(parse(""), None);
}
