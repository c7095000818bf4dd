//! Until somebody has proved who he is: USER and PASS, APOP, AUTH, STLS. RFC 1939 section 4, RFC 2595, RFC 5034.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mail::logline::printable;
use net::clock;
use people::{Account, Failure, Progress, Verdict, Why};

use super::Service;
use super::command::Command;
use super::connection::Connection;
use super::drop::Maildrop;
use super::handing;
use super::lock::{self, Locked};
use super::wire::End;
use crate::handover::Gone;
use crate::live::Ending;
use crate::service::{Counted, watched};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// Logins that may fail.
const ATTEMPTS: u32 = 10;

/// Commands that may be wrong.
const MISTAKES: u32 = 10;

/// How this half ends.
pub enum Outcome {
    /// Somebody is in.
    In(Box<Entered>),
    /// Somebody is, and another process goes on.
    Over(Box<Gone>, Counted),
    /// Nobody is.
    Out {
        /// As the log has it.
        why: &'static str,
        /// Logins that failed.
        failed: u32,
        /// The last name that was tried.
        user: String,
        /// The last mechanism that was tried.
        method: String,
    },
}

/// Who is in.
pub struct Entered {
    /// The name.
    pub user: String,
    /// How he proved it.
    pub method: String,
    /// His mail.
    pub drop: Held,
    /// The end of his session from outside.
    pub ending: Ending,
}

/// A maildrop, and what its session holds on to.
pub struct Held {
    /// The maildrop.
    pub drop: Maildrop,
    _counted: Option<Counted>,
    _locked: Option<Locked>,
}

#[derive(Default)]
struct Login {
    /// What USER said.
    name: Option<String>,
    /// The challenge of APOP, where it can be used.
    challenge: Option<String>,
    failed: u32,
    mistakes: u32,
    user: String,
    method: String,
}

enum Next {
    Go,
    In(Box<Entered>),
    Over(Box<Gone>, Counted),
    End(&'static str),
}

/// Greets, and talks until somebody is in or the client is gone.
pub async fn run(connection: &mut Connection) -> Outcome {
    let mut login = Login { challenge: challenge(connection), ..Login::default() };
    let greeting = &connection.service.access.login_greeting;
    let line = match &login.challenge {
        Some(challenge) => format!("+OK {greeting} {challenge}"),
        None => format!("+OK {greeting}"),
    };
    connection.wire.say(&line);
    let why = loop {
        match login.step(connection).await {
            Ok(Next::Go) => {}
            Ok(Next::In(entered)) => return Outcome::In(entered),
            Ok(Next::Over(gone, counted)) => return Outcome::Over(gone, counted),
            Ok(Next::End(why)) => break why,
            Err(end) => {
                match end {
                    End::Silent => connection.wire.say("-ERR Disconnected for inactivity."),
                    End::TooLong => connection.wire.say("-ERR Input line too long."),
                    End::Closed => {}
                }
                break end.why();
            }
        }
    };
    Outcome::Out { why, failed: login.failed, user: login.user, method: login.method }
}

/// APOP can be used when the mechanism is on.
fn challenge(connection: &Connection) -> Option<String> {
    let offered = connection.service.people.mechanisms(&connection.facts);
    let offered = offered.iter().any(|mechanism| mechanism.name == "APOP");
    offered.then(|| format!("<{}@facteur>", connection.id.trim_end_matches('=')))
}

impl Login {
    async fn step(&mut self, connection: &mut Connection) -> Result<Next, End> {
        let left = PATIENCE.saturating_sub(clock::now().duration_since(connection.since));
        let line = connection.wire.line(left).await?;
        let command = Command::parse(&line);
        let name = command.word.to_ascii_uppercase();
        match name.as_str() {
            "CAPA" => capabilities(connection),
            "USER" => self.user(connection, command.rest),
            "PASS" => return self.pass(connection, command.rest).await,
            "APOP" => return self.apop(connection, command.rest).await,
            "AUTH" => return self.auth(connection, command.rest).await,
            "STLS" => return self.stls(connection).await,
            "UTF8" => connection.wire.say("+OK UTF8 enabled"),
            "LANG" => super::mail::language(&mut connection.wire, command.rest),
            "NOOP" => connection.wire.say("+OK"),
            "QUIT" => {
                connection.wire.say("+OK Logging out");
                return Ok(Next::End("Aborted login by logging out"));
            }
            _ => {
                self.mistakes += 1;
                if self.mistakes >= MISTAKES {
                    connection.wire.say("-ERR Too many invalid commands.");
                    return Ok(Next::End("Too many invalid commands"));
                }
                connection.wire.say("-ERR Unknown command.");
            }
        }
        Ok(Next::Go)
    }

