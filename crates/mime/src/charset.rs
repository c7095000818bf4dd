//! Text of any charset to UTF-8. What cannot be decoded is U+FFFD; nothing is refused.

mod utf7;

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

pub use utf7::decode as utf7;

/// Is the charset known?
pub fn is_known(label: &[u8]) -> bool {
    is_utf7(label) || Encoding::for_label(label).is_some()
}

/// Decodes `text`. Without a charset, with one that is not known, and where ASCII is only claimed, it is UTF-8 when
/// it can be, else windows-1252.
pub fn to_utf8<'t>(text: &'t [u8], label: Option<&[u8]>) -> Cow<'t, str> {
    let label = label.unwrap_or_default().trim_ascii();
    if is_utf7(label) {
        return Cow::Owned(utf7(text));
    }
    let claimed = Encoding::for_label(label).unwrap_or(UTF_8);
    // Labels of ASCII and Latin-1 mean windows-1252 (WHATWG), which cannot fail, so that UTF-8 would never be seen.
    if claimed == UTF_8 || claimed == WINDOWS_1252 {
        let ascii = !label.to_ascii_lowercase().starts_with(b"iso") && !label.starts_with(b"windows");
        if let (true, Ok(text)) = (ascii || text.is_ascii(), std::str::from_utf8(text)) {
            return Cow::Borrowed(text);
        }
    }
    let named_utf8 = claimed == UTF_8 && label.to_ascii_lowercase().starts_with(b"utf");
    let encoding = if claimed == UTF_8 && !named_utf8 { WINDOWS_1252 } else { claimed };
    encoding.decode_without_bom_handling(text).0
}

fn is_utf7(label: &[u8]) -> bool {
    [&b"utf-7"[..], b"unicode-1-1-utf-7", b"csunicode11utf7"]
        .iter()
        .any(|own| label.eq_ignore_ascii_case(own))
}
