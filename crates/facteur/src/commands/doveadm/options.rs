//! Options as getopt(3) reads them, up to the first word that is none.

use super::End;

/// What was given.
pub(super) struct Options {
    given: Vec<(char, String)>,
    /// The words behind.
    pub rest: Vec<String>,
}

impl Options {
    /// Was it given?
    pub fn has(&self, option: char) -> bool {
        self.given.iter().any(|(given, _)| *given == option)
    }

    /// The value it was given last.
    pub fn value(&self, option: char) -> Option<&str> {
        self.values(option).last()
    }

    /// Every value it was given.
    pub fn values(&self, option: char) -> impl Iterator<Item = &str> {
        self.given.iter().filter(move |(given, _)| *given == option).map(|(_, value)| value.as_str())
    }
}

/// Reads options. `known` names them; a colon follows those with a value.
pub(super) fn read(words: &[String], known: &str, usage: impl Fn() -> String) -> Result<Options, End> {
    let mut given = Vec::new();
    let mut words = words.iter();
    let mut rest: Vec<String> = Vec::new();
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            rest.push(word.clone());
            break;
        };
        if letters == "-" {
            break;
        }
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            let at = known.find(letter).filter(|_| letter != ':');
            let Some(at) = at else {
                return Err(End::usage(format!("doveadm: invalid option -- '{letter}'\n{}", usage())));
            };
            if !known[at + letter.len_utf8()..].starts_with(':') {
                given.push((letter, String::new()));
                continue;
            }
            let attached: String = letters.by_ref().collect();
            let value = match attached.is_empty() {
                false => attached,
                true => words.next().cloned().ok_or_else(|| {
                    End::usage(format!("doveadm: option requires an argument -- '{letter}'\n{}", usage()))
                })?,
            };
            given.push((letter, value));
        }
    }
    rest.extend(words.cloned());
    Ok(Options { given, rest })
}
