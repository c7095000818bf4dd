//! Sessions over a socket, into Maildirs.

use std::path::Path;
use std::sync::Arc;

use conf::{Block, Facts, MainCf, Registry, View};
use imap::accounts::Accounts;
use jiff::tz::TimeZone;
use net::{Endpoint, Listener};
use people::People;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{Lmtpd, Parts};

struct Site {
    directory: tempfile::TempDir,
    stream: BufReader<TcpStream>,
}

impl Site {
    async fn new(settings: &str) -> Site {
        let directory = tempfile::Builder::new().prefix("facteur-lmtp-").tempdir().unwrap();
        let dir = directory.path().display();
        let users = "joe@box.test::::::\nann@box.test:::::::userdb_quota_rule=*:bytes=10\n";
        std::fs::write(directory.path().join("users"), users).unwrap();
        let text = format!(
            "passdb = passwd-file:{dir}/users\nuserdb = passwd-file:{dir}/users\nmyhostname = mx.test\n\
             mail_location = maildir:{dir}/%n\nmailbox_special_use_create = no\nrecipient_delimiter = +\n{settings}"
        );
        let (main, mistakes) = MainCf::parse(&text, Path::new("main.cf"));
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let blocks = [
            crate::params::Lmtpd::DECLARATIONS,
            imap::params::Access::DECLARATIONS,
            net::params::ServerTls::DECLARATIONS,
            net::params::Tls::DECLARATIONS,
            people::params::Logins::DECLARATIONS,
            store::params::Mailboxes::DECLARATIONS,
            queue::params::Storage::DECLARATIONS,
            conf::params::Site::DECLARATIONS,
            conf::params::Paths::DECLARATIONS,
        ];
        let view = View::new(Registry::new(&blocks), main, Facts::default());
        let told = &mut Vec::new();
        super::check(&view, told);
        let people = People::read(&view, people::Parts { clock: Arc::new(|| 0) }, told);
        let accounts = Accounts::read(&view, || 1_700_000_000, told);
        assert!(told.is_empty(), "{told:?}");
        let service = Lmtpd::new(Parts { view: &view, people, accounts, zone: TimeZone::UTC, owner: None });
        let listener = Listener::bind(&[Endpoint::Tcp("127.0.0.1:0".parse().unwrap())], 0).unwrap();
        let Some(Endpoint::Tcp(address)) = listener.endpoints().next().cloned() else {
            panic!("asked for TCP")
        };
        tokio::spawn(async move {
            let accepted = listener.accept().await;
            service.session(accepted).await;
        });
        let stream = BufReader::new(TcpStream::connect(address).await.unwrap());
        let mut site = Site { directory, stream };
        site.hear("220 mx.test").await;
        site
    }

    async fn say(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.replace('\n', "\r\n").as_bytes()).await.unwrap();
    }

    async fn hear(&mut self, expected: &str) {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.unwrap();
        assert!(line.starts_with(expected), "wanted {expected:?}, heard {line:?}");
    }

    /// The messages in a folder of a user.
    fn mail(&self, folder: &str) -> Vec<String> {
        let Ok(files) = std::fs::read_dir(self.directory.path().join(folder).join("new")) else {
            return Vec::new();
        };
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }

    async fn lhlo(&mut self) {
        self.say("LHLO me.test\n").await;
        for word in
            ["mx.test", "SIZE", "8BITMIME", "CHUNKING", "ENHANCEDSTATUSCODES", "PIPELINING", "SMTPUTF8"]
        {
            self.hear(&format!("250-{word}")).await;
        }
        self.hear("250 VRFY").await;
    }
}

const MESSAGE: &str = "Message-ID: <m@me.test>\nSubject: s\n\nbody\n..dot\n.\n";

#[tokio::test]
async fn every_recipient_has_a_reply() {
    let mut site = Site::new("").await;
    site.lhlo().await;
    site.say("MAIL FROM:<a@me.test> BODY=8BITMIME\nRCPT TO:<Joe@box.test>\nRCPT TO:<bob@box.test>\n").await;
    site.say("RCPT TO:<ann@box.test>\nRCPT TO:<joe+list@box.test>\nDATA\n").await;
    for reply in
        ["250 2.1.0 ", "250 2.1.5 ", "550 5.1.1 <bob@box.test> User doesn't exist", "250", "250", "354"]
    {
        site.hear(reply).await;
    }
    site.say(MESSAGE).await;
    site.hear("250 2.0.0 <Joe@box.test> ").await;
    site.hear("552 5.2.2 <ann@box.test> Quota exceeded (mailbox for user is full)").await;
    site.hear("250 2.0.0 <joe+list@box.test> ").await;
    site.say("QUIT\n").await;
    site.hear("221 2.0.0 Bye").await;
    let mail = site.mail("joe");
    assert_eq!(mail.len(), 2);
    for message in &mail {
        let start = "Return-Path: <a@me.test>\nDelivered-To: joe@box.test\nReceived: from me.test ([127.0.0.1])\n\tby mx.test with LMTP\n";
        assert!(message.starts_with(start), "{message}");
        assert!(message.ends_with("Subject: s\n\nbody\n.dot\n"), "{message}");
    }
    assert!(site.mail("ann").is_empty());
}

