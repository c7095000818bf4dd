//! The chain of password databases.

use std::sync::Arc;

use mail::Trouble;

use super::rule::Rule;
use crate::databases::{Checked, PassDb, Password, Request, Row, Secret};
use crate::people::UNKNOWN;
use crate::sasl;
use crate::schemes;
use crate::workers::Workers;
use crate::{Fields, Why};

/// A database at its place.
pub struct PassLink {
    /// What the chain does with its answers.
    pub rule: Rule,
    /// The database.
    pub database: Arc<dyn PassDb>,
}

/// All of them, in order.
#[derive(Default)]
pub struct PassChain {
    /// For users; master databases left out.
    pub users: Vec<PassLink>,
    /// For master users.
    pub masters: Vec<PassLink>,
}

/// What is wanted of a database.
#[derive(Clone, Copy)]
pub enum Want<'a> {
    /// Is this the password?
    Check(&'a Password),
    /// The secret that a mechanism works with, in this scheme.
    Secret(&'static schemes::Scheme),
    /// Only whether the user is there, and his fields: he has proved who he is in another way.
    Exists,
}

/// A user for whom it is yes.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The name, as databases may have changed it.
    pub user: String,
    /// Extra fields of every database that said yes.
    pub fields: Fields,
    /// For [`Want::Secret`].
    pub secret: Option<Vec<u8>>,
    /// A master user logged in, and the user he wants to be must be found, too.
    pub then_user: bool,
}

/// The answer of one database.
enum Answer {
    Yes { user: Option<String>, fields: Fields, secret: Option<Vec<u8>> },
    No(Why),
    Unknown,
}

impl PassChain {
    /// Walks the chain.
    ///
    /// # Errors
    /// Why it is no.
    pub async fn ask(
        links: &[PassLink],
        request: &Request<'_>,
        want: Want<'_>,
        workers: &Workers,
    ) -> Result<Found, No> {
        let mut found =
            Found { user: request.user.to_owned(), fields: request.fields.clone(), ..Found::default() };
        let (mut yes, mut trouble, mut no) = (false, None, No::new(Why::Credentials, UNKNOWN));
        for link in links {
            let user = found.user.clone();
            let request = Request { user: &user, fields: &found.fields, ..request.clone() };
            if !link.rule.applies(&request, yes) || link.is_deaf(request.mechanism) {
                continue;
            }
            let answer = link.answer(&request, want, workers).await;
            if link.rule.deny {
                match answer {
                    Ok(Answer::Unknown) => continue,
                    Ok(_) => {
                        let log = format!("user found from deny passdb {}", link.rule.name);
                        return Err(No { why: Why::Disabled, log });
                    }
                    Err(trouble) => return Err(No::new(Why::Temporary, &trouble.to_string())),
                }
            }
            let (action, changed) = match answer {
                Ok(Answer::Yes { user, fields, secret }) => (link.rule.success, Some((user, fields, secret))),
                Ok(Answer::No(why)) => {
                    no = No::new(why, said(why));
                    (link.rule.failure, None)
                }
                Ok(Answer::Unknown) => (link.rule.failure, None),
                Err(failed) => {
                    log::error!(target: "auth", "{}: {failed}", link.rule.name);
                    trouble = Some(No::new(Why::Temporary, &failed.to_string()));
                    (link.rule.trouble, None)
                }
            };
            if let Some((user, fields, secret)) = changed {
                found.user = user.unwrap_or(found.user);
                found.fields.extend(&fields);
                found.secret = secret.or(found.secret);
                found.then_user |= link.rule.then_user;
            }
            if !action.apply(&mut yes) {
                break;
            }
        }
        if yes {
            return Ok(found);
        }
        // The user may be in the database that failed.
        Err(trouble.unwrap_or(no))
    }
}

/// Why it is no.
#[derive(Clone, Debug)]
pub struct No {
    /// The kind.
    pub why: Why,
    /// For the log.
    pub log: String,
}

impl No {
    fn new(why: Why, log: &str) -> No {
        No { why, log: log.to_owned() }
    }
}

/// For the log.
fn said(why: Why) -> &'static str {
    match why {
        Why::Credentials => "password mismatch",
        Why::Disabled => "account is disabled",
        Why::Expired => "password has expired",
        Why::NoSecret => "no secret for this mechanism is stored",
        Why::Temporary | Why::NotAllowed | Why::Protocol => "not allowed",
    }
}

