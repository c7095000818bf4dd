use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::testing::{agent, request, words};
use crate::{Agent, Feedback, Request};

const MAIN: &str =
    "smtp_dns_support_level = disabled\nsmtp_tls_security_level = none\ninet_protocols = ipv4\n";
const SMTP: &str = "smtp unix - - n - - smtp";

/// What a server answers, by the beginning of the command; the first rule that fits. `-` hangs up.
type Rules = &'static [(&'static str, &'static str)];

/// A server that notes what it hears, one entry a connection.
struct Sink {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Sink {
    async fn start(rules: Rules) -> Sink {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let nth = {
                    let mut notes = notes.lock().expect("no panic here");
                    notes.push(Vec::new());
                    notes.len() - 1
                };
                tokio::spawn(serve(stream, rules, Arc::clone(&notes), nth));
            }
        });
        Sink { address, heard }
    }

    fn nexthop(&self) -> String {
        format!("[127.0.0.1]:{}", self.address.port())
    }

    fn heard(&self) -> Vec<Vec<String>> {
        self.heard.lock().expect("no panic here").clone()
    }
}

fn answer<'a>(rules: Rules, command: &str, otherwise: &'a str) -> &'a str {
    rules.iter().find(|(start, _)| command.starts_with(start)).map_or(otherwise, |(_, reply)| reply)
}

async fn serve(
    stream: TcpStream,
    rules: Rules,
    heard: Arc<Mutex<Vec<Vec<String>>>>,
    nth: usize,
) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let greeting = answer(rules, "CONNECT", "220 sink ESMTP");
    if greeting == "-" {
        return None;
    }
    write.write_all(format!("{greeting}\r\n").as_bytes()).await.ok()?;
    let mut content = false;
    while let Some(line) = lines.next_line().await.ok()? {
        heard.lock().expect("no panic here")[nth].push(line.clone());
        let mut last = false;
        let reply = match (content, line.as_str()) {
            (true, ".") => {
                content = false;
                last = answer(rules, "AFTER", "") == "-";
                answer(rules, "EOM", "250 2.0.0 taken")
            }
            (true, _) => continue,
            (_, "DATA") => {
                let reply = answer(rules, "DATA", "354 go on");
                content = reply.starts_with('3');
                reply
            }
            (_, "QUIT") => answer(rules, "QUIT", "221 bye"),
            (_, line) if line.starts_with("EHLO") => answer(
                rules,
                "EHLO",
                "250-sink\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 DSN",
            ),
            (_, line) => answer(rules, line, "250 2.1.0 fine"),
        };
        if reply == "-" {
            return None;
        }
        write.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
        if last {
            return None;
        }
    }
    Some(())
}

fn to(nexthop: &str, recipients: &[&str], content: &'static [u8]) -> Request {
    Request { nexthop: nexthop.to_owned(), ..request("s@x.test", recipients, content) }
}

async fn deliver(client: &Arc<dyn Agent>, request: Request) -> Vec<String> {
    words(&client.deliver(request).await)
}

#[tokio::test]
async fn a_message_is_sent_with_everything_the_server_announced() {
    let sink = Sink::start(&[]).await;
    let (client, _) = agent(MAIN, SMTP);
    let mut request = to(&sink.nexthop(), &["u+1@y.test"], b"Subject: x\n\n.dot\nFrom here\n");
    request.envid = Some("id=1".to_owned());
    request.targets[0].recipient.notify.delay = true;
    let relay = format!("127.0.0.1[127.0.0.1]:{}", sink.address.port());
    assert_eq!(deliver(&client, request).await, [format!("0 {relay} 2.0.0 250 2.0.0 taken")]);
    assert_eq!(
        sink.heard()[0],
        [
            "EHLO mx.site.test",
            "MAIL FROM:<s@x.test> SIZE=27 ENVID=id+3D1",
            "RCPT TO:<u+1@y.test> ORCPT=rfc822;u+2B1@y.test NOTIFY=DELAY",
            "DATA",
            "Subject: x",
            "",
            "..dot",
            "From here",
            ".",
            "QUIT",
        ]
    );
}

