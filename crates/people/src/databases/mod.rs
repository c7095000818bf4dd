//! Password and user databases: one file and one line in [`KINDS`] each.

use std::path::PathBuf;
use std::sync::Arc;

use mail::Trouble;

use crate::expand::Vars;
use crate::{Boxed, Facts, Fields};

mod checkpassword;
pub(crate) mod cyrus_sql;
mod directory;
mod dovecot_auth;
pub mod dovecot_conf;
mod ldap;
mod ldap_attributes;
mod oauth2;
mod pam;
mod passwd;
mod passwd_file;
mod prefetch;
pub(crate) mod saslauthd;
pub(crate) mod sasldb;
mod shadow;
mod sql;
mod r#static;
mod table;

/// A kind of database.
pub struct Kind {
    /// What stands before the colon in `passdb` and `userdb`.
    pub name: &'static str,
    /// One sentence for the reference.
    pub doc: &'static str,
    /// Opens it for passwords.
    pub passdb: Option<Open<dyn PassDb>>,
    /// Opens it for users.
    pub userdb: Option<Open<dyn UserDb>>,
}

/// Opens a database; the error is a sentence.
pub type Open<T> = fn(&Opening<'_>) -> Result<Arc<T>, String>;

/// Every kind.
pub const KINDS: &[&Kind] = &[
    &checkpassword::KIND,
    &directory::KIND,
    &dovecot_auth::KIND,
    &ldap::KIND,
    &oauth2::KIND,
    &pam::KIND,
    &passwd::KIND,
    &passwd_file::KIND,
    &prefetch::KIND,
    &saslauthd::KIND,
    &sasldb::KIND,
    &shadow::KIND,
    &sql::KIND,
    &r#static::KIND,
    &table::KIND,
];

/// The kind of this name; Dovecot's names of drivers are understood too.
pub fn find(name: &str) -> Option<&'static Kind> {
    let name = match name {
        "dovecot-sql" => "sql",
        "file" => "passwd-file",
        name => name,
    };
    KINDS.iter().find(|kind| kind.name == name).copied()
}

/// What a database is opened with.
pub struct Opening<'a> {
    /// What stands behind the colon.
    pub argument: &'a str,
    /// The options that are not the chain's.
    pub options: &'a Fields,
    /// `directory_database`.
    pub directory: &'a str,
    /// Seconds since 1970, asked at each use.
    pub clock: Clock,
}

impl Opening<'_> {
    /// The path behind the colon.
    ///
    /// # Errors
    /// There is none.
    pub fn path(&self) -> Result<PathBuf, String> {
        if self.argument.starts_with('/') {
            Ok(PathBuf::from(self.argument))
        } else {
            Err(format!("the path of a file is expected behind the colon instead of \"{}\"", self.argument))
        }
    }

    /// Refuses options that the kind does not know.
    ///
    /// # Errors
    /// There are some.
    pub fn only(&self, known: &[&str]) -> Result<(), String> {
        match self.options.iter().find(|(name, _)| !known.contains(name)) {
            Some((name, _)) if known.is_empty() => Err(format!("unknown option {name}: it takes none")),
            Some((name, _)) => Err(format!("unknown option {name}: it takes {}", known.join(", "))),
            None => Ok(()),
        }
    }

    /// An option, or what stands for it.
    pub fn option(&self, name: &str, default: &str) -> String {
        self.options.get(name).unwrap_or(default).to_owned()
    }
}

/// Seconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The name, in its normal form.
    pub user: &'a str,
    /// The name as the client sent it.
    pub original: &'a str,
    /// The user a master user wants to be.
    pub login: Option<&'a str>,
    /// The session.
    pub facts: &'a Facts,
    /// The mechanism.
    pub mechanism: &'a str,
    /// The password, where the client sent one.
    pub password: Option<&'a Password>,
    /// What earlier databases said.
    pub fields: &'a Fields,
}

