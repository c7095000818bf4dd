//! What fuzzers and property tests call. Each is handed any bytes, must return, and checks what always holds.

use crate::structure::{Kind, Structure};
use crate::transfer::Encoding;
use crate::{Limits, charset, crlf, date, html, ids, imap, parse, subject, text, words};

/// Finds the parts of any bytes: they lie within each other, are written and kept, and cost what the budget says.
pub fn structure(message: &[u8]) {
    let limits = Limits { parts: 20, depth: 5, fields: 50, header: 4096, parameters: 5, addresses: 20 };
    for limits in [limits, Limits::default()] {
        let structure = parse(message, &limits);
        assert!(structure.parts.len() <= limits.parts);
        assert_eq!(structure.size(), crlf::size(message));
        nested(&structure, message);
        assert_eq!(Structure::from_bytes(&structure.to_bytes()).as_ref(), Some(&structure));
        let mut out = Vec::new();
        imap::bodystructure(&structure, &mut out);
        balanced(&out);
        let _ = text::preview(message, &structure);
        let _ = text::searchable(message, &structure, 1 << 16);
    }
}

fn nested(structure: &Structure, message: &[u8]) {
    for (index, part) in structure.parts.iter().enumerate() {
        let body = part.body_range();
        assert_eq!(part.header, crlf::size(&message[part.header_range()]));
        assert_eq!(part.body, crlf::size(&message[body.clone()]));
        let mut at = body.start;
        for child in structure.children(index) {
            let child = &structure.parts[child];
            assert!(child.header_range().start >= at, "parts follow each other");
            at = child.body_range().end;
            assert!(at <= body.end, "and lie within");
        }
        assert!(part.kind != Kind::Leaf || part.end == index + 1);
    }
}

/// Parentheses outside quotes and literals pair.
fn balanced(text: &[u8]) {
    let (mut depth, mut at, mut quoted) = (0_i32, 0, false);
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth -= 1,
            b'{' if !quoted => {
                let end = text[at..].iter().position(|byte| *byte == b'}').expect("a literal has a length");
                let digits = std::str::from_utf8(&text[at + 1..at + end]).expect("digits");
                at += end + 2 + digits.parse::<usize>().expect("a number");
            }
            _ => {}
        }
        at += 1;
    }
    assert_eq!((depth, quoted), (0, false));
}

/// Decodes any bytes in every way; in pieces or as a whole is the same.
pub fn decoding(bytes: &[u8]) {
    for encoding in [Encoding::Base64, Encoding::QuotedPrintable, Encoding::Uuencode, Encoding::Identity] {
        let whole = encoding.decode(bytes);
        let (mut out, mut decoder) = (Vec::new(), encoding.decoder());
        bytes.chunks(3).for_each(|piece| decoder.push(piece, &mut out));
        decoder.finish(&mut out);
        assert_eq!(out, whole);
    }
    let wire = crlf::wire(bytes);
    let middle = wire.len() as u64 / 2;
    let halves = [crlf::slice(bytes, 0..middle), crlf::slice(bytes, middle..u64::MAX)].concat();
    assert_eq!(halves, *wire);
}

/// Reads any bytes as each kind of header value.
pub fn values(bytes: &[u8]) {
    let text = words::decode(bytes);
    let _ = html::to_text(&text);
    let _ = charset::utf7(bytes);
    let _ = date::parse(bytes);
    let base = subject::base(bytes);
    assert!(base.text.len() <= text.len());
    assert!(ids::all(bytes).iter().all(|id| id.len() < bytes.len()));
    let _ = crate::fold::casemap(&text);
    let _ = Structure::from_bytes(bytes);
    let _ = crate::Envelope::from_bytes(bytes);
}
