//! The MIME structure of a message while it passes, as far as it decides what is a header (RFC 2046 5.1).

/// What a part holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Leaf,
    Multipart,
    /// `message/rfc822`: headers follow.
    Message,
    /// `message/global`: headers follow, and any encoding may have been applied (RFC 6532 3.7).
    Global,
    /// `message/partial` and `message/external-body`: 7-bit text.
    Fragment,
    /// `message/anything-else`: no headers follow.
    Opaque,
}

/// A Content-Transfer-Encoding (RFC 2045 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// `7bit`, and whatever is not known.
    #[default]
    SevenBit,
    /// `8bit`
    EightBit,
    /// `binary`
    Binary,
    /// `base64`
    Base64,
    /// `quoted-printable`
    QuotedPrintable,
}

impl Encoding {
    const ALL: [Encoding; 5] = [
        Encoding::SevenBit,
        Encoding::EightBit,
        Encoding::Binary,
        Encoding::Base64,
        Encoding::QuotedPrintable,
    ];

    /// As headers have it.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::SevenBit => "7bit",
            Encoding::EightBit => "8bit",
            Encoding::Binary => "binary",
            Encoding::Base64 => "base64",
            Encoding::QuotedPrintable => "quoted-printable",
        }
    }

    /// The text is as it was: it only says which bytes it may hold.
    pub fn is_identity(self) -> bool {
        !matches!(self, Encoding::Base64 | Encoding::QuotedPrintable)
    }

    /// Bytes outside ASCII may occur.
    pub fn is_eight_bit(self) -> bool {
        matches!(self, Encoding::EightBit | Encoding::Binary)
    }
}

/// Fields about the structure and form of a part. Wherever they stand, `mime_header_checks` look at them.
const FIELDS: [&str; 6] = [
    "content-description",
    "content-disposition",
    "content-id",
    "content-transfer-encoding",
    "content-type",
    "mime-version",
];

/// Is it the name of a field about MIME?
pub fn is_field(name: &[u8]) -> bool {
    FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field.as_bytes()))
}

/// A multipart whose end is not seen yet.
#[derive(Debug)]
struct Level {
    boundary: Vec<u8>,
    /// `multipart/digest`: its parts are messages unless they say otherwise.
    digest: bool,
}

/// Parts are nested deeper than `mime_nesting_limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooDeep;

/// What follows a header, or a body line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// Body text.
    Body,
    /// The header of an attached message, or of a part.
    Header,
    /// The text behind the last part of a multipart.
    Epilog,
}

/// Where in the structure we are.
#[derive(Debug)]
pub struct Mime {
    levels: Vec<Level>,
    kind: Kind,
    encoding: Encoding,
    nesting_limit: usize,
    boundary_limit: usize,
}

impl Mime {
    /// At the top. `nesting_limit` is `mime_nesting_limit`, `boundary_limit` is `mime_boundary_length_limit`.
    pub fn new(nesting_limit: usize, boundary_limit: usize) -> Mime {
        Mime {
            levels: Vec::new(),
            kind: Kind::Leaf,
            encoding: Encoding::SevenBit,
            nesting_limit,
            boundary_limit,
        }
    }

    /// A Content-Type header of the part at hand.
    pub fn content_type(&mut self, value: &[u8]) -> Result<(), TooDeep> {
        let mut pieces = Pieces(value);
        let (kind, subtype) = pieces.next().map(media_type).unwrap_or_default();
        match (kind.as_slice(), subtype.as_slice()) {
            (b"multipart", _) => self.kind = Kind::Multipart,
            (b"message", b"rfc822") => self.kind = Kind::Message,
            (b"message", b"global") => self.kind = Kind::Global,
            (b"message", b"partial" | b"external-body") => self.kind = Kind::Fragment,
            (b"message", _) => self.kind = Kind::Opaque,
            (b"text", _) => self.kind = Kind::Leaf,
            // What is not known is as if it had not been said: a part of a digest stays a message.
            _ => {}
        }
        if kind != b"multipart" {
            return Ok(());
        }
        // Two boundaries are an error of the sender, who then may use either.
        for piece in pieces {
            let Some(mut boundary) = boundary(piece) else { continue };
            // One for the message, as Postfix counts.
            if self.levels.len() > self.nesting_limit + 1 {
                return Err(TooDeep);
            }
            boundary.truncate(self.boundary_limit);
            self.levels.push(Level { boundary, digest: subtype == b"digest" });
        }
        Ok(())
    }

