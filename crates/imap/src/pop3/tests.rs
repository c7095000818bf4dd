//! Dialogues: text files that are run against this server and against an installed Dovecot.
//!
//! `# …` says what a file shows. `set NAME = VALUE` is a parameter, `message` begins one whose lines follow behind `| `
//! (`message crlf` stores it with CRLF, `message unended` without the last line end, `\0` is NUL), `start login` begins
//! at the greeting instead of behind the login, `ours REASON` keeps a file from Dovecot, `remote ADDRESS` is where the
//! client comes from. Then `C: ` says a line, `S: ` expects one (`*` is any text), `again` begins a new session, `other`
//! one more beside it, `flags N S` wants message N to have these Maildir flags (`-`: none), `kept N` wants N files.

mod dovecot;
mod script;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use conf::{Block, Facts, MainCf, Registry, View};
use net::{Endpoint, Listener};
use people::People;

use self::script::{Script, Step, matches};
use super::{Parts, Pop3d, check};
use crate::accounts::Accounts;
use crate::params::{Access, Pop3};

/// All dialogues.
fn scripts() -> Vec<Script> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pop3/dialogues");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 40, "dialogues are there");
    files.iter().map(|file| Script::read(file)).collect()
}

/// Where a dialogue's mail lies, and who may log in.
struct Mail(tempfile::TempDir);

impl Mail {
    fn of(script: &Script) -> Mail {
        let directory = tempfile::Builder::new().prefix("facteur-pop3-").tempdir().unwrap();
        let mail = Mail(directory);
        script.store(&mail.maildir());
        let users = "joe:{PLAIN}secret:::::\nann:{PLAIN}two words:::::\n";
        std::fs::write(mail.0.path().join("users"), users).unwrap();
        mail
    }

    fn maildir(&self) -> PathBuf {
        self.0.path().join("joe")
    }
}

fn view(script: &Script, mail: &Mail) -> View {
    let dir = mail.0.path().display();
    let mut text = format!(
        "passdb = passwd-file:{dir}/users\nuserdb = passwd-file:{dir}/users\nauth_failure_delay = 0\n\
         mail_location = maildir:{dir}/%u\nmailbox_special_use_create = no\n"
    );
    for (name, value) in &script.settings {
        text += &format!("{name} = {}\n", value.replace('$', "$$"));
    }
    let (main, mistakes) = MainCf::parse(&text, Path::new("main.cf"));
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let blocks = [
        Access::DECLARATIONS,
        Pop3::DECLARATIONS,
        people::params::Logins::DECLARATIONS,
        store::params::Mailboxes::DECLARATIONS,
        net::params::ServerTls::DECLARATIONS,
        net::params::Tls::DECLARATIONS,
        conf::params::Site::DECLARATIONS,
        conf::params::Paths::DECLARATIONS,
    ];
    View::new(Registry::new(&blocks), main, Facts::default())
}

/// A server for one dialogue; gives its address.
async fn serve(script: &Script, mail: &Mail) -> SocketAddr {
    let view = view(script, mail);
    let mut mistakes = Vec::new();
    check(&view, &mut mistakes);
    let people = People::read(&view, people::Parts { clock: Arc::new(|| 0) }, &mut mistakes);
    let accounts = Accounts::read(&view, || 1_700_000_000, &mut mistakes);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let watch = Arc::new(gate::bans::Nobody);
    let parts = Parts { view: &view, people, accounts, watch, share: super::Share::default() };
    let service = Pop3d::new(parts);
    let listener = Listener::bind(&[Endpoint::Tcp("127.0.0.1:0".parse().unwrap())], 0).unwrap();
    let Some(Endpoint::Tcp(address)) = listener.endpoints().next().cloned() else { panic!("asked for TCP") };
    let remote = script.remote;
    tokio::spawn(async move {
        loop {
            let mut accepted = listener.accept().await;
            if let (Some(remote), Some(peer)) = (remote, &mut accepted.peer) {
                peer.set_ip(remote);
            }
            let service = service.clone();
            tokio::spawn(async move { service.session(accepted).await });
        }
    });
    address
}

/// A client that follows a script.
struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Client { reader: BufReader::new(stream) }
    }

    fn say(&mut self, lines: &[u8]) {
        // The server may have gone already: what it said before is still read.
        let _ = self.reader.get_mut().write_all(lines);
    }

    fn hear(&mut self) -> String {
        let mut line = Vec::new();
        let _ = self.reader.read_until(b'\n', &mut line);
        String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()
    }

    fn log_in(&mut self) {
        self.hear();
        self.say(b"USER joe\r\nPASS secret\r\n");
        self.hear();
        let answer = self.hear();
        assert!(answer.starts_with("+OK"), "{answer}");
    }
}

/// Runs a dialogue; answers what went otherwise. `settle` is how long a server needs until all its processes know
/// of a session.
fn run(script: &Script, address: SocketAddr, maildir: &Path, settle: Duration) -> Result<(), String> {
    let enter = || {
        let mut client = Client::connect(address);
        if !script.from_login {
            client.log_in();
        }
        client
    };
    let mut others = Vec::new();
    let mut client = enter();
    let mut said = String::new();
    for (number, step) in &script.steps {
        let wrong = |what: String| Err(format!("{}:{number}: {what}", script.name));
        match step {
            Step::Say(lines) => {
                said = String::from_utf8_lossy(lines).into_owned();
                client.say(lines);
            }
            Step::Hear(expected) => {
                let heard = client.hear();
                if !matches(expected, &heard) {
                    let said: String = said.chars().take(60).collect();
                    return wrong(format!("after {said:?}: wanted {expected:?}, heard {heard:?}"));
                }
            }
            Step::Again => client = enter(),
            Step::Other => {
                std::thread::sleep(settle);
                others.push(std::mem::replace(&mut client, enter()));
            }
            Step::Flags(number, flags) => {
                drop(client.hear());
                let found = script::flags(maildir, *number);
                if found != *flags {
                    return wrong(format!("flags are {found:?}"));
                }
            }
            Step::Kept(count) => {
                drop(client.hear());
                let found = script::files(maildir).len();
                if found != *count {
                    return wrong(format!("{found} files are there"));
                }
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dialogues_with_this_server() {
    let mut wrong = Vec::new();
    for script in scripts() {
        let mail = Mail::of(&script);
        let address = serve(&script, &mail).await;
        let maildir = mail.maildir();
        let done = tokio::task::spawn_blocking(move || run(&script, address, &maildir, Duration::ZERO))
            .await
            .unwrap();
        wrong.extend(done.err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn dialogues_with_a_real_dovecot() {
    let Some(program) = dovecot::installed() else { return };
    let mut wrong = Vec::new();
    let mut scripts: Vec<_> = scripts().into_iter().filter(|script| script.ours.is_none()).collect();
    scripts.sort_by(|one, other| one.settings.cmp(&other.settings));
    for same in scripts.chunk_by(|one, other| one.settings == other.settings) {
        let server = dovecot::start(&program, &same[0].settings);
        for script in same {
            let once = |settle| {
                server.store(script);
                run(script, server.address, &server.maildir(), settle)
            };
            // On a busy machine its processes may learn of a session later than the next one comes.
            wrong.extend(once(Duration::from_millis(300)).or_else(|_| once(Duration::from_secs(3))).err());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
