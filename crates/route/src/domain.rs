//! What a domain name may look like.

use std::borrow::Cow;

/// Is it a host name: labels of letters, digits, `-` and `_`, not all of it digits? With `utf8`
/// (`smtputf8_enable`) it may be an internationalised one.
pub(crate) fn is_valid(domain: &str, utf8: bool) -> bool {
    let ascii = match domain.is_ascii() {
        true => Cow::Borrowed(domain),
        false if utf8 => match idna::domain_to_ascii(domain) {
            Ok(ascii) => Cow::Owned(ascii),
            Err(_) => return false,
        },
        false => return false,
    };
    ascii.len() <= 255
        && ascii.split('.').all(is_label)
        && ascii.bytes().any(|byte| byte != b'.' && !byte.is_ascii_digit())
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names() {
        for good in ["a", "a.b", "a_b.c", "1a.2", "xn--1.d", &"a".repeat(63)] {
            assert!(is_valid(good, false), "{good}");
        }
        for bad in
            ["", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "1.2.3.4", "12", "a b", "a@b", &"a".repeat(64)]
        {
            assert!(!is_valid(bad, true), "{bad}");
        }
        assert!(is_valid("caf\u{e9}.test", true));
        assert!(!is_valid("caf\u{e9}.test", false));
    }
}
