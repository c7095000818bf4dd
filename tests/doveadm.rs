//! doveadm beside the real one: the same words about the same Maildir have the same answer, and what is changed by one is
//! seen by the other. Mail comes from other hosts over IMAP.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testbed::{Address, Instance, Kept, Site, address, command, kept, neighbour, wait};

/// One that has no account on the machine.
const OWNER: u32 = 61_405;

/// Commands that only look, as the shell would split them.
const QUESTIONS: &[&str] = &[
    "user joe",
    "user *",
    "user -f home joe",
    "user nobody",
    "mailbox list -u joe",
    "mailbox list -u joe W*",
    "mailbox list -7 -u joe",
    "-f tab mailbox list -u joe",
    "-f json mailbox list -u joe",
    "mailbox list -u nobody",
    "mailbox status -u joe 'messages vsize' *",
    "mailbox status -t -u joe 'messages vsize unseen' *",
    "mailbox status -u joe messages Nowhere",
    "mailbox status -u joe bogus INBOX",
    "-f table mailbox status -u joe 'messages vsize' *",
    "-f tab mailbox status -u joe 'messages vsize' *",
    "-f json mailbox status -u joe 'messages uidnext uidvalidity guid' *",
    "-f pager mailbox status -u joe 'messages uidnext' Work*",
    "mailbox status -A messages INBOX",
    "search -u joe all",
    "search -u joe mailbox INBOX",
    "search -u joe mailbox Work* subject work",
    "search -u joe from a@b.test seen",
    "search -u joe keyword $Work",
    "search -u joe body 'hello two'",
    "search -u joe header subject café",
    "search -u joe ( subject work or subject sub )",
    "search -u joe since 2020-01-01 larger 100",
    "search -u joe uid 1:2",
    "search -u joe sentsince 2024-01-01",
    "search -u joe bogus",
    "-f tab search -A all",
    "fetch -u joe 'mailbox uid flags' all",
    "fetch -u joe 'hdr.subject size.virtual' all",
    "-f tab fetch -u joe 'uid hdr.subject' mailbox INBOX",
    "-f table fetch -u joe 'uid hdr.subject flags' mailbox INBOX",
    "-f json fetch -u joe 'uid flags hdr.from' mailbox INBOX",
    "-f flow fetch -u joe 'uid flags' mailbox INBOX",
    "-f pager fetch -u joe 'uid hdr.subject' mailbox INBOX",
    "fetch -u joe text mailbox Work",
    "fetch -u joe body mailbox Work",
    "fetch -u joe hdr mailbox Work",
    "fetch -u joe body.snippet mailbox INBOX",
    "fetch -u joe imap.envelope mailbox INBOX",
    "fetch -u joe 'imap.bodystructure imap.body' mailbox INBOX",
    "fetch -u joe 'date.sent date.received.unixtime' mailbox INBOX uid 1",
    "fetch -u joe bogus all",
    "quota get -u joe",
    "-f tab quota get -u joe",
    "pw -t {PLAIN}x -p x",
    "pw -t {PLAIN}x -p y",
    "pw -s SHA1 -p x",
    "pw -s NONE -p x",
    "bogus",
];

/// Commands that change something, and what is looked at afterwards, each on a store of its own.
const CHANGES: &[&str] = &[
    "mailbox create -u joe Work",
    "mailbox create -u joe New",
    "mailbox rename -u joe New Newer",
    "mailbox subscribe -u joe Newer",
    "mailbox list -s -u joe",
    "mailbox delete -u joe Nope",
    "flags add -u joe \\Answered mailbox Work all",
    "fetch -u joe flags mailbox Work",
    "flags replace -u joe \\Seen mailbox Work all",
    "flags remove -u joe \\Seen mailbox Work all",
    "flags add -u joe \\Bogus mailbox Work all",
    "copy -u joe Work mailbox INBOX subject first",
    "fetch -u joe 'uid hdr.subject' mailbox Work",
    "move -u joe Work.Sub mailbox Work subject first",
    "move -u joe Nope mailbox Work all",
    "fetch -u joe 'mailbox uid hdr.subject' all",
    "expunge -u joe all",
    "expunge -u joe mailbox Work.Sub subject first",
    "search -u joe mailbox Work.Sub",
    "mailbox unsubscribe -u joe Newer",
    "mailbox delete -u joe Newer",
    "mailbox list -u joe",
    "force-resync -u joe INBOX",
    "quota recalc -u joe",
    "quota get -u joe",
];

