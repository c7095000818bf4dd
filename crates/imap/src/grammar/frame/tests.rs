use super::*;

const LIMITS: Limits = Limits { command: 100, message: 1000, messages: 1500, swallow: 5000 };

/// Feeds `input` in slices of `step` bytes and writes down what comes out.
fn run(input: &str, step: usize, limits: Limits) -> Vec<String> {
    let mut framer = Framer::new(limits);
    let mut seen = Vec::new();
    for slice in input.as_bytes().chunks(step) {
        framer.feed(slice);
        while let Some(piece) = framer.advance() {
            seen.push(match piece {
                Piece::Command(frame) => {
                    let aside: Vec<_> = frame.aside.iter().map(|message| message.len().to_string()).collect();
                    format!(
                        "{}|{}",
                        String::from_utf8_lossy(&frame.text).replace("\r\n", "~"),
                        aside.join(",")
                    )
                }
                Piece::Continue => "+".to_owned(),
                Piece::Refused(tag, why) => format!("{} {why:?}", String::from_utf8_lossy(&tag)),
                Piece::Flood => {
                    seen.push("flood".to_owned());
                    return seen;
                }
            });
        }
    }
    seen
}

#[test]
fn commands_however_they_are_cut() {
    let long = "x".repeat(200);
    let message = "m".repeat(900);
    let cases: &[(String, &[&str])] = &[
        ("a NOOP\r\nb NOOP\n".into(), &["a NOOP|", "b NOOP|"]),
        ("a LOGIN {2}\r\nab {3+}\r\nc\r\n\r\n".into(), &["+", "a LOGIN {2}~ab {3+}~c~|"]),
        (format!("a X {long}\r\nb NOOP\r\n"), &["a TooLong", "b NOOP|"]),
        (format!("a X {long} {{3+}}\r\nx\r\n y\r\nb NOOP\r\n"), &["a TooLong", "b NOOP|"]),
        (format!("a X {{200+}}\r\n{long} y\r\nb NOOP\r\n"), &["a TooLarge", "b NOOP|"]),
        ("a X {200}\r\nb NOOP\r\n".into(), &["a TooLarge", "b NOOP|"]),
        ("a X {x}\r\nb NOOP\r\n".into(), &["a NoLiteral", "b NOOP|"]),
        ("a X {9999+}\r\n".into(), &["flood"]),
        (format!("a APPEND b {{900+}}\r\n{message}\r\nb NOOP\r\n"), &["a APPEND b {900+}~|900", "b NOOP|"]),
        (
            format!("a APPEND b {{900+}}\r\n{message} {{900+}}\r\n{message}\r\nb NOOP\r\n"),
            &["a TooLarge", "b NOOP|"],
        ),
        ("a APPEND {1}\r\nb {2}\r\nm\n\r\n".into(), &["+", "+", "a APPEND {1}~b {2}~|2"]),
        ("a UID REPLACE 4 b (\\Seen) ~{2}\r\nm\n\r\n".into(), &["+", "a UID REPLACE 4 b (\\Seen) ~{2}~|2"]),
        ("a APPEND b {5000}\r\nb NOOP\r\n".into(), &["a TooLarge", "b NOOP|"]),
        ("a X foo{3}\r\n".into(), &["a X foo{3}|"]),
    ];
    for (input, expected) in cases {
        for step in [1, 2, 3, 7, 50, 10_000] {
            assert_eq!(run(input, step, LIMITS), *expected, "{input:?} in {step}");
        }
    }
}

#[test]
fn memory_stays_bounded_whatever_is_sent() {
    // As before the login, where little is read at a time.
    let limits = Limits { command: 32_768, message: 0, messages: 0, swallow: 65_536 };
    let floods: [&[u8]; 7] = [
        b"(",
        b"a",
        b"a b {10+}\r\n0123456789",
        b"x {60000+}\r\n",
        b"a LOGIN {32000+}\r\n",
        b"a NOOP\r\n",
        b"{1}\r\n",
    ];
    for flood in floods {
        let mut framer = Framer::new(limits);
        let chunk = flood.repeat(4096 / flood.len());
        for _ in 0..500 {
            framer.feed(&chunk);
            while let Some(piece) = framer.advance() {
                if matches!(piece, Piece::Flood) {
                    break;
                }
            }
            assert!(framer.held() <= 65_536, "{} bytes held for {:?}", framer.held(), &flood[..1]);
        }
    }
}

#[test]
fn lines_between_commands_are_given_as_they_are() {
    let mut framer = Framer::new(LIMITS);
    framer.feed(b"dGVzd");
    assert!(framer.line().is_none());
    framer.feed(b"A==\r\na NOOP\r\n");
    assert_eq!(framer.line().unwrap().unwrap(), b"dGVzdA==");
    assert!(matches!(framer.advance(), Some(Piece::Command(_))));
    framer.feed(&[b'x'; 300]);
    assert!(framer.line().is_none());
    framer.feed(b"yz\r\nb NOOP\r\n");
    assert!(framer.line().unwrap().is_err());
    assert!(matches!(framer.advance(), Some(Piece::Command(_))));
}