const KEPT: &str = "smtp_connection_cache_destinations = static:all\n";

#[tokio::test]
async fn a_stream_of_messages_shares_a_connection() {
    let sink = Sink::start(&[]).await;
    let (client, _) = agent(&format!("{MAIN}{KEPT}"), SMTP);
    let mut uses = Vec::new();
    for _ in 0..3 {
        let report = client.deliver(to(&sink.nexthop(), &["u@y.test"], b"x\n")).await;
        uses.push(report.delivered[0].conn_use);
    }
    assert_eq!(uses, [1, 2, 3]);
    assert_eq!(sink.heard().len(), 1);
    client.close().await;
}

#[tokio::test]
async fn a_kept_connection_that_died_is_replaced() {
    let sink = Sink::start(&[("AFTER", "-")]).await;
    let (client, _) = agent(&format!("{MAIN}{KEPT}"), SMTP);
    for nth in 0..3 {
        let report = client.deliver(to(&sink.nexthop(), &["u@y.test"], b"x\n")).await;
        assert!(words(&report)[0].ends_with("2.0.0 250 2.0.0 taken"), "{nth}: {:?}", words(&report));
        assert_eq!(report.delivered[0].conn_use, 1);
    }
    assert_eq!(sink.heard().len(), 3);
}

#[tokio::test]
async fn each_recipient_gets_its_own_reply() {
    let sink =
        Sink::start(&[("RCPT TO:<no@", "550 5.1.1 none"), ("RCPT TO:<later@", "450 4.2.0 busy")]).await;
    let (client, _) = agent(MAIN, SMTP);
    let request = to(&sink.nexthop(), &["no@y.test", "ok@y.test", "later@y.test"], b"x\n");
    let report = client.deliver(request).await;
    assert!(matches!(report.feedback, Feedback::Alive));
    let relay = format!("127.0.0.1[127.0.0.1]:{}", sink.address.port());
    let mut lines = words(&report);
    lines.sort();
    assert_eq!(
        lines,
        [
            format!(
                "0 {relay} 5.1.1 host 127.0.0.1[127.0.0.1] said: 550 5.1.1 none (in reply to RCPT TO command)"
            ),
            format!("1 {relay} 2.0.0 250 2.0.0 taken"),
            format!(
                "2 {relay} 4.2.0 host 127.0.0.1[127.0.0.1] said: 450 4.2.0 busy (in reply to RCPT TO command)"
            ),
        ]
    );
}

/// One message to a server with these rules: status and text, and whether the site counts as dead.
async fn against(rules: Rules) -> (String, bool) {
    let sink = Sink::start(rules).await;
    let (client, _) = agent(MAIN, SMTP);
    let report = client.deliver(to(&sink.nexthop(), &["u@y.test"], b"x\n")).await;
    let dead = matches!(report.feedback, Feedback::Dead(_));
    let text = words(&report).remove(0).splitn(3, ' ').nth(2).unwrap_or_default().to_owned();
    (text.replace("127.0.0.1[127.0.0.1]", "HOST"), dead)
}

