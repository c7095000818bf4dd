//! What strangers try on the services of those who read mail: IMAP, POP3, and LMTP. By the numbers of the list.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

use testbed::{Address, Client, Instance, Site, address, wait};

use super::smuggling::{is_proper_end, matrix};

/// Sessions of each kind at a time.
const SESSIONS: u64 = 200;

/// Bytes that one of them may cost before the login, whatever it sends.
const EACH: u64 = 64 * 1024;

/// A site whose users, ann and bob, read their mail.
struct Readers {
    mx: Instance,
    imap: Address,
    pop3: Address,
    lmtp: Address,
}

impl Readers {
    fn start(more: impl FnOnce(Site) -> Site) -> Readers {
        let [imap, pop3, lmtp] = [address(), address(), address()];
        // As many sessions as there is room for.
        let line = |at: Address, command: &str| format!("{}:{} inet n - n - 0 {command}", at.ip(), at.port());
        let site = Site::new("mx.test").with_tls("mx.test");
        let kept = site.folder("kept").display().to_string();
        let (uid, gid) = testbed::mailbox_owner();
        let users = site.put("users", "ann@box.test:{PLAIN}secret::::::\nbob@box.test:{PLAIN}secret::::::\n");
        let site = site
            .set("passdb", &format!("passwd-file:{}", users.display()))
            .set("userdb", &format!("passwd-file:{}", users.display()))
            .set("mail_location", &format!("facteur:{kept}/%n"))
            .set("mail_uid", &uid.to_string())
            .set("mail_gid", &gid.to_string())
            .set("auth_failure_delay", "0")
            .service(&line(imap, "imapd"))
            .service(&line(pop3, "pop3d"))
            .service(&line(lmtp, "lmtpd"));
        Readers { mx: more(site).start(), imap, pop3, lmtp }
    }

    /// How many messages somebody has.
    fn count(&self, user: &str) -> usize {
        let said = self.mx.run("doveadm", &["search", "-u", &format!("{user}@box.test"), "all"]);
        assert_eq!(said.status, 0, "{said:?}");
        said.out.lines().count()
    }
}

fn connect(at: Address) -> TcpStream {
    let socket = wait::until("a connection", || TcpStream::connect(at).ok());
    socket.set_read_timeout(Some(wait::LIMIT)).expect("a limit");
    socket
}

/// Reads lines up to one that begins so; empty at the end.
fn until(reader: &mut impl BufRead, start: &str) -> String {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        let _ = reader.read_line(&mut line);
        text.push_str(&line);
        if line.is_empty() || line.starts_with(start) {
            return text;
        }
    }
}