    /// Is a multipart open, so that lines may be boundaries?
    pub fn is_within(&self) -> bool {
        !self.levels.is_empty()
    }

    /// Is the part at hand made of parts, or of a message?
    pub fn is_composite(&self) -> bool {
        self.kind != Kind::Leaf
    }

    /// A Content-Transfer-Encoding header of the part at hand. One that is not known changes nothing.
    pub fn transfer_encoding(&mut self, value: &[u8]) {
        let Some(word) = Pieces(value).next().map(plain) else { return };
        let named = |encoding: &Encoding| word.eq_ignore_ascii_case(encoding.name().as_bytes());
        self.encoding = Encoding::ALL.into_iter().find(named).unwrap_or(self.encoding);
    }

    /// The encoding of the part at hand.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Before [`Mime::header_end`]: has the part an encoding that a part of its kind must not have
    /// (RFC 2045 6.4, RFC 2046 5.2)?
    pub fn is_misencoded(&self) -> bool {
        match self.kind {
            Kind::Multipart | Kind::Message => !self.encoding.is_identity(),
            Kind::Fragment => self.encoding.is_eight_bit(),
            Kind::Leaf | Kind::Global | Kind::Opaque => false,
        }
    }

    /// The header of the part at hand is over, with an empty line.
    pub fn header_end(&mut self) -> Follows {
        let kind = std::mem::take(&mut self.kind);
        match kind {
            Kind::Message | Kind::Global => {
                self.encoding = Encoding::SevenBit;
                Follows::Header
            }
            Kind::Multipart => {
                self.encoding = Encoding::SevenBit;
                Follows::Body
            }
            Kind::Leaf | Kind::Fragment | Kind::Opaque => Follows::Body,
        }
    }

    /// A body line. After a boundary comes the header of a part.
    pub fn line(&mut self, line: &[u8]) -> Follows {
        let Some(text) = line.strip_prefix(b"--") else { return Follows::Body };
        let Some(at) = self.levels.iter().rposition(|level| text.starts_with(&level.boundary)) else {
            return Follows::Body;
        };
        self.levels.truncate(at + 1);
        let level = &self.levels[at];
        (self.kind, self.encoding) = (Kind::Leaf, Encoding::SevenBit);
        if text[level.boundary.len()..].starts_with(b"--") {
            self.levels.pop();
            return Follows::Epilog;
        }
        if level.digest {
            self.kind = Kind::Message;
        }
        Follows::Header
    }
}

/// Type and subtype in lower case.
fn media_type(piece: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (kind, subtype) = match piece.iter().position(|byte| *byte == b'/') {
        Some(slash) => (&piece[..slash], &piece[slash + 1..]),
        None => (piece, &b""[..]),
    };
    (plain(kind).to_ascii_lowercase(), plain(subtype).to_ascii_lowercase())
}

/// The value of a `boundary=` parameter.
fn boundary(piece: &[u8]) -> Option<Vec<u8>> {
    let equals = piece.iter().position(|byte| *byte == b'=')?;
    let name = plain(&piece[..equals]);
    name.eq_ignore_ascii_case(b"boundary").then(|| plain(&piece[equals + 1..]))
}

/// A token or quoted string without comments, quotes and surrounding blanks.
fn plain(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.iter().copied();
    let (mut quoted, mut depth) = (false, 0);
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                let escaped = bytes.next();
                out.extend(escaped.filter(|_| depth == 0));
            }
            b'"' if depth == 0 => quoted = !quoted,
            _ if quoted => out.push(byte),
            b'(' => depth += 1,
            b')' if depth > 0 => depth -= 1,
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ if depth == 0 => out.push(byte),
            _ => {}
        }
    }
    out
}

