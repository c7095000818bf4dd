//! Real programs from the distribution: they talk to ours, and ours to them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use testbed::kept::outcome;
use testbed::{Client, Kept, Site, address, neighbour, wait};

use crate::postfix::Postfix;

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
    let _sink = Kept::new(
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
    assert!(outcome(child).status.success());
    let message = mx.maildir("bob").one();
    assert!(message.contains("Subject: from mailx\n") && message.contains("hello\n"), "{message}");
}

#[test]
fn a_real_postfix_is_told_who_our_client_is() {
    let Some([master, _setsid]) = neighbour::installed(["master", "setsid"]) else { return };
    if !neighbour::root() {
        return;
    }
    let real = Postfix::start(master, "", "smtpd_authorized_xforward_hosts = 127.0.0.0/8\n");
    let ours = Site::new("front.test")
        .set("virtual_mailbox_domains", "")
        .set("relayhost", &real.site.nexthop())
        .set("smtp_send_xforward_command", "yes")
        .set("smtpd_authorized_xclient_hosts", "127.0.0.0/8")
        .set("mynetworks", "127.0.0.0/8 192.0.2.0/24")
        .start();
    let mut client = ours.client();
    client.hello();
    assert_eq!(client.ask("XCLIENT NAME=far.test ADDR=192.0.2.7").code, 220);
    client.hello();
    assert_eq!(client.deliver("a@far.test", &["bob@box.test"], "Subject: told\n\nx\n").code, 250);
    let message = real.site.maildir("bob").one();
    // Its log and its Received header name the client of our client, as with a Postfix in front.
    let log = wait::until("the log of Postfix", || {
        Some(real.log()).filter(|log| log.contains("orig_client=far.test[192.0.2.7]"))
    });
    assert!(log.contains("orig_queue_id="), "{log}");
    assert!(message.contains("by front.test (Postfix) with "), "{message}");
}

#[test]
fn we_are_backup_mx_of_a_real_postfix_and_it_is_ours() {
    let Some([master, _setsid]) = neighbour::installed(["master", "setsid"]) else { return };
    if !neighbour::root() {
        return;
    }
    // The real one is away: we keep its mail until it asks for it.
    let prepared = Postfix::prepare("", "");
    let backup = Site::new("backup.test")
        .set("virtual_mailbox_domains", "")
        .set("relay_domains", "box.test")
        .set("fast_flush_domains", "$relay_domains")
        .set("transport_maps", &format!("inline:{{box.test=relay:{}}}", prepared.nexthop()))
        .service("relay unix - - n - - smtp")
        .start();
    backup.send("a@far.test", &["bob@box.test"], "Subject: kept\n\nx\n");
    backup.wait_log(&["to=<bob@box.test>", "status=deferred"]);
    let real = Postfix::launch(master.clone(), prepared);
    let mut client = backup.client();
    client.hello();
    assert_eq!(client.ask("ETRN box.test").code, 250);
    let message = real.site.maildir("bob").one();
    assert!(message.contains("Subject: kept\n") && message.contains("by backup.test ("), "{message}");
    drop(real);
    // We are away: it keeps our mail until the queue is flushed.
    let mut ours = Site::new("ours.test").start();
    ours.stop();
    let more = format!(
        "relay_domains = ours.test\ntransport_maps = inline:{{ours.test=smtp:{}}}\n\
         minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s\n",
        ours.nexthop()
    );
    let real = Postfix::start(master, "", &more);
    let mut client = Client::greeted(real.site.smtp());
    client.hello();
    assert_eq!(client.deliver("a@far.test", &["postmaster@ours.test"], "Subject: back\n\nx\n").code, 250);
    wait::until("Postfix to find us away", || real.log().contains("status=deferred").then_some(()));
    ours.restart();
    ours.wait_log(&["to=<postmaster@ours.test>"]);
}

