//! Sessions of Dovecot's authentication protocol, as its server: a Postfix with `smtpd_sasl_type = dovecot` asks here.
//!
//! Many logins may be under way on one connection. A client that goes away gives them up.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mail::logline::printable;
use proto::dovecot::server::{self, Begin, Command, Failed, Server};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinSet;

use crate::expand::hex;
use crate::{Exchange, Facts, Failure, People, Progress, Verdict, Why, random};

/// Most logins under way on one connection: further ones are temporary failures.
const LOGINS: usize = 256;

/// A conversation, and where its client says that its own client is.
type Login = (Exchange, Option<IpAddr>);

/// A step that was taken: the login, what comes of it, and the conversation if it goes on.
type Taken = (u32, Login, Progress);

/// Has the last word on a login that is decided: it is told how it went, and from where it came.
pub type Witness =
    Arc<dyn Fn(Verdict, Option<IpAddr>) -> Pin<Box<dyn Future<Output = Verdict> + Send>> + Send + Sync>;

/// Talks to one client until it is gone.
pub async fn serve(people: People, mut stream: impl AsyncRead + AsyncWrite + Unpin, witness: Witness) {
    static CONNECTIONS: AtomicU32 = AtomicU32::new(1);
    let connection = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    let mechanisms: Vec<_> = people
        .all_mechanisms()
        .iter()
        // A binding belongs to a TLS session, which is not ours.
        .filter(|mechanism| !mechanism.name.ends_with("-PLUS"))
        .map(|mechanism| (mechanism.name, mechanism.traits))
        .collect();
    let cookie = hex(&random::bytes::<16>());
    if stream.write_all(&server::hello(&mechanisms, std::process::id(), connection, &cookie)).await.is_err() {
        return;
    }
    let mut talk = Talk { people, witness, steps: JoinSet::new(), of_ours: false, waiting: HashMap::new() };
    let mut machine = Server::new();
    let mut buffer = [0; 4096];
    loop {
        let replies = tokio::select! {
            read = stream.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(length) => {
                    machine.feed(&buffer[..length]);
                    match talk.hear(&mut machine) {
                        Ok(replies) => replies,
                        Err(broken) => {
                            log::warn!(target: "auth", "client of the authentication service: {broken}");
                            return;
                        }
                    }
                }
            },
            Some(taken) = talk.steps.join_next() => match taken {
                Ok(taken) => talk.reply(taken),
                Err(died) => {
                    log::error!(target: "auth", "a login died: {died}");
                    return;
                }
            },
        };
        if !replies.is_empty() && stream.write_all(&replies).await.is_err() {
            return;
        }
    }
}

struct Talk {
    people: People,
    witness: Witness,
    steps: JoinSet<Taken>,
    /// The client is an SMTP server of ours, which reports by itself how logins went.
    of_ours: bool,
    /// Conversations that wait for their client.
    waiting: HashMap<u32, Login>,
}

impl Talk {
    fn hear(&mut self, machine: &mut Server) -> Result<Vec<u8>, proto::dovecot::Broken> {
        let mut replies = Vec::new();
        while let Some(command) = machine.advance()? {
            self.of_ours = machine.client() == Some(std::process::id());
            match command {
                Command::Begin(begin) => replies.extend(self.begin(begin)),
                Command::Continue { id, answer } => match self.waiting.remove(&id) {
                    Some(login) => replies.extend(self.step(id, login, Some(&answer))),
                    None => {
                        replies.extend(failed(id, None, "", Some("Authentication request was not begun")))
                    }
                },
                Command::Cancel { id } => drop(self.waiting.remove(&id)),
            }
        }
        Ok(replies)
    }

    fn begin(&mut self, begin: Begin) -> Vec<u8> {
        if self.steps.len() + self.waiting.len() >= LOGINS {
            return failed(begin.id, None, "temp", None);
        }
        let facts = facts(&begin);
        let remote = facts.remote.filter(|_| !self.of_ours);
        let Some(exchange) = self.people.begin_for(&begin.mechanism, facts) else {
            return failed(begin.id, None, "", Some("Unsupported authentication mechanism"));
        };
        self.step(begin.id, (exchange, remote), begin.initial.as_deref())
    }

    /// Takes a step elsewhere; the reply comes when it is done.
    fn step(&mut self, id: u32, (mut exchange, remote): Login, answer: Option<&str>) -> Vec<u8> {
        // A lone `=` is an empty initial response (RFC 4954).
        let decoded =
            answer.map(|text| if text == "=" { Ok(Vec::new()) } else { BASE64_STANDARD.decode(text) });
        let Ok(decoded) = decoded.transpose() else {
            return failed(id, None, "", Some("Invalid base64 data"));
        };
        let witness = self.witness.clone();
        self.steps.spawn(async move {
            let progress = match exchange.step(decoded.as_deref()).await {
                Progress::Done(verdict) => Progress::Done(witness(verdict, remote).await),
                progress => progress,
            };
            (id, (exchange, remote), progress)
        });
        Vec::new()
    }

    fn reply(&mut self, (id, login, progress): Taken) -> Vec<u8> {
        match progress {
            Progress::Ask(question) => {
                self.waiting.insert(id, login);
                server::ask(id, &BASE64_STANDARD.encode(question))
            }
            Progress::Done(Verdict::Ok(account)) => {
                let master = account.master.as_deref().map(|master| ("auth_user", master));
                server::accepted(id, &account.user, master)
            }
            Progress::Done(Verdict::Failed(failure)) => {
                failed(id, failure.user.as_deref(), kind(&failure), failure.reason.as_deref())
            }
        }
    }
}

fn failed(id: u32, user: Option<&str>, kind: &str, reason: Option<&str>) -> Vec<u8> {
    server::refused(id, &Failed { user, kind, reason })
}

/// The protocol's word for a failure.
fn kind(failure: &Failure) -> &'static str {
    match failure.why {
        Why::Temporary => "temp",
        Why::Disabled => "user_disabled",
        Why::Expired => "pass_expired",
        Why::NotAllowed => "authz",
        Why::Credentials | Why::NoSecret | Why::Protocol => "",
    }
}

fn facts(begin: &Begin) -> Facts {
    let address = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok());
    Facts {
        service: printable(&begin.service),
        local: address(&begin.local),
        local_port: begin.local_port,
        remote: address(&begin.remote),
        remote_port: begin.remote_port,
        tls: begin.secured,
        certificate_name: begin.certificate_name.clone(),
        // Whoever asks here asks the user database by himself.
        password_only: true,
        ..Facts::default()
    }
}
