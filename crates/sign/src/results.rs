//! Authentication-Results (RFC 8601): what was found out, for those who read the message later.

use std::borrow::Cow;

use mail::header::Field;

use crate::dkim::{Algorithm, Dkim, Outcome};
use crate::spf::Identity;
use crate::{Question, Verdicts};

/// The results behind the name of the server, one a line.
pub fn results(verdicts: &Verdicts, question: &Question<'_>) -> String {
    let mut parts: Vec<String> = Vec::new();
    if let Some(spf) = &verdicts.spf {
        let (tag, value) = match spf.identity {
            Identity::MailFrom => ("smtp.mailfrom", question.sender),
            Identity::Helo => ("smtp.helo", question.helo),
        };
        parts.push(format!(
            "spf={}{} {tag}={}",
            spf.verdict.word(),
            comment(Some(&spf.because)),
            value_of(value)
        ));
    }
    if let Some(dkim) = &verdicts.dkim {
        if dkim.is_empty() {
            parts.push("dkim=none".to_owned());
        }
        parts.extend(dkim.iter().map(signature));
    }
    if let Some(arc) = &verdicts.arc {
        let mut text = format!("arc={}", arc.verdict.word());
        if arc.last > 0 {
            text.push_str(&comment(Some(&match &arc.reason {
                Some(reason) => format!("i={}, {reason}", arc.last),
                None => format!("i={}", arc.last),
            })));
        }
        if !arc.domain.is_empty() {
            text.push_str(&format!(" arc.chain={}", value_of(&arc.domain)));
        }
        parts.push(text);
    }
    if let Some(dmarc) = &verdicts.dmarc {
        let why = match dmarc.verdict {
            crate::dmarc::Verdict::None => String::new(),
            _ => comment(Some(&match (&dmarc.reason, verdicts.forwarder) {
                (Some(reason), _) => reason.clone(),
                (None, true) => format!("p={}, arc=pass by trusted sealers", dmarc.policy.word()),
                (None, false) => format!("p={}", dmarc.policy.word()),
            })),
        };
        let from = if dmarc.domain.is_empty() { "unknown" } else { &dmarc.domain };
        parts.push(format!("dmarc={}{why} header.from={}", dmarc.verdict.word(), value_of(from)));
    }
    if parts.is_empty() { "none".to_owned() } else { parts.join(";\n\t") }
}

/// The whole field, without its last line end.
pub fn field(server: &str, results: &str) -> Vec<u8> {
    format!("Authentication-Results: {server};\n\t{results}").into_bytes()
}

fn signature(outcome: &Outcome) -> String {
    let mut text = format!("dkim={}", outcome.result.word());
    let mut say: Vec<String> = Vec::new();
    if let Some(bits) = outcome.bits {
        say.push(match outcome.algorithm {
            Some(Algorithm::Ed25519) => "ed25519 key".to_owned(),
            _ => format!("{bits}-bit key"),
        });
    }
    say.extend(outcome.reason.clone());
    if outcome.testing && outcome.result != Dkim::Pass {
        say.push("testing".to_owned());
    }
    text.push_str(&comment((!say.is_empty()).then(|| say.join(", ")).as_deref()));
    if !outcome.domain.is_empty() {
        text.push_str(&format!(" header.d={}", outcome.domain));
    }
    if !outcome.selector.is_empty() {
        text.push_str(&format!(" header.s={}", outcome.selector));
    }
    if let Some(algorithm) = outcome.algorithm {
        text.push_str(&format!(" header.a={algorithm}"));
    }
    if !outcome.tag.is_empty() {
        text.push_str(&format!(" header.b={}", value_of(&outcome.tag)));
    }
    text
}

/// ` (text)`, without what would end it.
fn comment(text: Option<&str>) -> String {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return String::new() };
    let clean: String = text
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '(' | ')' | '\\') && c.is_ascii())
        .take(160)
        .collect();
    format!(" ({clean})")
}

/// A value that a stranger chose: as it is where it is a plain word, in quotes otherwise.
fn value_of(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$&'*+-/^_`{|}~.@:".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::from("\"");
    for c in text.chars().filter(|c| !c.is_control()).take(320) {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    Cow::Owned(out)
}

/// Does this field pretend to be ours? Then it goes, as only we may say what we found out.
pub fn is_forged(raw: &[u8], server: &str) -> bool {
    let Some(field) = Field::parse(raw).filter(|field| field.is("authentication-results")) else {
        return false;
    };
    let text = String::from_utf8_lossy(field.value());
    let name = without_comments(&text);
    let name = name.trim_start().trim_start_matches('"');
    let end = name.find([';', ' ', '\t', '\n', '\r', '"']).unwrap_or(name.len());
    let name = name[..end].trim_end_matches('.');
    name.eq_ignore_ascii_case(server.trim_end_matches('.'))
}

/// A text without `(comments)`, which may nest.
pub(crate) fn without_comments(text: &str) -> String {
    let (mut depth, mut out) = (0usize, String::with_capacity(text.len()));
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            '\\' if depth > 0 => {
                chars.next();
            }
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_results_they_are() {
        for ours in [
            "Authentication-Results: mx.a.test; spf=pass",
            "authentication-results:MX.A.test 1; none",
            "Authentication-Results: (hi; (you)) mx.a.test.;dkim=pass",
            "Authentication-Results:\n\t\"mx.a.test\"; dkim=pass",
            "Authentication-Results: mx.a.test",
        ] {
            assert!(is_forged(ours.as_bytes(), "mx.a.test"), "{ours}");
        }
        for other in ["Authentication-Results: mx.b.test; spf=pass", "X-Results: mx.a.test;", "junk"] {
            assert!(!is_forged(other.as_bytes(), "mx.a.test"), "{other}");
        }
    }

    #[test]
    fn strangers_cannot_write_results() {
        assert_eq!(value_of("a@b.test"), "a@b.test");
        assert_eq!(value_of("a@b; dkim=pass"), "\"a@b; dkim=pass\"");
        assert_eq!(value_of("a\"\n;b"), "\"a\\\";b\"");
        assert_eq!(comment(Some("x) dkim=pass (y\n")), " (x dkim=pass y)");
    }
}
