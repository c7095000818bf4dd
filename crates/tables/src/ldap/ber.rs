//! The encoding of LDAP's messages (X.690 BER, as RFC 4511 section 5.1 restricts it). Nothing here calls itself, so
//! no nesting of what a server sends costs more than its bytes.

/// SEQUENCE.
pub const SEQUENCE: u8 = 0x30;
/// OCTET STRING.
pub const OCTETS: u8 = 0x04;
/// INTEGER.
pub const INTEGER: u8 = 0x02;
/// ENUMERATED.
pub const ENUMERATED: u8 = 0x0a;
/// BOOLEAN.
pub const BOOLEAN: u8 = 0x01;

/// Adds an element: tag, length, content.
pub fn put(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    match content.len() {
        length @ 0..=0x7f => out.push(length as u8),
        length => {
            let bytes = length.to_be_bytes();
            let skip = bytes.iter().take_while(|byte| **byte == 0).count();
            out.push(0x80 | (bytes.len() - skip) as u8);
            out.extend_from_slice(&bytes[skip..]);
        }
    }
    out.extend_from_slice(content);
}

/// An element whose content is made by `fill`.
pub fn nested(tag: u8, fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut content = Vec::new();
    fill(&mut content);
    let mut out = Vec::with_capacity(content.len() + 6);
    put(&mut out, tag, &content);
    out
}

/// Adds a number (INTEGER or ENUMERATED).
pub fn put_number(out: &mut Vec<u8>, tag: u8, number: u32) {
    let bytes = number.to_be_bytes();
    let skip = bytes.iter().take_while(|byte| **byte == 0).count().min(3);
    let mut content = bytes[skip..].to_vec();
    if content[0] & 0x80 != 0 {
        content.insert(0, 0);
    }
    put(out, tag, &content);
}

/// What is in the way of reading.
#[derive(Debug, PartialEq, Eq)]
pub enum Short {
    /// The element is not complete yet.
    More,
    /// It never will be right.
    Bad,
}

/// Divides the first element off: tag, content, and what follows. `max` is the longest content.
pub fn split(data: &[u8], max: usize) -> Result<(u8, &[u8], &[u8]), Short> {
    let [tag, first, rest @ ..] = data else { return Err(Short::More) };
    if tag & 0x1f == 0x1f {
        // Tags of more bytes do not occur in LDAP.
        return Err(Short::Bad);
    }
    let (length, rest) = match *first {
        length @ 0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let (digits, rest) = rest.split_at_checked(count).ok_or(Short::More)?;
            (digits.iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        // The indefinite form is forbidden in LDAP; longer lengths are larger than anything.
        _ => return Err(Short::Bad),
    };
    if length > max {
        return Err(Short::Bad);
    }
    let (content, rest) = rest.split_at_checked(length).ok_or(Short::More)?;
    Ok((*tag, content, rest))
}

/// Reads the elements of a complete content one after the other.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next element, or `None` at the end or where there is none that is right.
    pub fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, content, rest) = split(self.0, usize::MAX).ok()?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The next element, which must have this tag.
    pub fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    /// The next element as a number.
    pub fn number(&mut self, tag: u8) -> Option<u32> {
        let content = self.expect(tag)?;
        let content = content.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(content);
        if content.is_empty() || content.len() > 4 {
            return None;
        }
        Some(content.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_read() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let mut out = Vec::new();
            put(&mut out, OCTETS, &vec![7; length]);
            let (tag, content, rest) = split(&out, 1 << 20).unwrap();
            assert_eq!((tag, content.len(), rest.len()), (OCTETS, length, 0));
            assert_eq!(split(&out[..out.len() - 1], 1 << 20), Err(Short::More));
        }
        for number in [0, 1, 127, 128, 255, 256, u32::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, INTEGER, number);
            assert_eq!(Reader(&out).number(INTEGER), Some(number));
        }
    }

    #[test]
    fn what_is_not_ldap_is_bad() {
        assert_eq!(split(&[0x30, 0x80, 0, 0], 100), Err(Short::Bad));
        assert_eq!(split(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], 100), Err(Short::Bad));
        assert_eq!(split(&[0x30, 0x88, 0, 0], 100), Err(Short::Bad));
        assert_eq!(split(&[0x1f, 0x01, 0], 100), Err(Short::Bad));
        assert_eq!(split(&[0x30, 101], 100), Err(Short::Bad));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read(data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40)) {
            let mut reader = Reader(&data);
            while reader.next().is_some() {}
            let _ = Reader(&data).number(INTEGER);
        }
    }
}