/// The pieces of a value between its semicolons, outside quotes and comments.
struct Pieces<'a>(&'a [u8]);

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let (mut quoted, mut depth, mut escaped) = (false, 0, false);
        let end = self.0.iter().position(|byte| {
            match byte {
                _ if escaped => {
                    escaped = false;
                    return false;
                }
                b'\\' => escaped = true,
                b'"' if depth == 0 => quoted = !quoted,
                b'(' if !quoted => depth += 1,
                b')' if !quoted && depth > 0 => depth -= 1,
                b';' => return !quoted && depth == 0,
                _ => {}
            }
            false
        });
        let (piece, rest) = match end {
            Some(end) => (&self.0[..end], &self.0[end + 1..]),
            None => (self.0, &b""[..]),
        };
        self.0 = rest;
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found() {
        let mut mime = Mime::new(100, 2048);
        mime.content_type(b" Multipart/Mixed; charset=\"a;b\"; (c;) Boundary=\"out \\\"er\"").unwrap();
        assert_eq!(mime.header_end(), Follows::Body);
        assert_eq!(mime.line(b"--other"), Follows::Body);
        assert_eq!(mime.line(b"--out \"er"), Follows::Header);
        mime.content_type(b"multipart/digest; boundary=inner").unwrap();
        assert_eq!(mime.header_end(), Follows::Body);
        assert_eq!(mime.line(b"--inner and more"), Follows::Header);
        assert_eq!(mime.header_end(), Follows::Header, "a digest holds messages");
        assert_eq!(mime.header_end(), Follows::Body);
        assert_eq!(mime.line(b"--inner--"), Follows::Epilog);
        assert_eq!(mime.line(b"--inner"), Follows::Body, "its end was seen");
        assert_eq!(mime.line(b"--out \"er"), Follows::Header);
        mime.content_type(b"message/rfc822").unwrap();
        assert_eq!(mime.header_end(), Follows::Header);
        assert_eq!(mime.line(b"--out \"er--"), Follows::Epilog);
        assert_eq!(mime.line(b"--out \"er"), Follows::Body);
    }

    #[test]
    fn an_outer_boundary_ends_inner_parts() {
        let mut mime = Mime::new(100, 2048);
        mime.content_type(b"multipart/mixed; boundary=a").unwrap();
        mime.line(b"--a");
        mime.content_type(b"multipart/mixed; boundary=b").unwrap();
        assert_eq!(mime.line(b"--a"), Follows::Header);
        assert_eq!(mime.line(b"--b"), Follows::Body);
    }

    #[test]
    fn encodings_belong_to_their_part() {
        let mut mime = Mime::new(100, 2048);
        mime.content_type(b"multipart/mixed; boundary=a").unwrap();
        mime.transfer_encoding(b" Quoted-Printable (why?)");
        assert!(mime.is_misencoded() && mime.is_composite());
        mime.transfer_encoding(b"8bit; x");
        mime.transfer_encoding(b"x-unknown");
        assert!(!mime.is_misencoded() && mime.encoding() == Encoding::EightBit);
        mime.header_end();
        assert_eq!(mime.encoding(), Encoding::SevenBit);
        mime.line(b"--a");
        mime.transfer_encoding(b"base64");
        mime.header_end();
        assert_eq!(mime.encoding(), Encoding::Base64, "until the next boundary");
        mime.line(b"--a");
        assert_eq!(mime.encoding(), Encoding::SevenBit);
        for (kind, encoding, wrong) in [
            ("message/rfc822", "base64", true),
            ("message/rfc822", "binary", false),
            ("message/global", "base64", false),
            ("message/partial", "8bit", true),
            ("message/external-body", "7bit", false),
            ("message/delivery-status", "8bit", false),
            ("text/plain", "base64", false),
        ] {
            let mut mime = Mime::new(100, 2048);
            mime.content_type(kind.as_bytes()).unwrap();
            mime.transfer_encoding(encoding.as_bytes());
            assert_eq!(mime.is_misencoded(), wrong, "{kind} {encoding}");
        }
    }

    #[test]
    fn limits_hold() {
        let mut mime = Mime::new(1, 4);
        mime.content_type(b"multipart/mixed; boundary=abcdefgh").unwrap();
        assert_eq!(mime.line(b"--abcdX"), Follows::Header);
        mime.content_type(b"multipart/mixed; boundary=b").unwrap();
        mime.content_type(b"multipart/mixed; boundary=c").unwrap();
        assert_eq!(mime.content_type(b"multipart/mixed; boundary=d"), Err(TooDeep));
    }

    #[test]
    fn nonsense_is_no_structure() {
        for value in ["", ";", "multipart", "multipart/", "=", "text/plain; boundary=x", "\"multi", "(("] {
            let mut mime = Mime::new(100, 2048);
            mime.content_type(value.as_bytes()).unwrap();
            assert_eq!((mime.header_end(), mime.line(b"--x")), (Follows::Body, Follows::Body), "{value}");
        }
    }
}