impl PassLink {
    /// A token is no password: most databases must not take it for one.
    fn is_deaf(&self, mechanism: &str) -> bool {
        !self.rule.deny && sasl::is_token(mechanism) && !self.database.takes_tokens()
    }

    async fn answer(
        &self,
        request: &Request<'_>,
        want: Want<'_>,
        workers: &Workers,
    ) -> Result<Answer, Trouble> {
        if let Want::Check(password) = want {
            match self.database.check(request, password).await? {
                Checked::Compare => {}
                Checked::Right(fields) => return self.yes(request, fields, None),
                Checked::Wrong => return Ok(Answer::No(Why::Credentials)),
                Checked::Unknown => return Ok(Answer::Unknown),
                Checked::Disabled => return Ok(Answer::No(Why::Disabled)),
                Checked::Expired => return Ok(Answer::No(Why::Expired)),
            }
        }
        let Some(Row { password: stored, fields }) = self.database.find(request).await? else {
            return Ok(Answer::Unknown);
        };
        let free = fields.is_on("nopassword");
        let scheme = self.database.default_scheme();
        let mut secret = None;
        match (want, stored) {
            (Want::Exists, _) => {}
            (Want::Check(_), None) if free => {}
            (Want::Check(password), Some(stored)) => {
                if !self.compare(request, password, stored, scheme, workers).await? {
                    return Ok(Answer::No(Why::Credentials));
                }
            }
            (Want::Check(_), None) => return Ok(Answer::No(Why::Credentials)),
            (Want::Secret(wanted), stored) => {
                let made =
                    stored.and_then(|stored| schemes::secret(wanted, request.original, &stored.0, scheme));
                let Some(made) = made else { return Ok(Answer::No(Why::NoSecret)) };
                secret = Some(made);
            }
        }
        self.yes(request, fields, secret)
    }

    /// Compares with what is stored: here if it costs nothing, else on a thread for hashes.
    async fn compare(
        &self,
        request: &Request<'_>,
        password: &Password,
        Secret(stored): Secret,
        scheme: &str,
        workers: &Workers,
    ) -> Result<bool, Trouble> {
        let (user, wrong) = (request.original, |wrong: String| {
            Trouble::new(format!("{}: user {}: {wrong}", self.rule.name, request.user))
        });
        if !schemes::is_costly(&stored, scheme) {
            return schemes::verify(password.text(), user, &stored, scheme).map_err(wrong);
        }
        let (password, user, scheme) = (password.clone(), user.to_owned(), scheme.to_owned());
        workers.remember(&stored, &scheme);
        let compare = move || schemes::verify(password.text(), &user, &stored, &scheme);
        workers.compute(compare).await?.map_err(wrong)
    }

    fn yes(
        &self,
        request: &Request<'_>,
        mut fields: Fields,
        secret: Option<Vec<u8>>,
    ) -> Result<Answer, Trouble> {
        self.rule.complete(request, &mut fields)?;
        if let Some(nets) = fields.get("allow_nets")
            && !is_allowed(request, nets)
        {
            log::info!(target: "auth", "{}: user {}: allow_nets check failed", self.rule.name, request.user);
            return Ok(Answer::Unknown);
        }
        let user = changed_name(request.user, &mut fields);
        Ok(Answer::Yes { user, fields, secret })
    }
}

/// `allow_nets`: addresses and networks divided by commas; `local` stands for sockets of this machine.
fn is_allowed(request: &Request<'_>, nets: &str) -> bool {
    nets.split(',').map(str::trim).any(|net| match request.facts.remote {
        None => net == "local",
        Some(remote) => tables::Network::parse(net).is_ok_and(|network| network.contains(remote)),
    })
}

/// `user`, `username` and `domain` change the name.
fn changed_name(user: &str, fields: &mut Fields) -> Option<String> {
    let (local, domain) = user.split_once('@').unwrap_or((user, ""));
    let join = |local: &str, domain: &str| {
        if domain.is_empty() { local.to_owned() } else { format!("{local}@{domain}") }
    };
    let name = fields.remove("user").filter(|name| !name.is_empty());
    let new_local = fields.remove("username").filter(|name| !name.is_empty());
    let new_domain = fields.remove("domain");
    match (name, new_local, new_domain) {
        (Some(name), ..) => Some(name),
        (None, None, None) => None,
        // A username with a domain replaces the whole name.
        (None, Some(new_local), None) if new_local.contains('@') => Some(new_local),
        (None, new_local, new_domain) => {
            Some(join(new_local.as_deref().unwrap_or(local), new_domain.as_deref().unwrap_or(domain)))
        }
    }
}