/// The words of a line; single quotes hold them together.
fn words(line: &str) -> Vec<String> {
    let quoted = |(at, piece): (usize, &str)| match at % 2 {
        1 => vec![piece.to_owned()],
        _ => piece.split_whitespace().map(str::to_owned).collect(),
    };
    line.split('\'').enumerate().flat_map(quoted).collect()
}

/// Two homes with the same mail, and both programs to look at them.
struct Beside {
    real: PathBuf,
    site: Site,
    _dovecot: Kept,
}

impl Beside {
    fn start() -> Option<Beside> {
        let [dovecot, real] = neighbour::installed(["dovecot", "doveadm"])?;
        if !neighbour::root() {
            return None;
        }
        let site = Site::bare(address());
        let dir = site.path().display().to_string();
        site.put("users", &format!("joe::{OWNER}:{OWNER}::{dir}/home::\n"));
        site.put(
            "dovecot.conf",
            &format!(
                "base_dir = {dir}/run\nstate_dir = {dir}/state\nlog_path = {dir}/log\nprotocols =\nssl = no\n\
                 mail_location = maildir:~/Maildir\nfirst_valid_uid = 0\nmail_plugins = quota\n\
                 plugin {{\n quota = count:User quota\n quota_vsizes = yes\n quota_rule = *:storage=1G\n}}\n\
                 namespace inbox {{\n inbox = yes\n}}\npassdb {{\n driver = static\n args = password=pw\n}}\n\
                 userdb {{\n driver = passwd-file\n args = {dir}/conf/users\n}}\n\
                 default_internal_user = nobody\ndefault_internal_group = nogroup\ndefault_login_user = nobody\n\
                 service anvil {{\n chroot =\n}}\nservice stats {{\n chroot =\n}}\n"
            ),
        );
        site.put(
            "main.cf",
            &format!(
                "compatibility_level = 3.6\nmyhostname = mx.test\nqueue_directory = {dir}/queue\n\
                 data_directory = {dir}/data\nmail_location = maildir:~/Maildir\npassdb = static:password=pw\n\
                 userdb = passwd-file:{dir}/conf/users\nmailbox_special_use =\nmailbox_quota = 1073741824\n"
            ),
        );
        site.put("master.cf", "");
        let mut command = Command::new(dovecot);
        command.args(["-F", "-c"]).arg(site.conf().join("dovecot.conf"));
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let dovecot = Kept::new(started.expect("it starts"));
        wait::until("dovecot", || Path::new(&format!("{dir}/run/auth-userdb")).exists().then_some(()));
        Some(Beside { real, site, _dovecot: dovecot })
    }

    fn home(&self) -> PathBuf {
        self.site.path().join("home")
    }

    /// Fills an empty home by the real program.
    fn fill(&self) {
        // What was there is somebody else's now.
        let _ = fs::remove_dir_all(self.home());
        fs::create_dir(self.home()).expect("it is ours");
        fs::set_permissions(self.home(), fs::Permissions::from_mode(0o700)).expect("it is ours");
        chown(self.home(), Some(OWNER), Some(OWNER)).expect("root may");
        self.theirs("mailbox create -u joe Work Work.Sub Gr&APYA3w-e", "");
        let mixed = "From: a@b.test\nSubject: =?utf-8?q?caf=C3=A9?=\nMIME-Version: 1.0\n\
            Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nhello two\n--b\n\
            Content-Type: text/html\n\n<b>x</b>\n--b--\n";
        let first = "From: \"A B\" <a@b.test>\nTo: joe@x.test, c@d.test\nSubject: first one\n\
            Date: Mon, 1 Jan 2024 10:00:00 +0200\nMessage-ID: <1@b.test>\n\nhello first\n";
        for (mailbox, message) in [
            ("INBOX", first),
            ("INBOX", mixed),
            ("Work", "From: z@b.test\nSubject: work\nMessage-ID: <3@b.test>\n\nlong body\nof two lines\n"),
            ("Work.Sub", "Subject: sub\n\nx\n"),
        ] {
            assert_eq!(self.theirs(&format!("save -u joe -m {mailbox}"), message).0, Some(0));
        }
        self.theirs("flags add -u joe '\\Seen \\Flagged $Work' mailbox INBOX 1", "");
    }

