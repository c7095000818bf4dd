//! Mail that is fetched: real clients against POP3 and IMAP of the running program, which gets it by SMTP and LMTP.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use testbed::{Address, Client, Instance, Site, address, neighbour, wait};

/// A site whose users read their mail.
struct Readers {
    mx: Instance,
    pop3: Address,
    imap: Address,
    lmtp: Address,
}

impl Readers {
    fn start() -> Readers {
        Readers::with("plain")
    }

    /// Who may log in by these mechanisms.
    fn with(mechanisms: &str) -> Readers {
        let [pop3, imap, lmtp] = [address(), address(), address()];
        let site = Site::new("mx.test").with_tls("mx.test");
        let dir = site.path().display().to_string();
        let kept = site.folder("kept").display().to_string();
        let (uid, gid) = testbed::mailbox_owner();
        let line = |at: Address, command: &str| format!("{}:{} inet n - n - - {command}", at.ip(), at.port());
        let users: String =
            ["ann", "bob"].iter().map(|user| format!("{user}@box.test:{{PLAIN}}secret::::::\n")).collect();
        site.put("users", &users);
        let mx = site
            .set("auth_mechanisms", mechanisms)
            .set("passdb", &format!("passwd-file:{dir}/conf/users"))
            .set("userdb", &format!("passwd-file:{dir}/conf/users"))
            .set("mail_location", &format!("maildir:{kept}/%n"))
            .set("mail_uid", &uid.to_string())
            .set("mail_gid", &gid.to_string())
            .set("virtual_transport", &format!("lmtp:inet:{}:{}", lmtp.ip(), lmtp.port()))
            .service(&line(pop3, "pop3d"))
            .service(&line(imap, "imapd"))
            .service(&line(lmtp, "lmtpd"))
            .start();
        Readers { mx, pop3, imap, lmtp }
    }

    /// Sends a message to ann, and waits until she has it.
    fn mail(&self, number: usize) {
        let text = format!("Subject: number {number}\nMessage-ID: <{number}@far.test>\n\nHello\n.dot\n");
        self.mx.send("far@far.test", &["ann@box.test"], &text);
        self.mx.wait_log(&[&format!("msgid=<{number}@far.test>: saved mail to INBOX")]);
    }

    fn python(&self, program: &str) -> Option<String> {
        let [python] = neighbour::installed(["python3"])?;
        let output = Command::new(python)
            .args(["-c", program, &self.pop3.ip().to_string(), &self.pop3.port().to_string()])
            .args([self.imap.ip().to_string(), self.imap.port().to_string()])
            .arg(self.mx.site().authority())
            .output()
            .expect("it starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{text}{errors}{}", self.mx.log());
        Some(text)
    }
}

/// Over both protocols: what POP3 deletes is gone for IMAP, and what it has read is seen.
const PYTHON: &str = r#"
import imaplib, poplib, ssl, sys
host, port, imap_host, imap_port, authority = sys.argv[1:]
trust = ssl.create_default_context(cafile=authority)
trust.check_hostname = False
pop = poplib.POP3(host, int(port), timeout=20)
assert 'STLS' in pop.capa() and 'UIDL' in pop.capa(), pop.capa()
pop.stls(trust)
assert 'STLS' not in pop.capa()
pop.user('ann@box.test')
pop.pass_('secret')
count, size = pop.stat()
assert count == 2, count
uids = [line.split()[1] for line in pop.uidl()[1]]
lines = pop.retr(1)[1]
assert b'Subject: number 1' in lines and b'.dot' in lines, lines
assert lines[0] == b'Return-Path: <far@far.test>', lines
assert pop.top(2, 0)[1][-1] == b'', pop.top(2, 0)
pop.dele(2)
pop.quit()
imap = imaplib.IMAP4(imap_host, int(imap_port))
imap.starttls(trust)
imap.login('ann@box.test', 'secret')
assert imap.select('INBOX')[1] == [b'1'], imap.select('INBOX')
assert rb'\Seen' in imap.fetch('1', '(FLAGS)')[1][0], imap.fetch('1', '(FLAGS)')
envelope = imap.fetch('1', '(ENVELOPE)')[1][0]
assert b'"number 1"' in envelope and b'"<1@far.test>"' in envelope, envelope
imap.logout()
again = poplib.POP3(host, int(port), timeout=20)
again.user('ann@box.test')
again.pass_('secret')
assert [line.split()[1] for line in again.uidl()[1]] == uids[:1], 'unique ids stay'
again.quit()
try:
    wrong = poplib.POP3(host, int(port), timeout=20)
    wrong.user('ann@box.test')
    wrong.pass_('wrong')
    raise SystemExit('a wrong password was taken')