    fn user(&mut self, connection: &mut Connection, name: &str) {
        if refuses_plaintext(connection) {
            return connection.wire.say(DISALLOWED);
        }
        self.name = Some(name.to_owned());
        connection.wire.say("+OK");
    }

    async fn pass(&mut self, connection: &mut Connection, password: &str) -> Result<Next, End> {
        let Some(name) = self.name.take() else {
            connection.wire.say("-ERR No username given.");
            return Ok(Next::Go);
        };
        if refuses_plaintext(connection) {
            connection.wire.say(DISALLOWED);
            return Ok(Next::Go);
        }
        self.user.clone_from(&name);
        "PLAIN".clone_into(&mut self.method);
        let verdict = connection.service.people.authenticate(&name, password, &connection.facts).await;
        self.decide(connection, verdict).await
    }

    async fn apop(&mut self, connection: &mut Connection, rest: &str) -> Result<Next, End> {
        let (Some(challenge), Some((name, digest))) = (&self.challenge, rest.rsplit_once(' ')) else {
            connection.wire.say("-ERR [AUTH] APOP is not possible here.");
            return Ok(Next::Go);
        };
        self.user = name.to_owned();
        "APOP".clone_into(&mut self.method);
        let response = format!("{challenge}\0{name}\0{digest}");
        let verdict = match connection.service.people.begin("APOP", connection.facts.clone()) {
            Some(mut exchange) => match exchange.step(Some(response.as_bytes())).await {
                Progress::Done(verdict) => verdict,
                Progress::Ask(_) => Verdict::Failed(Failure::new(Why::Protocol, None, "APOP asks nothing")),
            },
            None => Verdict::Failed(Failure::new(Why::NotAllowed, None, "APOP is not offered")),
        };
        self.decide(connection, verdict).await
    }

    async fn auth(&mut self, connection: &mut Connection, rest: &str) -> Result<Next, End> {
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        if mechanism.is_empty() {
            connection.wire.say("+OK");
            for name in mechanisms(connection) {
                connection.wire.say(name);
            }
            connection.wire.say(".");
            return Ok(Next::Go);
        }
        let plaintext = ["PLAIN", "LOGIN"].iter().any(|name| name.eq_ignore_ascii_case(mechanism));
        if plaintext && refuses_plaintext(connection) {
            connection.wire.say(DISALLOWED);
            return Ok(Next::Go);
        }
        let allowed = mechanisms(connection).iter().any(|name| name.eq_ignore_ascii_case(mechanism));
        let begun = connection.service.people.begin(mechanism, connection.facts.clone()).filter(|_| allowed);
        let Some(mut exchange) = begun else {
            connection.wire.say("-ERR [AUTH] Unsupported authentication mechanism.");
            return Ok(Next::Go);
        };
        self.method = mechanism.to_ascii_uppercase();
        let mut response = match initial {
            "" => None,
            "=" => Some(Vec::new()),
            text => match BASE64.decode(text) {
                Ok(response) => Some(response),
                Err(_) => return Ok(self.invalid(connection)),
            },
        };
        loop {
            match exchange.step(response.as_deref()).await {
                Progress::Ask(question) => connection.wire.say(&format!("+ {}", BASE64.encode(question))),
                Progress::Done(verdict) => return self.decide(connection, verdict).await,
            }
            let left = PATIENCE.saturating_sub(clock::now().duration_since(connection.since));
            let line = connection.wire.line(left).await?;
            if line == "*" {
                exchange.cancel();
                connection.wire.say("-ERR [AUTH] Authentication aborted by client.");
                return Ok(Next::Go);
            }
            match BASE64.decode(&line) {
                Ok(decoded) => response = Some(decoded),
                Err(_) => return Ok(self.invalid(connection)),
            }
        }
    }

    fn invalid(&mut self, connection: &mut Connection) -> Next {
        connection.wire.say("-ERR [AUTH] Invalid base64 data in continued response");
        self.failed += 1;
        Next::Go
    }

    async fn stls(&mut self, connection: &mut Connection) -> Result<Next, End> {
        if connection.facts.tls {
            connection.wire.say("-ERR TLS is already active.");
            return Ok(Next::Go);
        }
        if connection.service.tls.is_none() {
            connection.wire.say("-ERR TLS support isn't enabled.");
            return Ok(Next::Go);
        }
        connection.wire.say("+OK Begin TLS negotiation now.");
        connection.wire.flush().await?;
        // Nothing said in clear counts any more (RFC 2595 section 4).
        self.name = None;
        match connection.handshake().await {
            true => Ok(Next::Go),
            false => Ok(Next::End("TLS handshaking failed")),
        }
    }

