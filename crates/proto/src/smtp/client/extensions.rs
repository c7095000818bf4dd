//! What a server announced in its reply to EHLO or LHLO.

use crate::smtp::reply::Received;

/// Announced extensions, after `smtp_discard_ehlo_keywords`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// Name the server gave itself: first word of the first line.
    pub name: String,
    /// PIPELINING.
    pub pipelining: bool,
    /// 8BITMIME.
    pub eight_bit_mime: bool,
    /// SMTPUTF8.
    pub smtputf8: bool,
    /// DSN.
    pub dsn: bool,
    /// SIZE with its limit; 0 is no limit.
    pub size: Option<u64>,
    /// STARTTLS.
    pub starttls: bool,
    /// AUTH mechanisms, in order; empty when not announced.
    pub auth: Vec<String>,
    /// XFORWARD attributes.
    pub xforward: Vec<String>,
    /// CHUNKING.
    pub chunking: bool,
    /// Every keyword, in capitals.
    pub keywords: Vec<String>,
}

impl Extensions {
    /// Reads the reply to EHLO or LHLO; keywords in `discard` (any case) are not seen.
    pub fn parse(reply: &Received, discard: &[String]) -> Extensions {
        let mut found = Extensions::default();
        for (at, line) in reply.lines.iter().enumerate() {
            let text = line.get(4..).unwrap_or_default();
            let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty());
            let Some(word) = words.next() else { continue };
            if at == 0 {
                found.name = word.to_owned();
                continue;
            }
            let (keyword, glued) =
                word.split_once('=').map_or((word, None), |(word, glued)| (word, Some(glued)));
            let keyword = keyword.to_ascii_uppercase();
            if discard.iter().any(|unwanted| unwanted.eq_ignore_ascii_case(&keyword)) {
                continue;
            }
            let mut words = glued.into_iter().chain(words);
            match keyword.as_str() {
                "PIPELINING" => found.pipelining = true,
                "8BITMIME" => found.eight_bit_mime = true,
                "SMTPUTF8" => found.smtputf8 = true,
                "DSN" => found.dsn = true,
                // Without a value it promises nothing.
                "SIZE" => found.size = Some(words.next().and_then(|size| size.parse().ok()).unwrap_or(0)),
                "STARTTLS" => found.starttls = true,
                "AUTH" => {
                    for mechanism in words {
                        let mechanism = mechanism.to_ascii_uppercase();
                        if !found.auth.contains(&mechanism) {
                            found.auth.push(mechanism);
                        }
                    }
                }
                "XFORWARD" => found.xforward = words.map(str::to_ascii_uppercase).collect(),
                "CHUNKING" => found.chunking = true,
                _ => {}
            }
            found.keywords.push(keyword);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_announced() {
        let lines =
            ["250-mx.test hello", "250-SIZE 100", "250-AUTH=LOGIN", "250-auth PLAIN LOGIN", "250 DSN"];
        let reply = Received { code: 250, status: None, lines: lines.map(str::to_owned).to_vec() };
        let found = Extensions::parse(&reply, &["dsn".to_owned()]);
        assert_eq!((found.name.as_str(), found.size, found.dsn), ("mx.test", Some(100), false));
        assert_eq!(found.auth, ["LOGIN", "PLAIN"]);
    }
}
