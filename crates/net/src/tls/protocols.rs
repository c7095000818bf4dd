//! `smtpd_tls_protocols` and its relatives.

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

/// Every protocol version Postfix has a name for, and its number on the wire.
const NAMES: &[(&str, u16)] = &[
    ("SSLv2", 0x0200),
    ("SSLv3", 0x0300),
    ("TLSv1", 0x0301),
    ("TLSv1.0", 0x0301),
    ("TLSv1.1", 0x0302),
    ("TLSv1.2", 0x0303),
    ("TLSv1.3", 0x0304),
];

/// The versions that are left, newest last; and what has to be said of the others.
///
/// Words are names to include, `!` names to leave out, and `>=` and `<=` bounds. The error is a sentence.
pub(super) fn parse(text: &str) -> Result<(Vec<&'static SupportedProtocolVersion>, Vec<String>), String> {
    let (mut included, mut excluded) = (Vec::new(), Vec::new());
    let (mut lowest, mut highest) = (0, u16::MAX);
    for word in text.split([' ', ',', ':', '\t', '\n', '\r']).filter(|word| !word.is_empty()) {
        if let Some(bound) = word.strip_prefix(">=") {
            lowest = number(bound)?;
        } else if let Some(bound) = word.strip_prefix("<=") {
            highest = number(bound)?;
        } else if let Some(name) = word.strip_prefix('!') {
            excluded.push(number(name)?);
        } else {
            included.push(number(word)?);
        }
    }
    let allowed = |version: u16| {
        (lowest..=highest).contains(&version)
            && !excluded.contains(&version)
            && (included.is_empty() || included.contains(&version))
    };
    let mut found = Vec::new();
    for (version, ours) in [(0x0303, &TLS12), (0x0304, &TLS13)] {
        if allowed(version) {
            found.push(ours);
        }
    }
    if found.is_empty() {
        return Err(format!("\"{text}\" leaves no protocol: TLSv1.2 and TLSv1.3 are available"));
    }
    let old = included.iter().any(|version| *version < 0x0303);
    let words =
        old.then(|| format!("\"{text}\": protocols older than TLSv1.2 are not available and stay off"));
    Ok((found, words.into_iter().collect()))
}

fn number(name: &str) -> Result<u16, String> {
    let known = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, number)| *number);
    let hex = || u16::from_str_radix(name.strip_prefix("0x").unwrap_or(name), 16).ok();
    known
        .or_else(hex)
        .ok_or_else(|| format!("unknown protocol \"{name}\": TLSv1.2 and TLSv1.3 are available"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_protocol_lists() {
        for (text, expected, words) in [
            (">=TLSv1", "TLSv1_2 TLSv1_3", 0),
            ("", "TLSv1_2 TLSv1_3", 0),
            ("!SSLv2, !SSLv3", "TLSv1_2 TLSv1_3", 0),
            (">=TLSv1.3", "TLSv1_3", 0),
            ("<=TLSv1.2, >=TLSv1.2", "TLSv1_2", 0),
            ("!SSLv2, !SSLv3, !TLSv1.3", "TLSv1_2", 0),
            ("TLSv1.2 tlsv1.1", "TLSv1_2", 1),
            (">=0304", "TLSv1_3", 0),
        ] {
            let (found, said) = parse(text).unwrap();
            let names: Vec<_> = found.iter().map(|version| format!("{:?}", version.version)).collect();
            assert_eq!((names.join(" ").as_str(), said.len()), (expected, words), "{text}");
        }
        assert!(parse("TLSv1").unwrap_err().contains("leaves no protocol"));
        assert!(parse("TLSv9").unwrap_err().contains("unknown protocol"));
    }
}
