//! What the rooms above rely on.

use crate::transfer::Encoding;
use crate::{Limits, Section, What, crlf, imap, parse};

fn structure(message: &str) -> String {
    let mut out = Vec::new();
    imap::bodystructure(&parse(message.as_bytes(), &Limits::default()), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn parts_are_where_they_lie() {
    let text = "Content-Type: multipart/mixed; boundary=x\n\npre\n--x\n\na\nb\n--x\nContent-Type: message/rfc822\n\nSubject: s\n\nin\n--x--\nepi\n";
    let parts = parse(text.as_bytes(), &Limits::default()).parts;
    let bodies: Vec<_> = parts.iter().skip(1).map(|part| &text[part.body_range()]).collect();
    assert_eq!(bodies, ["a\nb", "Subject: s\n\nin", "in"]);
    assert_eq!((parts[1].body.wire, parts[1].body.lines), (4, 1));
    assert_eq!(parts[3].envelope.as_ref().unwrap().subject.as_deref(), Some(&b"s"[..]));
    assert_eq!((parts[0].end, parts[1].end, parts[2].end), (4, 2, 4));
}

#[test]
fn a_budget_makes_leaves() {
    let mut deep = String::new();
    for level in 0..300 {
        deep += &format!("Content-Type: multipart/mixed; boundary=b{level}x\n\n--b{level}x\n");
    }
    assert_eq!(parse(deep.as_bytes(), &Limits::default()).parts.len(), 101);
    let wide = "Content-Type: multipart/mixed; boundary=x\n\n".to_owned() + &"--x\n\n".repeat(20_000);
    assert_eq!(parse(wide.as_bytes(), &Limits::default()).parts.len(), 10_000);
    let nested = "Content-Type: message/rfc822\n\n".repeat(300);
    assert_eq!(parse(nested.as_bytes(), &Limits::default()).parts.len(), 101);
}

#[test]
fn odd_headers_are_answered() {
    assert!(structure("Content-Type: text/plain; name*1=b; name*0=a\n\n").contains(r#""name" "ab""#));
    assert_eq!(
        structure("Content-Type: garbage\n\nx"),
        r#"("garbage" "" NIL NIL NIL "7bit" 1 NIL NIL NIL NIL)"#
    );
}

#[test]
fn ranges_of_the_wire() {
    let stored = b"a\n\r\nbc\r\n\nd";
    let whole = crlf::wire(stored);
    assert_eq!(&*whole, b"a\r\n\r\nbc\r\n\r\nd");
    assert_eq!(crlf::size(stored).wire, whole.len() as u64);
    for start in 0..=whole.len() + 1 {
        for end in start..=whole.len() + 2 {
            let own = crlf::slice(stored, start as u64..end as u64);
            let expected = whole.get(start..end.min(whole.len())).unwrap_or_default();
            assert_eq!(&*own, expected, "{start}..{end}");
        }
    }
}

#[test]
fn sections_are_cut_out() {
    let text = "Subject: out\nTo: x\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\na\n--x\nContent-Type: message/rfc822\n\nSubject: in\n\nbody\n--x--\n";
    let structure = parse(text.as_bytes(), &Limits::default());
    let cut = |path: &[u32], what: What| {
        let section = Section { path: path.to_vec(), what };
        structure.section(text.as_bytes(), &section).map(|cut| String::from_utf8(cut.into_owned()).unwrap())
    };
    assert_eq!(cut(&[1], What::All).as_deref(), Some("a"));
    assert_eq!(cut(&[2, 1], What::All).as_deref(), Some("body"));
    assert_eq!(cut(&[2], What::Header).as_deref(), Some("Subject: in\r\n\r\n"));
    assert_eq!(cut(&[2], What::Text).as_deref(), Some("body"));
    assert_eq!(cut(&[2], What::Mime).as_deref(), Some("Content-Type: message/rfc822\r\n\r\n"));
    assert_eq!(cut(&[], What::Fields(vec![b"to".to_vec()])).as_deref(), Some("To: x\r\n\r\n"));
    let not = vec![b"to".to_vec(), b"content-type".to_vec()];
    assert_eq!(cut(&[], What::FieldsNot(not)).as_deref(), Some("Subject: out\r\n\r\n"));
    assert_eq!((cut(&[1], What::Text), cut(&[3], What::All), cut(&[1, 1], What::All)), (None, None, None));
    let kept = crate::Structure::from_bytes(&structure.to_bytes()).unwrap();
    assert_eq!(kept, structure);
    assert!(
        (0..structure.to_bytes().len())
            .all(|len| crate::Structure::from_bytes(&structure.to_bytes()[..len]).is_none())
    );
}

#[test]
fn transfer_encodings_are_undone() {
    let cases: [(Encoding, &str, &str); 10] = [
        (Encoding::Base64, "aGVs\r\nbG8=", "hello"),
        (Encoding::Base64, "aGVsbG8", "hello"),
        (Encoding::Base64, "aGU=bGxv", "hello"),
        (Encoding::QuotedPrintable, "a=3Db=\r\nc  \r\nd=", "a=bc\r\nd"),
        (Encoding::QuotedPrintable, "=zz =4 =", "=zz =4 "),
        (Encoding::QuotedPrintable, "a = \nb", "a b"),
        (Encoding::QuotedPrintable, "=e2=82=ac", "\u{20ac}"),
        (Encoding::Uuencode, "x\nbegin 644 f\n#0V%T\n`\nend\ny", "Cat"),
        (Encoding::Identity, "x", "x"),
        (Encoding::Base64, "", ""),
    ];
    for (encoding, text, expected) in cases {
        let whole = encoding.decode(text.as_bytes());
        assert_eq!(String::from_utf8_lossy(&whole), expected, "{text:?}");
        let (mut out, mut decoder) = (Vec::new(), encoding.decoder());
        text.bytes().for_each(|byte| decoder.push(&[byte], &mut out));
        decoder.finish(&mut out);
        assert_eq!(out, whole, "{text:?}, byte by byte");
    }
}
