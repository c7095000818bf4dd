//! Mailbox names on the wire: the modified UTF-7 of IMAP4rev1. RFC 3501 5.1.3.

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Decodes a name; `None` when it breaks the rules. 8-bit text that is UTF-8 is taken as it is: clients send it.
pub fn decode(name: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(name).ok()?;
    if !text.contains('&') {
        return Some(text.to_owned());
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        let (coded, next) = after.split_once('-')?;
        rest = next;
        if coded.is_empty() {
            decoded.push('&');
            continue;
        }
        let bytes = BASE64.decode(coded).ok()?;
        if bytes.len() % 2 != 0 {
            return None;
        }
        let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        for unit in char::decode_utf16(units) {
            // What can be written plainly must be, or one mailbox had two names.
            decoded.push(unit.ok().filter(|letter| !matches!(letter, ' '..='~'))?);
        }
    }
    decoded.push_str(rest);
    Some(decoded)
}

/// Encodes a name.
pub fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    let mut shifted: Vec<u8> = Vec::new();
    for letter in name.chars() {
        if !matches!(letter, ' '..='~') {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                shifted.extend_from_slice(&unit.to_be_bytes());
            }
            continue;
        }
        shift_back(&mut shifted, &mut encoded);
        encoded.push(letter);
        if letter == '&' {
            encoded.push('-');
        }
    }
    shift_back(&mut shifted, &mut encoded);
    encoded
}

fn shift_back(shifted: &mut Vec<u8>, encoded: &mut String) {
    if !shifted.is_empty() {
        encoded.push('&');
        BASE64.encode_string(&*shifted, encoded);
        encoded.push('-');
        shifted.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_as_the_rfc_writes_them() {
        let written = "~peter/mail/&U,BTFw-/&ZeVnLIqe-";
        assert_eq!(
            decode(written.as_bytes()).unwrap(),
            "~peter/mail/\u{53f0}\u{5317}/\u{65e5}\u{672c}\u{8a9e}"
        );
        assert_eq!(encode("~peter/mail/\u{53f0}\u{5317}/\u{65e5}\u{672c}\u{8a9e}"), written);
        assert_eq!(encode("a & b"), "a &- b");
        assert_eq!(decode("Gel\u{f6}scht".as_bytes()).unwrap(), "Gel\u{f6}scht");
        for bad in ["&", "&Jjo", "&Jjo!", "&AGE-", "&2AA-", "&A-"] {
            assert_eq!(decode(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in "\\PC{0,40}") {
            prop_assert_eq!(decode(encode(&name).as_bytes()), Some(name));
        }

        #[test]
        fn any_bytes_are_survived(name: Vec<u8>) {
            if let Some(decoded) = decode(&name) {
                encode(&decoded);
            }
        }
    }
}
