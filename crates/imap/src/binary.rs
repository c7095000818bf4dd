//! Messages with NUL in them: IMAP takes them as `~{n}` (RFC 3516), and nothing else can carry them. Their binary parts
//! become base64 before they are kept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

/// Characters of a line of base64.
const LINE: usize = 76;

/// The message with the parts that hold NUL as base64. NUL elsewhere becomes 0x80, as where it is read.
pub fn encoded(message: Bytes) -> Bytes {
    if !message.contains(&0) {
        return message;
    }
    let structure = mime::parse(&message, &mime::Limits::default());
    let mut out = Vec::with_capacity(message.len() * 2);
    let mut at = 0;
    for (index, part) in structure.parts.iter().enumerate() {
        let body = part.body_range();
        if part.end > index + 1 || !message[body.clone()].contains(&0) {
            continue;
        }
        let header = part.header_range();
        plain(&message[at..header.start], &mut out);
        header_with_base64(&message[header], &mut out);
        for line in BASE64.encode(&message[body.clone()]).as_bytes().chunks(LINE) {
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
        if index > 0 {
            // The line end before a boundary is the boundary's.
            out.truncate(out.len() - 2);
        }
        at = body.end;
    }
    plain(&message[at..], &mut out);
    out.into()
}

fn plain(text: &[u8], out: &mut Vec<u8>) {
    out.extend(text.iter().map(|byte| if *byte == 0 { 0x80 } else { *byte }));
}

/// The header, with another Content-Transfer-Encoding.
fn header_with_base64(header: &[u8], out: &mut Vec<u8>) {
    let mut rest = header;
    while !rest.is_empty() {
        let mut length = mail::header::next_line(rest).len();
        while matches!(rest.get(length), Some(b' ' | b'\t')) {
            length += mail::header::next_line(&rest[length..]).len();
        }
        let (field, after) = rest.split_at(length);
        rest = after;
        if field.trim_ascii().is_empty() {
            break;
        }
        let name = field.split(|byte| *byte == b':').next().unwrap_or_default();
        if !name.trim_ascii().eq_ignore_ascii_case(b"Content-Transfer-Encoding") {
            plain(field, out);
        }
    }
    out.extend_from_slice(b"Content-Transfer-Encoding: base64\r\n\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_with_nul_become_base64() {
        let message = "Subject: x\r\nContent-Transfer-Encoding: binary\r\n\r\na\0b\n";
        let done = encoded(Bytes::from(message));
        assert_eq!(&done[..], b"Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\nYQBiCg==\r\n");
        let plain = Bytes::from_static(b"Subject: x\r\n\r\nx");
        assert_eq!(encoded(plain.clone()), plain);
    }

    #[test]
    fn only_the_parts_that_need_it() {
        let message = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n\
            --b\r\nContent-Type: application/octet-stream\r\n\r\n\0\x01\r\n--b--\r\n";
        let done = encoded(Bytes::from(message));
        let structure = mime::parse(&done, &mime::Limits::default());
        assert_eq!(structure.binary(&done, &[2]), Some(Ok(vec![0, 1])));
        assert!(done.ends_with(b"\r\n\r\nAAE=\r\n--b--\r\n"));
        assert!(String::from_utf8_lossy(&done).contains("--b\r\n\r\ntext\r\n--b"));
    }
}
