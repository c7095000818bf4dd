//! SCRAM (RFC 5802, RFC 7677), with and without channel binding.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use subtle::ConstantTimeEq;

use super::{Machine, Mechanism, Step};
use crate::schemes::Scheme;
use crate::schemes::scram::{
    Functions, Keys, SCRAM_SHA_1 as SCHEME_1, SCRAM_SHA_256 as SCHEME_256, SHA_1, SHA_256,
};
use crate::{Binding, Facts, random};

/// With SHA-256 and a channel binding.
pub const SCRAM_SHA_256_PLUS: Mechanism =
    mechanism("SCRAM-SHA-256-PLUS", "scram-sha-256", is_bound, |facts| {
        Box::new(Scram::new(&SHA_256, &SCHEME_256, facts, true))
    });
/// With SHA-256.
pub const SCRAM_SHA_256: Mechanism = mechanism(
    "SCRAM-SHA-256",
    "scram-sha-256",
    |_| true,
    |facts| Box::new(Scram::new(&SHA_256, &SCHEME_256, facts, false)),
);
/// With SHA-1 and a channel binding.
pub const SCRAM_SHA_1_PLUS: Mechanism = mechanism("SCRAM-SHA-1-PLUS", "scram-sha-1", is_bound, |facts| {
    Box::new(Scram::new(&SHA_1, &SCHEME_1, facts, true))
});
/// With SHA-1.
pub const SCRAM_SHA_1: Mechanism = mechanism(
    "SCRAM-SHA-1",
    "scram-sha-1",
    |_| true,
    |facts| Box::new(Scram::new(&SHA_1, &SCHEME_1, facts, false)),
);

const fn mechanism(
    name: &'static str,
    word: &'static str,
    possible: fn(&Facts) -> bool,
    start: fn(&Facts) -> Box<dyn Machine>,
) -> Mechanism {
    Mechanism { name, traits: &["mutual-auth"], client_first: true, word, possible, start }
}

fn is_bound(facts: &Facts) -> bool {
    facts.binding.is_possible()
}

struct Scram {
    functions: &'static Functions,
    scheme: &'static Scheme,
    binding: Binding,
    plus: bool,
    state: State,
}

/// What is waited for.
enum State {
    Opening,
    Secret(First),
    Final {
        first: First,
        server_first: String,
        keys: Keys,
        known: bool,
    },
    /// The client has to take notice of our signature.
    End,
}

/// client-first-message, taken apart.
#[derive(Clone)]
struct First {
    /// gs2-header, and what the binding of that name must be.
    header: String,
    binding: Vec<u8>,
    bare: String,
    user: String,
    nonce: String,
}

impl Scram {
    fn new(functions: &'static Functions, scheme: &'static Scheme, facts: &Facts, plus: bool) -> Scram {
        Scram { functions, scheme, binding: facts.binding.clone(), plus, state: State::Opening }
    }

    fn first(&mut self, text: &str) -> Step {
        let (first, authzid) = match First::parse(text, self.plus, &self.binding) {
            Ok(parsed) => parsed,
            Err(wrong) => return Step::Broken(wrong),
        };
        let user = first.user.clone();
        self.state = State::Secret(first);
        Step::Secret { user, authzid, scheme: self.scheme }
    }

    fn last(&mut self, text: &str, first: &First, server_first: &str, keys: &Keys, known: bool) -> Step {
        let Some((without_proof, proof)) = text.rsplit_once(",p=") else {
            return Step::Broken("SCRAM client-final-message has no proof");
        };
        let mut attributes = without_proof.split(',');
        let binding = attributes.next().and_then(|it| it.strip_prefix("c="));
        let nonce = attributes.next().and_then(|it| it.strip_prefix("r="));
        let bound = [first.header.as_bytes(), &first.binding].concat();
        if binding.and_then(|it| BASE64_STANDARD.decode(it).ok()) != Some(bound) {
            return Step::Broken("SCRAM channel binding does not match");
        }
        if nonce != Some(&first.nonce) {
            return Step::Broken("SCRAM nonce is not the one we sent");
        }
        let Ok(proof) = BASE64_STANDARD.decode(proof) else {
            return Step::Broken("SCRAM proof is not base64");
        };
        let message = format!("{},{server_first},{without_proof}", first.bare);
        let signature = (self.functions.mac)(&keys.stored, message.as_bytes());
        if proof.len() != signature.len() {
            return Step::Broken("SCRAM proof has a wrong length");
        }
        let client: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let right: bool = (self.functions.digest)(&client).ct_eq(&keys.stored).into();
        if !right || !known {
            return Step::Wrong;
        }
        self.state = State::End;
        let ours = (self.functions.mac)(&keys.server, message.as_bytes());
        Step::Ask(format!("v={}", BASE64_STANDARD.encode(ours)).into_bytes())
    }
}

