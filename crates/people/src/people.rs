//! The face: a snapshot of all databases, and what services ask of it.

use std::sync::Arc;
use std::time::Duration;

use conf::{Block, Mistake, Severity, View};
use mail::Trouble;
use mail::logline::printable;
use tokio::sync::Semaphore;
use tokio::time::Sleep;

use crate::cache::Cache;
use crate::chain::{Found, No, PassChain, UserChain, Want};
use crate::cyrus::{Application, Method};
use crate::databases::{self, Clock, Password, Request};
use crate::open::Opener;
use crate::params::Logins;
use crate::sasl::{self, Exchange, Mechanism};
use crate::schemes::Scheme;
use crate::username::Names;
use crate::workers::Workers;
use crate::{Account, Facts, Failure, Fields, Verdict, Why};

/// Everybody, as the configuration says. Cheap to clone.
#[derive(Clone)]
pub struct People(Arc<Inner>);

struct Inner {
    passdbs: PassChain,
    userdbs: UserChain,
    names: Names,
    mechanisms: Vec<&'static Mechanism>,
    plaintext_only_secured: bool,
    delay: Duration,
    workers: Workers,
    cache: Option<Cache>,
    /// Places of look-ups that may block.
    places: Semaphore,
}

/// What people are built with besides parameters.
pub struct Parts {
    /// Seconds since 1970, asked at each use.
    pub clock: Clock,
}

/// Who somebody says he is.
pub(crate) struct Claim {
    /// The user whose mail is meant.
    pub user: String,
    /// The name as sent.
    original: String,
    /// The master user who logs in for him.
    master: Option<String>,
    mechanism: &'static str,
    /// What a database said when a secret was looked up.
    found: Option<Found>,
    /// Why there was none.
    pub failure: Option<Failure>,
}

impl People {
    /// Opens every database. What is wrong is told, and left out: then nobody is found in it, which is trouble and
    /// not "no such user".
    pub fn read(view: &View, parts: Parts, mistakes: &mut Vec<Mistake>) -> People {
        let params = Logins::read(view, mistakes);
        let mut told = |parameter: &str, text: String| {
            let place = view.place(parameter);
            let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
            mistakes.push(Mistake::new(Severity::Error, place, text));
        };
        let opener = Opener { directory: params.directory_database.clone(), clock: parts.clock.clone() };
        let passdbs = opener.passdbs(&params.passdb, &mut |text| told("passdb", text));
        let userdbs = opener.userdbs(&params.userdb, &mut |text| told("userdb", text));
        let names = Names::read(&params).unwrap_or_else(|wrong| {
            told("auth_username_format", wrong);
            Names::plain()
        });
        let mut mechanisms = Vec::new();
        for word in &params.auth_mechanisms {
            let word = word.to_ascii_lowercase();
            let found = sasl::MECHANISMS.iter().filter(|mechanism| mechanism.word == word);
            let before = mechanisms.len();
            mechanisms.extend(found.copied());
            if mechanisms.len() == before {
                let known: Vec<_> = sasl::MECHANISMS.iter().map(|mechanism| mechanism.word).collect();
                let text = format!("auth_mechanisms: no such mechanism: {word}; known: {}", known.join(" "));
                told("auth_mechanisms", text);
            }
        }
        let method = Method { chain: passdbs, mechanisms };
        People::assembled(&params, method, userdbs, names, params.disable_plaintext_auth, parts)
    }

    /// Those who may log in as the file of an application of Cyrus SASL says (`smtpd_sasl_type = cyrus`). In which
    /// sessions passwords may pass in clear is the service's to decide.
    pub fn of_cyrus(
        view: &View,
        application: &Application,
        parts: Parts,
        told: &mut dyn FnMut(String),
    ) -> People {
        let params = Logins::read(view, &mut Vec::new());
        let method = Method::read(application, told);
        let names = Names::of_realm(&application.local_domain);
        People::assembled(&params, method, UserChain::default(), names, false, parts)
    }

