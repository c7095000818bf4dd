//! What signatures are computed over.

use std::collections::HashMap;

use mail::header::Field;

use crate::canon::{self, Canon};
use crate::tags::without_b;

/// Digests of a body, each computed once however many signatures there are.
#[derive(Default)]
pub(crate) struct Digests {
    simple: Option<canon::Body>,
    relaxed: Option<canon::Body>,
}

/// What came of them.
#[derive(Default)]
pub(crate) struct Digested {
    simple: Option<Vec<u8>>,
    relaxed: Option<Vec<u8>>,
}

impl Digests {
    /// This one will be needed.
    pub fn want(&mut self, canon: Canon) {
        let slot = match canon {
            Canon::Simple => &mut self.simple,
            Canon::Relaxed => &mut self.relaxed,
        };
        slot.get_or_insert_with(|| canon::Body::new(canon));
    }

    /// Is none needed?
    pub fn is_empty(&self) -> bool {
        self.simple.is_none() && self.relaxed.is_none()
    }

    pub fn feed(&mut self, text: &[u8]) {
        for body in [&mut self.simple, &mut self.relaxed].into_iter().flatten() {
            body.feed(text);
        }
    }

    pub fn finish(self) -> Digested {
        let end = |body: canon::Body| body.finish().as_ref().to_vec();
        Digested { simple: self.simple.map(end), relaxed: self.relaxed.map(end) }
    }
}

impl Digested {
    pub fn get(&self, canon: Canon) -> Option<&[u8]> {
        match canon {
            Canon::Simple => self.simple.as_deref(),
            Canon::Relaxed => self.relaxed.as_deref(),
        }
    }
}

/// The header fields that `names` picks, from the bottom up (RFC 6376 5.4.2), and the signature's own field with an
/// empty `b=`.
pub(crate) fn header_hash_input(
    fields: &[Vec<u8>],
    names: &[String],
    canon: Canon,
    signature: &[u8],
) -> Vec<u8> {
    // One look at each field, however many names there are: a stranger chooses both.
    let mut places: HashMap<Vec<u8>, Vec<usize>> =
        names.iter().map(|name| (name.to_ascii_lowercase().into_bytes(), Vec::new())).collect();
    for (at, raw) in fields.iter().enumerate() {
        let name = Field::parse(raw).map(|field| field.name().to_ascii_lowercase());
        if let Some(found) = name.and_then(|name| places.get_mut(&name)) {
            found.push(at);
        }
    }
    let mut out = Vec::with_capacity(2048);
    for name in names {
        let found = places.get_mut(name.to_ascii_lowercase().as_bytes()).and_then(Vec::pop);
        if let Some(at) = found {
            canon::header(canon, &fields[at], &mut out);
        }
    }
    canon::field(canon, &without_b(signature), &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_taken_from_the_bottom() {
        let fields: Vec<Vec<u8>> = ["To: a", "X: 1", "x: 2", "From: f"].map(|field| field.into()).into();
        let names = ["x", "from", "X", "x", "subject"].map(str::to_owned);
        let input = header_hash_input(&fields, &names, Canon::Relaxed, b"S: b=1; a=2");
        assert_eq!(input, b"x:2\r\nfrom:f\r\nx:1\r\ns:b=; a=2");
    }
}