    fn theirs(&self, line: &str, input: &str) -> (Option<i32>, String) {
        let mut command = Command::new(&self.real);
        command.arg("-c").arg(self.site.conf().join("dovecot.conf"));
        said(command, line, input)
    }

    fn ours(&self, line: &str) -> (Option<i32>, String) {
        let mut ours = command("doveadm");
        ours.arg("-c").arg(self.site.conf());
        said(ours, line, "")
    }
}

/// Exit status and standard output.
fn said(mut command: Command, line: &str, input: &str) -> (Option<i32>, String) {
    command.args(words(line)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    // It may not read it.
    let _ = child.stdin.take().expect("it is a pipe").write_all(input.as_bytes());
    let output = kept::outcome(child);
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_real_doveadm_gives_the_same_answers() {
    let Some(beside) = Beside::start() else { return };
    beside.fill();
    let mut wrong = Vec::new();
    let mut hold = |line: &str, theirs: (Option<i32>, String), ours: (Option<i32>, String)| {
        if theirs != ours {
            wrong.push(format!("{line}\n  Dovecot: {theirs:?}\n  ours:    {ours:?}"));
        }
    };
    for line in QUESTIONS {
        hold(line, beside.theirs(line, ""), beside.ours(line));
    }
    let theirs: Vec<_> = CHANGES.iter().map(|line| beside.theirs(line, "")).collect();
    beside.fill();
    for (line, theirs) in CHANGES.iter().zip(theirs) {
        // Names of mailboxes are new ones in a new home.
        let unnamed = |(status, text): (Option<i32>, String)| {
            let ids = |word: &str| match word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
            {
                true => "guid".to_owned(),
                false => word.to_owned(),
            };
            (status, text.split(' ').map(ids).collect::<Vec<_>>().join(" "))
        };
        hold(line, unnamed(theirs), unnamed(beside.ours(line)));
    }
    // What ours left behind is what the real one finds.
    for line in
        ["fetch -u joe 'mailbox uid hdr.subject flags' all", "mailbox status -u joe 'messages vsize' *"]
    {
        hold(line, beside.theirs(line, ""), beside.ours(line));
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// A running site whose user joe has mail.
struct Host {
    running: Instance,
    imap: Address,
    imaps: Address,
}

impl Host {
    fn start(kind: &str) -> Host {
        let [imap, imaps] = [address(), address()];
        let line = |at: Address, command: &str| format!("{}:{} inet n - n - - {command}", at.ip(), at.port());
        let site = Site::new("mx.test").with_tls("mx.test");
        let kept = site.folder("kept").display().to_string();
        let (uid, gid) = testbed::mailbox_owner();
        let running = site
            .set("passdb", "static:password=secret")
            .set("userdb", &format!("static:home={kept}/%u"))
            .set("mail_location", &format!("{kind}:~/mail"))
            .set("mail_uid", &uid.to_string())
            .set("mail_gid", &gid.to_string())
            .set("mailbox_special_use_create", "no")
            .service(&line(imap, "imapd"))
            .service(&line(imaps, "imapd -o ssl_wrappermode=yes"))
            .start();
        Host { running, imap, imaps }
    }

    fn doveadm(&self, words: &[&str], input: &str) -> String {
        let said = self.running.run_with("doveadm", words, input.as_bytes());
        assert_eq!(said.status, 0, "{words:?}: {said:?}\n{}", self.running.log());
        said.out
    }
}

/// What every side is asked.
const ALL: [&str; 5] = ["fetch", "-u", "joe", "mailbox hdr.subject flags date.received.unixtime text", "all"];

#[test]
fn accounts_move_between_hosts_over_tls() {
    let (old, new) = (Host::start("maildir"), Host::start("facteur"));
    old.doveadm(&["mailbox", "create", "-u", "joe", "-s", "Work"], "");
    for (mailbox, subject) in [("INBOX", "one"), ("INBOX", "two"), ("Work", "three")] {
        let text = format!("Message-ID: <{subject}@x>\nSubject: {subject}\n\nbody of {subject}\n");
        old.doveadm(&["save", "-u", "joe", "-m", mailbox], &text);
    }
    old.doveadm(&["flags", "add", "-u", "joe", "\\Seen word", "subject", "one"], "");
    let settings = |tls: &str, at: Address| {
        let authority = old.running.site().authority().display().to_string();
        let mut words = Vec::new();
        // The certificate is good for a name that only the test knows.
        for setting in [
            format!("imapc_host={}", at.ip()),
            format!("imapc_port={}", at.port()),
            format!("imapc_ssl={tls}"),
            "imapc_ssl_verify=no".to_owned(),
            format!("ssl_client_ca_file={authority}"),
            "imapc_password=secret".to_owned(),
        ] {
            words.extend(["-o".to_owned(), setting]);
        }
        words
    };
    let remote = |settings: &[String], rest: &[&str]| {
        let words: Vec<&str> = settings.iter().map(String::as_str).chain(rest.iter().copied()).collect();
        new.doveadm(&words, "")
    };
    let (imaps, starttls) = (settings("imaps", old.imaps), settings("starttls", old.imap));
    // By TLS from the start, with a query: a copy of some mail, below another name.
    remote(&imaps, &["import", "-u", "joe", "-s", "imapc:", "Old", "mailbox", "INBOX", "subject", "one"]);
    let found = new.doveadm(&["fetch", "-u", "joe", "mailbox hdr.subject flags", "all"], "");
    assert_eq!(found.trim(), "mailbox: Old/INBOX\nhdr.subject: one\nflags: \\Seen \\Recent word");
    assert!(new.doveadm(&["mailbox", "list", "-u", "joe", "-s"], "").contains("Old/INBOX"));
    // By STARTTLS, all of it; what is here and not there goes.
    remote(&starttls, &["backup", "-R", "-u", "joe", "imapc:"]);
    let same = |what: &str| {
        let lines = |host: &Host| {
            let text = host.doveadm(&ALL, "").replace("\\Recent", "");
            let even = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
            let mut parts: Vec<String> = text.split('\x0c').map(even).collect();
            parts.sort();
            parts
        };
        assert_eq!(lines(&old), lines(&new), "{what}");
    };
    same("after the backup");
    // Both ways: each gets what the other has, and flags are joined.
    old.doveadm(&["save", "-u", "joe"], "Message-ID: <4@x>\nSubject: four\n\nx\n");
    new.doveadm(&["save", "-u", "joe", "-m", "Work"], "Message-ID: <5@x>\nSubject: five\n\nx\n");
    old.doveadm(&["flags", "add", "-u", "joe", "\\Flagged", "subject", "three"], "");
    new.doveadm(&["flags", "add", "-u", "joe", "\\Answered", "subject", "three"], "");
    remote(&starttls, &["sync", "-u", "joe", "imapc:"]);
    same("after the first sync");
    remote(&imaps, &["sync", "-u", "joe", "imapc:"]);
    same("after the second, which finds nothing to do");
    let flags = new.doveadm(&["fetch", "-u", "joe", "flags", "subject", "three"], "");
    assert!(flags.contains("\\Answered") && flags.contains("\\Flagged"), "{flags}");
    assert_eq!(new.doveadm(&["search", "-u", "joe", "all"], "").lines().count(), 5);
    // Whose certificate nobody vouches for is not believed.
    let refused = new.running.run(
        "doveadm",
        &[
            "-o",
            &format!("imapc_host={}", old.imaps.ip()),
            "-o",
            &format!("imapc_port={}", old.imaps.port()),
            "-o",
            "imapc_ssl=imaps",
            "-o",
            "imapc_password=secret",
            "backup",
            "-R",
            "-u",
            "joe",
            "imapc:",
        ],
    );
    assert!(refused.status == 75 && refused.err.contains("imapc_ssl_verify=no"), "{refused:?}");
}
