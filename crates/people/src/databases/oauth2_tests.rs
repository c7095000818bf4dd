//! Issuers of tokens, on 127.0.0.1, and what their answers make of a login.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;
use crate::Facts;

/// An issuer of tokens: answers each request by what it begins with.
fn issuer(answers: &'static [(&'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = Vec::new();
            // Bodies of these tests come with their header.
            while !asked.windows(4).any(|four| four == b"\r\n\r\n") {
                let mut piece = [0; 4096];
                let length = stream.read(&mut piece).unwrap();
                if length == 0 {
                    break;
                }
                asked.extend_from_slice(&piece[..length]);
            }
            let asked = String::from_utf8_lossy(&asked).into_owned();
            let found = answers.iter().find(|(part, _)| asked.contains(part));
            let (status, body) = found.map_or(("401 No", ""), |(_, body)| ("200 OK", *body));
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    format!("http://{address}")
}

fn database(settings: &str) -> (tempfile::TempDir, Result<Oauth2, String>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("oauth2.conf");
    std::fs::write(&file, settings).unwrap();
    let opening = Opening {
        argument: file.to_str().unwrap(),
        options: &Fields::default(),
        directory: "",
        clock: Arc::new(|| 1000),
    };
    let opened = open(&opening);
    (folder, opened)
}

async fn login(database: &Oauth2, user: &str, token: &str) -> Result<Checked, Trouble> {
    let (facts, fields) = (Facts::of("imap"), Fields::default());
    let request = Request {
        user,
        original: user,
        login: None,
        facts: &facts,
        mechanism: "XOAUTH2",
        password: None,
        fields: &fields,
    };
    database.check(&request, &Password::new(token).unwrap()).await
}

#[tokio::test]
async fn the_issuer_is_asked_in_every_way() {
    let url = issuer(&[
        ("GET /info?t=good%2B ", r#"{"email": "Joe@x.test", "scope": "mail other", "state": "on"}"#),
        ("Bearer good+\r\n", r#"{"email": "joe@x.test", "scope": "mail", "state": "on"}"#),
        (
            "Authorization: Basic aWQ6c2VjcmV0",
            r#"{"active": true, "email": "joe@x.test", "scope": "mail", "state": "on"}"#,
        ),
        ("t=narrow ", r#"{"email": "joe@x.test", "scope": "web", "state": "on"}"#),
        ("t=off ", r#"{"email": "joe@x.test", "scope": "mail", "state": "off"}"#),
        ("t=dead ", r#"{"active": false, "email": "joe@x.test", "scope": "mail", "state": "on"}"#),
        ("t=nobody ", r#"{"scope": "mail", "state": "on"}"#),
        ("t=odd ", "[]"),
    ]);
    let common = "scope = mail\nactive_attribute = state\nactive_value = on\n";
    for way in [
        format!("tokeninfo_url = {url}/info?t=\n"),
        format!("introspection_mode = get\nintrospection_url = {url}/info?t=\n"),
        format!("introspection_url = {url}/x\n"),
        format!(
            "introspection_mode = post\nintrospection_url = {url}/x\nclient_id = id\nclient_secret = secret\n"
        ),
    ] {
        let (_folder, database) = database(&format!("{way}{common}"));
        let database = database.unwrap();
        assert_eq!(
            login(&database, "joe@x.test", "good+").await.unwrap(),
            Checked::Right(Fields::default()),
            "{way}"
        );
        assert_eq!(login(&database, "ann@x.test", "good+").await.unwrap(), Checked::Wrong, "{way}");
    }
    let (_folder, database) = database(&format!("tokeninfo_url = {url}/info?t=\n{common}"));
    let database = database.unwrap();
    for token in ["bad", "narrow", "off", "dead", "nobody", ""] {
        assert_eq!(login(&database, "joe@x.test", token).await.unwrap(), Checked::Wrong, "{token}");
    }
    let odd = login(&database, "joe@x.test", "odd").await.unwrap_err().to_string();
    assert!(odd.contains("no JSON object"), "{odd}");
}

#[tokio::test]
async fn an_issuer_that_is_away_is_trouble() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_folder, database) = database(&format!("introspection_url = http://{closed}/\n"));
    assert!(login(&database.unwrap(), "joe", "secret-token").await.is_err_and(|trouble| {
        let text = trouble.to_string();
        text.contains(&closed.to_string()) && !text.contains("secret-token")
    }));
}

#[test]
fn files_are_checked() {
    for (settings, why) in [
        ("", "is expected"),
        ("introspection_mode = local\n", "jwks_file or jwks_url"),
        ("introspection_mode = odd\nintrospection_url = http://x/\n", "auth, get, post or local"),
        ("introspection_url = ftp://x/\n", "introspection_url: http"),
        ("introspection_url = http://x/\ntimeout_msecs = soon\n", "a number"),
        ("introspection_url = http://x/\nnosuch = 1\n", "unknown setting nosuch"),
    ] {
        let (_folder, opened) = database(settings);
        let said = opened.err().unwrap();
        assert!(said.contains(why), "{said} instead of {why}");
    }
}

#[tokio::test]
async fn an_issuer_that_babbles_or_never_ends_is_trouble() {
    for (said, again) in [
        (&b""[..], false),
        (b"HTTP/1.1 200 OK\r\n", true),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n{", true),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{\"a", false),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\xff\xfe{}", false),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", false),
        (b"220 mx.test ESMTP\r\n", false),
        (b"[[[[[[[[[[[[[[[[", true),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.write_all(said);
                while again && stream.write_all(said).is_ok() {}
                let _ = stream.read(&mut [0; 4096]);
            }
        });
        let settings = format!("introspection_url = http://{address}/\ntimeout_msecs = 500\n");
        let (_folder, database) = database(&settings);
        let shown = String::from_utf8_lossy(said);
        let trouble = login(&database.unwrap(), "joe", "hush").await.expect_err(&shown).to_string();
        assert!(!trouble.contains("hush"), "{trouble}");
    }
}