/// Says this, stops talking, and reads all that is answered.
fn half(at: Address, said: &[u8]) -> String {
    let mut socket = connect(at);
    // It may close before it has read everything.
    let _ = socket.write_all(said);
    let _ = socket.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn item_1_only_the_proper_dot_ends_data_of_lmtp() {
    let site = Readers::start(|site| site);
    let mut client = Client::greeted(site.lmtp);
    client.expect(250, "LHLO far.test");
    let mut count = 0;
    let improper = matrix().into_iter().filter(|(before, after)| !is_proper_end(before, after));
    // Every line end before the dot, and every one behind it, but not all pairs: `smuggling` has those.
    for (before, after) in improper.step_by(4) {
        client.expect(250, "MAIL FROM:<a@far.test>");
        client.expect(250, "RCPT TO:<ann@box.test>");
        client.expect(354, "DATA");
        let second = "MAIL FROM:<evil@far.test>\r\nRCPT TO:<bob@box.test>\r\nDATA\r\nSubject: evil\r\n\r\nx";
        client.send(format!("Subject: first\r\n\r\nx{before}.{after}{second}\r\n.\r\n").as_bytes());
        let reply = client.reply();
        assert_eq!(reply.code, 250, "{before:?} {after:?}: {reply:?}");
        let reply = client.ask("NOOP");
        assert_eq!(reply.code, 250, "{before:?} {after:?}: {reply:?}");
        count += 1;
    }
    assert_eq!((site.count("ann"), site.count("bob")), (count, 0));
}

#[test]
fn item_2_what_is_said_ahead_of_a_handshake_is_dropped() {
    let site = Readers::start(|site| site.set("disable_plaintext_auth", "no"));
    let authority = site.mx.site().authority();
    // A login said in the clear behind the command, and the first words within TLS.
    let cases = [
        (site.imap, "a STARTTLS\r\nb LOGIN ann@box.test secret\r\n", "a OK", "c SELECT INBOX\r\n", "c BAD"),
        (site.pop3, "STLS\r\nUSER ann@box.test\r\nPASS secret\r\n", "+OK", "STAT\r\n", "-ERR"),
        (
            site.lmtp,
            "LHLO x\r\nSTARTTLS\r\nLHLO x\r\nMAIL FROM:<a@x>\r\n",
            "220",
            "RCPT TO:<ann@box.test>\r\n",
            "503",
        ),
    ];
    for (at, ahead, go, then, refused) in cases {
        let mut reader = BufReader::new(connect(at));
        let mut greeting = String::new();
        reader.read_line(&mut greeting).expect("a greeting");
        reader.get_mut().write_all(ahead.as_bytes()).expect("it listens");
        let said = until(&mut reader, go);
        assert!(said.lines().last().is_some_and(|line| line.starts_with(go)), "{ahead}: {said}");
        assert!(reader.buffer().is_empty(), "nothing is answered in the clear: {ahead}");
        let secured = testbed::tls::connect(reader.into_inner(), &authority, "mx.test").expect("a handshake");
        let mut secured = BufReader::new(secured);
        secured.get_mut().write_all(then.as_bytes()).expect("it listens");
        let said = until(&mut secured, refused);
        assert!(said.starts_with(refused), "{ahead}: {said}");
    }
    assert!(!site.mx.log().contains("Login: user=<ann@box.test>"), "{}", site.mx.log());
}

#[test]
fn item_3_half_a_message_is_none() {
    let site = Readers::start(|site| site);
    let login = "a LOGIN ann@box.test secret\r\n";
    for rest in [
        "b APPEND INBOX {100+}\r\nSubject: half\r\n\r\nhalf\r\n",
        "b APPEND INBOX {23+}\r\nSubject: half\r\n\r\nhalf\r\n",
        "b APPEND INBOX {23+}\r\nSubject: one\r\n\r\nwhole\r\n {23+}\r\nSubject: two\r\n\r\nha",
        "b APPEND INBOX CATENATE (TEXT {23+}\r\nSubject: one\r\n\r\nwhole\r\n TEXT {5+}\r\nha",
    ] {
        let said = half(site.imap, format!("{login}{rest}").as_bytes());
        assert!(said.contains("a OK") && !said.contains("b OK"), "{rest}: {said}");
        // The same within TLS, which ends without a farewell; what completes it comes in the clear.
        let mut reader = BufReader::new(connect(site.imap));
        reader.get_mut().write_all(b"s STARTTLS\r\n").expect("it listens");
        until(&mut reader, "s OK");
        let authority = site.mx.site().authority();
        let mut secured =
            testbed::tls::connect(reader.into_inner(), &authority, "mx.test").expect("a handshake");
        secured.write_all(format!("{login}{rest}").as_bytes()).expect("it listens");
        let _ = secured.sock.write_all(&b"x".repeat(200));
        let _ = secured.sock.shutdown(Shutdown::Write);
        let mut said = Vec::new();
        let _ = secured.sock.read_to_end(&mut said);
        // Compressed data that break off, and data that are none.
        for garbage in [&b""[..], b"\x78\x9c\x4b", b"c APPEND INBOX {1+}\r\nx\r\n", &[0xff; 300]] {
            let said = half(site.imap, &[login.as_bytes(), b"z COMPRESS DEFLATE\r\n", garbage].concat());
            assert!(said.contains("z OK"), "{said}");
        }
    }
    for unfinished in ["Subject: x\r\n\r\nx", "Subject: x\r\n\r\nx\r\n.", "Subject: x\r\n\r\nx\n.\n"] {
        let said = half(
            site.lmtp,
            format!("LHLO x\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<ann@box.test>\r\nDATA\r\n{unfinished}")
                .as_bytes(),
        );
        assert!(said.contains("\r\n354 ") && !said.contains("Saved"), "{said}");
    }
    assert_eq!(site.count("ann"), 0);
    // A deletion is one at QUIT, and not before.
    site.mx.run_with("doveadm", &["save", "-u", "ann@box.test"], b"Subject: x\n\nx\n");
    half(site.pop3, b"USER ann@box.test\r\nPASS secret\r\nDELE 1\r\nQUI");
    assert_eq!(site.count("ann"), 1);
}

/// Opens sessions that misbehave alike, and holds what the program has grown by against the budget.
fn assert_cheap(site: &Readers, at: Address, bytes: &[u8], what: &str) {
    // What every first session brings along.
    half(at, bytes);
    let before = site.mx.memory();
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let mut socket = connect(at);
        socket.set_write_timeout(Some(std::time::Duration::from_secs(1))).expect("a limit");
        // What it cannot hold it does not read, or it ends the session.
        let _ = socket.write_all(bytes);
        sessions.push(socket);
    }
    // Others are served meanwhile, and what was sent has been read by then as far as it will be.
    let said = half(site.imap, b"a LOGIN bob@box.test secret\r\nb SELECT INBOX\r\nc LOGOUT\r\n");
    assert!(said.contains("b OK"), "{what}: {said}");
    let each = site.mx.memory().saturating_sub(before) / SESSIONS;
    println!("{what}: {each} bytes for each session");
    assert!(each <= EACH, "{what}: {each} bytes for each session");
}

