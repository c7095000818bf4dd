//! Quoted-printable (RFC 2045 6.7), for servers without 8BITMIME.

/// Adds a body line (without its line end) to `out`, encoded, with soft breaks.
pub fn line(text: &[u8], out: &mut Vec<u8>) {
    let mut start = out.len();
    for (at, byte) in text.iter().copied().enumerate() {
        if out.len() - start > 72 {
            out.extend_from_slice(b"=\n");
            start = out.len();
        }
        let last = at + 1 == text.len();
        match byte {
            b' ' | b'\t' if !last => out.push(byte),
            b'=' | 0..=32 | 127..=255 => {
                out.push(b'=');
                for nibble in [byte >> 4, byte & 15] {
                    out.push(b"0123456789ABCDEF"[usize::from(nibble)]);
                }
            }
            _ => out.push(byte),
        }
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    #[test]
    fn encodes_lines() {
        let check = |text: &str, expected: &str| {
            let mut out = Vec::new();
            super::line(text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).expect("ASCII"), expected);
        };
        check("héllo = wörld ", "h=C3=A9llo =3D w=C3=B6rld=20\n");
        check("tab\t", "tab=09\n");
        check(&"a".repeat(80), &format!("{}=\n{}\n", "a".repeat(73), "a".repeat(7)));
        check("", "\n");
    }
}
