//! EXTERNAL (RFC 4422 appendix A): the TLS session's certificate says who it is.

use super::{Machine, Mechanism, Step};
use crate::Facts;

/// The mechanism.
pub const EXTERNAL: Mechanism = Mechanism {
    name: "EXTERNAL",
    traits: &[],
    client_first: true,
    word: "external",
    possible: |facts| facts.certificate_name.is_some(),
    start: |facts: &Facts| Box::new(External(facts.certificate_name.clone())),
};

struct External(Option<String>);

impl Machine for External {
    fn step(&mut self, response: &[u8]) -> Step {
        let Some(name) = self.0.take() else { return Step::Broken("no certificate that was verified") };
        let wanted = String::from_utf8_lossy(response);
        // Acting for somebody else is the matter of master users, who have passwords.
        if wanted.is_empty() || wanted.eq_ignore_ascii_case(&name) {
            Step::Outside { user: name }
        } else {
            Step::Broken("the certificate is of another user")
        }
    }
}
