//! The address in MAIL FROM and RCPT TO. RFC 5321 4.1.2, and the forms Postfix takes besides.

use mail::Address;

use super::command::Token;

/// Why a path is refused; Postfix answers `501 5.1.7` (sender) or `501 5.1.3` (recipient).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPath;

/// The address within a path, in internal form. `<>` gives the null address: RCPT TO must refuse it itself.
///
/// `strict` is `strict_rfc821_envelopes`: only `<…>` will do, without comments or names.
pub fn address(token: Token<'_>, strict: bool) -> Result<Address, BadPath> {
    let inner = match token {
        Token::Unclosed(_) => return Err(BadPath),
        Token::Path(text) => &text[1..text.len() - 1],
        Token::Word(_) if strict => return Err(BadPath),
        Token::Word(text) => match text.find('<') {
            // `Name<joe@example.org>`; the tokenizer has made sure that brackets close.
            Some(at) if !text[..at].contains('"') => text[at + 1..].trim_end_matches('>'),
            _ => text.trim_end_matches('>'),
        },
    };
    let words = words(inner, strict)?;
    let words = match words.iter().position(|word| *word == Word::Special(':')) {
        // A source route is taken and forgotten. RFC 5321 appendix F.2.
        Some(colon) if words[0] == Word::Special('@') => &words[colon + 1..],
        Some(_) => return Err(BadPath),
        None => &words[..],
    };
    if words.contains(&Word::Special(',')) || words.contains(&Word::Special(';')) {
        return Err(BadPath);
    }
    if strict && words.first() == Some(&Word::Special('@')) {
        return Err(BadPath);
    }
    let address = join(words)?;
    match words.iter().rposition(|word| *word == Word::Special('@')) {
        Some(at) => check_domain(&words[at + 1..], strict)?,
        None if strict && !words.is_empty() && !address.eq_ignore_ascii_case("postmaster") => {
            return Err(BadPath);
        }
        None => {}
    }
    Ok(Address::from_internal(address))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// An atom or quoted string, without quotes.
    Text(String),
    /// `[192.0.2.1]`, with brackets.
    Literal(String),
    /// `@ . , : ;`
    Special(char),
}

fn words(text: &str, strict: bool) -> Result<Vec<Word>, BadPath> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => {}
            '(' if strict => return Err(BadPath),
            '(' => comment(&mut chars)?,
            '"' => words.push(Word::Text(until('"', &mut chars)?)),
            '[' => words.push(Word::Literal(format!("[{}]", until(']', &mut chars)?))),
            '@' | '.' | ',' | ':' | ';' => words.push(Word::Special(c)),
            '<' | '>' => return Err(BadPath),
            _ => {
                let mut atom = String::new();
                let mut next = Some(c);
                while let Some(c) = next {
                    if c == '\\' {
                        atom.push(chars.next().ok_or(BadPath)?);
                    } else {
                        atom.push(c);
                    }
                    next = chars.next_if(|c| !" \t()<>@,;:.\"[".contains(*c));
                }
                words.push(Word::Text(atom));
            }
        }
    }
    Ok(words)
}

fn until(end: char, chars: &mut impl Iterator<Item = char>) -> Result<String, BadPath> {
    let mut text = String::new();
    loop {
        match chars.next().ok_or(BadPath)? {
            '\\' => text.push(chars.next().ok_or(BadPath)?),
            c if c == end => return Ok(text),
            c => text.push(c),
        }
    }
}

