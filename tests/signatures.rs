//! Signatures, with the real OpenDKIM at the other end: it verifies what we sign, and we verify what it signs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use mail_texts::{divided, public_of};
use testbed::{Address, Instance, Kept, Site, address, neighbour, wait};

/// A filter that does not outlive its test.
pub struct Filter {
    at: Address,
    process: Kept,
}

impl Drop for Filter {
    fn drop(&mut self) {
        // It looks for signals every five seconds, and keeps nothing that an end in good order would save.
        self.process.kill();
    }
}

impl Filter {
    /// Starts OpenDKIM with this configuration, at an address of its own.
    pub fn opendkim(program: &Path, folder: &Path, settings: &str) -> Filter {
        let at = address();
        let conf = folder.join("opendkim-own.conf");
        let own =
            format!("Socket inet:{}@{}\nBackground no\nRequireSafeKeys no\n{settings}", at.port(), at.ip());
        fs::write(&conf, own).expect("it is ours");
        let process = Kept::quiet(Command::new(program).args(["-f", "-x"]).arg(&conf));
        let filter = Filter { at, process };
        wait::until("OpenDKIM", || std::net::TcpStream::connect((at.ip(), at.port())).ok());
        filter
    }

    pub fn name(&self) -> String {
        format!("inet:{}:{}", self.at.ip(), self.at.port())
    }
}

/// Keys made by our own command, and the tables that name them as seed 003 has them.
pub struct Keys {
    folder: tempfile::TempDir,
}

impl Keys {
    pub fn new(algorithms: &[(&str, &str)]) -> Keys {
        let folder = tempfile::tempdir().expect("/tmp is there");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let site = Site::bare(address());
        for (selector, algorithm) in algorithms {
            let path = folder.path().display().to_string();
            let made = site.run_with(
                "dkim",
                &["genkey", "-d", "box.test", "-s", selector, "-D", &path, "-a", algorithm],
                b"",
            );
            assert_eq!(made.status, 0, "{made:?}");
            fs::set_permissions(
                folder.path().join(format!("{selector}.private")),
                fs::Permissions::from_mode(0o644),
            )
            .expect("it is ours");
        }
        let keys = Keys { folder };
        let line = |(selector, _): &(&str, &str)| {
            let file = keys.path(&format!("{selector}.private"));
            format!("{selector}._domainkey.box.test box.test:{selector}:{}\n", file.display())
        };
        keys.write("keytable", &algorithms.iter().map(line).collect::<String>());
        let line = |(selector, _): &(&str, &str)| format!("box.test {selector}._domainkey.box.test\n");
        keys.write("signingtable", &algorithms.iter().map(line).collect::<String>());
        keys.write(
            "TrustedHosts",
            "127.0.0.0/8\nlocalhost    \n[::ffff:127.0.0.0]/104\n[::1]/128\n# a remark\n",
        );
        keys
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("it is ours");
        path
    }

    /// The lines that seed 003 puts at the end of opendkim.conf.
    pub fn settings(&self) -> String {
        let path = |name: &str| self.path(name).display().to_string();
        format!(
            "KeyTable \t        {}\nSigningTable            {}\nExternalIgnoreList      {}\n",
            path("keytable"),
            path("signingtable"),
            path("TrustedHosts")
        )
    }

    /// The text of the record of a key.
    pub fn record(&self, selector: &str) -> String {
        public_of(&fs::read_to_string(self.path(&format!("{selector}.txt"))).expect("genkey wrote it"))
    }
}

const MESSAGE: &str = "From: Ann <ann@box.test>\nTo: bob@box.test\nSubject: a  subject\n  in two lines\n\
                       Date: Thu, 01 Jan 2026 00:00:00 +0000\nMessage-Id: <1@box.test>\n\n\
                       Hello,\n\n. two  spaces \n\nbye\n\n\n";

fn delivered(site: &Instance) -> String {
    site.maildir("bob").one()
}

#[test]
fn opendkim_verifies_what_we_sign() {
    let Some([opendkim]) = neighbour::installed(["opendkim"]) else { return };
    let keys = Keys::new(&[("mail", "rsa"), ("ed", "ed25519")]);
    let conf = keys.write(
        "opendkim.conf",
        &format!("{}MultipleSignatures yes\nOversignHeaders From\n", keys.settings()),
    );
    let known = ["mail", "ed"]
        .map(|selector| format!("{selector}._domainkey.box.test {}\n", keys.record(selector)))
        .concat();
    let known = keys.write("known", &known);
    let settings = format!(
        "Mode v\nInternalHosts 192.0.2.1\nTestPublicKeys {}\nAlwaysAddARHeader yes\n",
        known.display()
    );
    let filter = Filter::opendkim(&opendkim, keys.folder.path(), &settings);
    let far = Site::new("far.test")
        .set("smtpd_milters", &filter.name())
        .set("milter_default_action", "tempfail")
        .start();
    let mx = Site::new("mx.test")
        .set("dkim_config", &conf.display().to_string())
        .set("relayhost", &far.nexthop())
        .set("virtual_mailbox_domains", "")
        .start();
    mx.send("ann@box.test", &["bob@box.test"], MESSAGE);
    let message = delivered(&far);
    assert_eq!(message.matches("DKIM-Signature:").count(), 2, "{message}");
    assert_eq!(message.matches("dkim=pass").count(), 2, "{message}");
    mx.wait_log(&["DKIM-Signature field added (s=mail, d=box.test)"]);
}