#[tokio::test]
async fn temporary_and_permanent_are_told_apart_at_every_stage() {
    let cases: &[(Rules, &str, bool)] = &[
        (&[("CONNECT", "554 5.7.1 go")], "4.7.1 host HOST refused to talk to me: 554 5.7.1 go", true),
        (&[("CONNECT", "421 4.3.2 busy")], "4.3.2 host HOST refused to talk to me: 421 4.3.2 busy", true),
        (
            &[("CONNECT", "-")],
            "4.4.2 lost connection with HOST while receiving the initial server greeting",
            true,
        ),
        (
            &[("EHLO", "550 5.5.1 no"), ("HELO", "550 5.5.1 no helo")],
            "5.5.1 host HOST refused to talk to me: 550 5.5.1 no helo",
            false,
        ),
        (
            &[("MAIL", "553 5.1.8 bad")],
            "5.1.8 host HOST said: 553 5.1.8 bad (in reply to MAIL FROM command)",
            false,
        ),
        (&[("DATA", "554 5.3.0 no")], "5.3.0 host HOST said: 554 5.3.0 no (in reply to DATA command)", false),
        (
            &[("EOM", "451 4.6.0 wait")],
            "4.6.0 host HOST said: 451 4.6.0 wait (in reply to end of DATA command)",
            false,
        ),
        (
            &[("EOM", "-")],
            "4.4.2 lost connection with HOST while sending end of data -- message may be sent more than once",
            true,
        ),
        (
            &[("EHLO", "250-sink\r\n250 SIZE 1")],
            "5.3.4 message size 2 exceeds size limit 1 of server HOST",
            false,
        ),
    ];
    for (rules, expected, dead) in cases {
        assert_eq!(against(rules).await, ((*expected).to_owned(), *dead), "{rules:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_followed_by_the_fallback() {
    let dead = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let nexthop = format!("[127.0.0.1]:{}", dead.port());
    let (client, _) = agent(MAIN, SMTP);
    let report = client.deliver(to(&nexthop, &["u@y.test"], b"x\n")).await;
    let text = format!("0 none 4.4.1 connect to 127.0.0.1[127.0.0.1]:{}: Connection refused", dead.port());
    assert_eq!(words(&report), [text]);
    assert!(matches!(report.feedback, Feedback::Dead(_)));

    let sink = Sink::start(&[]).await;
    let (client, _) = agent(&format!("{MAIN}smtp_fallback_relay = {}\n", sink.nexthop()), SMTP);
    let report = client.deliver(to(&nexthop, &["u@y.test"], b"x\n")).await;
    assert!(words(&report)[0].ends_with("2.0.0 250 2.0.0 taken"), "{:?}", words(&report));
    assert!(matches!(report.feedback, Feedback::Alive));
}

#[tokio::test]
async fn a_bind_address_that_is_not_ours_is_done_without_unless_it_is_enforced() {
    let sink = Sink::start(&[]).await;
    // An address for examples (RFC 5737) is nobody's.
    let bound = format!("{MAIN}smtp_bind_address = 192.0.2.1\n");
    let (client, _) = agent(&bound, SMTP);
    let report = client.deliver(to(&sink.nexthop(), &["u@y.test"], b"x\n")).await;
    assert!(words(&report)[0].ends_with("2.0.0 250 2.0.0 taken"), "{:?}", words(&report));
    let (client, _) = agent(&format!("{bound}smtp_bind_address_enforce = yes\n"), SMTP);
    let report = client.deliver(to(&sink.nexthop(), &["u@y.test"], b"x\n")).await;
    assert!(words(&report)[0].contains(" 4.4.1 "), "{:?}", words(&report));
}

#[tokio::test]
async fn lmtp_answers_for_each_recipient() {
    let sink =
        Sink::start(&[("LHLO", "250-sink\r\n250 PIPELINING"), ("EOM", "250 2.1.5 one\r\n552 5.2.2 full")])
            .await;
    let (client, _) = agent("", "lmtp unix - - n - - lmtp");
    let report =
        client.deliver(to(&format!("inet:127.0.0.1:{}", sink.address.port()), &["a@y", "b@y"], b"x\n")).await;
    let lines = words(&report);
    assert!(lines[0].ends_with("2.1.5 250 2.1.5 one"), "{lines:?}");
    assert!(lines[1].ends_with("said: 552 5.2.2 full (in reply to end of DATA command)"), "{lines:?}");
    assert_eq!(sink.heard()[0][0], "LHLO mx.site.test");
}

#[tokio::test]
async fn logins_use_what_the_server_and_the_settings_allow() {
    const AUTH: Rules = &[
        ("EHLO", "250-sink\r\n250 AUTH PLAIN LOGIN"),
        ("AUTH PLAIN AG9yYwBzZWNyZXQ=", "235 2.7.0 in"),
        ("AUTH", "535 5.7.8 no"),
    ];
    let main = format!("{MAIN}smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = static:orc:secret\n");
    let sink = Sink::start(AUTH).await;
    let (client, _) = agent(&main, SMTP);
    let lines = deliver(&client, to(&sink.nexthop(), &["u@y.test"], b"x\n")).await;
    assert!(lines[0].ends_with("127.0.0.1[127.0.0.1]: no mechanism available"), "{lines:?}");
    let (client, _) = agent(&format!("{main}smtp_sasl_security_options = noanonymous\n"), SMTP);
    let lines = deliver(&client, to(&sink.nexthop(), &["u@y.test"], b"x\n")).await;
    assert!(lines[0].ends_with("2.0.0 250 2.0.0 taken"), "{lines:?}");
    let wrong = main.replace("orc:secret", "orc:wrong") + "smtp_sasl_security_options = noanonymous\n";
    let (client, _) = agent(&wrong, SMTP);
    let lines = deliver(&client, to(&sink.nexthop(), &["u@y.test"], b"x\n")).await;
    assert!(lines[0].contains("4.7.8 SASL authentication failed; server"), "{lines:?}");
}

#[tokio::test]
async fn a_server_that_finds_fault_with_our_protocol_is_told_of() {
    let check = async |rules: Rules, settings: &str| {
        let sink = Sink::start(rules).await;
        let (client, _) = agent(&format!("{MAIN}{settings}"), SMTP);
        let report = client.deliver(to(&sink.nexthop(), &["u@y.test"], b"x\n")).await;
        let lines = |transcript: &crate::Transcript| -> Vec<String> {
            transcript.said.iter().map(|said| said.line.clone()).collect()
        };
        report.transcripts.iter().map(lines).collect::<Vec<_>>()
    };
    let told = "notify_classes = resource, protocol\n";
    let said = check(&[("MAIL", "503 5.5.1 strange order")], told).await.remove(0);
    assert_eq!(said[0], "220 sink ESMTP");
    assert!(said.contains(&"MAIL FROM:<s@x.test> SIZE=2".to_owned()), "{said:?}");
    assert!(said.contains(&"503 5.5.1 strange order".to_owned()), "{said:?}");
    assert_eq!(said.last().map(String::as_str), Some("QUIT"));
    assert_eq!(check(&[("CONNECT", "502 what")], told).await.len(), 1);
    for (rules, settings) in [
        (&[("MAIL", "503 5.5.1 strange order")] as Rules, "notify_classes = resource\n"),
        (&[("MAIL", "550 5.1.8 not you")], told),
        (&[("EHLO", "502 what")], told),
    ] {
        assert!(check(rules, settings).await.is_empty(), "{rules:?} {settings}");
    }
}

#[tokio::test]
async fn a_refused_login_is_not_tried_twice() {
    let rules: Rules = &[("EHLO", "250-sink\r\n250 AUTH PLAIN"), ("AUTH", "535 5.7.8 no")];
    let sink = Sink::start(rules).await;
    let main = format!(
        "{MAIN}smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = static:joe:secret\n\
        smtp_sasl_security_options =\nsmtp_sasl_auth_cache_name = proxy:btree:/x\n"
    );
    let (client, _) = agent(&main, SMTP);
    for cached in ["", " [CACHED]"] {
        let lines = deliver(&client, to(&sink.nexthop(), &["u@y.test"], b"x\n")).await;
        assert!(lines[0].contains(&format!("4.7.8 SASL{cached} authentication failed; server")), "{lines:?}");
    }
    let logins = sink.heard().into_iter().flatten().filter(|line| line.starts_with("AUTH")).count();
    assert_eq!(logins, 1);
}

#[tokio::test]
async fn without_always_send_ehlo_the_greeting_decides() {
    for (greeting, hello) in [("220 sink", "HELO mx.site.test"), ("220 sink eSMTP", "EHLO mx.site.test")] {
        let rules: Rules = Box::leak(Box::new([("CONNECT", greeting)]));
        let sink = Sink::start(rules).await;
        let (client, _) = agent(&format!("{MAIN}smtp_always_send_ehlo = no\n"), SMTP);
        deliver(&client, to(&sink.nexthop(), &["u@y.test"], b"x\n")).await;
        assert_eq!(sink.heard()[0][0], hello);
    }
}

#[tokio::test]
async fn a_probe_sends_nothing() {
    let sink = Sink::start(&[("RCPT TO:<no@", "550 5.1.1 none")]).await;
    let (client, _) = agent(MAIN, SMTP);
    let mut request = to(&sink.nexthop(), &["ok@y.test", "no@y.test"], b"x\n");
    request.purpose = crate::Purpose::Probe;
    let lines = deliver(&client, request).await;
    assert!(lines[0].ends_with("2.1.0 250 2.1.0 fine") && lines[1].contains(" 5.1.1 "), "{lines:?}");
    assert!(!sink.heard()[0].iter().any(|line| line == "DATA"));
}

#[tokio::test]
async fn a_probe_may_ask_whether_content_is_wanted() {
    let main = format!("{MAIN}smtp_address_verify_target = data\n");
    for (data, said, end) in [
        ("354 go ahead", "354 go ahead", "DATA"),
        ("550 5.7.1 not here", "5.7.1 host", "RSET"),
        ("-", "4.4.2 lost connection", "DATA"),
    ] {
        let rules: Rules = Box::leak(Box::new([("RCPT TO:<no@", "550 5.1.1 none"), ("DATA", data)]));
        let sink = Sink::start(rules).await;
        let (client, _) = agent(&main, SMTP);
        let mut request = to(&sink.nexthop(), &["no@y.test", "ok@y.test"], b"secret\n");
        request.purpose = crate::Purpose::Verify;
        let lines = deliver(&client, request).await;
        assert!(lines.iter().any(|line| line.contains(" 5.1.1 ")), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains(said)), "{data}: {lines:?}");
        let heard = sink.heard();
        // Nobody waits until QUIT was heard.
        let last = heard[0].iter().rfind(|line| *line != "QUIT");
        assert_eq!(last.map(String::as_str), Some(end), "{heard:?}");
        assert!(!heard.iter().flatten().any(|line| line.contains("secret")), "{heard:?}");
    }
}

#[tokio::test]
async fn eight_bit_parts_are_encoded_for_a_server_without_8bitmime() {
    const MESSAGE: &[u8] =
        "Subject: x\nContent-Transfer-Encoding: 8bit\nContent-Type: multipart/mixed; boundary=bb\n\n\
        --bb\nContent-Transfer-Encoding: 8bit\n\n\u{e9} = \n--bb\n\n\u{e9}\n--bb--\nthe end\n"
            .as_bytes();
    let sink = Sink::start(&[("EHLO", "250-sink\r\n250 SIZE 1000")]).await;
    let (client, _) = agent(MAIN, SMTP);
    deliver(&client, to(&sink.nexthop(), &["u@y.test"], MESSAGE)).await;
    let heard = sink.heard().remove(0);
    assert_eq!(heard[1], "MAIL FROM:<s@x.test>", "the size is not known before the conversion");
    assert_eq!(
        heard[4..heard.len() - 2],
        [
            "Subject: x",
            "Content-Type: multipart/mixed; boundary=bb",
            "Content-Transfer-Encoding: 7bit",
            "",
            "--bb",
            "Content-Transfer-Encoding: quoted-printable",
            "",
            "=C3=A9 =3D=20",
            "--bb",
            "",
            // What says nothing of its encoding is left alone.
            "\u{e9}",
            "--bb--",
            "the end",
        ]
    );
}

#[tokio::test]
async fn generic_maps_and_checks_change_what_leaves() {
    let dir = tempfile::tempdir().expect("a directory");
    let checks = dir.path().join("checks");
    let rules =
        "/^Subject: x/ REPLACE Subject: y\n/^X-Gone/ IGNORE\n/^X-Old/ PREPEND X-New: 2\n/^secret/ IGNORE\n";
    std::fs::write(&checks, rules).expect("a file");
    let main = format!(
        "{MAIN}smtp_generic_maps = inline:{{ {{me@x.test=public@isp.test}} }}\n\
         smtp_header_checks = regexp:{0}\nsmtp_body_checks = regexp:{0}\n",
        checks.display()
    );
    let sink = Sink::start(&[]).await;
    let (client, _) = agent(&main, SMTP);
    let mut request = to(
        &sink.nexthop(),
        &["u@y.test"],
        b"From: Me <me@x.test>\nTo:  u@y.test\nSubject: x\nX-Gone: 1\nX-Old: 1\n\nsecret\nme@x.test\n",
    );
    request.sender = "me@x.test".into();
    deliver(&client, request).await;
    let heard = sink.heard().remove(0);
    assert!(heard[1].starts_with("MAIL FROM:<public@isp.test> "), "{heard:?}");
    assert_eq!(
        heard[4..heard.len() - 2],
        [
            "From: Me <public@isp.test>",
            "To:  u@y.test",
            "Subject: y",
            "X-New: 2",
            "X-Old: 1",
            "",
            "me@x.test"
        ]
    );
}

#[tokio::test]
async fn forwarded_mail_leaves_with_a_sender_of_ours() {
    const TEXT: &[u8] = b"Subject: x\n\ntext\n";
    let dir = tempfile::tempdir().expect("a directory");
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "a secret\n").expect("a file");
    let main = format!(
        "{MAIN}mydestination = here.test\nsrs_domain = here.test\nsrs_secret_file = {}\n\
         srs_exclude_domains = kept.test\n",
        secret.display()
    );
    let sink = Sink::start(&[]).await;
    let (client, _) = agent(&main, SMTP);
    let mut mixed = to(&sink.nexthop(), &["u@y.test", "v@y.test", "w@here.test"], TEXT);
    mixed.targets[0].recipient.original = "ann@here.test".into();
    mixed.targets[1].recipient.orcpt = Some("rfc822;v@Y.test".to_owned());
    mixed.targets[2].recipient.original = "bob@here.test".into();
    let told = deliver(&client, mixed).await;
    let indices: Vec<&str> = told.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(indices, ["0", "1", "2"]);
    let senders = |sink: &Sink| -> Vec<String> {
        let told: Vec<String> = sink.heard().concat();
        let told = told.iter().filter_map(|line| line.strip_prefix("MAIL FROM:<")?.split_once('>'));
        told.map(|(sender, _)| sender.to_owned()).collect()
    };
    let [other, own] = &senders(&sink)[..] else { panic!("{:?}", sink.heard()) };
    assert!(other.starts_with("SRS0=") && other.ends_with("=x.test=s@here.test"), "{other}");
    assert_eq!(own, "s@x.test");
    for (sender, stays) in [("s@kept.test", true), ("me@here.test", true), ("", true), ("s@x.test", false)] {
        let sink = Sink::start(&[]).await;
        let mut request = to(&sink.nexthop(), &["u@y.test"], TEXT);
        request.targets[0].recipient.orcpt = Some("rfc822;ann@here.test".to_owned());
        request.sender = sender.into();
        deliver(&client, request).await;
        assert_eq!(senders(&sink) == [sender], stays, "{sender}");
    }
}
