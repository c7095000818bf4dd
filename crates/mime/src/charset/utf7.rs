//! UTF-7 (RFC 2152), which encoding_rs leaves out because browsers must not speak it.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes UTF-7; shifts that are broken stay as they are.
pub fn decode(text: &[u8]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(plus) = memchr::memchr(b'+', rest) {
        out.push_str(&String::from_utf8_lossy(&rest[..plus]));
        let shifted = &rest[plus + 1..];
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        let end = shifted.iter().position(|byte| !is_base64(byte)).unwrap_or(shifted.len());
        rest = &shifted[end..];
        let closed = rest.first() == Some(&b'-');
        match utf16(&shifted[..end]) {
            Some(_) if end == 0 => out.push('+'),
            Some(text) => out.push_str(&text),
            None => out.push_str(&String::from_utf8_lossy(&shifted[..end])),
        }
        if closed {
            rest = &rest[1..];
        }
    }
    out.push_str(&String::from_utf8_lossy(rest));
    out
}

/// What a shifted run says.
fn utf16(run: &[u8]) -> Option<String> {
    // A single letter left over holds no whole unit.
    let run = if run.len() % 4 == 1 { &run[..run.len() - 1] } else { run };
    let bytes = BASE64.decode(run).ok()?;
    let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    Some(char::decode_utf16(units).map(|letter| letter.unwrap_or('\u{fffd}')).collect())
}
