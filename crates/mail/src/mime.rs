//! The MIME structure of a message while it passes, as far as it decides what is a header (RFC 2046 5.1).

/// What a part holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Leaf,
    Multipart,
    /// `message/rfc822` or `message/global`: headers follow.
    Message,
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

/// What follows a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// Body text.
    Body,
    /// The header of an attached message.
    Header,
}

/// Where in the structure we are.
#[derive(Debug)]
pub struct Mime {
    levels: Vec<Level>,
    kind: Kind,
    nesting_limit: usize,
    boundary_limit: usize,
}

impl Mime {
    /// At the top. `nesting_limit` is `mime_nesting_limit`, `boundary_limit` is `mime_boundary_length_limit`.
    pub fn new(nesting_limit: usize, boundary_limit: usize) -> Mime {
        Mime { levels: Vec::new(), kind: Kind::Leaf, nesting_limit, boundary_limit }
    }

    /// A Content-Type header of the part at hand.
    pub fn content_type(&mut self, value: &[u8]) -> Result<(), TooDeep> {
        let mut pieces = Pieces(value);
        let (kind, subtype) = pieces.next().map(media_type).unwrap_or_default();
        self.kind = match kind.as_slice() {
            b"multipart" => Kind::Multipart,
            b"message" if matches!(subtype.as_slice(), b"rfc822" | b"global") => Kind::Message,
            _ => Kind::Leaf,
        };
        if self.kind != Kind::Multipart {
            return Ok(());
        }
        // Two boundaries are an error of the sender, who then may use either.
        for piece in pieces {
            let Some(mut boundary) = boundary(piece) else { continue };
            if self.levels.len() > self.nesting_limit {
                return Err(TooDeep);
            }
            boundary.truncate(self.boundary_limit);
            self.levels.push(Level { boundary, digest: subtype == b"digest" });
        }
        Ok(())
    }

    /// How many multiparts are open: fewer after the line that ends one.
    pub fn depth(&self) -> usize {
        self.levels.len()
    }

    /// The header of the part at hand is over.
    pub fn header_end(&mut self) -> Follows {
        match std::mem::take(&mut self.kind) {
            Kind::Message => Follows::Header,
            Kind::Leaf | Kind::Multipart => Follows::Body,
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
        self.kind = Kind::Leaf;
        if text[level.boundary.len()..].starts_with(b"--") {
            self.levels.pop();
            return Follows::Body;
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
        assert_eq!(mime.line(b"--inner--"), Follows::Body);
        assert_eq!(mime.line(b"--inner"), Follows::Body, "its end was seen");
        assert_eq!(mime.line(b"--out \"er"), Follows::Header);
        mime.content_type(b"message/rfc822").unwrap();
        assert_eq!(mime.header_end(), Follows::Header);
        assert_eq!(mime.line(b"--out \"er--"), Follows::Body);
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
    fn limits_hold() {
        let mut mime = Mime::new(1, 4);
        mime.content_type(b"multipart/mixed; boundary=abcdefgh").unwrap();
        assert_eq!(mime.line(b"--abcdX"), Follows::Header);
        mime.content_type(b"multipart/mixed; boundary=b").unwrap();
        assert_eq!(mime.content_type(b"multipart/mixed; boundary=c"), Err(TooDeep));
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