#[cfg(test)]
impl<'a> Request<'a> {
    /// What PLAIN asks about a user.
    pub fn plain(user: &'a str, facts: &'a Facts, fields: &'a Fields) -> Request<'a> {
        Request { user, original: user, login: None, facts, mechanism: "PLAIN", password: None, fields }
    }
}

impl Request<'_> {
    /// The values of `%` variables.
    pub fn vars(&self) -> Vars<'_> {
        Vars {
            user: self.user,
            original: self.original,
            login: self.login,
            password: self.password.map(Password::text),
            mechanism: self.mechanism,
            facts: Some(self.facts),
            passdb: Some(self.fields),
            ..Vars::default()
        }
    }
}

/// A password in clear. It shows itself to nobody by accident.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Password(String);

impl Password {
    /// A password that a client sent. NUL cannot be in one.
    pub fn new(text: impl Into<String>) -> Option<Password> {
        let text = text.into();
        (!text.contains('\0')).then_some(Password(text))
    }

    /// The characters.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

/// What a password database has for a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The password as stored, `{SCHEME}` and all; `None` when it is empty or not told.
    pub password: Option<Secret>,
    /// Extra fields; `user`, `username` and `domain` change the name.
    pub fields: Fields,
}

/// A stored password. It shows itself to nobody by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// The answer of a database that checks passwords itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Right; these fields are known.
    Right(Fields),
    /// Wrong.
    Wrong,
    /// There is no such user here.
    Unknown,
    /// The account is closed.
    Disabled,
    /// The password is too old.
    Expired,
    /// The stored password is for whoever asks to compare: the usual case.
    Compare,
}

/// Says which password a user has.
pub trait PassDb: Send + Sync {
    /// The row of a user. Databases that only check passwords tell nobody's, nor who is there.
    ///
    /// # Errors
    /// The database failed.
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Row>, Trouble>> {
        let _ = request;
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Checks a password itself. Most databases leave that to schemes.
    ///
    /// # Errors
    /// The database failed.
    fn check<'a>(
        &'a self,
        request: &'a Request<'a>,
        password: &'a Password,
    ) -> Boxed<'a, Result<Checked, Trouble>> {
        let _ = (request, password);
        Box::pin(std::future::ready(Ok(Checked::Compare)))
    }

    /// Does the answer depend on the client's port? Then every connection is asked for anew.
    fn asks_port(&self) -> bool {
        false
    }

    /// Is a password that it is given a token (OAUTHBEARER, XOAUTH2)? Only such databases hear of tokens.
    fn takes_tokens(&self) -> bool {
        false
    }

    /// The scheme of passwords stored without one.
    fn default_scheme(&self) -> &str {
        "PLAIN"
    }
}

/// Says where a user's mail lies and with whose rights.
pub trait UserDb: Send + Sync {
    /// The fields of a user; `None` for one who is not here.
    ///
    /// # Errors
    /// The database failed.
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Fields>, Trouble>>;

    /// All names; `None` when this database cannot tell.
    ///
    /// # Errors
    /// The database failed.
    fn users(&self) -> Boxed<'_, Result<Option<Vec<String>>, Trouble>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// A database that could not be opened: it is asked, and fails, so that nobody is told "no such user".
pub(crate) struct Broken(pub String);

impl PassDb for Broken {
    fn find<'a>(&'a self, _: &'a Request<'a>) -> Boxed<'a, Result<Option<Row>, Trouble>> {
        Box::pin(std::future::ready(Err(Trouble::new(self.0.clone()))))
    }
}

impl UserDb for Broken {
    fn find<'a>(&'a self, _: &'a Request<'a>) -> Boxed<'a, Result<Option<Fields>, Trouble>> {
        Box::pin(std::future::ready(Err(Trouble::new(self.0.clone()))))
    }
}

/// Has a template the client's port in it?
pub(crate) fn has_port(template: &str) -> bool {
    template.contains("%b") || template.contains("rport")
}

/// Work that may block, off the async threads.
pub(crate) async fn elsewhere<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) => Err(Trouble::from_error("look-up thread", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_named_once_and_told() {
        assert!(KINDS.is_sorted_by_key(|kind| kind.name));
        for (n, kind) in KINDS.iter().enumerate() {
            assert!(kind.doc.ends_with('.'), "{} needs a sentence", kind.name);
            assert!(kind.passdb.is_some() || kind.userdb.is_some(), "{}", kind.name);
            assert!(KINDS[..n].iter().all(|other| other.name != kind.name), "{} stands twice", kind.name);
        }
    }
}
