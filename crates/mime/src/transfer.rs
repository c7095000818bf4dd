//! Transfer encodings undone: base64, quoted-printable and uuencode, as tolerant as mail needs. RFC 2045 6.

mod base64;
mod quoted;
mod uu;

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `7bit`, `8bit`, `binary`: not at all.
    Identity,
    /// `base64`
    Base64,
    /// `quoted-printable`
    QuotedPrintable,
    /// `x-uuencode` and its other names.
    Uuencode,
}

impl Encoding {
    /// By the word of a Content-Transfer-Encoding field; `None` when it is not known.
    pub fn named(name: &[u8]) -> Option<Encoding> {
        Some(match name.to_ascii_lowercase().as_slice() {
            b"7bit" | b"8bit" | b"binary" => Encoding::Identity,
            b"base64" => Encoding::Base64,
            b"quoted-printable" => Encoding::QuotedPrintable,
            b"x-uuencode" | b"uuencode" | b"x-uue" | b"uue" => Encoding::Uuencode,
            _ => return None,
        })
    }

    /// Decodes a whole body. What is not of the encoding is passed over.
    pub fn decode(self, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut decoder = self.decoder();
        decoder.push(body, &mut out);
        decoder.finish(&mut out);
        out
    }

    /// Decodes a body that comes piece by piece.
    pub fn decoder(self) -> Decoder {
        Decoder(match self {
            Encoding::Identity => State::Identity,
            Encoding::Base64 => State::Base64(base64::Decoder::default()),
            Encoding::QuotedPrintable => State::Quoted(quoted::Decoder::default()),
            Encoding::Uuencode => State::Uu(uu::Decoder::default()),
        })
    }
}

/// A body on its way, of which any number of bytes may have come.
#[derive(Debug)]
pub struct Decoder(State);

#[derive(Debug)]
enum State {
    Identity,
    Base64(base64::Decoder),
    Quoted(quoted::Decoder),
    Uu(uu::Decoder),
}

impl Decoder {
    /// Takes the next piece and appends what it decodes to.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        match &mut self.0 {
            State::Identity => out.extend(piece),
            State::Base64(decoder) => decoder.push(piece, out),
            State::Quoted(decoder) => decoder.push(piece, out),
            State::Uu(decoder) => decoder.push(piece, out),
        }
    }

    /// The body is over.
    pub fn finish(self, out: &mut Vec<u8>) {
        match self.0 {
            State::Identity => {}
            State::Base64(decoder) => decoder.finish(out),
            State::Quoted(decoder) => decoder.finish(out),
            State::Uu(decoder) => decoder.finish(out),
        }
    }
}
