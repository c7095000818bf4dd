//! Mailboxes of several owners under one program that root has started: each user has a keeper with his own rights.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use testbed::{Address, Instance, Site, address, neighbour, wait};

/// Users of the tests: nobody else's, and no system account is needed.
const USERS: [(&str, u32); 3] = [("ann", 61_401), ("bob", 61_402), ("carol", 61_403)];

/// Any connection.
trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

/// Speaks IMAP or POP3.
struct Client(BufReader<Box<dyn Wire>>);

impl Client {
    fn connect(at: Address) -> Client {
        let socket = wait::until("a connection", || TcpStream::connect(at).ok());
        Client::over(socket)
    }

    fn over(socket: TcpStream) -> Client {
        socket.set_read_timeout(Some(wait::LIMIT)).expect("a time-out");
        let mut client = Client(BufReader::new(Box::new(socket)));
        client.line();
        client
    }

    fn secured(at: Address, site: &Site) -> Client {
        let socket = TcpStream::connect(at).expect("it listens");
        socket.set_read_timeout(Some(wait::LIMIT)).expect("a time-out");
        let secured = testbed::tls::connect(socket, &site.authority(), "mx.test").expect("a handshake");
        let mut client = Client(BufReader::new(Box::new(secured)));
        client.line();
        client
    }

    fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).expect("the server listens");
        self.0.get_mut().flush().expect("the server listens");
    }

    /// Empty at the end.
    fn line(&mut self) -> String {
        let mut line = String::new();
        // A connection that breaks has ended, too.
        let _ = self.0.read_line(&mut line);
        line
    }

    /// All lines up to the one that begins so, or to the end.
    fn until(&mut self, start: &str) -> String {
        let mut text = String::new();
        loop {
            let line = self.line();
            text.push_str(&line);
            if line.starts_with(start) || line.is_empty() {
                return text;
            }
        }
    }

    /// An IMAP command and its answer.
    fn ask(&mut self, command: &str) -> String {
        self.say(&format!("t {command}\r\n"));
        self.until("t ")
    }
}

struct House {
    mx: Instance,
    imap: Address,
    imaps: Address,
    pop3: Address,
}

impl House {
    fn start(change: impl FnOnce(Site) -> Site) -> Option<House> {
        if !neighbour::root() {
            return None;
        }
        let [imap, imaps, pop3] = [address(), address(), address()];
        let line = |at: Address, command: &str| format!("{}:{} inet n - n - - {command}", at.ip(), at.port());
        let site = Site::new("mx.test").with_tls("mx.test");
        let mut users = String::new();
        for (user, uid) in USERS {
            let home = site.path().join("home").join(user);
            fs::create_dir_all(&home).expect("it is ours");
            fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).expect("it is ours");
            chown(&home, Some(uid), Some(uid)).expect("root may");
            users += &format!("{user}@box.test:{{PLAIN}}secret:{uid}:{uid}::{}::\n", home.display());
        }
        users += "low@box.test:{PLAIN}secret:2:2::/nowhere::\nroot@box.test:{PLAIN}secret:0:0::/root::\n";
        let users = site.put("users", &users);
        let site = site
            .set("virtual_transport", "store")
            .set("passdb", &format!("passwd-file:{}", users.display()))
            .set("userdb", &format!("passwd-file:{}", users.display()))
            .set("mail_location", "maildir:~/Maildir")
            .service(&line(imap, "imapd"))
            .service(&line(imaps, "imapd -o ssl_wrappermode=yes"))
            .service(&line(pop3, "pop3d"));
        Some(House { mx: change(site).start(), imap, imaps, pop3 })
    }

    fn mail(&self, users: &[&str], count: usize) {
        let to: Vec<String> = users.iter().map(|user| format!("{user}@box.test")).collect();
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        self.mx.send("far@far.test", &to, "Subject: hello\n\nHello\n");
        wait::until("the mail is kept", || {
            (self.mx.log().matches("status=sent").count() >= count).then_some(())
        });
    }

    fn login(&self, user: &str) -> Client {
        let mut client = Client::connect(self.imap);
        let said = client.ask(&format!("LOGIN {user}@box.test secret"));
        assert!(said.starts_with("t OK"), "{said}{}", self.mx.log());
        client
    }

    /// The processes that served so many logins of this user, one after the other.
    fn served(&self, user: &str, logins: usize) -> Vec<i32> {
        let start = format!("Login: user=<{user}@box.test>");
        let number = |line: &str| line.split("mpid=").nth(1)?.split(',').next()?.parse().ok();
        let mut served: Vec<i32> = wait::until("the logins in the log", || {
            let log = self.mx.log();
            let served: Vec<i32> =
                log.lines().filter(|line| line.contains(&start)).filter_map(number).collect();
            (served.len() >= logins).then_some(served)
        });
        served.dedup();
        served
    }

    fn home(&self, user: &str) -> PathBuf {
        self.mx.site().path().join("home").join(user)
    }
}

