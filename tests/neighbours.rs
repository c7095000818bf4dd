//! Real programs from the distribution: they talk to ours, and ours to them.

use std::fs;
use std::process::{Command, Stdio};

use testbed::{Client, Site, address, neighbour, wait};

use crate::postfix::{Kept, Postfix};

#[test]
fn swaks_sends_with_tls() {
    let Some([swaks]) = neighbour::installed(["swaks"]) else { return };
    let able = Command::new(&swaks).arg("--support").output().expect("it starts");
    if !String::from_utf8_lossy(&able.stdout).contains("TLS supported") {
        return neighbour::skip("swaks has no TLS: install libnet-ssleay-perl");
    }
    let mx = Site::new("mx.test").with_tls("mx.test").set("smtpd_tls_received_header", "yes").start();
    let output = Command::new(swaks)
        .args(["--server", &mx.smtp().ip().to_string(), "--port", &mx.smtp().port().to_string()])
        .args(["--from", "ann@box.test", "--to", "bob@box.test", "--helo", "swaks.test", "--tls"])
        .args(["--header", "Subject: from swaks", "--body", "a line\n.\n..two dots\n"])
        .arg("--tls-ca-path")
        .arg(mx.site().authority())
        .args(["--tls-verify"])
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{output:?}");
    let message = mx.maildir("bob").one();
    assert!(message.contains("Subject: from swaks\n") && message.contains("\n.\n..two dots\n"), "{message}");
    assert!(message.contains("(using TLSv1.3 with cipher "), "{message}");
    assert!(message.contains("with ESMTPS id "), "{message}");
}

#[test]
fn a_thousand_messages_of_smtp_source_come_through_to_smtp_sink() {
    let Some([source, sink]) = neighbour::installed(["smtp-source", "smtp-sink"]) else { return };
    let far = address();
    let count = std::env::temp_dir().join(format!("facteur-sink-{}", std::process::id()));
    let root = nix::unistd::getuid().is_root();
    let rights: &[&str] = if root { &["-c", "-u", "nobody"] } else { &["-c"] };
    let _sink = Kept(
        Command::new(sink)
            .args(rights)
            .args([&format!("inet:{}:{}", far.ip(), far.port()), "100"])
            .stdin(Stdio::null())
            .stdout(fs::File::create(&count).expect("/tmp is there"))
            .spawn()
            .expect("it starts"),
    );
    wait::until("smtp-sink", || Client::connect(far).ok());
    let mx = Site::new("mx.test").set("relayhost", &format!("[{}]:{}", far.ip(), far.port())).start();
    let output = Command::new(source)
        .args(["-s", "10", "-m", "1000", "-l", "4000", "-f", "a@x.test", "-t", "b@far.test"])
        .arg(format!("inet:{}:{}", mx.smtp().ip(), mx.smtp().port()))
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{output:?}");
    let sent = || (mx.log().matches("status=sent").count() >= 1000).then_some(());
    assert!(
        wait::within(wait::LIMIT * 2, sent).is_some(),
        "{} sent",
        mx.log().matches("status=sent").count()
    );
    assert_eq!(mx.log().matches("status=sent").count(), 1000);
    // Its counter stands where it overwrites itself.
    let shown = wait::until("the count of smtp-sink", || {
        let text = fs::read_to_string(&count).ok()?;
        let last = text
            .split('\r')
            .rev()
            .find_map(|part| part.rsplit_once("mesg=")?.1.trim().parse::<u32>().ok())?;
        (last >= 1000).then_some(last)
    });
    assert_eq!(shown, 1000);
    let _ = fs::remove_file(count);
}

#[test]
fn a_real_postfix_relays_to_us_and_we_relay_to_it() {
    let Some([master, _setsid]) = neighbour::installed(["master", "setsid"]) else { return };
    if !neighbour::root() {
        return;
    }
    let last = Site::new("last.test").start();
    let real = Postfix::start(master, &last.nexthop(), "");
    let first = Site::new("first.test")
        .set("virtual_mailbox_domains", "")
        .set("relayhost", &real.site.nexthop())
        .start();
    let content = "Subject: chain\n\n.dot\n..dots\nlong ".to_owned() + &"x".repeat(1200) + "\n";
    // From us to Postfix's mailbox.
    first.send("a@x.test", &["bob@box.test"], &content);
    first.wait_log(&["to=<bob@box.test>", "status=sent (250 2.0.0 Ok: queued as "]);
    let message = real.site.maildir("bob").one();
    assert!(message.contains("\n.dot\n..dots\n"), "{message}");
    assert!(message.contains("by real.test (Postfix)") && message.contains("by first.test ("), "{message}");
    // From us through Postfix to us; what nobody takes comes back the same way.
    first.send("a@x.test", &["x@last.test"], "Subject: through\n\nx\n");
    let line = last.wait_log(&["to=<x@last.test>"]);
    assert!(line.contains("status=bounced"), "{line}");
    let log =
        wait::until("the log of Postfix", || Some(real.log()).filter(|log| log.contains("to=<x@last.test>")));
    assert!(log.contains("status=sent (250 2.0.0 Ok: queued as"), "{log}");
}

