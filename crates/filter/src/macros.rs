//! `$name` in reply templates: one level, from what the session knows. Values are never expanded again.

use std::borrow::Cow;
use std::cell::RefCell;

use mail::Address;

use crate::Facts;

/// What a template became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expansion {
    /// Every name was known.
    Whole(String),
    /// This name was not; it counts as empty.
    Partly(String, String),
}

/// The names a template may use.
pub(crate) struct Macros<'a> {
    facts: &'a Facts<'a>,
    allowed: Vec<u8>,
    own: &'a [(&'a str, String)],
    unknown: RefCell<Option<String>>,
}

impl<'a> Macros<'a> {
    /// `filter` is `smtpd_expansion_filter`: what else stands in a value becomes `_`. `own` comes before the facts.
    pub fn new(facts: &'a Facts<'a>, filter: &str, own: &'a [(&'a str, String)]) -> Macros<'a> {
        Macros { facts, allowed: unescape(filter), own, unknown: RefCell::new(None) }
    }

    /// Expands a template.
    pub fn expand(&self, template: &str) -> Expansion {
        let text = match conf::expand(template, self) {
            Ok(text) => text,
            Err(wrong) => return Expansion::Partly(template.to_owned(), wrong.to_string()),
        };
        match self.unknown.take() {
            Some(name) => Expansion::Partly(text, name),
            None => Expansion::Whole(text),
        }
    }

    fn known(&self, name: &str) -> Option<String> {
        if let Some((_, value)) = self.own.iter().find(|(own, _)| *own == name) {
            return Some(value.clone());
        }
        let peer = self.facts.peer;
        let client = &peer.client;
        let certificate = peer.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
        let part =
            |address: Option<&Address>, part: fn(&Address) -> String| address.map(part).unwrap_or_default();
        let whole = |address: &Address| if address.is_null() { "<>".to_owned() } else { address.to_string() };
        let local = |address: &Address| address.local().to_owned();
        let domain = |address: &Address| address.domain().unwrap_or_default().to_owned();
        Some(match name {
            "client" => peer.label(),
            "client_address" => client.address.clone(),
            "client_name" => client.name.clone(),
            "client_port" => client.port.map(|port| port.to_string()).unwrap_or_default(),
            "reverse_client_name" => client.reverse_name.clone(),
            "helo_name" => self.facts.helo.unwrap_or_default().to_owned(),
            "sender" => part(self.facts.sender, whole),
            "sender_name" => part(self.facts.sender, local),
            "sender_domain" => part(self.facts.sender, domain),
            "recipient" => part(self.facts.recipient, whole),
            "recipient_name" => part(self.facts.recipient, local),
            "recipient_domain" => part(self.facts.recipient, domain),
            "server_address" => peer.server_address.clone(),
            "server_port" => peer.server_port.to_string(),
            "ccert_subject" => certificate.map(|it| it.trusted_subject().to_owned()).unwrap_or_default(),
            "ccert_issuer" => certificate.map(|it| it.trusted_issuer().to_owned()).unwrap_or_default(),
            "ccert_fingerprint" => certificate.map(|it| it.fingerprint.clone()).unwrap_or_default(),
            "ccert_pubkey_fingerprint" => {
                certificate.map(|it| it.pubkey_fingerprint.clone()).unwrap_or_default()
            }
            _ => return None,
        })
    }
}

impl conf::Scope for Macros<'_> {
    fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        let Some(value) = self.known(name) else {
            self.unknown.borrow_mut().get_or_insert_with(|| name.to_owned());
            return None;
        };
        // A doubled `$` stands for itself: what a client chose is text, and never a name to look up.
        let fits = |c: char| !c.is_ascii() || self.allowed.contains(&(c as u8));
        let clean: String = value.chars().map(|c| if fits(c) && !c.is_control() { c } else { '_' }).collect();
        Some(Cow::Owned(clean.replace('$', "$$")))
    }
}

/// `\t`, `\40`, `\\`: the escapes of `smtpd_expansion_filter`.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(digit @ b'0'..=b'7') => {
                let mut number = u32::from(digit - b'0');
                for _ in 0..2 {
                    let Some(digit) = bytes.next_if(|byte| (b'0'..=b'7').contains(byte)) else { break };
                    number = number * 8 + u32::from(digit - b'0');
                }
                out.push(u8::try_from(number & 255).unwrap_or(b'_'));
            }
            Some(letter) => out.push(match letter {
                b'a' => 7,
                b'b' => 8,
                b'f' => 12,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'v' => 11,
                other => other,
            }),
            None => out.push(b'\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Peer;

    #[test]
    fn a_client_cannot_name_macros() {
        let peer = Peer::default();
        let mut facts = Facts::at_connection(&peer);
        facts.helo = Some("${client_name}\u{7}x");
        let filter = r"\t\40${}abcdefghijklmnopqrstuvwxyz_";
        let macros = Macros::new(&facts, filter, &[]);
        assert_eq!(macros.expand("helo $helo_name."), Expansion::Whole("helo ${client_name}_x.".to_owned()));
        assert_eq!(
            macros.expand("a ${nothing?b}${sender:c}"),
            Expansion::Partly("a c".to_owned(), "nothing".to_owned())
        );
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape(r"\t\40a\\\101"), b"\t a\\A");
    }
}
