//! Mail that stays with us: taken by SMTP, kept in our own mailboxes, read by IMAP; as root, by the keeper.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use testbed::{Address, Instance, Site, address, wait};

/// Speaks IMAP, one command after the other.
struct Reader {
    stream: BufReader<TcpStream>,
    count: u32,
}

impl Reader {
    fn login(at: Address, user: &str, password: &str) -> Reader {
        // A server that was just killed may still seem to be there.
        let stream = wait::until("the greeting of IMAP", || {
            let mut stream = BufReader::new(TcpStream::connect(at).ok()?);
            stream.get_ref().set_read_timeout(Some(wait::LIMIT)).expect("a time-out");
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            line.starts_with("* OK").then_some(stream)
        });
        let mut reader = Reader { stream, count: 0 };
        reader.ask(&format!("LOGIN {user} {password}"));
        reader
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the server answers");
        line
    }

    /// All lines up to the one that says OK.
    fn ask(&mut self, command: &str) -> String {
        self.count += 1;
        let tag = format!("a{}", self.count);
        write!(self.stream.get_mut(), "{tag} {command}\r\n").expect("the server listens");
        let mut text = String::new();
        loop {
            let line = self.line();
            text.push_str(&line);
            if let Some(end) = line.strip_prefix(&format!("{tag} ")) {
                assert!(end.starts_with("OK"), "{command}: {text}");
                return text;
            }
            assert!(!line.is_empty(), "the server has gone: {command}: {text}");
        }
    }
}

/// A site whose mailboxes are our own, with an IMAP service.
fn site() -> (Site, Address) {
    let imap = address();
    let site = Site::new("mx.test");
    let folder = site.folder("kept");
    let (uid, gid) = testbed::mailbox_owner();
    let users: String = ["ann", "bob"]
        .map(|user| format!("{user}@box.test:{{PLAIN}}secret:{uid}:{gid}::{}/{user}::\n", folder.display()))
        .concat();
    let users = site.put("users", &users);
    let site = site
        .set("virtual_transport", "store")
        .set("passdb", &format!("passwd-file:{}", users.display()))
        .set("userdb", &format!("passwd-file:{}", users.display()))
        .set("mail_location", "facteur:~/mail")
        .set("mail_uid", &uid.to_string())
        .set("mail_gid", &gid.to_string())
        .service(&format!("{}:{} inet n - n - - imapd", imap.ip(), imap.port()));
    (site, imap)
}

fn wait_for(instance: &Instance, count: usize) {
    wait::until("the mail is kept", || {
        (instance.log().matches("status=sent").count() >= count).then_some(())
    });
}

#[test]
fn mail_is_kept_and_read() {
    let (site, imap) = site();
    let instance = site.start();
    instance.send("a@far.test", &["ann@box.test", "bob@box.test"], "Subject: one\n\nhello\n");
    instance.send("a@far.test", &["ann@box.test"], "Subject: two\n\nagain\n");
    wait_for(&instance, 3);
    let mut ann = Reader::login(imap, "ann@box.test", "secret");
    assert!(ann.ask("SELECT INBOX").contains("* 2 EXISTS"));
    let fetched = ann.ask("FETCH 1:2 (UID BODY.PEEK[HEADER.FIELDS (SUBJECT DELIVERED-TO)])");
    assert!(fetched.contains("Subject: one\r\n") && fetched.contains("Subject: two\r\n"), "{fetched}");
    assert_eq!(fetched.matches("Delivered-To: ann@box.test\r\n").count(), 2, "{fetched}");
    ann.ask("STORE 1 +FLAGS.SILENT (\\Deleted)");
    assert!(ann.ask("EXPUNGE").contains("* 1 EXPUNGE"));
    let mut bob = Reader::login(imap, "bob@box.test", "secret");
    assert!(bob.ask("SELECT INBOX").contains("* 1 EXISTS"));
    // What comes while a client idles is told at once.
    write!(bob.stream.get_mut(), "i IDLE\r\n").expect("the server listens");
    assert!(bob.line().starts_with('+'));
    instance.send("a@far.test", &["bob@box.test"], "Subject: three\n\n!\n");
    assert_eq!(bob.line(), "* 2 EXISTS\r\n");
    let log = instance.log();
    assert!(log.contains("imap-login: Login: user=<ann@box.test>, method=PLAIN"), "{log}");
    assert!(!log.contains("secret"), "no password in the log");
}

#[test]
fn mail_survives_the_end_of_the_program() {
    let (site, imap) = site();
    let mut instance = site.start();
    for number in 0..20 {
        instance.send("a@far.test", &["ann@box.test"], &format!("Subject: {number}\n\nhello\n"));
    }
    instance.kill();
    instance.launch();
    wait::until("all of it is kept", || {
        let mut ann = Reader::login(imap, "ann@box.test", "secret");
        ann.ask("STATUS INBOX (MESSAGES)").contains("(MESSAGES 20)").then_some(())
    });
    // Nothing comes twice either.
    wait::until("the queue is empty", || {
        instance.run("postqueue", &["-p"]).out.starts_with("Mail queue is empty").then_some(())
    });
    let mut ann = Reader::login(imap, "ann@box.test", "secret");
    assert!(ann.ask("STATUS INBOX (MESSAGES UIDNEXT)").contains("MESSAGES 20 UIDNEXT 21"));
}

/// Says something in clear and reads a line.
fn ask_line(stream: &mut TcpStream, command: &str) -> String {
    stream.write_all(command.as_bytes()).expect("the server listens");
    let mut line = Vec::new();
    // Byte by byte: what follows belongs to the handshake.
    while !line.ends_with(b"\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the server answers");
        line.push(byte[0]);
    }
    String::from_utf8_lossy(&line).into_owned()
}

#[test]
fn tls_shows_the_certificate_of_the_name_that_is_asked_for() {
    let (site, imap) = site();
    let lmtp = address();
    let (root, chain) = testbed::tls::certificate("other.test");
    let (root, chain) = (site.put("other-root.pem", &root), site.put("other-chain.pem", &chain));
    let mx = site
        .with_tls("mx.test")
        .set("tls_server_sni_maps", &format!("inline:{{ {{other.test={}}} }}", chain.display()))
        .service(&format!("{}:{} inet n - n - - lmtpd", lmtp.ip(), lmtp.port()))
        .start();
    let authority = mx.site().authority();
    for (authority, name) in [(&authority, "mx.test"), (&root, "other.test")] {
        let mut client = wait::until("lmtpd", || testbed::Client::connect(lmtp).ok());
        assert_eq!(client.reply().code, 220);
        assert!(client.ask("LHLO me.test").offers("STARTTLS"));
        client.expect(220, "STARTTLS");
        client.secure(authority, name).expect("the certificate is of that name");
        assert!(!client.ask("LHLO me.test").offers("STARTTLS"));
        let mut stream = wait::until("imapd", || TcpStream::connect(imap).ok());
        stream.set_read_timeout(Some(wait::LIMIT)).expect("a time-out");
        assert!(ask_line(&mut stream, "").contains("STARTTLS"));
        assert!(ask_line(&mut stream, "a STARTTLS\r\n").starts_with("a OK"));
        testbed::tls::connect(stream, authority, name).expect("the certificate is of that name");
    }
}
