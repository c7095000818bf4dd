//! What the first of a chain found out about a message.

use crate::results::without_comments;

/// Do these results (`i=1; server; method=result ...`) prove the domain of From?
pub(super) fn proves(results: &str, domain: &str) -> bool {
    let text = without_comments(results);
    text.split(';').skip(2).any(|result| {
        let mut words = result.split_whitespace();
        let wanted = match words.next() {
            Some("dmarc=pass") => "header.from",
            Some("dkim=pass") => "header.d",
            _ => return false,
        };
        words.filter_map(|word| word.split_once('=')).any(|(name, value)| {
            name.eq_ignore_ascii_case(wanted) && value.trim_matches('"').eq_ignore_ascii_case(domain)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_domain_itself_is_proven() {
        for (results, expected) in [
            ("i=1; mx.test; spf=pass smtp.mailfrom=x; dmarc=pass (p=reject) header.from=A.test", true),
            ("i=1; mx.test;\n\tdkim=pass (2048-bit key)\n\theader.d=a.test header.s=s", true),
            ("i=1; mx.test; dmarc=fail header.from=a.test", false),
            ("i=1; mx.test; dmarc=pass header.from=b.test", false),
            ("i=1; mx.test; dkim=pass header.d=m.a.test", false),
            ("i=1; mx.test; spf=pass (; dmarc=pass header.from=a.test) smtp.mailfrom=a.test", false),
            ("i=1; dmarc=pass header.from=a.test", false),
            ("", false),
        ] {
            assert_eq!(proves(results, "a.test"), expected, "{results}");
        }
    }
}
