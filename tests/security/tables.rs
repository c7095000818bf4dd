//! Security list, item 16: table servers of every kind that close, talk nonsense, never stop or say nothing. A look-up
//! that failed is no "not found": the recipient is put off, the session goes on, and memory stays as it is.

use std::io::{Read, Write};
use std::net::TcpStream;

use testbed::Site;

use super::hostile::server;

/// How a server answers whatever it is asked.
type Talk = fn(&mut TcpStream);

const BEHAVIOURS: [(&str, Talk); 4] = [
    ("closes", |_| ()),
    ("talks nonsense", |socket| {
        let _ = socket.read(&mut [0; 4096]);
        let _ = socket.write_all(b"\xff\0HTTP/1.1 400 Bad Request\r\n\r\nhello\r\n\0\x01\x02");
    }),
    ("never stops", |socket| {
        let endless = [b'x'; 1 << 16];
        while socket.write_all(&endless).is_ok() {}
    }),
    ("is silent", |socket| drop(socket.read_to_end(&mut Vec::new()))),
];

/// Each kind of table that asks a server, and the text of its file where it has one.
const KINDS: [(&str, Option<&str>); 7] = [
    ("tcp:%H:%P", None),
    ("socketmap:inet:%H:%P:users", None),
    ("memcache:%F", Some("memcache = inet:%H:%P\ntimeout = 1\nmax_try = 1\n")),
    ("redis:%F", Some("server = inet:%H:%P\nquery = GET %s\ntimeout = 1\n")),
    ("ldap:%F", Some("server_host = ldap://%H:%P\nsearch_base = dc=x\ntimeout = 1\n")),
    (
        "mysql:%F",
        Some(
            "hosts = inet:%H:%P\nuser = u\npassword = p\ndbname = d\nquery = SELECT a FROM b WHERE c='%s'\n",
        ),
    ),
    (
        "pgsql:%F",
        Some(
            "hosts = inet:%H:%P\nuser = u\npassword = p\ndbname = d\nquery = SELECT a FROM b WHERE c='%s'\n",
        ),
    ),
];

#[test]
fn no_table_server_makes_a_recipient_unknown_or_costs_memory() {
    let mut site = Site::new("mx.test")
        .set("smtpd_error_sleep_time", "0")
        .set("smtpd_hard_error_limit", "1000")
        .set("database_connect_timeout", "1s")
        .set("database_query_timeout", "1s");
    let (mut classes, mut recipients, mut told) = (String::new(), String::new(), Vec::new());
    for (behaviour, talk) in BEHAVIOURS {
        // Kinds without a file have no time-out that a site may set.
        let kinds = KINDS.iter().filter(|(_, file)| behaviour != "is silent" || file.is_some());
        for (kind, file) in kinds {
            let at = server(move |mut socket| talk(&mut socket));
            let n = told.len();
            let name = format!("table{n}.cf");
            let fill = |text: &str| {
                let path = site.conf().join(&name).display().to_string();
                text.replace("%H", &at.ip().to_string())
                    .replace("%P", &at.port().to_string())
                    .replace("%F", &path)
            };
            if let Some(file) = file {
                site.put(&name, &fill(file));
            }
            let table = fill(kind);
            classes.push_str(&format!("class{n} "));
            recipients.push_str(&format!("{{u{n}@box.test=class{n}}} "));
            site.change(&format!("class{n}"), &format!("check_recipient_access {table}"));
            told.push(format!("{kind} that {behaviour}"));
        }
    }
    let mx = site
        .set("virtual_mailbox_maps", "static:all")
        .set("smtpd_restriction_classes", &classes)
        .set("smtpd_recipient_restrictions", &format!("check_recipient_access inline:{{{recipients}}}"))
        .start();
    let mut client = mx.client();
    client.hello();
    client.expect(250, "MAIL FROM:<a@x.test>");
    let before = mx.memory();
    for (n, what) in told.iter().enumerate() {
        let reply = client.ask(&format!("RCPT TO:<u{n}@box.test>"));
        assert_eq!(reply.code, 451, "{what}: {}\n{}", reply.text, mx.log());
    }
    client.expect(250, "RCPT TO:<good@box.test>");
    let grown = mx.memory().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
}
