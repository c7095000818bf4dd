//! One more set on top of a message: what we found out, and our name under it.

use super::{Arc, SETS_MAX, Set, Verdict, collect, seal_input, seal_of};
use crate::canon::Canon;
use crate::dkim::{self, Digests, SignAs, header_hash_input};
use crate::tags::encoded;

/// In whose name a message is sealed, and what is said of it.
#[derive(Clone, Debug)]
pub struct Seal {
    /// The chain as it came.
    pub(crate) arc: Arc,
    /// What stands in Authentication-Results behind the name of the server.
    pub(crate) results: String,
}

/// A message, as it will be passed on, whose body is coming in.
pub struct Sealer {
    digests: Digests,
}

impl Default for Sealer {
    fn default() -> Sealer {
        let mut digests = Digests::default();
        digests.want(Canon::Relaxed);
        Sealer { digests }
    }
}

impl Sealer {
    /// A piece of the body, lines ended by LF.
    pub fn body(&mut self, piece: &[u8]) {
        self.digests.feed(piece);
    }

    /// The fields ARC-Seal, ARC-Message-Signature and ARC-Authentication-Results to put on top, in this order. `headers` are
    /// covered where they are there; `server` is our name in Authentication-Results; `now` is in seconds.
    ///
    /// `None`: somebody said before that the chain is broken, somebody took fields of it away meanwhile, or the key does
    /// not work.
    pub fn finish(
        self,
        seal: &Seal,
        key: &SignAs,
        fields: &[Vec<u8>],
        headers: &[String],
        server: &str,
        now: i64,
    ) -> Option<[Vec<u8>; 3]> {
        let digested = self.digests.finish();
        let body = digested.get(Canon::Relaxed)?;
        let names = dkim::Recipe { headers: headers.to_vec(), ..dkim::Recipe::default() }.names(fields);
        add(key, &seal.arc, fields, &names, body, (server, &seal.results), now, folded)
    }
}

/// The tags stand in the order of their names, and fields have no more white space than they need: that is how the public
/// test suite has them, but for its long lines. `fold` divides a signature into lines.
#[allow(clippy::too_many_arguments, reason = "what is sealed, by whom, and how it is written")]
pub(super) fn add(
    key: &SignAs,
    arc: &Arc,
    fields: &[Vec<u8>],
    names: &[String],
    body: &[u8],
    (server, results): (&str, &str),
    now: i64,
    fold: fn(&str) -> String,
) -> Option<[Vec<u8>; 3]> {
    let mut sets = collect(fields).ok()?;
    let was_broken = |set: &Set| seal_of(&set.seal).is_ok_and(|seal| seal.verdict == Verdict::Fail);
    if sets.len() != arc.last || sets.len() >= SETS_MAX || sets.last().is_some_and(was_broken) {
        return None;
    }
    let number = sets.len() + 1;
    let (algorithm, domain, selector) = (key.key.algorithm(), &key.domain, &key.selector);
    let results = format!("ARC-Authentication-Results: i={number}; {server};\n\t{results}").into_bytes();
    let message = |signature: &str| {
        let mut out = format!("ARC-Message-Signature: a={algorithm};\n\tb={}", fold(signature));
        out.push_str(&format!(
            ";\n\tbh={}; c=relaxed/relaxed;\n\td={domain}; {}; i={number}; s={selector}; t={now}",
            encoded(body),
            listed(names),
        ));
        out.into_bytes()
    };
    let input = header_hash_input(fields, names, Canon::Relaxed, &message(""));
    let message = message(&encoded(&key.key.sign(&input)?));
    let seal = |signature: &str| {
        let mut out = format!("ARC-Seal: a={algorithm};\n\tb={}", fold(signature));
        let word = arc.verdict.word();
        out.push_str(&format!(";\n\tcv={word}; d={domain}; i={number}; s={selector};\n\tt={now}"));
        out.into_bytes()
    };
    // Of a broken chain nothing is vouched for but what we add.
    if arc.verdict == Verdict::Fail {
        sets.clear();
    }
    sets.push(Set { results, message, seal: seal("") });
    let input = seal_input(&sets);
    let seal = seal(&encoded(&key.key.sign(&input)?));
    let Set { results, message, .. } = sets.pop()?;
    Some([seal, message, results])
}

/// base64 in lines of 72 characters with the `b=` before it.
fn folded(text: &str) -> String {
    let (first, rest) = text.split_at(text.len().min(70));
    let mut out = first.to_owned();
    for piece in rest.as_bytes().chunks(72) {
        out.push_str("\n\t");
        out.extend(piece.iter().map(|byte| char::from(*byte)));
    }
    out
}

/// `h=` with its names, in lines of bearable length.
fn listed(names: &[String]) -> String {
    let mut out = "h=".to_owned();
    let mut width = 2;
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            out.push(':');
        }
        if width + name.len() > 70 {
            out.push_str("\n\t ");
            width = 0;
        }
        out.push_str(name);
        width += name.len() + 1;
    }
    out
}
