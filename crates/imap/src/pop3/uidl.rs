//! `pop3_uidl_format`: how the unique id of a message is made.

/// A format, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field { what: What, hex: bool, zeros: bool, width: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Uid,
    UidValidity,
    Id,
}

/// Longest width of a field. RFC 1939 allows a unique id of 70 letters.
const WIDEST: usize = 70;

impl Format {
    /// `%08Xu%08Xv`
    pub fn usual() -> Format {
        let field = |what| Piece::Field { what, hex: true, zeros: true, width: 8 };
        Format(vec![field(What::Uid), field(What::UidValidity)])
    }

    /// Takes a format apart.
    ///
    /// # Errors
    /// A variable that is not known, or none at all: then ids would not be unique.
    pub fn parse(text: &str) -> Result<Format, String> {
        let mut pieces = Vec::new();
        let mut letters = text.chars().peekable();
        let mut plain = String::new();
        let mut unique = false;
        while let Some(letter) = letters.next() {
            if letter != '%' {
                plain.push(letter);
                continue;
            }
            if letters.next_if_eq(&'%').is_some() {
                plain.push('%');
                continue;
            }
            let zeros = letters.peek() == Some(&'0');
            let mut width = 0;
            while let Some(digit) = letters.peek().and_then(|letter| letter.to_digit(10)) {
                width = (width * 10 + digit as usize).min(WIDEST);
                letters.next();
            }
            let hex = letters.next_if(|letter| matches!(letter, 'X' | 'x')).is_some();
            let what = match letters.next() {
                Some('u') => What::Uid,
                Some('v') => What::UidValidity,
                Some('f' | 'g') => What::Id,
                Some('m') => return Err("%m (a sum of the header) is not supported; use %g".to_owned()),
                other => {
                    let name = other.map(String::from).unwrap_or_default();
                    return Err(format!("unknown variable %{name}; known: %u %v %g %f"));
                }
            };
            unique |= what != What::UidValidity;
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Field { what, hex, zeros, width });
        }
        if !unique {
            return Err("it needs %u, %g or %f, or ids would not be unique".to_owned());
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Format(pieces))
    }

    /// Does it need the store's own id?
    pub fn needs_id(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Field { what: What::Id, .. }))
    }

    /// The unique id of a message.
    pub fn write(&self, uid: u32, uidvalidity: u32, id: &str) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            let (what, hex, zeros, width) = match piece {
                Piece::Text(text) => {
                    out.push_str(text);
                    continue;
                }
                Piece::Field { what, hex, zeros, width } => (*what, *hex, *zeros, *width),
            };
            let number = |number: u32| if hex { format!("{number:x}") } else { number.to_string() };
            let value = match what {
                What::Uid => number(uid),
                What::UidValidity => number(uidvalidity),
                What::Id => id.to_owned(),
            };
            match zeros {
                true => out.push_str(&format!("{value:0>width$}")),
                // A width without a zero cuts, as everywhere in Dovecot.
                false if width > 0 => out.extend(value.chars().take(width)),
                false => out.push_str(&value),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_of_dovecot() {
        let write = |text: &str| Format::parse(text).unwrap().write(1, 0x6b01_cfa4, "id");
        assert_eq!(write("%08Xu%08Xv"), "000000016b01cfa4");
        assert_eq!(write("%Xv-%u"), "6b01cfa4-1");
        assert_eq!(write("%u.%v"), "1.1795280804");
        assert_eq!(write("x%%y%u"), "x%y1");
        assert_eq!(write("%v%5u"), "17952808041");
        assert_eq!(write("%g"), "id");
        assert_eq!(Format::parse("%08Xu%08Xv"), Ok(Format::usual()));
        for wrong in ["%v", "", "%m", "%q", "%"] {
            assert!(Format::parse(wrong).is_err(), "{wrong}");
        }
    }
}