#[test]
fn item_5_a_stranger_costs_no_more_than_his_budget() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("every process has limits");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit it is ours");
    let site = Readers::start(|site| site.set("disable_plaintext_auth", "no"));
    let (imap, pop3) = (site.imap, site.pop3);
    let long = "x".repeat(100_000);
    for (what, at, bytes) in [
        ("a line without an end", imap, format!("a LOGIN {long}")),
        ("parentheses", imap, format!("a LIST {}", "(".repeat(100_000))),
        ("literals", imap, "a LOGIN {1000+}\r\n".to_owned() + &long[..1000] + " {30000+}\r\n" + &long),
        ("a literal as large as can be said", imap, format!("a APPEND INBOX {{4294967295+}}\r\n{long}")),
        ("a SASL answer without an end", imap, format!("a AUTHENTICATE PLAIN\r\n{long}")),
        ("commands", imap, "a NOOP\r\n".repeat(5000)),
        ("half a handshake", imap, "a STARTTLS\r\n\x16\x03\x01\x3f".to_owned() + &long[..8000]),
        ("a line of POP3 without an end", pop3, format!("USER {long}")),
        ("a SASL answer of POP3", pop3, format!("AUTH PLAIN\r\n{long}")),
    ] {
        assert_cheap(&site, at, bytes.as_bytes(), what);
    }
}

#[test]
fn item_10_logins_tell_nothing_and_end_only_themselves() {
    let site = Readers::start(|site| site.set("disable_plaintext_auth", "no"));
    // Who is not there is told the same as who has another password.
    let told = |at: Address, template: &str| {
        ["ann@box.test", "nobody@box.test", "ann@elsewhere.test"].map(|user| {
            let said = half(at, template.replace("NAME", user).as_bytes());
            // The greeting has no part in it.
            said.split_once("\r\n").map_or(String::new(), |(_, rest)| rest.to_owned())
        })
    };
    for (at, template) in [(site.imap, "a LOGIN NAME wrong\r\n"), (site.pop3, "USER NAME\r\nPASS wrong\r\n")]
    {
        let said = told(at, template);
        assert!(said[0] == said[1] && said[1] == said[2] && !said[0].is_empty(), "{said:?}");
    }
    // What cannot be read ends that login, and no session.
    let said = half(
        site.imap,
        b"a AUTHENTICATE PLAIN\r\n!!!!\r\nb AUTHENTICATE PLAIN =\r\nc AUTHENTICATE PLAIN AGFubg==\r\n\
          d AUTHENTICATE PLAIN\r\n*\r\ne LOGIN ann@box.test secret\r\nf LOGOUT\r\n",
    );
    for refused in ["\r\na BAD", "\r\nb NO", "\r\nc NO", "\r\nd BAD", "\r\ne OK"] {
        assert!(said.contains(refused), "{refused}: {said}");
    }
    let said = half(
        site.pop3,
        b"AUTH PLAIN\r\n!!!!\r\nAUTH PLAIN =\r\nUSER ann@box.test\r\nPASS secret\r\nQUIT\r\n",
    );
    assert!(said.matches("-ERR").count() == 2 && said.contains("+OK Logged in."), "{said}");
    // Another session is untouched, and nobody's password is in the log.
    assert!(!site.mx.log().contains("secret"), "{}", site.mx.log());
}