#[test]
fn a_real_dovecot_takes_our_mail_by_lmtp() {
    let Some([dovecot]) = neighbour::installed(["dovecot"]) else { return };
    if !neighbour::root() {
        return;
    }
    if !std::path::Path::new("/usr/lib/dovecot/lmtp").exists() {
        return neighbour::skip("not installed: dovecot-lmtpd");
    }
    let lmtp = address();
    let site = Site::new("mx.test");
    let boxes = site.folder("boxes").display().to_string();
    let run = site.path().join("dovecot");
    fs::create_dir(&run).expect("it is ours");
    let conf = site.put(
        "dovecot.conf",
        &format!(
            "base_dir = {run}/run\nstate_dir = {run}\nlog_path = {run}/log\nprotocols = lmtp\nssl = no\n\
             default_internal_user = nobody\ndefault_internal_group = nogroup\ndefault_login_user = nobody\n\
             first_valid_uid = 1\nmail_location = maildir:{boxes}/%n\nrecipient_delimiter = +\n\
             postmaster_address = postmaster@mx.test\n\
             passdb {{\n driver = static\n args = nopassword=y\n}}\n\
             userdb {{\n driver = passwd-file\n args = username_format=%n {run}/users\n}}\n\
             service lmtp {{\n inet_listener lmtp {{\n  address = {ip}\n  port = {port}\n }}\n}}\n",
            run = run.display(),
            ip = lmtp.ip(),
            port = lmtp.port(),
        ),
    );
    fs::write(run.join("users"), format!("bob::65534:65534::{boxes}/bob::\n")).expect("it is ours");
    let _real = Kept::new(
        Command::new(dovecot)
            .args(["-F", "-c"])
            .arg(&conf)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts"),
    );
    wait::until("dovecot", || Client::connect(lmtp).ok());
    let ours = site
        .set("virtual_transport", &format!("lmtp:inet:{}:{}", lmtp.ip(), lmtp.port()))
        .set("virtual_mailbox_maps", "static:all")
        .start();
    let dovecot_log = || fs::read_to_string(run.join("log")).unwrap_or_default();
    ours.send("a@far.test", &["bob@box.test", "nosuch@box.test"], "Subject: lmtp\n\n.dot\n..dots\n");
    ours.wait_log(&["to=<bob@box.test>", "status=sent (250 2.0.0 <bob@box.test>"]);
    ours.wait_log(&["to=<nosuch@box.test>", "dsn=5.1.1, status=bounced"]);
    let message = testbed::Maildir::at(format!("{boxes}/bob")).one();
    assert!(message.contains("\n.dot\n..dots\n"), "{message}\n{}", dovecot_log());
    assert!(message.contains("Return-Path: <a@far.test>"), "{message}");
}

#[test]
fn s_nail_and_what_cron_does_go_through_our_sendmail() {
    let mx = Site::new("mx.test").start();
    let links = mx.site().path().join("links");
    fs::create_dir(&links).expect("it is ours");
    assert_eq!(mx.run("install-links", &[links.to_str().expect("plain text")]).status, 0);
    let pipe_to = |program: &std::path::Path, arguments: &[&str], text: &[u8]| {
        let mut child = Command::new(program)
            .args(arguments)
            .env("MAIL_CONFIG", mx.site().conf())
            .env("MAILRC", "/dev/null")
            .stdin(Stdio::piped())
            .spawn()
            .expect("it starts");
        use std::io::Write;
        child.stdin.take().expect("it was asked for").write_all(text).expect("it reads");
        assert!(outcome(child).status.success());
    };
    // Debian's cron calls it so, with the header on standard input.
    let cron = b"From: root (Cron Daemon)\nTo: bob@box.test\nSubject: Cron <root@mx> date\n\
        MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\
        X-Cron-Env: <SHELL=/bin/sh>\n\n\xc3\xa9\n.\nend\n";
    let sendmail = links.join("sendmail");
    pipe_to(&sendmail, &["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "bob@box.test"], cron);
    let message = mx.maildir("bob").one();
    assert!(
        message.contains("Subject: Cron <root@mx> date\n") && message.ends_with("\n.\nend\n"),
        "{message}"
    );
    assert!(message.contains("\nContent-Transfer-Encoding: 8bit\n"), "{message}");
    let Some([nail]) = neighbour::installed(["s-nail"]) else { return };
    let mta = format!("mta={}", sendmail.display());
    pipe_to(&nail, &["-S", &mta, "-s", "from s-nail", "-r", "ann@box.test", "carol@box.test"], b"hello\n");
    assert!(mx.maildir("carol").one().contains("Subject: from s-nail\n"));
}

/// Debian's cron calls `/usr/sbin/sendmail` and reads `/var/spool/cron`: in a mount namespace of its own it finds ours.
#[test]
fn what_a_real_cron_has_to_say_arrives() {
    let Some([cron, unshare]) = neighbour::installed(["cron", "unshare"]) else { return };
    if !neighbour::root() {
        return;
    }
    let allowed = Command::new(&unshare).args(["-m", "mount", "--make-rprivate", "/"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        // Nothing to install would change that: a container may forbid it.
        return eprintln!("what_a_real_cron_has_to_say_arrives: skipped, no mount namespaces here");
    }
    let mx = Site::new("mx.test").start();
    let dir = mx.site().path().join("cron");
    for folder in ["spool/crontabs", "run"] {
        fs::create_dir_all(dir.join(folder)).expect("it is ours");
    }
    let table = dir.join("spool/crontabs/root");
    fs::write(&table, "MAILTO=bob@box.test\n@reboot echo said by a job\n").expect("it is ours");
    fs::set_permissions(&table, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let call =
        format!("exec {} sendmail -C {} \"$@\"", testbed::program().display(), mx.site().conf().display());
    let sendmail = mx.site().script("sendmail", &call);
    let script = format!(
        "mount --bind {dir}/spool /var/spool/cron && mount --bind {dir}/run /run && \
         mount --bind {sendmail} /usr/sbin/sendmail && exec {cron} -f",
        dir = dir.display(),
        sendmail = sendmail.display(),
        cron = cron.display()
    );
    let running = Command::new(unshare).args(["-m", "sh", "-c", &script]).spawn().expect("it starts");
    let _cron = Kept::new(running);
    let message = mx.maildir("bob").one();
    assert!(message.contains("Subject: Cron <root@") && message.contains("said by a job\n"), "{message}");
}