/// User and groups of a process, as the kernel has them.
fn rights(pid: i32) -> Option<(u32, String)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    Some((field("Uid:")?.split_whitespace().next()?.parse().ok()?, field("Groups:")?.trim().to_owned()))
}

#[test]
fn each_user_is_served_with_his_own_rights() {
    let Some(house) = House::start(|site| site) else { return };
    house.mail(&["ann", "bob"], 2);
    for (user, uid) in &USERS[..2] {
        let new = house.home(user).join("Maildir/new");
        let file = fs::read_dir(&new).expect("it was made").next().expect("a message").expect("its name");
        assert_eq!(file.metadata().expect("it is there").uid(), *uid);
        let (mut first, mut second) = (house.login(user), house.login(user));
        assert!(first.ask("SELECT INBOX").contains("* 1 EXISTS"));
        assert!(second.ask("SELECT INBOX").contains("* 1 EXISTS"));
        assert!(!first.ask("CAPABILITY").contains("UNAUTHENTICATE"), "nobody else can log in here");
        assert!(first.ask("UNAUTHENTICATE").starts_with("t BAD"));
        // Both sessions are in one process, which has the user's rights and no others.
        let served = house.served(user, 2);
        assert_eq!(served.len(), 1, "{served:?}");
        assert_eq!(rights(served[0]), Some((*uid, uid.to_string())));
        // What one session changes the other hears at once, also in IDLE.
        second.say("i IDLE\r\n");
        second.until("+");
        first.ask("STORE 1 +FLAGS (\\Flagged)");
        assert!(second.line().contains("\\Flagged"));
    }
    for (user, _) in &USERS[..2] {
        house.mx.wait_log(&[&format!("imap({user}@box.test)<"), "Disconnected: Connection closed in="]);
    }
}

#[test]
fn sessions_keep_their_tls_and_what_was_sent_ahead() {
    let Some(house) = House::start(|site| site) else { return };
    house.mail(&["ann"], 1);
    let mut ahead = Client::connect(house.imap);
    ahead.say("a LOGIN ann@box.test secret\r\nb SELECT INBOX\r\nc FETCH 1 BODY[TEXT]\r\nd LOGOUT\r\n");
    let said = ahead.until("d ");
    assert!(said.contains("* 1 EXISTS") && said.contains("Hello\r\n") && said.contains("d OK"), "{said}");
    assert_eq!(ahead.line(), "", "the connection ends with the session");
    let mut secured = Client::secured(house.imaps, house.mx.site());
    secured.say("a AUTHENTICATE PLAIN AGFubkBib3gudGVzdABzZWNyZXQ=\r\nb SELECT INBOX\r\n");
    assert!(secured.until("b ").contains("* 1 EXISTS"));
    let big = "x".repeat(300_000);
    secured.say(&format!("c APPEND INBOX {{{}+}}\r\nSubject: big\r\n\r\n{big}\r\n", big.len() + 16));
    assert!(secured.until("c ").contains("c OK"));
    assert_eq!(secured.ask("FETCH 2 BODY[TEXT]").matches('x').count(), big.len());
    let bye = secured.ask("LOGOUT");
    assert!(bye.contains("t OK"), "{bye}");
    house.mx.wait_log(&["user=<ann@box.test>, method=PLAIN", ", TLS, session="]);
    let mut pop = Client::connect(house.pop3);
    pop.say("USER ann@box.test\r\nPASS secret\r\nSTAT\r\nQUIT\r\n");
    let said = pop.until("+OK Logging out");
    assert!(said.contains("+OK Logged in.\r\n+OK 2 "), "{said}{}", house.mx.log());
    let mut wrong = Client::connect(house.pop3);
    wrong.say("USER ann@box.test\r\nPASS wrong\r\n");
    assert!(wrong.until("-ERR").contains("-ERR [AUTH]"));
}

#[test]
fn a_keeper_that_dies_takes_nobody_else_along() {
    let Some(house) = House::start(|site| site) else { return };
    let (mut ann, mut bob) = (house.login("ann"), house.login("bob"));
    let first = house.served("ann", 1)[0];
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(first), nix::sys::signal::SIGKILL)
        .expect("it is there");
    assert_eq!(ann.line(), "", "its sessions end");
    assert!(bob.ask("NOOP").starts_with("t OK"), "others do not");
    house.mail(&["ann"], 1);
    let mut ann = house.login("ann");
    assert!(ann.ask("SELECT INBOX").contains("* 1 EXISTS"));
    assert_eq!(house.served("ann", 2).len(), 2);
}