    async fn decide(&mut self, connection: &mut Connection, verdict: Verdict) -> Result<Next, End> {
        let watch = connection.service.watch.clone();
        let account = match watched(&*watch, verdict, connection.facts.remote).await {
            Verdict::Ok(account) => account,
            Verdict::Failed(failure) => {
                self.failed += 1;
                if let Some(user) = &failure.user {
                    self.user.clone_from(user);
                }
                connection.wire.say(&refusal(&failure));
                let many = self.failed >= ATTEMPTS;
                return Ok(if many { Next::End("Too many login attempts") } else { Next::Go });
            }
        };
        self.user.clone_from(&account.user);
        match self.enter(connection, account).await {
            Ok(next) => Ok(next),
            Err(line) => {
                connection.wire.say(&line);
                Ok(Next::End("Mailbox could not be opened"))
            }
        }
    }

    /// Counts who has logged in, and opens his maildrop here or where its keeper is; or says why not.
    async fn enter(&mut self, connection: &mut Connection, account: Account) -> Result<Next, String> {
        let counted = count(connection, &account.user)?;
        let keepers = connection.service.share.keepers.clone();
        let method = std::mem::take(&mut self.method);
        if let Some(keepers) = keepers
            && let Some(who) = keepers.elsewhere(&account)
        {
            let gone = handing::hand_over(connection, &keepers, who, account, method).await?;
            return Ok(Next::Over(Box::new(gone), counted));
        }
        let ending = counted.entry.ending();
        let drop = open(&connection.service, &account, Some(counted)).await?;
        connection.wire.say("+OK Logged in.");
        Ok(Next::In(Box::new(Entered { user: account.user, method, drop, ending })))
    }
}

const DISALLOWED: &str =
    "-ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.";

fn count(connection: &Connection, user: &str) -> Result<Counted, String> {
    let most = usize::try_from(connection.service.access.mail_max_userip_connections).unwrap_or(0);
    lock::enter(user, connection.facts.remote, most).ok_or_else(|| {
        let text = format!(
            "Maximum number of connections from user+IP exceeded (mail_max_userip_connections={most})"
        );
        log::info!(target: "=dovecot", "pop3-login: {text}: user=<{}>", printable(user));
        format!("-ERR [IN-USE] {text}")
    })
}

/// Opens the maildrop of who has logged in, or says why not.
pub(super) async fn open(
    service: &Service,
    account: &Account,
    counted: Option<Counted>,
) -> Result<Held, String> {
    let user = account.user.as_str();
    let locked = match service.lock.then(|| Locked::take(user)) {
        None => None,
        Some(Some(locked)) => Some(locked),
        Some(None) => return Err("-ERR [IN-USE] Mailbox is locked by another POP3 session.".to_owned()),
    };
    let (accounts, rules) = (service.accounts.clone(), service.rules.clone());
    let whose = account.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let mail = accounts.open(&whose)?;
        Maildrop::open(&*mail, rules)
    });
    let wrong = match opened.await {
        Ok(Ok(drop)) => return Ok(Held { drop, _counted: counted, _locked: locked }),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    log::error!(target: "=dovecot", "pop3({}): Couldn't open INBOX: {wrong}", printable(user));
    Err("-ERR [SYS/TEMP] Couldn't open INBOX: Internal error occurred. Refer to server log for more information."
        .to_owned())
}

fn refusal(failure: &Failure) -> String {
    // RFC 3206: what the user can do something about, and what will pass by itself.
    let code = if failure.is_temporary() { "SYS/TEMP" } else { "AUTH" };
    format!("-ERR [{code}] {}", failure.say())
}

/// `ssl = required`, or `disable_plaintext_auth`.
fn refuses_plaintext(connection: &Connection) -> bool {
    let required = connection.service.access.ssl == "required" && !connection.facts.tls;
    required || connection.service.people.wants_encryption(&connection.facts)
}

fn mechanisms(connection: &Connection) -> Vec<&'static str> {
    if connection.service.access.ssl == "required" && !connection.facts.tls {
        return Vec::new();
    }
    let offered = connection.service.people.mechanisms(&connection.facts);
    offered.iter().map(|mechanism| mechanism.name).filter(|name| *name != "APOP").collect()
}

fn capabilities(connection: &mut Connection) {
    connection.wire.say("+OK");
    for word in super::mail::CAPABILITIES {
        connection.wire.say(word);
    }
    if connection.service.tls.is_some() && !connection.facts.tls {
        connection.wire.say("STLS");
    }
    if !refuses_plaintext(connection) {
        connection.wire.say("USER");
    }
    let names = mechanisms(connection);
    if !names.is_empty() {
        connection.wire.say(&format!("SASL {}", names.join(" ")));
    }
    connection.wire.say(".");
}