#[test]
fn a_real_postfix_asks_us_about_logins() {
    let Some([master, _setsid]) = neighbour::installed(["master", "setsid"]) else { return };
    if !neighbour::root() {
        return;
    }
    let at = address();
    let users = Site::bare(address());
    let file = users.put("users", "joe:{SSHA256}WnO47Wpy/N3wLIVz25hU2hQpkerZbSOHEuxVCyW76OhvxSch\n");
    let ours = Site::new("auth.test")
        .set("passdb", &format!("passwd-file:{}", file.display()))
        .set("auth_mechanisms", "plain login scram-sha-256")
        .set("auth_failure_delay", "0")
        .service(&format!("{}:{} inet n - n - - auth", at.ip(), at.port()))
        .start();
    let more = format!(
        "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = inet:{}:{}\n",
        at.ip(),
        at.port()
    );
    let real = Postfix::start(master, "", &more);
    for _ in 0..2 {
        let mut client = Client::greeted(real.site.smtp());
        assert!(client.hello().text.contains("AUTH PLAIN LOGIN SCRAM-SHA-256"), "{}", real.log());
        assert_eq!(client.ask("AUTH PLAIN AGpvZQB3cm9uZw==").code, 535, "{}", real.log());
        assert_eq!(client.ask("AUTH LOGIN").code, 334);
        assert_eq!(client.ask("am9l").code, 334);
        assert_eq!(client.ask("c2VjcmV0").code, 235, "{}", real.log());
        client.ask("QUIT");
    }
    assert!(!ours.log().contains("secret"), "{}", ours.log());
}

#[test]
fn a_real_postfix_delivers_to_us_by_lmtp() {
    let Some([master, _setsid]) = neighbour::installed(["master", "setsid"]) else { return };
    if !neighbour::root() {
        return;
    }
    let lmtp = address();
    let site = Site::new("boxes.test");
    let dir = site.path().display().to_string();
    site.put("users", "bob@box.test::::::\n");
    let kept = site.folder("kept");
    let (uid, gid) = testbed::mailbox_owner();
    let boxes = site
        .set("userdb", &format!("passwd-file:{dir}/conf/users"))
        .set("mail_location", &format!("maildir:{}/%n", kept.display()))
        .set("mail_uid", &uid.to_string())
        .set("mail_gid", &gid.to_string())
        .set("recipient_delimiter", "+")
        .service(&format!("{}:{} inet n - n - - lmtpd", lmtp.ip(), lmtp.port()))
        .start();
    let more = format!(
        "virtual_transport = lmtp:inet:[{}]:{}\nvirtual_mailbox_maps =\nrecipient_delimiter = +\n",
        lmtp.ip(),
        lmtp.port()
    );
    let real = Postfix::start(master, "", &more);
    let mut client = Client::greeted(real.site.smtp());
    let content = "Subject: lmtp\nMessage-ID: <lmtp@far.test>\n\n.dot\n";
    client.hello();
    client.deliver("a@far.test", &["bob@box.test", "bob+list@box.test", "nobody@box.test"], content);
    boxes.wait_log(&["msgid=<lmtp@far.test>: saved mail to INBOX"]);
    let log = wait::until("the log of Postfix", || {
        Some(real.log()).filter(|log| {
            ["bob", "bob+list", "nobody"].iter().all(|user| log.contains(&format!("to=<{user}@box.test>")))
        })
    });
    let line = |user: &str| log.lines().find(|line| line.contains(&format!("to=<{user}@box.test>")));
    for user in ["bob", "bob+list"] {
        assert!(line(user).is_some_and(|line| line.contains("dsn=2.0.0, status=sent (250 2.0.0 <")), "{log}");
    }
    assert!(line("nobody").is_some_and(|line| line.contains("dsn=5.1.1, status=bounced")), "{log}");
    let new = kept.join("bob/new");
    let files: Vec<_> =
        fs::read_dir(new).expect("it was made").map(|file| file.expect("it is there").path()).collect();
    assert_eq!(files.len(), 2, "{}", boxes.log());
    let message = fs::read_to_string(&files[0]).expect("it is text");
    assert!(message.starts_with("Return-Path: <a@far.test>\nDelivered-To: bob@box.test\n"), "{message}");
    assert!(message.contains("\tby boxes.test with LMTP\n") && message.ends_with("\n.dot\n"), "{message}");
}

#[test]
fn mail_of_bsd_mailx_goes_through_our_sendmail_link() {
    let Some([mail]) = neighbour::installed(["bsd-mailx"]) else { return };
    let mx = Site::new("mx.test").start();
    let links = mx.site().path().join("links");
    fs::create_dir(&links).expect("it is ours");
    let said = mx.run("install-links", &[links.to_str().expect("plain text")]);
    assert_eq!(said.status, 0, "{said:?}");
    let settings = mx.site().put("mailrc", &format!("set sendmail={}\n", links.join("sendmail").display()));
    let mut child = Command::new(mail)
        .args(["-s", "from mailx", "-r", "ann@box.test", "bob@box.test"])
        .env("MAILRC", settings)
        .env("MAIL_CONFIG", mx.site().conf())
        .stdin(Stdio::piped())
        .spawn()
        .expect("it starts");
    use std::io::Write;
    child.stdin.take().expect("it was asked for").write_all(b"hello\n.\nworld\n").expect("it reads");
    assert!(child.wait().expect("our child").success());
    let message = mx.maildir("bob").one();
    assert!(message.contains("Subject: from mailx\n") && message.contains("hello\n"), "{message}");
}
