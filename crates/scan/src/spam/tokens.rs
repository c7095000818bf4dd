//! What is counted of a text: words, pairs of words that stand side by side, and marks of fields.

use std::collections::HashSet;

/// Most tokens of a message. Beyond it nothing is counted, so that a long message costs no more than its share.
const MOST: usize = 2000;

/// Words of a body that are read.
const WORDS: usize = 1500;

/// Letters of a word: shorter ones say nothing, longer ones are no words.
const LETTERS: std::ops::RangeInclusive<usize> = 3..=24;

/// The distinct tokens of a message on their way.
#[derive(Debug, Default)]
pub(super) struct Tokens(HashSet<String>);

impl Tokens {
    fn add(&mut self, token: String) {
        if self.0.len() < MOST {
            self.0.insert(token);
        }
    }

    /// Something that is counted as it stands, of the kind `mark`.
    pub(super) fn mark(&mut self, mark: &str, text: &str) {
        self.add(format!("{mark}:{}", text.chars().take(80).collect::<String>()));
    }

    /// The words of a field.
    pub(super) fn field(&mut self, mark: &str, text: &str) {
        let letters = text.chars().filter(|letter| letter.is_alphabetic());
        let (big, all) = letters.fold((0, 0), |(big, all), c| (big + usize::from(c.is_uppercase()), all + 1));
        if all >= 8 && big * 10 >= all * 9 {
            self.mark(mark, "ALL CAPITALS");
        }
        let mut before = String::new();
        for word in words(text).take(60) {
            self.mark(mark, &word);
            if !before.is_empty() {
                self.add(format!("{mark}:{before} {word}"));
            }
            before = word;
        }
    }

    /// The words of a body, and pairs of them.
    pub(super) fn text(&mut self, text: &str) {
        let mut before = String::new();
        for word in words(text).take(WORDS) {
            if !before.is_empty() {
                self.add(format!("{before} {word}"));
            }
            self.add(word.clone());
            before = word;
        }
    }

    /// Elements of HTML: which there are, and hidden or coloured text.
    pub(super) fn markup(&mut self, html: &str) {
        let mut rest = html;
        for _ in 0..WORDS {
            let Some(at) = rest.find('<') else { return };
            rest = &rest[at + 1..];
            let end = rest.find(['>', '<']).unwrap_or(rest.len());
            let element = rest[..end].to_ascii_lowercase();
            let mut parts = element.split_ascii_whitespace();
            let name = parts.next().unwrap_or_default();
            if name.chars().all(|c| c.is_ascii_alphanumeric()) && (1..=12).contains(&name.len()) {
                self.mark("t", name);
                for attribute in parts.take(6).filter(|text| text.starts_with(['c', 's', 'w', 'b', 'f'])) {
                    self.mark("t", &format!("{name} {}", attribute.trim_matches(['"', '\''])));
                }
            }
            rest = &rest[end..];
        }
    }

    /// All of them, in order.
    pub(super) fn into_sorted(self) -> Vec<String> {
        let mut tokens: Vec<String> = self.0.into_iter().collect();
        tokens.sort_unstable();
        tokens
    }
}

/// Words in lower case; a text of a script that parts no words gives its pairs of letters.
fn words(text: &str) -> impl Iterator<Item = String> {
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '$' | '€' | '£' | '\'' | '-' | '!' | '%' | '*');
    text.split(move |c: char| !inner(c)).flat_map(|word| {
        let word = word.trim_matches(['\'', '-', '*']);
        let letters = word.chars().count();
        let mut found = Vec::new();
        if word.chars().any(|c| c >= '\u{3040}') {
            let letters: Vec<char> = word.chars().take(400).collect();
            found.extend(letters.windows(2).map(|pair| pair.iter().collect()));
        } else if LETTERS.contains(&letters) {
            found.push(word.to_lowercase());
        } else if letters > *LETTERS.end() {
            found.push(format!("long {}", (letters / 10).min(20)));
        }
        found
    })
}

/// The part of a host name that one party owns, as far as that can be told by its looks: `example.org` of
/// `www.example.org`, `example.co.uk` of `a.example.co.uk`.
pub(super) fn site(host: &str) -> &str {
    let mut dots = host.rmatch_indices('.').map(|(at, _)| at);
    let (last, second, third) = (dots.next(), dots.next(), dots.next());
    let (Some(last), Some(second)) = (last, second) else { return host };
    if last - second <= 4 && host.len() - last <= 3 {
        return third.map_or(host, |at| &host[at + 1..]);
    }
    &host[second + 1..]
}
