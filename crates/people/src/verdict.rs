//! How a login ends.

use std::fmt;

use crate::Account;

/// The end of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is right, and this is who.
    Ok(Account),
    /// It is not.
    Failed(Failure),
}

/// Why a login did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind.
    pub why: Why,
    /// Who was named, in the form looked for.
    pub user: Option<String>,
    /// A sentence for the client, where a database gave one (`reason`).
    pub reason: Option<String>,
    /// For the log: never a secret.
    pub log: String,
}

/// Kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// Unknown user or wrong password: which of them is not told.
    Credentials,
    /// It could not be found out.
    Temporary,
    /// The account is closed, or listed in a `deny` database.
    Disabled,
    /// The password is too old.
    Expired,
    /// The login is right, and yet not allowed (`nologin`, a service that the account may not use).
    NotAllowed,
    /// The mechanism needs a secret that is not stored for this user.
    NoSecret,
    /// The client broke the rules of the mechanism, or gave up.
    Protocol,
}

impl Failure {
    /// A failure with its line for the log.
    pub fn new(why: Why, user: Option<&str>, log: impl Into<String>) -> Failure {
        Failure { why, user: user.map(str::to_owned), reason: None, log: log.into() }
    }

    /// Nobody can tell now.
    pub fn is_temporary(&self) -> bool {
        self.why == Why::Temporary
    }

    /// What the client may hear.
    pub fn say(&self) -> &str {
        if let Some(reason) = &self.reason {
            return reason;
        }
        match self.why {
            Why::Credentials | Why::NoSecret => "Authentication failed.",
            Why::Temporary => "Temporary authentication failure.",
            Why::Disabled => "Account is temporarily disabled.",
            Why::Expired => "Password expired.",
            Why::NotAllowed => "Login not allowed.",
            Why::Protocol => "Invalid authentication exchange.",
        }
    }

    /// The response code of RFC 5530 for IMAP, which POP3 and the others map onto theirs.
    pub fn code(&self) -> &'static str {
        match self.why {
            Why::Credentials | Why::NoSecret | Why::Protocol => "AUTHENTICATIONFAILED",
            Why::Temporary => "UNAVAILABLE",
            Why::Disabled => "CONTACTADMIN",
            Why::Expired => "EXPIRED",
            Why::NotAllowed => "AUTHORIZATIONFAILED",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.log)
    }
}