except poplib.error_proto as said:
    assert b'[AUTH]' in said.args[0], said
print('done')
"#;

#[test]
fn python_reads_mail_by_pop3_and_imap() {
    let site = Readers::start();
    site.mail(1);
    site.mail(2);
    let Some(said) = site.python(PYTHON) else { return };
    assert_eq!(said.trim(), "done");
    let log = site.mx.log();
    assert!(log.contains("pop3-login: Login: user=<ann@box.test>, method=PLAIN, rip="), "{log}");
    assert!(log.contains(", TLS, session=<"), "{log}");
    assert!(log.contains("Disconnected: Logged out top=1/"), "{log}");
    site.mx.wait_log(&["pop3-login: Disconnected: ", "(auth failed, 1 attempts in "]);
}

/// SCRAM-SHA-256-PLUS, bound to the certificate that was shown, and to another one.
const SCRAM_PLUS: &str = r#"
import base64, hashlib, hmac, imaplib, poplib, ssl, sys
host, port, imap_host, imap_port, authority = sys.argv[1:]
trust = ssl.create_default_context(cafile=authority)
trust.check_hostname = False
encode = lambda data: base64.b64encode(data).decode()
mac = lambda key, text: hmac.new(key, text.encode(), 'sha256').digest()

class Scram:
    def __init__(self, binding):
        self.header = 'p=tls-server-end-point,,'
        self.binding = encode(self.header.encode() + binding)
        self.first = 'n=ann@box.test,r=abcdefgh'
        self.steps = 0

    def step(self, challenge):
        self.steps += 1
        if self.steps == 1:
            return (self.header + self.first).encode()
        text = challenge.decode()
        if self.steps == 3:
            assert text == 'v=' + encode(mac(self.server, self.message)), text
            return b''
        fields = dict(field.split('=', 1) for field in text.split(','))
        salted = hashlib.pbkdf2_hmac('sha256', b'secret', base64.b64decode(fields['s']), int(fields['i']))
        client, self.server = mac(salted, 'Client Key'), mac(salted, 'Server Key')
        last = 'c=' + self.binding + ',r=' + fields['r']
        self.message = ','.join([self.first, text, last])
        signature = mac(hashlib.sha256(client).digest(), self.message)
        return (last + ',p=' + encode(bytes(a ^ b for a, b in zip(client, signature)))).encode()

def login(change):
    imap = imaplib.IMAP4(imap_host, int(imap_port))
    assert 'AUTH=SCRAM-SHA-256-PLUS' not in imap.capabilities, imap.capabilities
    imap.starttls(trust)
    assert 'AUTH=SCRAM-SHA-256-PLUS' in imap.capabilities, imap.capabilities
    binding = change(hashlib.sha256(imap.sock.getpeercert(True)).digest())
    imap.authenticate('SCRAM-SHA-256-PLUS', Scram(binding).step)
    assert imap.select('INBOX')[0] == 'OK'
    imap.logout()

login(lambda binding: binding)
try:
    login(lambda binding: bytes(32))
    raise SystemExit('the binding of another session was taken')
except imaplib.IMAP4.error:
    pass
pop = poplib.POP3(host, int(port), timeout=20)
pop.stls(trust)
assert 'SCRAM-SHA-256-PLUS' in pop.capa()['SASL'], pop.capa()
print('done')
"#;

#[test]
fn a_login_is_bound_to_its_tls_session() {
    let site = Readers::with("plain scram-sha-256");
    let Some(said) = site.python(SCRAM_PLUS) else { return };
    assert_eq!(said.trim(), "done");
    site.mx.wait_log(&["imap-login: Login: user=<ann@box.test>, method=SCRAM-SHA-256-PLUS"]);
}