#[tokio::test]
async fn we_verify_what_opendkim_signs() {
    let Some([opendkim]) = neighbour::installed(["opendkim"]) else { return };
    let keys = Keys::new(&[("mail", "rsa")]);
    let trusted = keys.path("TrustedHosts").display().to_string();
    let settings = format!("{}InternalHosts {trusted}\n", keys.settings());
    let filter = Filter::opendkim(&opendkim, keys.folder.path(), &settings);
    // As seed 003 has it, for local mail too.
    let mx = Site::new("mx.test")
        .set("milter_default_action", "accept")
        .set("milter_protocol", "2")
        .set("smtpd_milters", &filter.name())
        .set("non_smtpd_milters", &filter.name())
        .start();
    mx.send("ann@box.test", &["bob@box.test"], MESSAGE);
    let sent = mx.run_with("sendmail", &["-f", "ann@box.test", "carol@box.test"], MESSAGE.as_bytes());
    assert_eq!(sent.status, 0, "{sent:?}");
    for user in ["bob", "carol"] {
        let message = mx.maildir(user).one();
        assert!(message.contains("DKIM-Signature:"), "{message}\n{}", mx.log());
        let (fields, body) = divided(&message);
        let dns = mail_texts::Zone(vec![("mail._domainkey.box.test", keys.record("mail"))]);
        let checks = sign::Checks { dkim: true, ..sign::Checks::default() };
        let mut inspection = sign::Inspection::new(checks, fields, false);
        inspection.body(body);
        let client = std::net::IpAddr::from([127, 0, 0, 1]);
        let question = sign::Question { client, helo: "", sender: "", receiver: "" };
        let verdicts = inspection.finish(&dns, &question, 2_000_000_000, &[]).await;
        let found = verdicts.dkim.expect("it was asked for");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].result, sign::dkim::Dkim::Pass, "{found:?}\n{message}");
    }
}

#[test]
fn who_is_signed_and_whose_results_are_forged() {
    let keys = Keys::new(&[("mail", "ed25519")]);
    let conf = keys.write("opendkim.conf", &keys.settings());
    // 127.0.0.1 is ours, and its neighbours are strangers.
    let mx = Site::new("mx.test")
        .set("mynetworks", "192.0.2.0/24")
        .set("sender_authentication", "dkim")
        .set("dkim_config", &conf.display().to_string())
        .start();
    let forged = "Authentication-Results: mx.test; dkim=pass header.d=bank.test\nAuthentication-Results: other.test; none\n";
    mx.send("ann@box.test", &["bob@box.test"], &format!("{forged}{MESSAGE}"));
    let message = delivered(&mx);
    assert!(!message.contains("DKIM-Signature:"), "a stranger is not signed for: {message}");
    assert!(!message.contains("bank.test") && message.contains("other.test"), "{message}");
    assert!(message.contains("Authentication-Results: mx.test;\n\tdkim=none\n"), "{message}");
    let sent = mx.run_with("sendmail", &["-f", "ann@box.test", "carol@box.test"], MESSAGE.as_bytes());
    assert_eq!(sent.status, 0, "{sent:?}");
    let message = mx.maildir("carol").one();
    assert!(message.contains("DKIM-Signature: v=1; a=ed25519-sha256;"), "{message}");
    let sent =
        mx.run_with("sendmail", &["-f", "ann@box.test", "u1@box.test"], b"From: x@other.test\n\ntext\n");
    assert_eq!(sent.status, 0, "{sent:?}");
    assert!(!mx.maildir("u1").one().contains("DKIM-Signature"), "only domains of the table are signed for");
}

#[test]
fn a_key_that_cannot_be_read_is_named_with_its_line() {
    let keys = Keys::new(&[]);
    keys.write("keytable", "# keys\nmail box.test:mail:/nowhere/mail.private\n");
    let conf = keys.write("opendkim.conf", &keys.settings());
    let site = Site::new("mx.test").set("dkim_config", &conf.display().to_string());
    site.write();
    let shown = site.run_with("dkim", &["show", "-c", &site.conf().display().to_string()], b"");
    assert!(
        shown.err.contains("keytable, line 2: key mail: /nowhere/mail.private: No such file"),
        "{shown:?}"
    );
}

/// Small helpers around texts.
pub mod mail_texts {
    use net::dns::{Answer, Data, Kind, Missing};

    /// A name server that knows some texts by name.
    pub struct Zone(pub Vec<(&'static str, String)>);

    impl sign::Dns for Zone {
        fn lookup<'a>(&'a self, name: &'a str, _: Kind) -> sign::Boxed<'a, Result<Answer, Missing>> {
            let found = self.0.iter().find(|(known, _)| *known == name);
            let answer = found.map(|(_, text)| {
                let records = vec![Data::Txt(text.clone())];
                Answer { name: name.to_owned(), records, ttl: 60, authentic: false }
            });
            Box::pin(async move { answer.ok_or(Missing::NoSuchName) })
        }
    }

    /// What stands in quotes in a zone file.
    pub fn public_of(zone: &str) -> String {
        zone.split('"').skip(1).step_by(2).collect()
    }

    /// Header fields and body.
    pub fn divided(message: &str) -> (Vec<Vec<u8>>, &[u8]) {
        let (head, body) = message.split_once("\n\n").expect("a message has both");
        let mut fields: Vec<Vec<u8>> = Vec::new();
        for line in head.lines() {
            match fields.last_mut().filter(|_| line.starts_with([' ', '\t'])) {
                Some(field) => field.extend_from_slice(format!("\n{line}").as_bytes()),
                None => fields.push(line.as_bytes().to_vec()),
            }
        }
        (fields, body.as_bytes())
    }
}