impl Machine for Scram {
    fn step(&mut self, response: &[u8]) -> Step {
        let Ok(text) = std::str::from_utf8(response) else {
            return Step::Broken("SCRAM message is not UTF-8");
        };
        match std::mem::replace(&mut self.state, State::Opening) {
            State::Opening => self.first(text),
            State::Final { first, server_first, keys, known } => {
                self.last(text, &first, &server_first, &keys, known)
            }
            State::End if text.is_empty() => Step::Proved,
            State::End => Step::Broken("SCRAM ends with an empty message"),
            State::Secret(_) => Step::Broken("SCRAM message out of turn"),
        }
    }

    fn secret(&mut self, secret: Option<&[u8]>) -> Step {
        let State::Secret(mut first) = std::mem::replace(&mut self.state, State::Opening) else {
            return Step::Broken("no secret was asked for");
        };
        let kept = secret.and_then(Keys::parse);
        let known = kept.is_some();
        let keys = kept.unwrap_or_else(|| Keys::of_nobody(self.functions, nobody(), &first.user));
        first.nonce.push_str(&BASE64_STANDARD.encode(random::bytes::<18>()));
        let server_first = format!("r={},s={},i={}", first.nonce, keys.salt, keys.iterations);
        let say = server_first.clone().into_bytes();
        self.state = State::Final { first, server_first, keys, known };
        Step::Ask(say)
    }
}

/// From which the salts of unknown users are made: the same as long as the program runs.
fn nobody() -> &'static [u8] {
    static SECRET: std::sync::OnceLock<[u8; 32]> = std::sync::OnceLock::new();
    SECRET.get_or_init(random::bytes)
}

impl First {
    fn parse(text: &str, plus: bool, binding: &Binding) -> Result<(First, String), &'static str> {
        let wrong = "SCRAM client-first-message makes no sense";
        let mut parts = text.splitn(3, ',');
        let (flag, authzid) = (parts.next().ok_or(wrong)?, parts.next().ok_or(wrong)?);
        let bare = parts.next().ok_or(wrong)?;
        let data = match (flag, plus) {
            ("n", false) => &[],
            // The client could bind and believes we cannot: somebody took the -PLUS out of our offer.
            ("y", false) if binding.is_possible() => {
                return Err("SCRAM channel binding was hidden from the client");
            }
            ("y", false) => &[],
            (flag, true) => {
                let name = flag.strip_prefix("p=").ok_or("SCRAM-PLUS without a channel binding")?;
                binding.data(name).ok_or("a channel binding of this name is not possible here")?
            }
            _ => return Err("SCRAM channel binding without SCRAM-PLUS"),
        };
        let authzid = match authzid {
            "" => String::new(),
            authzid => name(authzid.strip_prefix("a=").ok_or(wrong)?).ok_or(wrong)?,
        };
        let mut attributes = bare.split(',');
        // An extension we must understand begins with m=, and we understand none.
        let user = attributes.next().and_then(|it| it.strip_prefix("n=")).and_then(name).ok_or(wrong)?;
        let nonce = attributes
            .next()
            .and_then(|it| it.strip_prefix("r="))
            .filter(|it| !it.is_empty())
            .ok_or(wrong)?;
        let header = &text[..text.len() - bare.len()];
        let first = First {
            header: header.to_owned(),
            binding: data.to_vec(),
            bare: bare.to_owned(),
            user,
            nonce: nonce.to_owned(),
        };
        Ok((first, authzid))
    }
}

/// A saslname: `=2C` is a comma, `=3D` an equals sign, and no other may stand there.
fn name(text: &str) -> Option<String> {
    let bare = text.replace("=2C", ",").replace("=3D", "\u{1}");
    (!bare.contains('=') && !bare.is_empty()).then(|| bare.replace('\u{1}', "="))
}
