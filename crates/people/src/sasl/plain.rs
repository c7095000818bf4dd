//! PLAIN (RFC 4616): `authzid NUL user NUL password`.

use super::{Machine, Mechanism, Step};
use crate::databases::Password;

/// The mechanism.
pub const PLAIN: Mechanism = Mechanism {
    name: "PLAIN",
    traits: &["plaintext"],
    client_first: true,
    word: "plain",
    possible: |_| true,
    start: |_| Box::new(Plain),
};

struct Plain;

impl Machine for Plain {
    fn step(&mut self, response: &[u8]) -> Step {
        let Ok(text) = std::str::from_utf8(response) else {
            return Step::Broken("PLAIN response is not UTF-8");
        };
        let fields: Vec<&str> = text.split('\0').collect();
        let [authzid, user, password] = fields.as_slice() else {
            return Step::Broken("PLAIN response has not three parts");
        };
        match Password::new(*password) {
            Some(password) => {
                Step::Check { user: (*user).to_owned(), authzid: (*authzid).to_owned(), password }
            }
            None => Step::Broken("NUL in password"),
        }
    }
}
