//! Policy servers, good and hostile.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::court;

/// A server that does the same for each connection, and the requests it read.
fn server(
    serve: impl Fn(&mut TcpStream, &mpsc::Sender<String>) + Send + 'static,
) -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, requests) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            serve(&mut stream.unwrap(), &sender);
        }
    });
    (port, requests)
}

fn request(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\n\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        text.push(byte[0]);
    }
    String::from_utf8(text).ok()
}

fn said(server: &str) -> String {
    let settings = format!(
        "smtpd_policy_service_timeout = 1\nsmtpd_policy_service_try_limit = 1\nsmtpd_policy_service_retry_delay = 0\n\
         smtpd_recipient_restrictions = check_policy_service {server}, permit\n"
    );
    court(&settings, "").rcpt("joe@here.test")
}

#[test]
fn a_server_decides() {
    let (port, requests) = server(|stream, sender| {
        while let Some(request) = request(stream) {
            sender.send(request).unwrap();
            stream.write_all(b"action=REJECT 5.7.9 says the server\n\n").unwrap();
        }
    });
    let refused = "554 5.7.9 <joe@here.test>: Recipient address rejected: says the server";
    assert_eq!(said(&format!("inet:127.0.0.1:{port}")), refused);
    let request = requests.recv().unwrap();
    for line in [
        "request=smtpd_access_policy",
        "protocol_state=RCPT",
        "protocol_name=ESMTP",
        "client_address=192.0.2.1",
        "client_port=40000",
        "helo_name=helo.test",
        "sender=sender@far.test",
        "recipient=joe@here.test",
        "recipient_count=0",
        "encryption_keysize=0",
        "policy_context=",
    ] {
        assert!(request.lines().any(|one| one == line), "{line} in {request}");
    }
}

#[test]
fn hostile_servers_cost_their_time_and_the_default_action() {
    let default = "451 4.3.5 <joe@here.test>: Recipient address rejected: Server configuration problem";
    let (silent, _requests) = server(|stream, _| {
        request(stream);
        thread::sleep(Duration::from_secs(3));
    });
    let (endless, _requests) = server(|stream, _| {
        request(stream);
        while stream.write_all(&[b'x'; 1000]).is_ok() {}
    });
    let (wordless, _requests) = server(|stream, _| {
        request(stream);
        let _ = stream.write_all(b"akshun=OK\n\n");
    });
    let (gone, _requests) = server(|_, _| {});
    for port in [silent, endless, wordless, gone] {
        assert_eq!(said(&format!("inet:127.0.0.1:{port}")), default);
    }
    assert_eq!(said(&format!("{{ inet:127.0.0.1:{silent}, default_action=DUNNO }}")), "OK");
}

#[test]
fn connections_are_used_again() {
    let (port, connections) = server(|stream, sender| {
        sender.send("connected".to_owned()).unwrap();
        while request(stream).is_some() {
            stream.write_all(b"action=DUNNO\n\n").unwrap();
        }
    });
    let settings = format!(
        "smtpd_sender_restrictions = check_policy_service inet:127.0.0.1:{port}\n\
         smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:{port}\n"
    );
    assert_eq!(court(&settings, "").rcpt("joe@here.test"), "OK");
    assert_eq!(connections.try_iter().count(), 1);
}

#[test]
fn an_answer_that_nobody_asked_for_is_no_answer_to_the_next_question() {
    let (port, said) = server(|stream, sender| {
        let mut answers = 0;
        while request(stream).is_some() {
            answers += 1;
            stream.write_all(b"action=DUNNO\n\n").unwrap();
            // The answer has been read when this comes, or both come at once: then only the first counts.
            thread::sleep(Duration::from_millis(50));
            if answers == 1 && stream.write_all(b"action=REJECT stale\n\n").is_ok() {
                sender.send("said".to_owned()).unwrap();
            }
        }
    });
    let settings = format!("smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:{port}\n");
    let mut court = court(&settings, "");
    for _ in 0..3 {
        assert_eq!(court.rcpt("joe@here.test"), "OK");
        said.recv_timeout(Duration::from_secs(30)).unwrap();
    }
}

#[test]
fn a_nonsense_action_is_our_mistake() {
    let (port, _requests) = server(|stream, _| {
        while request(stream).is_some() {
            stream.write_all(b"action=nonsense\n\n").unwrap();
        }
    });
    assert_eq!(said(&format!("inet:127.0.0.1:{port}")), "451 4.3.5 Server configuration error");
}
