//! EHLO keywords that are not announced (`smtpd_discard_ehlo_keywords`).

/// Keywords by bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Keywords(u16);

const NAMES: [&str; 14] = [
    "pipelining",
    "size",
    "vrfy",
    "etrn",
    "starttls",
    "auth",
    "xverp",
    "xclient",
    "xforward",
    "enhancedstatuscodes",
    "8bitmime",
    "dsn",
    "smtputf8",
    "chunking",
];

const SILENT: u16 = 1 << 15;

impl Keywords {
    /// Reads names without regard to case; the second value is what is no name.
    pub fn parse(text: &str) -> (Keywords, Vec<&str>) {
        let mut keywords = Keywords::default();
        let mut unknown = Vec::new();
        for word in text.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
            if word.eq_ignore_ascii_case("silent-discard") {
                keywords.0 |= SILENT;
            } else if let Some(bit) = NAMES.iter().position(|name| name.eq_ignore_ascii_case(word)) {
                keywords.0 |= 1 << bit;
            } else {
                unknown.push(word);
            }
        }
        (keywords, unknown)
    }

    /// Is this one among them?
    pub fn has(self, name: &str) -> bool {
        NAMES.iter().position(|known| *known == name).is_some_and(|bit| self.0 & (1 << bit) != 0)
    }

    /// For the log: the names, unless they are to be left out without a word.
    pub fn told(self) -> Option<String> {
        if self.0 == 0 || self.0 & SILENT != 0 {
            return None;
        }
        let names: Vec<String> =
            NAMES.iter().filter(|name| self.has(name)).map(|name| name.to_ascii_uppercase()).collect();
        Some(names.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_silence() {
        let (keywords, unknown) = Keywords::parse("vrfy, ETRN chunking foo");
        assert!(keywords.has("vrfy") && keywords.has("etrn") && !keywords.has("size"));
        assert_eq!(unknown, ["foo"]);
        assert_eq!(keywords.told().as_deref(), Some("VRFY ETRN CHUNKING"));
        assert_eq!(Keywords::parse("vrfy silent-discard").0.told(), None);
    }
}
