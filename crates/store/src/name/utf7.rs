//! Modified UTF-7: how mailbox names are written in IMAP4rev1 and in the names of Maildirs (RFC 3501, section 5.1.3).

/// The digits of modified base64.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// Encodes a name.
pub fn to_utf7(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.find(|c: char| !matches!(c, ' '..='~') || c == '&').unwrap_or(rest.len());
        out.push_str(&rest[..plain]);
        rest = &rest[plain..];
        if let Some(after) = rest.strip_prefix('&') {
            out.push_str("&-");
            rest = after;
            continue;
        }
        let coded = rest.find(|c: char| matches!(c, ' '..='~')).unwrap_or(rest.len());
        if coded > 0 {
            shift(&rest[..coded], &mut out);
            rest = &rest[coded..];
        }
    }
    out
}

fn shift(text: &str, out: &mut String) {
    out.push('&');
    let (mut bits, mut count) = (0u32, 0);
    for unit in text.encode_utf16() {
        bits = bits << 16 | u32::from(unit);
        count += 16;
        while count >= 6 {
            count -= 6;
            out.push(char::from(DIGITS[(bits >> count & 63) as usize]));
        }
        bits &= (1 << count) - 1;
    }
    if count > 0 {
        out.push(char::from(DIGITS[(bits << (6 - count) & 63) as usize]));
    }
    out.push('-');
}

/// Decodes a name; `None` when it is not what [`to_utf7`] would have made of any name.
pub fn from_utf7(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('&') {
        out.push_str(plain);
        let (coded, after) = after.split_once('-')?;
        match coded.is_empty() {
            true => out.push('&'),
            false => out.push_str(&unshift(coded)?),
        }
        rest = after;
    }
    out.push_str(rest);
    // One name has one spelling: otherwise two spellings could be told apart where one mailbox is meant.
    (to_utf7(&out) == text).then_some(out)
}

fn unshift(coded: &str) -> Option<String> {
    let (mut bits, mut count, mut units) = (0u32, 0, Vec::new());
    for byte in coded.bytes() {
        let digit = DIGITS.iter().position(|digit| *digit == byte)?;
        bits = bits << 6 | digit as u32;
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push((bits >> count) as u16);
            bits &= (1 << count) - 1;
        }
    }
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_in_the_rfc() {
        for (plain, coded) in [
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("A & B", "A &- B"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("é&è", "&AOk-&-&AOg-"),
        ] {
            assert_eq!(to_utf7(plain), coded);
            assert_eq!(from_utf7(coded).as_deref(), Some(plain));
        }
        for bad in ["a&", "&AOk", "&!-", "&AGE-", "&2AA-", "&AOk-&AOg-", "é"] {
            assert_eq!(from_utf7(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn there_and_back(text in "\\PC{0,40}") {
            prop_assert_eq!(from_utf7(&to_utf7(&text)), Some(text));
        }
    }
}
