//! Names, responses and servers that mean no good: nobody gets in, nothing fails for those who come after, and no
//! answer of a server is taken for "no such user" that is none.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use super::tests::{facts, file, login, people, sql_site};
use super::*;

/// Quotes, patterns, ends of lines and of texts, and 64 KB of them.
fn names() -> Vec<String> {
    let mut names: Vec<String> =
        ["'", "\"", "\\", "*", ")(", "%", "%u", " ", "é", "x"].map(|text| text.repeat(64 << 10)).into();
    names.extend(
        [
            "' OR '1'='1",
            "joe@auf.org' -- ",
            "joe@auf.org'; DROP TABLE users; --",
            "\\' OR 1=1 -- ",
            "*",
            "joe*",
            "*)(uid=*",
            "joe@auf.org)(|(uid=*",
            "joe@auf.org\n",
            "nobody\njoe@auf.org",
            "joe@auf.org:{PLAIN}secret",
            "joe@auf.org\t",
            " joe@auf.org",
            "../joe@auf.org",
            "%{passdb:password}",
            "{PLAIN}secret",
            "joe@auf.org\u{0}",
            "\u{0}",
            "\u{feff}joe@auf.org",
            "",
        ]
        .map(str::to_owned),
    );
    names
}

#[tokio::test]
async fn no_name_is_too_strange_for_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let sql = sql_site(
        folder.path(),
        "password_query = SELECT password FROM users WHERE username = '%u'\nuser_query = SELECT uid FROM users WHERE username = '%u'\n",
    );
    let passwd = file(folder.path(), "passwd", "joe@auf.org:{PLAIN}secret:1:1::/h::\n");
    let table = file(folder.path(), "table", "joe@auf.org {PLAIN}secret\n");
    let kept = folder.path().join("d.sqlite").display().to_string();
    let directory = directory::Directory::new(&kept).unwrap();
    directory.create().await.unwrap();
    let password = Some("{PLAIN}secret".to_owned());
    let change = directory::Change { password, ..directory::Change::default() };
    directory.add_account("joe@auf.org", &change, 1).await.unwrap();
    for passdb in [
        format!("sql:{sql}"),
        format!("passwd-file:{passwd}"),
        format!("{{ table:texthash:{table}, scheme=PLAIN }}"),
        format!("directory:{kept}"),
    ] {
        let people = people(&format!(
            "passdb = {passdb}\nuserdb = static:uid=1\nauth_username_chars =\nauth_username_format = %u\n"
        ));
        for name in names() {
            let shown: String = name.chars().take(30).collect();
            let why = login(&people, &name, "secret").await.expect_err(&shown);
            // A server may say that such a text cannot be in it; that is trouble, and nobody's login.
            assert!(matches!(why, Why::Credentials | Why::Temporary), "{passdb} {shown:?}: {why:?}");
            let known = login(&people, "joe@auf.org", "secret").await;
            assert!(known.is_ok(), "{passdb} after {shown:?}: {known:?}");
        }
    }
}

#[tokio::test]
async fn responses_that_are_none_fail_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let passwd = file(folder.path(), "passwd", "joe:{PLAIN}secret:1:1::/h::\n");
    let people = people(&format!("passdb = passwd-file:{passwd}\nuserdb = passwd-file:{passwd}\n"));
    let long = vec![b'a'; 64 << 10];
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"] {
        for response in [
            &b""[..],
            b"\0",
            b"\0\0",
            b"\0\0\0\0\0",
            b"\xff\xfe\0\xff\0\xff",
            b"\0joe\0secret\0more",
            b"\0jo\xffe\0secret",
            b"n,,n=joe",
            b"n,,r=,n=",
            b"y,a=x,n=joe,r=x",
            b"joe 00",
            b"joe \xff\xff",
            &long,
        ] {
            let mut exchange = people.begin(mechanism, facts()).unwrap();
            for _ in 0..4 {
                match exchange.step(Some(response)).await {
                    Progress::Ask(_) => {}
                    Progress::Done(Verdict::Failed(_)) => break,
                    Progress::Done(Verdict::Ok(account)) => panic!("{mechanism} {response:?}: {account:?}"),
                }
            }
        }
    }
    assert!(login(&people, "joe", "secret").await.is_ok());
}

/// A server that does `serve` with each connection; its port.
fn server(serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Time goes by as soon as everybody waits.
#[tokio::test(start_paused = true)]
async fn servers_that_babble_fall_silent_or_never_end_are_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let babble: [&'static [u8]; 6] = [
        b"",
        b"ERROR\r\n",
        b"\x30\x84\x7f\xff\xff\xff\x02\x01\x01",
        b"\x4a\x00\x00\x00\x0a5.5.5-10.11\0",
        b"R\x00\x00\x00\x08\x00\x00\x00\x00D\x00\x00\x00\x06\xff\xff",
        b"E\x7f\xff\xff\xff",
    ];
    let mut ports = vec![
        server(|mut stream| while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}),
        server(|mut stream| while stream.write_all(&[0x30; 4096]).is_ok() {}),
        server(|mut stream| while stream.write_all(&[0; 4096]).is_ok() {}),
    ];
    ports.extend(babble.map(|bytes| {
        server(move |mut stream| {
            let _ = stream.write_all(bytes);
            let _ = stream.read(&mut [0; 4096]);
        })
    }));
    for port in ports {
        let connect = format!("connect = host=127.0.0.1 port={port} dbname=d user=u password=hush\n");
        let ldap = format!("hosts = 127.0.0.1:{port}\nbase = dc=x\ndn = cn=u\ndnpass = hush\n");
        for (kind, text) in [
            ("sql", format!("driver = mysql\n{connect}")),
            ("sql", format!("driver = pgsql\n{connect}")),
            ("ldap", ldap.clone()),
            ("ldap", format!("{ldap}auth_bind = yes\nauth_bind_userdn = uid=%u\n")),
        ] {
            let settings = file(folder.path(), "settings", &text);
            let people = people(&format!("passdb = {kind}:{settings}\nuserdb = static:uid=1\n"));
            let end = login(&people, "joe", "secret").await;
            assert_eq!(end, Err(Why::Temporary), "{text}");
        }
    }
}
