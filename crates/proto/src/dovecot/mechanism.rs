//! What a mechanism is good for, and which of them a site does without (`smtpd_sasl_security_options`).

/// A mechanism of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mechanism {
    /// The name, in upper case as servers give it.
    pub name: String,
    traits: u8,
}

/// Which mechanisms are not wanted, and what the others must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    without: u8,
    with: u8,
}

/// Traits, by bit.
const TRAITS: [&str; 6] =
    ["plaintext", "dictionary", "active", "anonymous", "mutual-auth", "forward-secrecy"];

/// The words of `smtpd_sasl_security_options`; the last two ask for a trait, the others do without it.
const OPTIONS: [&str; 6] =
    ["noplaintext", "nodictionary", "noactive", "noanonymous", "mutual_auth", "forward_secrecy"];

const ASKING: u8 = 0b11_0000;

fn bit(names: &[&str; 6], name: &str) -> Option<u8> {
    names.iter().position(|known| known.eq_ignore_ascii_case(name)).map(|place| 1 << place)
}

impl Mechanism {
    /// Reads the fields of `MECH`: the name and traits. A mechanism that is not for clients is none.
    pub fn read<'a>(mut fields: impl Iterator<Item = &'a str>) -> Option<Mechanism> {
        let name = fields.next().filter(|name| is_name(name))?.to_owned();
        let mut traits = 0;
        for word in fields {
            if word == "private" {
                return None;
            }
            traits |= bit(&TRAITS, word).unwrap_or(0);
        }
        Some(Mechanism { name, traits })
    }
}

/// RFC 4422 3.1. Names stand in our EHLO reply: nothing else may get there.
fn is_name(name: &str) -> bool {
    (1..=20).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

impl Options {
    /// Reads the words of `smtpd_sasl_security_options`.
    ///
    /// # Errors
    /// The first word that is no option.
    pub fn read<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Options, &'a str> {
        let mut options = Options::default();
        for word in words {
            let bit = bit(&OPTIONS, word).ok_or(word)?;
            options.with |= bit & ASKING;
            options.without |= bit & !ASKING;
        }
        Ok(options)
    }

    /// May this one be used?
    pub fn allow(self, mechanism: &Mechanism) -> bool {
        mechanism.traits & self.without == 0 && mechanism.traits & self.with == self.with
    }
}
