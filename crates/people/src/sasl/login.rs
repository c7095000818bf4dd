//! LOGIN: two questions, two answers. Never standardised, and what Outlook speaks.

use super::{Machine, Mechanism, Step};
use crate::databases::Password;

/// The mechanism.
pub const LOGIN: Mechanism = Mechanism {
    name: "LOGIN",
    traits: &["plaintext"],
    client_first: false,
    word: "login",
    possible: |_| true,
    start: |_| Box::new(Login::Start),
};

enum Login {
    Start,
    User,
    Secret(String),
}

impl Machine for Login {
    fn step(&mut self, response: &[u8]) -> Step {
        let Ok(text) = std::str::from_utf8(response) else {
            return Step::Broken("LOGIN response is not UTF-8");
        };
        match std::mem::replace(self, Login::Start) {
            // An initial response is the name.
            Login::Start if text.is_empty() => {
                *self = Login::User;
                Step::Ask(b"Username:".to_vec())
            }
            Login::Start | Login::User => {
                *self = Login::Secret(text.to_owned());
                Step::Ask(b"Password:".to_vec())
            }
            Login::Secret(user) => match Password::new(text) {
                Some(password) => Step::Check { user, authzid: String::new(), password },
                None => Step::Broken("NUL in password"),
            },
        }
    }
}
