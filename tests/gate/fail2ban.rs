//! The filters that fail2ban ships, over a log of ours; and its server, beside our own bans.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use testbed::{Crowd, Exchange, Instance, Kept, Site, address, neighbour, wait};

/// How many lines a filter matches.
fn matched(program: &Path, log: &Path, filter: &str) -> u32 {
    let output = Command::new(program).arg(log).arg(filter).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line =
        text.lines().find(|line| line.starts_with("Lines: ")).unwrap_or_else(|| panic!("{filter}: {text}"));
    let count = line.split(", ").find_map(|part| part.strip_suffix(" matched")).expect("a count");
    count.parse().expect("a number")
}

#[test]
fn the_filters_of_fail2ban_find_what_they_look_for() {
    let Some([regex]) = neighbour::installed(["fail2ban-regex"]) else { return };
    let (imap, pop) = (address(), address());
    let site = Site::new("mx.test");
    let users = site.put("users", "joe:{PLAIN}secret\n");
    let mx = site
        .set("smtpd_sasl_auth_enable", "yes")
        .set("smtpd_sasl_type", "facteur")
        .set("passdb", &format!("passwd-file:{}", users.display()))
        .set("userdb", "static: uid=65534 gid=65534 home=/nonexistent")
        .set("mail_location", "facteur:~/mail")
        .set("disable_plaintext_auth", "no")
        .set("auth_failure_delay", "0")
        .set("mynetworks", "10.0.0.0/8")
        .set("smtpd_relay_restrictions", "reject_unauth_destination")
        .set("smtpd_recipient_restrictions", "reject_unauth_destination, reject_non_fqdn_sender")
        .service(&format!("{}:{} inet n - n - - imapd", imap.ip(), imap.port()))
        .service(&format!("{}:{} inet n - n - - pop3d", pop.ip(), pop.port()))
        .start();
    let mut client = mx.client();
    client.hello();
    assert_eq!(client.ask("AUTH PLAIN AGpvZQB3cm9uZw==").code, 535);
    assert_eq!(client.ask("AUTH PLAIN AGV2ZQB3cm9uZw==").code, 535);
    client.ask("MAIL FROM:<ann@far.test>");
    assert_eq!(client.ask("RCPT TO:<x@elsewhere.test>").code, 554);
    assert_eq!(client.ask("RCPT TO:<nobody@box.test>").code, 550);
    client.ask("QUIT");
    for (at, words, end) in [
        (imap, "a LOGIN joe wrong\r\nb LOGOUT\r\n", "b "),
        (pop, "USER joe\r\nPASS wrong\r\nQUIT\r\n", "+OK Logging out"),
    ] {
        let stream = wait::until("the server", || TcpStream::connect(at).ok());
        stream.set_read_timeout(Some(wait::LIMIT)).expect("a time-out");
        let mut stream = BufReader::new(stream);
        stream.get_mut().write_all(words.as_bytes()).expect("it listens");
        let mut line = String::new();
        while !line.starts_with(end) {
            line.clear();
            assert!(stream.read_line(&mut line).expect("it answers") > 0, "{}", mx.log());
        }
    }
    for line in
        ["imap-login: Disconnected", "pop3-login: Disconnected", "disconnect from unknown[127.0.0.1] ehlo=1"]
    {
        mx.wait_log(&[line]);
    }
    let log = mx.site().path().join("mail.log");
    // auth=1: logins; more: logins are not among them, refusals are; aggressive: all.
    assert_eq!(matched(&regex, &log, "postfix[mode=auth]"), 2, "{}", mx.log());
    assert!(matched(&regex, &log, "postfix[mode=normal]") >= 2, "{}", mx.log());
    assert!(matched(&regex, &log, "postfix[mode=aggressive]") >= 4, "{}", mx.log());
    assert_eq!(matched(&regex, &log, "dovecot"), 2, "{}", mx.log());
}