#[tokio::test]
async fn chunks_make_a_message() {
    let mut site = Site::new("quota_full_tempfail = yes\n").await;
    site.lhlo().await;
    site.say("MAIL FROM:<>\nRCPT TO:<joe@box.test>\nRCPT TO:<ann@box.test>\nBDAT 12\nSubject: s\nBDAT 8 LAST\n\nbody\n\n")
        .await;
    for reply in ["250", "250", "250", "250 2.0.0 OK"] {
        site.hear(reply).await;
    }
    site.hear("250 2.0.0 <joe@box.test>").await;
    site.hear("452 4.2.2 <ann@box.test>").await;
    let mail = site.mail("joe");
    assert!(mail[0].starts_with("Return-Path: <>\n") && mail[0].contains("Subject: s\n"), "{mail:?}");
}

#[tokio::test]
async fn commands_have_their_order() {
    let mut site = Site::new("message_size_limit = 100\n").await;
    for (said, heard) in [
        ("EHLO x", "500 5.5.1"),
        ("MAIL FROM:<a@b>", "503 5.5.1 LHLO needed first"),
        ("RCPT TO:<joe@box.test>", "503 5.5.1 MAIL needed first"),
        ("DATA", "503 5.5.1 MAIL needed first"),
        ("FOO", "502 5.5.2 Unknown command"),
        ("VRFY joe", "252 2.3.3"),
        ("NOOP", "250 2.0.0"),
        ("LHLO", "501 5.5.4"),
    ] {
        site.say(&format!("{said}\n")).await;
        site.hear(heard).await;
    }
    site.lhlo().await;
    for (said, heard) in [
        ("MAIL FROM:<a@b> SIZE=1000", "552 5.3.4"),
        ("MAIL FROM:<a@b> FOO=1", "555 5.5.4"),
        ("MAIL FROM:<a@b>", "250 2.1.0"),
        ("MAIL FROM:<a@b>", "503 5.5.1 MAIL already given"),
        ("RCPT TO:<>", "501 5.1.3"),
        ("DATA", "554 5.5.1 No valid recipients"),
        ("BDAT 4\nabcd", "554 5.5.1 No valid recipients"),
        ("RSET", "250 2.0.0"),
        ("MAIL FROM:<a@b>", "250 2.1.0"),
        ("RCPT TO:<joe@box.test>", "250 2.1.5"),
        ("DATA", "354"),
    ] {
        let end = if said.contains("abcd") { "" } else { "\n" };
        site.say(&format!("{said}{end}")).await;
        site.hear(heard).await;
    }
    site.say(&format!("{}\n.\n", "x".repeat(200))).await;
    site.hear("552 5.3.4").await;
    assert!(site.mail("joe").is_empty());
}

#[tokio::test]
async fn a_detail_may_name_a_mailbox() {
    let settings = "lmtp_save_to_detail_mailbox = yes\nlda_mailbox_autocreate = yes\n\
                    lmtp_hdr_delivery_address = original\nlmtp_add_received_header = no\nlmtp_rcpt_check_quota = yes\n";
    let mut site = Site::new(settings).await;
    site.lhlo().await;
    site.say("MAIL FROM:<a@b>\nRCPT TO:<joe+lists@box.test>\nRCPT TO:<joe+../x@box.test>\nDATA\n").await;
    for reply in ["250", "250", "250", "354"] {
        site.hear(reply).await;
    }
    site.say(MESSAGE).await;
    site.hear("250 2.0.0").await;
    site.hear("250 2.0.0").await;
    let lists = site.mail("joe/.lists");
    let start = "Return-Path: <a@b>\nDelivered-To: joe+lists@box.test\nMessage-ID: ";
    assert!(lists.len() == 1 && lists[0].starts_with(start), "{lists:?}");
    assert_eq!(site.mail("joe").len(), 1, "a name that breaks the rules is INBOX");
}
