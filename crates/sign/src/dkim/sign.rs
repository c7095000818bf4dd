//! Signing: one header field for each key.

use std::sync::Arc;

use mail::header::Field;

use super::private::PrivateKey;
use super::{Digests, header_hash_input};
use crate::canon::Canon;
use crate::tags::encoded;

/// In whose name a message is signed.
#[derive(Clone, Debug)]
pub struct SignAs {
    /// `d=`
    pub domain: String,
    /// `s=`
    pub selector: String,
    /// `i=`
    pub identity: Option<String>,
    /// With which key.
    pub key: Arc<PrivateKey>,
}

/// How it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Canonical forms of header and body.
    pub canon: (Canon, Canon),
    /// Fields that are signed where they are there; From is added when missing.
    pub headers: Vec<String>,
    /// Fields that are named once more than there are, so that none can be added.
    pub oversign: Vec<String>,
    /// Seconds until the signature expires.
    pub lifetime: Option<i64>,
}

impl Default for Recipe {
    /// RFC 6376 5.4.1, without what is changed on the way.
    fn default() -> Recipe {
        let headers = [
            "From",
            "Reply-To",
            "Subject",
            "Date",
            "To",
            "Cc",
            "Message-ID",
            "In-Reply-To",
            "References",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
            "Content-ID",
            "Content-Description",
            "Resent-Date",
            "Resent-From",
            "Resent-To",
            "Resent-Cc",
            "Resent-Message-ID",
            "List-Id",
            "List-Help",
            "List-Unsubscribe",
            "List-Subscribe",
            "List-Post",
            "List-Owner",
            "List-Archive",
            "List-Unsubscribe-Post",
        ];
        Recipe {
            canon: (Canon::Relaxed, Canon::Simple),
            headers: headers.map(str::to_owned).into(),
            oversign: Vec::new(),
            lifetime: None,
        }
    }
}

impl Recipe {
    /// `h=` for these fields.
    pub(crate) fn names(&self, fields: &[Vec<u8>]) -> Vec<String> {
        let mut wanted = self.headers.clone();
        if !wanted.iter().any(|name| name.eq_ignore_ascii_case("from")) {
            wanted.insert(0, "From".to_owned());
        }
        let mut names = Vec::new();
        for raw in fields {
            let Some(field) = Field::parse(raw) else { continue };
            if wanted.iter().any(|name| field.is(name)) {
                names.push(String::from_utf8_lossy(field.name()).into_owned());
            }
        }
        names.extend(self.oversign.iter().cloned());
        names
    }
}

/// A message of ours whose body is coming in.
pub struct Signer<'a> {
    recipe: &'a Recipe,
    digests: Digests,
}

impl<'a> Signer<'a> {
    /// Nothing has come yet.
    pub fn new(recipe: &'a Recipe) -> Signer<'a> {
        let mut digests = Digests::default();
        digests.want(recipe.canon.1);
        Signer { recipe, digests }
    }

    /// A piece of the body, lines ended by LF.
    pub fn body(&mut self, piece: &[u8]) {
        self.digests.feed(piece);
    }

    /// One field `DKIM-Signature` for each key, without its last line end, lines divided by LF. `now` is in seconds.
    /// `None` when a key does not work.
    pub fn finish(self, keys: &[SignAs], fields: &[Vec<u8>], now: i64) -> Option<Vec<Vec<u8>>> {
        let recipe = self.recipe;
        let digested = self.digests.finish();
        let hash = encoded(digested.get(recipe.canon.1).unwrap_or_default());
        let names = recipe.names(fields);
        keys.iter().map(|key| signature(recipe, key, fields, &names, &hash, now)).collect()
    }
}

fn signature(
    recipe: &Recipe,
    key: &SignAs,
    fields: &[Vec<u8>],
    names: &[String],
    hash: &str,
    now: i64,
) -> Option<Vec<u8>> {
    let mut tags = format!(
        "DKIM-Signature: v=1; a={}; c={}/{}; d={}; s={};\n\tt={now};",
        key.key.algorithm(),
        recipe.canon.0,
        recipe.canon.1,
        key.domain,
        key.selector,
    );
    if let Some(lifetime) = recipe.lifetime {
        tags.push_str(&format!(" x={};", now.saturating_add(lifetime)));
    }
    if let Some(identity) = &key.identity {
        tags.push_str(&format!(" i={identity};"));
    }
    tags.push_str(&format!(" bh={hash};\n\th="));
    fold_names(&mut tags, names);
    tags.push_str(";\n\tb=");
    let input = header_hash_input(fields, names, recipe.canon.0, tags.as_bytes());
    push_folded(&mut tags, &encoded(&key.key.sign(&input)?));
    Some(tags.into_bytes())
}

/// `From:To:Subject`, in lines of bearable length.
fn fold_names(out: &mut String, names: &[String]) {
    let mut width = 10;
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            out.push(':');
        }
        if at > 0 && width + name.len() > 74 {
            out.push_str("\n\t ");
            width = 9;
        }
        out.push_str(name);
        width += name.len() + 1;
    }
}

/// base64 in lines of bearable length.
fn push_folded(out: &mut String, text: &str) {
    for (at, piece) in text.as_bytes().chunks(68).enumerate() {
        if at > 0 {
            out.push_str("\n\t ");
        }
        out.extend(piece.iter().map(|byte| char::from(*byte)));
    }
}