/// The jails of Debian's package that concern mail, with its filters and limits; who is banned is noted in a file.
fn jailed(server: &Path, mx: &Instance) -> (Kept, std::path::PathBuf) {
    let directory = mx.site().path().join("fail2ban");
    std::fs::create_dir_all(directory.join("action.d")).expect("it is ours");
    for part in ["fail2ban.conf", "jail.conf", "paths-debian.conf", "paths-common.conf", "filter.d"] {
        let there = Path::new("/etc/fail2ban").join(part);
        std::os::unix::fs::symlink(there, directory.join(part)).expect("it is ours");
    }
    let banned = directory.join("banned");
    let put = |name: &str, text: String| std::fs::write(directory.join(name), text).expect("it is ours");
    put("action.d/note.conf", format!("[Definition]\nactionban = echo <ip> >> {}\n", banned.display()));
    let log = mx.site().path().join("mail.log").display().to_string();
    put(
        "jail.local",
        format!(
            "[DEFAULT]\nbackend = polling\naction = note\nignoreself = false\nignoreip =\n\
             [postfix-sasl]\nenabled = true\nlogpath = {log}\n\
             [dovecot]\nenabled = true\nlogpath = {log}\n"
        ),
    );
    let at = |name: &str| directory.join(name).display().to_string();
    put(
        "fail2ban.local",
        format!("[Definition]\ndbfile = None\nlogtarget = {}\nloglevel = INFO\n", at("log")),
    );
    let child = Command::new(server)
        .args(["-c", &directory.display().to_string(), "-s", &at("socket"), "-p", &at("pid"), "-f", "-x"])
        .arg("start")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let kept = Kept::new(child.expect("it starts"));
    let log = directory.join("log");
    wait::until("fail2ban's jails", || {
        let text = std::fs::read_to_string(&log).ok()?;
        (text.contains("Jail 'postfix-sasl' started") && text.contains("Jail 'dovecot' started"))
            .then_some(())
    });
    (kept, banned)
}

/// Failed logins to so many accounts.
fn failures(count: usize) -> impl Fn(u32) -> Vec<Exchange> + Sync {
    move |_| {
        let wrong = ["AHUwAHdyb25n", "AHUxAHdyb25n", "AHUyAHdyb25n", "AHUzAHdyb25n", "AHU0AHdyb25n"];
        let logins = wrong.into_iter().take(count).map(|words| (format!("AUTH PLAIN {words}"), "535"));
        let mut said = vec![("EHLO client.test".to_owned(), "250")];
        said.extend(logins);
        said.push(("QUIT".to_owned(), "221"));
        said
    }
}

fn site() -> Site {
    let site = Site::new("mx.test");
    let users = site.put("users", "u0:{PLAIN}secret\n");
    site.set("smtpd_sasl_auth_enable", "yes")
        .set("smtpd_sasl_type", "facteur")
        .set("passdb", &format!("passwd-file:{}", users.display()))
        .set("smtpd_error_sleep_time", "0")
        .set("auth_failure_delay", "0")
}

/// Who tries five accounts is out, who mistypes twice is not: by fail2ban with the settings it comes with, and by ours.
#[test]
fn with_fail2ban_beside_us_and_alone_the_same_clients_are_banned() {
    let Some([server]) = neighbour::installed(["fail2ban-server"]) else { return };
    if !neighbour::root() {
        return;
    }
    let beside = site().start();
    let alone = site().set("ban_enable", "yes").set("ban_exceptions", "").start();
    let (_kept, banned) = jailed(&server, &beside);
    for mx in [&beside, &alone] {
        let play = |first: u32, failed: usize| {
            Crowd { to: mx.smtp(), first, count: 1, rate: 0, places: 1 }.play(failures(failed));
        };
        play(0, 2);
        play(1, 5);
    }
    let noted = wait::until("fail2ban to ban", || {
        std::fs::read_to_string(&banned).ok().filter(|text| text.contains("127.128.0.2"))
    });
    assert!(!noted.contains("127.128.0.1\n"), "{noted}");
    let listed = alone.run("ban", &["list"]).out;
    assert!(listed.contains("127.128.0.2\t*\t"), "{listed}\n{}", alone.log());
    assert!(!listed.contains("127.128.0.1\t"), "{listed}");
}
