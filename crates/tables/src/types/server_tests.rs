//! `tcp:` and `socketmap:` against servers that behave, and servers that do not.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::{Settings, Tables};

/// Answers every question of every connection with `reply`, and asks `table` (with `PORT` in it) for `key` twice.
fn ask(table: &str, key: &str, reply: &'static [u8], expected: Option<&str>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let server = tokio::spawn(async move {
            let mut heard = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = [0; 1000];
                while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                    heard.push(buffer[..count].to_vec());
                    if stream.write_all(reply).await.is_err() {
                        break;
                    }
                    if heard.len() == 2 {
                        return heard;
                    }
                    // Every connection is used once, so the second question has to come over a new one.
                    if heard.len() == 1 {
                        break;
                    }
                }
            }
        });
        let maps = Tables::new(Settings::default()).maps("test", &table.replace("PORT", &port)).unwrap();
        for _ in 0..2 {
            let answer = maps.find(key).await;
            match expected {
                Some("") => assert_eq!(answer.unwrap(), None, "{table}"),
                Some(value) => assert_eq!(answer.unwrap().unwrap().value, value, "{table}"),
                None => assert!(answer.is_err(), "{table} {}", String::from_utf8_lossy(reply)),
            }
        }
        let heard = server.await.unwrap();
        assert_eq!(heard[0], heard[1]);
        assert_eq!(
            heard[0].iter().filter(|byte| **byte == b'\n').count(),
            usize::from(table.starts_with("tcp"))
        );
    });
}

#[test]
fn tcp_servers() {
    let table = "tcp:127.0.0.1:PORT";
    ask(table, "a b", b"200 x%20y\n", Some("x y"));
    ask(table, "key", b"500 none\n", Some(""));
    for reply in [b"400 later\n".as_slice(), b"200 %zz\n", b"999 what\n", b"200 a\n200 b\n", &[b'x'; 5000]] {
        ask(table, "key", reply, None);
    }
}

#[test]
fn socketmap_servers() {
    let table = "socketmap:inet:127.0.0.1:PORT:name";
    ask(table, "a b", b"6:OK x y,", Some("x y"));
    ask(table, "key", b"9:NOTFOUND ,", Some(""));
    for reply in
        [b"9:TEMP down,".as_slice(), b"9:PERM down,", b"4:what,", b"x", b"999999999:OK", b"4:OK x;", b"0:,"]
    {
        ask(table, "key", reply, None);
    }
}