    fn assembled(
        params: &Logins,
        method: Method,
        userdbs: UserChain,
        names: Names,
        plaintext_only_secured: bool,
        parts: Parts,
    ) -> People {
        let Method { chain: passdbs, mechanisms } = method;
        let ports = passdbs.users.iter().chain(&passdbs.masters).any(|link| link.database.asks_port());
        let (positive, negative) = (params.auth_cache_ttl, params.auth_cache_negative_ttl);
        let cache = Cache::new(params.auth_cache_size, positive, negative, ports, parts.clock);
        People(Arc::new(Inner {
            cache,
            passdbs,
            userdbs,
            names,
            mechanisms,
            plaintext_only_secured,
            delay: params.auth_failure_delay,
            workers: Workers::new(usize::try_from(params.auth_hash_queue_limit).unwrap_or(usize::MAX)),
            places: Semaphore::new(usize::try_from(params.auth_worker_max_count).unwrap_or(1)),
        }))
    }

    /// Reports what is wrong with the parameters.
    pub fn check(view: &View, mistakes: &mut Vec<Mistake>) {
        People::read(view, Parts { clock: Arc::new(|| 0) }, mistakes);
    }

    /// The mechanisms that a session may use now, in the order of `auth_mechanisms`.
    pub fn mechanisms(&self, facts: &Facts) -> Vec<&'static Mechanism> {
        let offered = |mechanism: &&&'static Mechanism| {
            (mechanism.possible)(facts) && !(mechanism.is_plaintext() && self.wants_encryption(facts))
        };
        self.0.mechanisms.iter().filter(offered).copied().collect()
    }

    /// Must this session be encrypted before a password may pass (`disable_plaintext_auth`)?
    pub fn wants_encryption(&self, facts: &Facts) -> bool {
        self.0.plaintext_only_secured && !facts.is_secured()
    }

    /// Begins a SASL conversation. `None` when the mechanism is not offered in this session.
    pub fn begin(&self, mechanism: &str, facts: Facts) -> Option<Exchange> {
        let mechanism = sasl::find(mechanism)?;
        let offered = self.mechanisms(&facts).into_iter().any(|offered| offered.name == mechanism.name);
        offered.then(|| Exchange::new(self.clone(), facts, mechanism))
    }

    /// Begins a conversation for a server that asks us for its client, and has decided by itself whether the session
    /// is safe enough: `disable_plaintext_auth` is not looked at.
    pub fn begin_for(&self, mechanism: &str, facts: Facts) -> Option<Exchange> {
        let mechanism = sasl::find(mechanism)?;
        let on = self.0.mechanisms.iter().any(|known| known.name == mechanism.name);
        (on && (mechanism.possible)(&facts)).then(|| Exchange::new(self.clone(), facts, mechanism))
    }

    /// The mechanisms of `auth_mechanisms`, whatever the session.
    pub fn all_mechanisms(&self) -> &[&'static Mechanism] {
        &self.0.mechanisms
    }

    /// Checks a name and a password (IMAP LOGIN, POP3 USER and PASS, HTTP). Where it fails, the answer has waited for
    /// `auth_failure_delay`.
    pub async fn authenticate(&self, user: &str, password: &str, facts: &Facts) -> Verdict {
        let pause = self.pause();
        let verdict = match (self.claim(user, "", "PLAIN"), Password::new(password)) {
            (Ok(_), _) if self.wants_encryption(facts) => Verdict::Failed(Failure::new(
                Why::NotAllowed,
                None,
                "password in clear in a session that is not encrypted (disable_plaintext_auth)",
            )),
            (Ok(claim), Some(password)) => self.check_password(&claim, &password, facts).await,
            (Ok(_), None) => Verdict::Failed(Failure::new(Why::Protocol, None, "NUL in password")),
            (Err(failure), _) => Verdict::Failed(failure),
        };
        if let Verdict::Failed(failure) = &verdict {
            self.told(failure, facts, "PLAIN");
            pause.await;
        }
        verdict
    }

    /// Who is this user? Asks the user databases alone, as delivery and `doveadm user` do.
    ///
    /// # Errors
    /// A database failed: nobody knows.
    pub async fn lookup(&self, user: &str, facts: &Facts) -> Result<Option<Account>, Trouble> {
        let Ok(name) = self.0.names.one(user) else { return Ok(None) };
        self.account(&name, user, None, &Fields::default(), facts).await
    }

    /// The names of all users, of the databases that can tell.
    ///
    /// # Errors
    /// A database failed, or none can tell.
    pub async fn users(&self) -> Result<Vec<String>, Trouble> {
        let _place = self.place().await;
        self.0.userdbs.users().await
    }

    async fn place(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        self.0.places.acquire().await.ok()
    }

    /// The wait of a login that fails, counted from now.
    pub(crate) fn pause(&self) -> Sleep {
        tokio::time::sleep(self.0.delay)
    }

    /// Logs a failure. Never the password.
    pub(crate) fn told(&self, failure: &Failure, facts: &Facts, mechanism: &str) {
        let remote = facts.remote.map_or_else(|| "local".to_owned(), |remote| remote.to_string());
        let user = failure.user.as_deref().unwrap_or_default();
        let (service, log) = (printable(&facts.service), printable(&failure.log));
        log::info!(
            target: "auth", "{service}({},{remote},{mechanism}): {log}", printable(user)
        );
    }

    /// Takes a name apart.
    pub(crate) fn claim(&self, user: &str, authzid: &str, mechanism: &'static str) -> Result<Claim, Failure> {
        let wrong = |why: &str| Failure::new(Why::Credentials, None, why);
        let names = &self.0.names;
        let (name, original) = if authzid.is_empty() || authzid == user {
            (names.normal(user).map_err(wrong)?, user)
        } else {
            let (login, master) = (names.one(authzid).map_err(wrong)?, names.one(user).map_err(wrong)?);
            (crate::username::Name { user: login, master: Some(master) }, authzid)
        };
        let (user, master, original) = (name.user, name.master, original.to_owned());
        Ok(Claim { user, original, master, mechanism, found: None, failure: None })
    }

    /// Checks a password, as a mechanism asks.
    pub(crate) async fn check_password(&self, claim: &Claim, password: &Password, facts: &Facts) -> Verdict {
        match self.ask(claim, Want::Check(password), facts).await {
            Ok(found) => self.granted(claim, found, facts).await,
            Err(no) => {
                if no.why == Why::Credentials && no.log == UNKNOWN {
                    self.0.workers.pretend(password).await;
                }
                Verdict::Failed(Failure::new(no.why, Some(&claim.user), no.log))
            }
        }
    }

    /// The secret a mechanism works with. Why there is none is kept in the claim: the conversation goes on, so that
    /// the client cannot tell.
    pub(crate) async fn secret(
        &self,
        claim: &mut Claim,
        scheme: &'static Scheme,
        facts: &Facts,
    ) -> Option<Vec<u8>> {
        match self.ask(claim, Want::Secret(scheme), facts).await {
            Ok(mut found) => {
                let secret = found.secret.take();
                claim.found = Some(found);
                secret
            }
            Err(no) => {
                claim.failure = Some(Failure::new(no.why, Some(&claim.user), no.log));
                None
            }
        }
    }

    /// Somebody proved that he knows the secret.
    pub(crate) async fn proved(&self, mut claim: Claim, facts: &Facts) -> Verdict {
        match claim.found.take() {
            Some(found) => self.granted(&claim, found, facts).await,
            None => Verdict::Failed(Failure::new(Why::Credentials, Some(&claim.user), "no secret was found")),
        }
    }

    /// Somebody proved who he is outside of the conversation.
    pub(crate) async fn exists(&self, claim: Claim, facts: &Facts) -> Verdict {
        match self.ask(&claim, Want::Exists, facts).await {
            Ok(found) => self.granted(&claim, found, facts).await,
            Err(no) => Verdict::Failed(Failure::new(no.why, Some(&claim.user), no.log)),
        }
    }

    async fn ask(&self, claim: &Claim, want: Want<'_>, facts: &Facts) -> Result<Found, No> {
        let fields = Fields::default();
        let password = if let Want::Check(password) = want { Some(password) } else { None };
        let request = Request {
            user: claim.master.as_deref().unwrap_or(&claim.user),
            original: &claim.original,
            login: claim.master.is_some().then_some(claim.user.as_str()),
            facts,
            mechanism: claim.mechanism,
            password,
            fields: &fields,
        };
        let cached = password.zip(self.0.cache.as_ref()).map(|(it, cache)| (cache, cache.key(&request, it)));
        if let Some(answer) = cached.as_ref().and_then(|(cache, key)| cache.find(key)) {
            return answer;
        }
        let _place = self.place().await;
        let chain = if claim.master.is_some() { &self.0.passdbs.masters } else { &self.0.passdbs.users };
        let answer = PassChain::ask(chain, &request, want, &self.0.workers).await;
        if let Some((cache, key)) = cached {
            cache.keep(key, &answer);
        }
        answer
    }

    /// The password is right: may he log in, and where is his mail?
    async fn granted(&self, claim: &Claim, found: Found, facts: &Facts) -> Verdict {
        let mut found = found;
        let mut master = None;
        if claim.master.is_some() {
            master = Some(std::mem::replace(&mut found.user, claim.user.clone()));
            if found.then_user {
                let user = Claim {
                    user: claim.user.clone(),
                    original: claim.original.clone(),
                    master: None,
                    mechanism: claim.mechanism,
                    found: None,
                    failure: None,
                };
                match self.ask(&user, Want::Exists, facts).await {
                    Ok(login) => found = login,
                    Err(no) => return Verdict::Failed(Failure::new(no.why, Some(&claim.user), no.log)),
                }
            }
        }
        if found.fields.is_on("nologin") {
            let mut failure = Failure::new(Why::NotAllowed, Some(&found.user), "nologin is set");
            failure.reason = found.fields.remove("reason");
            return Verdict::Failed(failure);
        }
        if found.fields.is_on("proxy") || found.fields.is_on("proxy_maybe") {
            let log = "the passdb wants the login passed on to another host (proxy), which is not supported";
            return Verdict::Failed(Failure::new(Why::Temporary, Some(&found.user), log));
        }
        if facts.password_only {
            let account = Account { user: found.user, master, fields: found.fields, ..Account::default() };
            return Verdict::Ok(account);
        }
        match self.account(&found.user, &claim.original, Some(&claim.user), &found.fields, facts).await {
            Ok(Some(account)) => Verdict::Ok(Account { master, ..account }),
            Ok(None) => {
                let log = "the password is right, and no userdb knows the user";
                Verdict::Failed(Failure::new(Why::Temporary, Some(&found.user), log))
            }
            Err(trouble) => {
                Verdict::Failed(Failure::new(Why::Temporary, Some(&found.user), trouble.to_string()))
            }
        }
    }

    async fn account(
        &self,
        user: &str,
        original: &str,
        login: Option<&str>,
        fields: &Fields,
        facts: &Facts,
    ) -> Result<Option<Account>, Trouble> {
        let _place = self.place().await;
        let request = Request { user, original, login, facts, mechanism: "", password: None, fields };
        let Some(mut found) = self.0.userdbs.find(&request).await? else { return Ok(None) };
        let name = found.remove("user").filter(|name| !name.is_empty()).unwrap_or_else(|| user.to_owned());
        match Account::asks_system(&found) {
            true => databases::elsewhere(move || Account::from_fields(&name, found)).await.map(Some),
            false => Account::from_fields(&name, found).map(Some),
        }
    }
}

/// What the log hears of nobody.
pub(crate) const UNKNOWN: &str = "unknown user";
