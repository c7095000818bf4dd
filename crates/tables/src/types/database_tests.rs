//! Data base servers that answer what they should not: each costs a look-up its time-out, and nothing else.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use mail::Trouble;

use crate::{Found, Settings, Tables};

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// How long a test waits for what should take a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that does `serve` with each connection; its port.
fn server(serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    port
}

/// The settings of a table of each kind that asks this port.
fn settings(kind: &str, port: u16) -> String {
    let rest = match kind {
        "mysql" | "pgsql" => format!(
            "hosts = 127.0.0.1:{port}\nuser = u\npassword = hush\ndbname = d\nquery = SELECT v FROM t WHERE k = '%s'\n"
        ),
        "ldap" => format!(
            "server_host = 127.0.0.1:{port}\nsearch_base = dc=x\nquery_filter = (mail=%s)\ntimeout = 1\n"
        ),
        "memcache" => format!("memcache = inet:127.0.0.1:{port}\nmax_try = 1\ntimeout = 1\n"),
        _ => format!("server = inet:127.0.0.1:{port}\npassword = hush\ntimeout = 1\n"),
    };
    let limits = "connect_timeout = 1\nquery_timeout = 1\n";
    if kind == "memcache" { rest } else { rest + limits }
}

const KINDS: [&str; 5] = ["mysql", "pgsql", "ldap", "memcache", "redis"];

fn ask(dir: &Path, kind: &str, port: u16, key: &str) -> Result<Option<Found>, Trouble> {
    let file = dir.join(format!("{kind}-{port}.cf"));
    std::fs::write(&file, settings(kind, port)).unwrap();
    let (name, key) = (format!("{kind}:{}", file.display()), key.to_owned());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let maps = Tables::new(Settings::default()).maps("test_maps", &name).unwrap();
        assert!(maps.faults().is_empty(), "{:?}", maps.faults());
        tell.send(block(maps.find(&key))).unwrap();
    });
    told.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{kind} hangs"))
}

fn trouble(dir: &Path, kind: &str, port: u16, what: &str) {
    match ask(dir, kind, port, "key@example.org") {
        Ok(found) => panic!("{kind}, {what}: {found:?}"),
        Err(trouble) => {
            let text = trouble.to_string();
            assert!(!text.contains("hush"), "{text}");
        }
    }
}

#[test]
fn a_server_that_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let port = server(|mut stream| while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {});
    KINDS.iter().for_each(|kind| trouble(dir.path(), kind, port, "silence"));
}

#[test]
fn a_server_that_never_ends() {
    let dir = tempfile::tempdir().unwrap();
    for bytes in [
        &[0u8; 4096][..],
        &[b'x'; 4096],
        &[0x30; 4096],
        b"VALUE key@example.org 0 5\r\nab",
        b"*5\r\n$1\r\na\r\n",
    ] {
        let bytes = bytes.to_vec();
        let port = server(move |mut stream| while stream.write_all(&bytes).is_ok() {});
        KINDS.iter().for_each(|kind| trouble(dir.path(), kind, port, "endless"));
    }
}

#[test]
fn a_server_that_closes_or_babbles() {
    let dir = tempfile::tempdir().unwrap();
    for bytes in [
        &b""[..],
        b"\r\n",
        b"ERROR\r\n",
        b"-ERR no\r\n",
        b"\x30\x84\x7f\xff\xff\xff\x02\x01\x01",
        b"\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x33\x04\x00\x04\x00",
        b"\x4a\x00\x00\x00\x0a5.5.5-10.11\0",
        b"\xff\xff\xff\x00",
        b"E\x7f\xff\xff\xff",
        b"R\x00\x00\x00\x08\x00\x00\x00\x00D\x00\x00\x00\x06\xff\xff",
        b"N",
    ] {
        let bytes = bytes.to_vec();
        let port = server(move |mut stream| {
            let _ = stream.write_all(&bytes);
            let _ = stream.read(&mut [0; 4096]);
        });
        KINDS.iter().for_each(|kind| trouble(dir.path(), kind, port, "babble"));
    }
}

/// An LDAP message; a bind is answered before it.
fn directory(answers: Vec<Vec<u8>>) -> u16 {
    server(move |mut stream| {
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer);
        let _ = stream.write_all(b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00");
        let _ = stream.read(&mut buffer);
        for answer in &answers {
            let _ = stream.write_all(answer);
        }
        let _ = stream.read(&mut buffer);
    })
}