#[test]
fn a_session_is_kicked_wherever_it_is_served() {
    let Some(house) = House::start(|site| site) else { return };
    let (mut ann, mut bob) = (house.login("ann"), house.login("bob"));
    ann.say("i IDLE\r\n");
    ann.until("+");
    let listed = wait::until("both sessions are listed", || {
        let who = house.mx.run("doveadm", &["who", "-1"]);
        (who.out.matches("@box.test").count() == 2).then_some(who.out)
    });
    assert!(listed.contains("ann@box.test") && listed.contains("imap"), "{listed}");
    let kicked = house.mx.run("doveadm", &["kick", "ann@box.test"]);
    assert_eq!(
        (kicked.status, kicked.out.as_str()),
        (0, "kicked connections from the following users:\nann@box.test\n"),
        "{kicked:?}{}",
        house.mx.log()
    );
    let said = ann.until("never");
    assert!(said.is_empty() || said.starts_with("* BYE "), "{said}");
    assert!(bob.ask("NOOP").starts_with("t OK"), "others go on");
    wait::until("it is not listed any more", || {
        (!house.mx.run("doveadm", &["who"]).out.contains("ann@box.test")).then_some(())
    });
    assert_eq!(house.mx.run("doveadm", &["kick", "ann@box.test"]).status, 68, "there is nobody to kick");
    assert!(house.login("ann").ask("SELECT INBOX").contains("t OK"), "and may come again");
}

/// Item 10 of the security list: a disabled user's open sessions end.
#[test]
fn whose_account_is_closed_is_out_at_once() {
    let directory = |site: Site| site.set("passdb", "directory").set("userdb", "directory");
    let Some(house) = House::start(directory) else { return };
    for (user, uid) in &USERS[..2] {
        let (name, uid) = (format!("{user}@box.test"), uid.to_string());
        let home = house.mx.site().path().join("home").join(user).display().to_string();
        let words = ["add", &name, "--uid", &uid, "--gid", &uid, "--home", &home, "--scheme", "SSHA512"];
        let made = house.mx.run_with("user", &words, b"secret\n");
        assert_eq!(made.status, 0, "{made:?}");
    }
    for (user, verb) in [("ann", "disable"), ("bob", "delete")] {
        let (mut one, mut other) = (house.login(user), house.login(user));
        one.say("i IDLE\r\n");
        one.until("+");
        wait::until("both sessions are listed", || {
            (house.mx.run("doveadm", &["who", "-1"]).out.matches(user).count() == 2).then_some(())
        });
        let closed = house.mx.run("user", &[verb, &format!("{user}@box.test")]);
        assert_eq!(closed.status, 0, "{closed:?}");
        for client in [&mut one, &mut other] {
            let said = client.until("never");
            assert!(said.is_empty() || said.starts_with("* BYE "), "{said}");
        }
    }
}

#[test]
fn what_is_granted_does_not_pass_the_rights_of_files() {
    let Some(house) = House::start(|site| site) else { return };
    house.mail(&["ann"], 1);
    let (mut ann, mut bob) = (house.login("ann"), house.login("bob"));
    assert!(ann.ask("CREATE team").starts_with("t OK"));
    assert!(ann.ask("SETACL team bob@box.test lr").contains("t OK"));
    // His process has his rights, and none in her home.
    let said = bob.ask("SELECT shared/ann@box.test/team");
    assert!(said.contains("t NO"), "{said}");
    let said = bob.ask("LIST \"\" \"*\"");
    assert!(said.contains("* LIST (\\HasNoChildren) \".\" INBOX") && said.contains("t OK"), "{said}");
    assert!(bob.ask("SELECT INBOX").contains("t OK"));
    assert!(ann.ask("SELECT team").contains("t OK"));
}

#[test]
fn rights_that_nobody_should_have_are_refused() {
    let Some(house) = House::start(|site| site.set("mailbox_process_limit", "1")) else { return };
    for user in ["low", "root"] {
        let mut client = Client::connect(house.imap);
        let said = client.ask(&format!("LOGIN {user}@box.test secret"));
        assert!(said.starts_with("t NO"), "{user}: {said}");
    }
    for uid in [0, 2] {
        house.mx.wait_log(&[&format!("refused: Mailboxes(Identity {{ uid: {uid},")]);
    }
    let _ann = house.login("ann");
    let mut bob = Client::connect(house.imap);
    let said = bob.ask("LOGIN bob@box.test secret");
    assert!(said.starts_with("t NO [UNAVAILABLE] Too many users"), "{said}");
    house.mx.wait_log(&["mailbox_process_limit"]);
    // The connection has not changed hands: ann may log in on it.
    assert!(bob.ask("LOGIN ann@box.test secret").starts_with("t OK"));
}