#[test]
fn pop3_clients_of_the_distribution_fetch_mail() {
    let Some([curl, fetchmail, getmail, mpop]) =
        neighbour::installed(["curl", "fetchmail", "getmail", "mpop"])
    else {
        return;
    };
    let site = Readers::start();
    site.mail(1);
    site.mail(2);
    let folder = tempfile::Builder::new().prefix("facteur-clients-").tempdir().expect("/tmp is there");
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| fs::read_to_string(path(name)).unwrap_or_default();
    let (ip, port) = (site.pop3.ip().to_string(), site.pop3.port().to_string());
    let done = |what: &str, command: &mut Command| {
        let output = command.env("HOME", folder.path()).output().expect("it starts");
        let said = format!("{what}: {output:?}\n{}", site.mx.log());
        assert!(output.status.success(), "{said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };

    let url = format!("pop3://{ip}:{port}/2");
    let said = done("curl", Command::new(curl).args(["-sS", "-u", "ann@box.test:secret", &url]));
    assert!(said.contains("Subject: number 2\r\n") && said.contains("\r\n.dot\r\n"), "{said}");

    let poll = format!(
        "set no bouncemail\npoll {ip} service {port} protocol POP3 user \"ann@box.test\" password \"secret\" \
         sslproto \"\" keep mda \"/usr/bin/tee -a {}\"\n",
        path("fetched").display()
    );
    fs::write(path("fetchmailrc"), poll).expect("it is ours");
    fs::set_permissions(path("fetchmailrc"), fs::Permissions::from_mode(0o600)).expect("it is ours");
    let rc = path("fetchmailrc").display().to_string();
    done("fetchmail", Command::new(&fetchmail).args(["--nodetach", "--nosyslog", "-f", &rc]));
    assert_eq!(text("fetched").matches("Subject: number ").count(), 2, "{}", text("fetched"));
    // By unique ids it knows that there is nothing new: exit status 1.
    let again = Command::new(&fetchmail)
        .args(["--nodetach", "--nosyslog", "--uidl", "-f", &rc])
        .env("HOME", folder.path())
        .status()
        .expect("it starts");
    assert!(again.code().is_some_and(|code| code <= 1), "{again}");

    fs::write(path("mbox"), "").expect("it is ours");
    let rc = format!(
        "[retriever]\ntype = SimplePOP3Retriever\nserver = {ip}\nport = {port}\nusername = ann@box.test\n\
         password = secret\n[destination]\ntype = MDA_external\npath = /usr/bin/tee\n\
         arguments = (\"-a\", \"{}\")\nallow_root_commands = true\n[options]\nread_all = false\n",
        path("mbox").display()
    );
    fs::write(path("getmailrc"), rc).expect("it is ours");
    for directory in ["first", "second"] {
        let folder = path("getmail").display().to_string();
        fs::create_dir_all(&folder).expect("it is ours");
        let file = path("getmailrc").display().to_string();
        done(directory, Command::new(&getmail).args(["--rcfile", &file, "--getmaildir", &folder]));
        assert_eq!(text("mbox").matches("Subject: number ").count(), 2, "{}", text("mbox"));
    }

    let to = format!("--delivery=mbox,{}", path("mpop").display());
    let uidls = format!("--uidls-file={}", path("uidls").display());
    done(
        "mpop",
        Command::new(mpop)
            .args([&format!("--host={ip}"), &format!("--port={port}"), "--user=ann@box.test", "--auth=user"])
            .args(["--passwordeval=echo secret", "--tls=off", "--keep=off", "--pipelining=on", &to, &uidls]),
    );
    assert_eq!(text("mpop").matches("Subject: number ").count(), 2, "{}", text("mpop"));
    site.mx.wait_log(&["del=2/2"]);
}

#[test]
fn lmtp_answers_for_each_recipient() {
    let site = Readers::start();
    let mut client = wait::until("lmtpd", || Client::connect(site.lmtp).ok());
    assert_eq!(client.reply().code, 220);
    let offers = client.expect(250, "LHLO far.test");
    for word in ["8BITMIME", "PIPELINING", "SMTPUTF8", "CHUNKING"] {
        assert!(offers.offers(word), "{offers:?}");
    }
    client.expect(250, "MAIL FROM:<far@far.test>");
    client.expect(250, "RCPT TO:<ann@box.test>");
    assert_eq!(client.ask("RCPT TO:<nobody@box.test>").code, 550);
    client.expect(250, "RCPT TO:<bob@box.test>");
    client.expect(354, "DATA");
    client.send(b"Subject: x\r\n\r\nx\r\n.\r\n");
    for user in ["ann", "bob"] {
        let reply = client.reply();
        assert!(reply.code == 250 && reply.text.contains(&format!("<{user}@box.test>")), "{reply:?}");
    }
    client.expect(221, "QUIT");
}