#[test]
fn answers_of_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let entry =
        b"\x30\x21\x02\x01\x02\x64\x1c\x04\x04dc=x\x30\x14\x30\x12\x04\x08maildrop\x31\x06\x04\x04here"
            .to_vec();
    let done = b"\x30\x0c\x02\x01\x02\x65\x07\x0a\x01\x00\x04\x00\x04\x00".to_vec();
    let found =
        ask(dir.path(), "ldap", directory(vec![entry.clone(), done.clone()]), "a@b").unwrap().unwrap();
    assert_eq!(found.value, "here");
    assert!(found.place.unwrap().ends_with("base dc=x filter (mail=a@b)"));
    assert_eq!(ask(dir.path(), "ldap", directory(vec![done.clone()]), "a@b").unwrap(), None);
    let busy = b"\x30\x0c\x02\x01\x02\x65\x07\x0a\x01\x33\x04\x00\x04\x00".to_vec();
    trouble(dir.path(), "ldap", directory(vec![entry.clone(), busy]), "busy");
    // Cut off, of another number, and nested as deep as it can be.
    trouble(dir.path(), "ldap", directory(vec![entry[..20].to_vec()]), "cut off");
    let other = [&done[..4], &[9], &done[5..]].concat();
    trouble(dir.path(), "ldap", directory(vec![other]), "another number");
    let mut deep = Vec::new();
    for _ in 0..1000 {
        let mut outer = vec![0x30, 0x84];
        outer.extend((deep.len() as u32).to_be_bytes());
        outer.append(&mut deep);
        deep = outer;
    }
    trouble(dir.path(), "ldap", directory(vec![deep]), "nested");
}

#[test]
fn answers_of_caches() {
    let dir = tempfile::tempdir().unwrap();
    let serve = |greetings: usize, reply: &'static [u8]| {
        server(move |mut stream| {
            let mut buffer = [0; 4096];
            for _ in 0..greetings {
                let _ = stream.read(&mut buffer);
                let _ = stream.write_all(b"+OK\r\n");
            }
            while matches!(stream.read(&mut buffer), Ok(1..)) {
                let _ = stream.write_all(reply);
            }
        })
    };
    let value = |kind, greetings, reply| {
        ask(dir.path(), kind, serve(greetings, reply), "k").map(|found| found.map(|found| found.value))
    };
    assert_eq!(value("memcache", 0, b"VALUE k 0 2\r\nab\r\nEND\r\n").unwrap().as_deref(), Some("ab"));
    assert_eq!(value("memcache", 0, b"END\r\n").unwrap(), None);
    for bad in [
        &b"VALUE x 0 2\r\nab\r\nEND\r\n"[..],
        b"VALUE k 0 99999\r\n",
        b"VALUE k 0 2\r\nabcd\r\nEND\r\n",
        b"VALUE\r\n",
    ] {
        assert!(value("memcache", 0, bad).is_err());
    }
    assert_eq!(value("redis", 1, b"$2\r\nab\r\n").unwrap().as_deref(), Some("ab"));
    assert_eq!(value("redis", 1, b"*2\r\n$1\r\na\r\n:7\r\n").unwrap().as_deref(), Some("a,7"));
    assert_eq!(value("redis", 1, b"$-1\r\n").unwrap(), None);
    for bad in [
        &b"-NOAUTH hush\r\n"[..],
        b"$99999999999\r\n",
        b"*99999999\r\n",
        b"*1\r\n*1\r\n:1\r\n",
        b"$2\r\nabcd",
    ] {
        assert!(value("redis", 1, bad).is_err());
    }
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.cf");
    for (kind, text, why) in [
        ("mysql", "query = SELECT 1\n", "dbname"),
        ("mysql", "dbname = d\n", "select_field"),
        ("mysql", "dbname = d\nquery = SELECT %x\n", "template"),
        ("mysql", "dbname = d\nquery = SELECT 1\ncharset = gbk\n", "charset"),
        ("mysql", "dbname = d\nquery = SELECT 1\nhosts = a:b\n", "port"),
        ("pgsql", "dbname = d\nquery = SELECT 1\nhosts = postgresql://a/x postgresql://b/y\n", "same"),
        ("ldap", "bind = sasl\nsasl_mechs = GSSAPI\n", "EXTERNAL"),
        ("ldap", "scope = far\n", "scope"),
        ("ldap", "server_host = ldap://x:y/\n", "URL"),
        ("memcache", "memcache = nowhere\n", "memcache"),
        ("memcache", "backup = hash\n", "backup"),
        ("redis", "server = nowhere\n", "server"),
        ("mysql", "expansion_limit = x\ndbname = d\nquery = q\n", "numerical"),
        ("mongodb", "", "unsupported dictionary type: mongodb"),
    ] {
        std::fs::write(&file, text).unwrap();
        let maps = Tables::new(Settings::default()).maps("x", &format!("{kind}:{}", file.display())).unwrap();
        let faults = maps.faults();
        assert!(faults.len() == 1 && faults[0].why.contains(why), "{kind} {text}: {faults:?}");
    }
}