#[test]
fn keepers_take_a_new_configuration_and_end_when_idle() {
    let Some(mut house) = House::start(|site| site.set("default_idle_kill", "1s")) else { return };
    let mut ann = house.login("ann");
    let keeper = house.served("ann", 1)[0];
    house.mx.rewrite(|site| site.change("imap_id_send", "name Renewed"));
    assert_eq!(house.mx.reload().status, 0, "{}", house.mx.log());
    wait::until("the new configuration", || {
        let mut client = house.login("ann");
        client.ask("ID NIL").contains("Renewed").then_some(())
    });
    assert_eq!(house.served("ann", 2), [keeper], "it is the same process");
    assert!(ann.ask("NOOP").starts_with("t OK"), "sessions go on");
    ann.ask("LOGOUT");
    wait::until("the end of the keeper", || rights(keeper).is_none().then_some(()));
    let log = house.mx.log();
    assert!(!log.contains("has ended with"), "that is no failure: {log}");
    assert!(house.login("ann").ask("SELECT INBOX").contains("t OK"));
}

#[test]
fn lmtp_and_mail_spools() {
    let spool_group = nix::unistd::Group::from_name("mail").ok().flatten().map(|group| group.gid.as_raw());
    let Some(house) = House::start(|site| {
        let (spool, mail) =
            (site.path().join("spool"), spool_group.expect("every system has the group mail"));
        chown(&spool, Some(0), Some(mail)).expect("root may");
        fs::set_permissions(&spool, fs::Permissions::from_mode(0o2775)).expect("root may");
        for (user, uid) in USERS {
            fs::write(spool.join(user), "").expect("root may");
            fs::set_permissions(spool.join(user), fs::Permissions::from_mode(0o600)).expect("root may");
            chown(spool.join(user), Some(uid), Some(mail)).expect("root may");
        }
        let location = format!("mbox:~/mail:INBOX={}/%n", spool.display());
        site.set("mail_location", &location)
            .set("virtual_transport", "lmtp:unix:private/ours")
            .service("ours unix - - n - - lmtpd")
    }) else {
        return;
    };
    for count in 1..=3 {
        house.mail(&["ann", "bob", "carol"], 3 * count);
    }
    for (user, uid) in USERS {
        let file = house.mx.site().path().join("spool").join(user);
        assert_eq!(messages(&file), 3, "{}", house.mx.log());
        assert_eq!(fs::metadata(&file).expect("it is there").uid(), uid);
        let mut client = house.login(user);
        assert!(client.ask("SELECT INBOX").contains("* 3 EXISTS"));
        client.ask("STORE 2 +FLAGS (\\Deleted)");
        let said = client.ask("EXPUNGE");
        assert!(said.contains("* 2 EXPUNGE"), "{said}{}", house.mx.log());
        assert!(client.ask("LOGOUT").contains("t OK"));
        wait::until("the change is in the file", || (messages(&file) == 2).then_some(()));
    }
    let left: Vec<_> = fs::read_dir(house.mx.site().path().join("spool"))
        .expect("it is there")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".lock"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

fn messages(file: &Path) -> usize {
    let text = fs::read_to_string(file).expect("it is there");
    text.lines().filter(|line| line.starts_with("From ")).count()
}

#[test]
fn moves_to_junk_teach_the_filter_and_only_for_oneself() {
    let Some(house) = House::start(|site| {
        site.set("mynetworks", "192.0.2.0/24")
            .set("spam_check", "facteur")
            .set("spam_learn_from_junk", "site")
    }) else {
        return;
    };
    house.mail(&["ann"], 1);
    let mut ann = house.login("ann");
    for command in ["SELECT INBOX", "MOVE 1 Junk"] {
        let said = ann.ask(command);
        assert!(said.contains("\nt OK") || said.starts_with("t OK"), "{said}");
    }
    let learned = |who: &str| {
        let status = house.mx.run("spam", &["status"]).out;
        let line = status.lines().find(|line| line.starts_with(who))?.to_owned();
        Some(line.split_whitespace().rev().take(2).map(str::to_owned).collect::<Vec<_>>())
    };
    let known = wait::within(wait::LIMIT, || learned("ann@box.test"));
    assert!(known.is_some() && learned("the site").is_some(), "{}", house.mx.log());
    // Everybody may leave something, and the file tells whose it is: bob cannot teach for ann, nor see what is there.
    let place = house.mx.site().path().join("queue/training");
    let mode = fs::metadata(&place).expect("it is there").mode();
    assert_eq!(mode & 0o7777, 0o3733);
    let forged = place.join("forged");
    fs::write(place.join(".forged"), "ham ann@box.test\nSubject: x\n\ny\n").expect("root may");
    chown(place.join(".forged"), Some(USERS[1].1), None).expect("root may");
    fs::rename(place.join(".forged"), &forged).expect("root may");
    house.mx.wait_log(&["warning: spam filter: uid 61402 may not teach for ann@box.test"]);
    wait::until("it is removed", || (!forged.exists()).then_some(()));
}
