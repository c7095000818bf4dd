//! Who a client is: asks the `people` room, opens the mail, counts sessions, and says so in the log.
//!
//! The lines are Dovecot's, which fail2ban and others read.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use gate::bans::Watch;
use mail::logline::printable;
use master::Identity;
use people::{Exchange, Facts, Failure, People, Progress, Verdict, Why};

use crate::accounts::Accounts;
use crate::handover::Keepers;
use crate::live;
use crate::login::Login;
use crate::session::{Fail, User};

/// Sessions by user and address.
#[derive(Default)]
pub struct Counts(Mutex<HashMap<(String, Option<IpAddr>), usize>>);

/// A session that is counted, and listed, until it is dropped.
pub struct Counted {
    counts: Arc<Counts>,
    key: (String, Option<IpAddr>),
    /// Its place in the list of sessions.
    pub entry: live::Entry,
}

impl Counts {
    /// Counts a session of a service; `None` when there are `most` already; 0 sets no limit.
    pub fn enter(
        self: &Arc<Self>,
        service: &str,
        user: &str,
        address: Option<IpAddr>,
        most: usize,
    ) -> Option<Counted> {
        let key = (user.to_owned(), address);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        if most > 0 && *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted { counts: self.clone(), key, entry: live::Entry::new(user, service, address) })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

/// What logins need.
pub struct Desk {
    /// Who may log in.
    pub people: People,
    /// Where the mail is.
    pub accounts: Accounts,
    /// Where it is that other processes keep.
    pub keepers: Option<Arc<dyn Keepers>>,
    /// Sessions by user and address; it outlives configurations.
    pub counts: Arc<Counts>,
    /// `mail_max_userip_connections`
    pub most: usize,
    /// Where logins are reported.
    pub watch: Arc<dyn Watch>,
}

/// The logins of one session.
#[derive(Default)]
pub struct Attempts {
    exchange: Option<Exchange>,
    /// Failed so far.
    pub failed: u32,
    /// The last name that was tried.
    pub user: String,
    /// The last mechanism that was tried.
    pub method: String,
}

/// Where a login stands.
pub enum Step {
    /// The client is asked this, in base64.
    Ask(String),
    /// It is right.
    In(User, Counted),
    /// It is right, and another process keeps the mail.
    Over(Identity, Box<people::Account>, Counted),
    /// It is not.
    Out(Fail),
}

/// Reports a login that is decided. One that is banned has failed, whatever its password was.
pub async fn watched(watch: &dyn Watch, verdict: Verdict, remote: Option<IpAddr>) -> Verdict {
    let Some(address) = remote else { return verdict };
    match verdict {
        Verdict::Ok(account) if !watch.tried(address, &account.user, true).await => {
            let banned = "this account is banned from this address for now";
            Verdict::Failed(Failure::new(Why::Credentials, Some(&account.user), banned))
        }
        Verdict::Failed(failure) => {
            if let (Why::Credentials, Some(user)) = (failure.why, &failure.user) {
                watch.tried(address, user, false).await;
            }
            Verdict::Failed(failure)
        }
        verdict => verdict,
    }
}

impl Desk {
    /// Takes a step of a login.
    pub async fn step(&self, attempts: &mut Attempts, login: Login, facts: &Facts) -> Step {
        let verdict = match login {
            Login::Password { user, password } => {
                attempts.user.clone_from(&user);
                "PLAIN".clone_into(&mut attempts.method);
                self.people.authenticate(&user, &password, facts).await
            }
            Login::Sasl { mechanism, initial } => {
                let Some(exchange) = self.people.begin(&mechanism, facts.clone()) else {
                    return Step::Out(Fail::no("", "Unsupported authentication mechanism."));
                };
                attempts.exchange = Some(exchange);
                attempts.method = mechanism;
                match self.answer(attempts, initial).await {
                    Ok(verdict) => verdict,
                    Err(step) => return step,
                }
            }
            Login::Line(line) => match self.answer(attempts, Some(line)).await {
                Ok(verdict) => verdict,
                Err(step) => return step,
            },
            Login::Cancel => {
                if let Some(exchange) = attempts.exchange.take() {
                    exchange.cancel();
                }
                return Step::Out(Fail::Refused("Authentication aborted by client."));
            }
        };
        attempts.exchange = None;
        match watched(&*self.watch, verdict, facts.remote).await {
            Verdict::Ok(account) => self.enter(attempts, account, facts).await,
            Verdict::Failed(failure) => {
                attempts.failed += 1;
                if let Some(user) = &failure.user {
                    attempts.user.clone_from(user);
                }
                Step::Out(refusal(&failure))
            }
        }
    }

    /// Gives the client's line, in base64, to the conversation.
    async fn answer(&self, attempts: &mut Attempts, line: Option<Vec<u8>>) -> Result<Verdict, Step> {
        let Some(exchange) = &mut attempts.exchange else {
            return Err(Step::Out(Fail::Refused("No authentication is under way.")));
        };
        let decoded = match line.as_deref() {
            None => None,
            Some(b"=") => Some(Vec::new()),
            Some(line) => match BASE64.decode(line) {
                Ok(decoded) => Some(decoded),
                Err(_) => {
                    attempts.exchange = None;
                    attempts.failed += 1;
                    return Err(Step::Out(Fail::Refused("Invalid base64 data in continued response")));
                }
            },
        };
        match exchange.step(decoded.as_deref()).await {
            Progress::Ask(challenge) => Err(Step::Ask(BASE64.encode(challenge))),
            Progress::Done(verdict) => Ok(verdict),
        }
    }

    async fn enter(&self, attempts: &mut Attempts, account: people::Account, facts: &Facts) -> Step {
        attempts.user.clone_from(&account.user);
        let Some(counted) = self.counts.enter(&facts.service, &account.user, facts.remote, self.most) else {
            let most = self.most;
            log::info!(
                target: "=dovecot",
                "{}-login: Maximum number of connections from user+IP exceeded \
                 (mail_max_userip_connections={most}): user=<{}>",
                facts.service, printable(&account.user)
            );
            let text = format!(
                "Maximum number of connections from user+IP exceeded (mail_max_userip_connections={most})"
            );
            return Step::Out(Fail::no("LIMIT", text));
        };
        if let Some(who) = self.keepers.as_ref().and_then(|keepers| keepers.elsewhere(&account)) {
            return Step::Over(who, Box::new(account), counted);
        }
        let name = account.user.clone();
        if let Some(account) = self.accounts.opened(&account) {
            return Step::In(User { name, account }, counted);
        }
        let accounts = self.accounts.clone();
        let opened = tokio::task::spawn_blocking(move || accounts.open(&account)).await;
        match opened {
            Ok(Ok(account)) => Step::In(User { name, account }, counted),
            Ok(Err(error)) => {
                log::error!(target: "=dovecot", "imap({}): {error}", printable(&name));
                Step::Out(Fail::no(
                    "SERVERBUG",
                    "Internal error occurred. Refer to server log for more information.",
                ))
            }
            Err(_) => Step::Out(Fail::no("SERVERBUG", "Internal error occurred.")),
        }
    }
}

fn refusal(failure: &Failure) -> Fail {
    Fail::no(failure.code(), failure.say().to_owned())
}
