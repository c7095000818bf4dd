//! SASL (RFC 4422), the server's side: mechanisms as machines, and the conversation that drives them.
//!
//! A machine takes the client's responses, already decoded, and says what is to be done; it asks no database and
//! knows no clock. [`Exchange`] joins it with [`crate::People`]. To add a mechanism: a file here, and a line in
//! [`MECHANISMS`].

mod apop;
mod bearer;
mod cram_md5;
mod exchange;
mod external;
mod login;
mod plain;
mod scram;

pub(crate) use bearer::is_token;
pub use exchange::{Exchange, Progress};

use crate::Facts;
use crate::databases::Password;
use crate::schemes::Scheme;

/// A mechanism.
pub struct Mechanism {
    /// Its name, in capitals.
    pub name: &'static str,
    /// What it is good or bad for, in the words of Dovecot's protocol: `plaintext dictionary active mutual-auth`.
    pub traits: &'static [&'static str],
    /// Does the client speak first?
    pub client_first: bool,
    /// The word in `auth_mechanisms` that turns it on, in lower case.
    pub word: &'static str,
    /// Can it be used in a session like this?
    pub possible: fn(&Facts) -> bool,
    /// A new conversation.
    start: fn(&Facts) -> Box<dyn Machine>,
}

impl Mechanism {
    /// Does the password pass over the wire as it is?
    pub fn is_plaintext(&self) -> bool {
        self.traits.contains(&"plaintext")
    }
}

/// Every mechanism, the ones to be preferred first.
pub const MECHANISMS: &[&Mechanism] = &[
    &scram::SCRAM_SHA_256_PLUS,
    &scram::SCRAM_SHA_256,
    &scram::SCRAM_SHA_1_PLUS,
    &scram::SCRAM_SHA_1,
    &cram_md5::CRAM_MD5,
    &apop::APOP,
    &external::EXTERNAL,
    &bearer::OAUTHBEARER,
    &bearer::XOAUTH2,
    &plain::PLAIN,
    &login::LOGIN,
];

/// The mechanism of this name, in any case.
pub fn find(name: &str) -> Option<&'static Mechanism> {
    MECHANISMS.iter().find(|mechanism| mechanism.name.eq_ignore_ascii_case(name)).copied()
}

/// One conversation.
trait Machine: Send + Sync {
    /// The client's response.
    fn step(&mut self, response: &[u8]) -> Step;

    /// What is stored for the user that [`Step::Secret`] asked about; `None` when nothing is, which the client must not
    /// notice.
    fn secret(&mut self, secret: Option<&[u8]>) -> Step {
        let _ = secret;
        Step::Broken("no secret was asked for")
    }

    /// What the client is told of a [`Step::Check`] that failed, before the login does.
    fn refused(&self) -> Option<&'static [u8]> {
        None
    }
}

/// What a machine wants done.
enum Step {
    /// Send this to the client.
    Ask(Vec<u8>),
    /// Check a password.
    Check {
        /// Who says he is who, and as whom he wants to act (empty: as himself).
        user: String,
        /// As whom he wants to act.
        authzid: String,
        /// The password.
        password: Password,
    },
    /// Look up what is stored for a user, and give it to [`Machine::secret`].
    Secret {
        /// Who.
        user: String,
        /// As whom he wants to act.
        authzid: String,
        /// In which form.
        scheme: &'static Scheme,
    },
    /// The user of [`Step::Secret`] has proved that he knows it.
    Proved,
    /// He has not.
    Wrong,
    /// Somebody proved who he is outside of this conversation.
    Outside {
        /// The name.
        user: String,
    },
    /// The client breaks the mechanism's rules.
    Broken(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mechanism_is_named_once() {
        for (n, mechanism) in MECHANISMS.iter().enumerate() {
            assert!(MECHANISMS[..n].iter().all(|other| other.name != mechanism.name), "{}", mechanism.name);
            assert_eq!(mechanism.word, mechanism.word.to_ascii_lowercase());
            assert!(find(&mechanism.name.to_ascii_lowercase()).is_some());
        }
    }
}
