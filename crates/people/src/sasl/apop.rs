//! APOP (RFC 1939 section 7): MD5 of a challenge and the password. POP3 alone has it, and gives what its command said
//! as an initial response: `challenge NUL user NUL digest`. Needs a secret that is stored in clear.

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use super::{Machine, Mechanism, Step};
use crate::expand::hex;
use crate::schemes;

/// The mechanism.
pub const APOP: Mechanism = Mechanism {
    name: "APOP",
    traits: &["private", "dictionary", "active"],
    client_first: true,
    word: "apop",
    possible: |facts| facts.service == "pop3",
    start: |_| Box::new(Apop::default()),
};

#[derive(Default)]
struct Apop {
    challenge: String,
    digest: String,
}

impl Machine for Apop {
    fn step(&mut self, response: &[u8]) -> Step {
        let text = String::from_utf8_lossy(response);
        let fields: Vec<&str> = text.split('\0').collect();
        let [challenge, user, digest] = fields.as_slice() else {
            return Step::Broken("APOP response has not three parts");
        };
        self.challenge = (*challenge).to_owned();
        self.digest = digest.to_ascii_lowercase();
        let scheme = schemes::find("PLAIN").expect("it is in the list");
        Step::Secret { user: (*user).to_owned(), authzid: String::new(), scheme }
    }

    fn secret(&mut self, secret: Option<&[u8]>) -> Step {
        let known = secret.is_some();
        let expected =
            Md5::new().chain_update(&self.challenge).chain_update(secret.unwrap_or_default()).finalize();
        let right: bool = hex(&expected).as_bytes().ct_eq(self.digest.as_bytes()).into();
        if right && known { Step::Proved } else { Step::Wrong }
    }
}