fn comment(chars: &mut impl Iterator<Item = char>) -> Result<(), BadPath> {
    let mut depth = 1;
    while depth > 0 {
        match chars.next().ok_or(BadPath)? {
            '\\' => drop(chars.next().ok_or(BadPath)?),
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
    }
    Ok(())
}

/// Puts the words together; two texts side by side (`a b@c`) are no address.
fn join(words: &[Word]) -> Result<String, BadPath> {
    let mut out = String::new();
    let mut after_text = false;
    for word in words {
        let is_text = !matches!(word, Word::Special(_));
        if is_text && after_text {
            return Err(BadPath);
        }
        after_text = is_text;
        match word {
            Word::Text(text) | Word::Literal(text) => out.push_str(text),
            Word::Special(c) => out.push(*c),
        }
    }
    Ok(out)
}

/// Domains that are no names: empty and numeric ones pass, for `resolve_null_domain` and `resolve_numeric_domain` say
/// what becomes of them.
fn check_domain(words: &[Word], strict: bool) -> Result<(), BadPath> {
    let good = match words {
        [] => !strict,
        [Word::Literal(text)] => is_address_literal(text),
        _ => {
            let domain = join(words)?;
            // A final dot is forgiven, as it is removed by address rewriting.
            let domain = domain.strip_suffix('.').unwrap_or(&domain);
            is_hostname(domain) || domain.parse::<std::net::Ipv4Addr>().is_ok()
        }
    };
    if good { Ok(()) } else { Err(BadPath) }
}

/// Is it `[192.0.2.1]` or `[IPv6:2001:db8::1]`? RFC 5321 4.1.3.
pub fn is_address_literal(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) else { return false };
    match inner.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => inner[5..].parse::<std::net::Ipv6Addr>().is_ok(),
        _ => inner.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}

/// Is it a host or domain name as Postfix takes them: labels of letters, digits, `-` and `_`, none of them empty, too
/// long or with a hyphen at an end, and not numeric as a whole? Labels may be UTF-8 (RFC 6531).
pub fn is_hostname(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| {
                c.is_ascii_alphanumeric() || c == '-' || c == '_' || !(c.is_ascii() || c.is_control())
            })
    };
    name.len() <= 255 && name.split('.').all(label) && !name.chars().all(|c| c.is_ascii_digit() || c == '.')
}

#[cfg(test)]
mod tests {
    use super::super::Command;
    use super::*;

    fn parse(path: &str, strict: bool) -> Option<String> {
        let line = format!("RCPT TO:{path}");
        let command = Command::parse(&line);
        let (token, _) = command.path_and_params("TO:")?;
        address(token, strict).ok().map(|address| address.as_str().to_owned())
    }

    #[test]
    fn reads_addresses_as_postfix_does() {
        for (path, lenient, strict) in [
            ("<a@b.test>", Some("a@b.test"), true),
            ("<>", Some(""), true),
            ("a@b.test", Some("a@b.test"), false),
            ("a@b.test>", Some("a@b.test"), false),
            ("<a@b.test", None, false),
            ("<a b@c.test>", None, false),
            ("<\"a b\"@c.test>", Some("a b@c.test"), true),
            ("<a\\ b@c.test>", Some("a b@c.test"), true),
            ("<@b.test>", Some("@b.test"), false),
            ("<@r.test,@s.test:u@d.test>", Some("u@d.test"), true),
            ("<u@[192.0.2.1]>", Some("u@[192.0.2.1]"), true),
            ("<u@[IPv6:2001:db8::1]>", Some("u@[IPv6:2001:db8::1]"), true),
            ("<u@[nonsense]>", None, false),
            ("<postmaster>", Some("postmaster"), true),
            ("<joe>", Some("joe"), false),
            ("<x@y..test>", None, false),
            ("<x@-bad.test>", None, false),
            ("<x@y_z.test>", Some("x@y_z.test"), true),
            ("<.x@y.test>", Some(".x@y.test"), true),
            ("<x..z@y.test>", Some("x..z@y.test"), true),
            ("<x@y.test.>", Some("x@y.test."), true),
            ("<x@1.2.3.4>", Some("x@1.2.3.4"), true),
            ("<a@b@c.test>", Some("a@b@c.test"), true),
            ("<x(comment)@y.test>", Some("x@y.test"), false),
            ("<a@b.test,c@d.test>", None, false),
            ("<rené@x.test>", Some("rené@x.test"), true),
            ("Name<x@y.test>", Some("x@y.test"), false),
            ("<\\>", None, false),
        ] {
            assert_eq!(parse(path, false).as_deref(), lenient, "{path}");
            assert_eq!(parse(path, true).is_some(), strict, "strict {path}");
        }
    }
}
