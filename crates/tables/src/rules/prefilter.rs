//! Which patterns can match at all: found for all of them in one pass over the subject.
//!
//! From a pattern we read texts of which at least one must stand in every subject it matches (`spam`, or `offer`
//! and `deal` of `(offer|deal)`). Where the reader is not sure it claims nothing, and the pattern is always
//! tried; so a prefilter changes how long a look-up takes, never what it answers. All texts of a table are
//! searched at once, letters of both cases being equal, by an Aho-Corasick automaton.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};

/// The grammar a pattern is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// POSIX extended expressions as the GNU library reads them.
    Posix,
    /// PCRE2, without the `x` flag.
    Pcre,
}

/// Texts of which one must be in the subject.
type Literals = Vec<Vec<u8>>;

/// More alternatives than this are not worth the search.
const LITERALS_MAX: usize = 64;

/// The texts of which at least one is in every subject the pattern matches; `None` if there is no telling.
pub fn required(pattern: &[u8], syntax: Syntax) -> Option<Literals> {
    if !pattern.is_ascii() {
        return None;
    }
    let mut reader = Reader { pattern, at: 0, syntax, depth: 0 };
    let found = reader.alternatives()?;
    (reader.at == pattern.len()).then_some(found).flatten()
}

/// Reads a pattern. `None` from a method: give up on the whole pattern.
struct Reader<'p> {
    pattern: &'p [u8],
    at: usize,
    syntax: Syntax,
    depth: usize,
}

/// The best texts of a sequence so far, and the run of plain characters being read.
#[derive(Default)]
struct Sequence {
    best: Option<Literals>,
    run: Vec<u8>,
}

impl Sequence {
    /// A run ends; it is a candidate. Being longer is better, then being fewer.
    fn end_run(&mut self) {
        if !self.run.is_empty() {
            let run = std::mem::take(&mut self.run);
            self.offer(vec![run]);
        }
    }

    fn offer(&mut self, literals: Literals) {
        let worth = |literals: &Literals| {
            let shortest = literals.iter().map(Vec::len).min().unwrap_or(0);
            (shortest, std::cmp::Reverse(literals.len()))
        };
        if self.best.as_ref().is_none_or(|best| worth(&literals) > worth(best)) {
            self.best = Some(literals);
        }
    }
}

enum Item {
    Char(u8),
    /// A group, with what it requires.
    Group(Option<Literals>),
    /// Anything that is not a fixed text: a class, an anchor, a back-reference.
    Other,
}

enum Quantifier {
    None,
    /// At least once: `+`.
    Some,
    /// Perhaps not at all.
    Maybe,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.pattern.get(self.at).copied()
    }

    /// Up to `)` or the end.
    fn alternatives(&mut self) -> Option<Option<Literals>> {
        self.depth += 1;
        if self.depth > 50 {
            return None;
        }
        let mut all = Some(Vec::new());
        loop {
            let branch = self.sequence()?;
            all = match (all, branch) {
                (Some(mut all), Some(mut branch)) if all.len() + branch.len() <= LITERALS_MAX => {
                    all.append(&mut branch);
                    Some(all)
                }
                _ => None,
            };
            if self.peek() != Some(b'|') {
                break;
            }
            self.at += 1;
        }
        self.depth -= 1;
        Some(all)
    }

    fn sequence(&mut self) -> Option<Option<Literals>> {
        let mut sequence = Sequence::default();
        while let Some(byte) = self.peek() {
            if matches!(byte, b'|' | b')') {
                break;
            }
            let item = self.item(byte)?;
            match (item, self.quantifier()?) {
                (Item::Char(byte), Quantifier::None) => sequence.run.push(byte),
                (Item::Char(byte), Quantifier::Some) => {
                    sequence.run.push(byte);
                    sequence.end_run();
                }
                (Item::Group(Some(literals)), Quantifier::None | Quantifier::Some) => {
                    sequence.end_run();
                    sequence.offer(literals);
                }
                _ => sequence.end_run(),
            }
        }
        sequence.end_run();
        Some(sequence.best)
    }

    fn item(&mut self, byte: u8) -> Option<Item> {
        self.at += 1;
        Some(match byte {
            b'(' => return self.group(),
            b'[' => {
                self.class()?;
                Item::Other
            }
            b'\\' => return self.escape(),
            // A quantifier without anything before it: whatever that means.
            b'*' | b'+' | b'?' | b'{' => return None,
            b'.' | b'^' | b'$' => Item::Other,
            byte => Item::Char(byte),
        })
    }

    fn group(&mut self) -> Option<Item> {
        let mut required = true;
        if self.syntax == Syntax::Pcre {
            if self.peek() == Some(b'*') {
                return None;
            }
            if self.peek() == Some(b'?') {
                self.at += 1;
                required = match self.rest() {
                    [b':', ..] => {
                        self.at += 1;
                        true
                    }
                    [b'=' | b'!', ..] => {
                        self.at += 1;
                        false
                    }
                    [b'<', b'=' | b'!', ..] => {
                        self.at += 2;
                        false
                    }
                    _ => return None,
                };
            }
        }
        let inner = self.alternatives()?;
        if self.peek() != Some(b')') {
            return None;
        }
        self.at += 1;
        Some(Item::Group(inner.filter(|_| required)))
    }

    fn rest(&self) -> &[u8] {
        &self.pattern[self.at..]
    }

    /// `[…]`: `]` stands for itself right at the start, and `[: :]` and its like hide a `]`.
    fn class(&mut self) -> Option<()> {
        if self.peek() == Some(b'^') {
            self.at += 1;
        }
        if self.peek() == Some(b']') {
            self.at += 1;
        }
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match (byte, self.peek()) {
                (b']', _) => return Some(()),
                (b'\\', Some(next)) if self.syntax == Syntax::Pcre => {
                    // \Q and \E change how everything is read.
                    if matches!(next, b'Q' | b'E') {
                        return None;
                    }
                    self.at += 1;
                }
                (b'[', Some(mark @ (b':' | b'.' | b'='))) => {
                    let close = [mark, b']'];
                    let end = memchr::memmem::find(&self.rest()[1..], &close)?;
                    self.at += 1 + end + 2;
                }
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Option<Item> {
        let byte = self.peek()?;
        self.at += 1;
        Some(match (byte, self.syntax) {
            // Zero-width marks of the GNU library.
            (b'<' | b'>' | b'`' | b'\'', Syntax::Posix) => Item::Other,
            (b'w' | b'W' | b's' | b'S' | b'b' | b'B', _) => Item::Other,
            (b'd' | b'D' | b'A' | b'Z' | b'z', Syntax::Pcre) => Item::Other,
            // Back-references in POSIX; numbers in PCRE may be octal and longer than they look.
            (b'1'..=b'9', Syntax::Posix) => Item::Other,
            (byte, _) if byte.is_ascii_alphanumeric() => return None,
            (byte, _) => Item::Char(byte),
        })
    }

    fn quantifier(&mut self) -> Option<Quantifier> {
        let mut strongest = Quantifier::None;
        while let Some(byte) = self.peek() {
            let this = match byte {
                b'*' | b'?' => Quantifier::Maybe,
                b'+' => Quantifier::Some,
                b'{' => {
                    // Where it is no quantifier it is text; then nothing is known of what follows either.
                    let end = self.rest().iter().position(|byte| *byte == b'}')?;
                    let inner = &self.rest()[1..end];
                    if inner.is_empty() || !inner.iter().all(|byte| byte.is_ascii_digit() || *byte == b',') {
                        return None;
                    }
                    self.at += end;
                    Quantifier::Maybe
                }
                _ => break,
            };
            self.at += 1;
            strongest = match (strongest, this) {
                (Quantifier::None, this) => this,
                // `+?` and `++` are still at least once; in POSIX a second operator may undo the first.
                (Quantifier::Some, Quantifier::Some) => Quantifier::Some,
                (Quantifier::Some, _) if self.syntax == Syntax::Pcre => Quantifier::Some,
                _ => Quantifier::Maybe,
            };
        }
        Some(strongest)
    }
}

/// The patterns of a table, by number, and the search for their texts.
pub struct Prefilter {
    search: Option<AhoCorasick>,
    /// The pattern each text belongs to.
    owners: Vec<u32>,
    /// Patterns that are always tried.
    always: Bits,
}

/// A set of pattern numbers.
#[derive(Clone, Default)]
pub struct Bits(Vec<u64>);

impl Bits {
    fn with_room(count: usize) -> Bits {
        Bits(vec![0; count.div_ceil(64)])
    }

    fn set(&mut self, number: usize) {
        self.0[number / 64] |= 1 << (number % 64);
    }

    /// Is it in the set?
    pub fn has(&self, number: usize) -> bool {
        self.0.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }
}

impl Prefilter {
    /// Prepares the search for patterns of which each has its required texts, or `None`.
    pub fn new(patterns: &[Option<Literals>]) -> Prefilter {
        let mut always = Bits::with_room(patterns.len());
        let (mut texts, mut owners) = (Vec::new(), Vec::new());
        for (number, literals) in patterns.iter().enumerate() {
            match literals {
                Some(literals) => {
                    texts.extend(literals.iter());
                    owners.extend(literals.iter().map(|_| number as u32));
                }
                None => always.set(number),
            }
        }
        let search = AhoCorasickBuilder::new()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(&texts)
            .ok()
            .filter(|_| !texts.is_empty());
        if search.is_none() {
            (0..patterns.len()).for_each(|number| always.set(number));
        }
        Prefilter { search, owners, always }
    }

    /// The patterns that may match the subject.
    pub fn candidates(&self, subject: &[u8]) -> Bits {
        let mut bits = self.always.clone();
        if let Some(search) = &self.search {
            for found in search.find_overlapping_iter(subject) {
                bits.set(self.owners[found.pattern().as_usize()] as usize);
            }
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{pcre2, posix};
    use super::*;

    fn texts(pattern: &str, syntax: Syntax) -> Option<Vec<String>> {
        let found = required(pattern.as_bytes(), syntax)?;
        Some(found.into_iter().map(|text| String::from_utf8(text).unwrap()).collect())
    }

    #[test]
    fn reads_what_must_be_there() {
        use Syntax::{Pcre, Posix};
        for (pattern, syntax, expected) in [
            (r"^(.*\.)?spam17[a-z]*-(offer|deal)s?\.(com|net)$", Posix, Some(vec!["spam17"])),
            ("^Subject: make money", Posix, Some(vec!["Subject: make money"])),
            ("a|bc", Posix, Some(vec!["a", "bc"])),
            ("(abc)?x", Posix, Some(vec!["x"])),
            ("ab*c+d", Posix, Some(vec!["a"])),
            ("ab{2}", Posix, Some(vec!["a"])),
            (".*", Posix, None),
            ("a|.*", Posix, None),
            (r"\.exe\>", Posix, Some(vec![".exe"])),
            (r"(.)\1ab", Posix, Some(vec!["ab"])),
            ("[[:digit:]]]x", Posix, Some(vec!["]x"])),
            ("*a", Posix, None),
            ("(?i)abc", Pcre, None),
            ("(?!bad)good", Pcre, Some(vec!["good"])),
            ("(?=abc)..", Pcre, None),
            (r"\Qa.b\E", Pcre, None),
            (r"foo\d+bar", Pcre, Some(vec!["foo"])),
            (r"\x41bc", Pcre, None),
            ("a+?b", Pcre, Some(vec!["a"])),
            ("caf\u{e9}", Pcre, None),
        ] {
            let expected = expected.map(|texts| texts.into_iter().map(str::to_owned).collect());
            assert_eq!(texts(pattern, syntax), expected, "{pattern}");
        }
    }

    /// Patterns of all sorts of parts, many of them nonsense.
    fn pattern() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            8 => "[abAB.]{1,3}",
            2 => prop::sample::select(vec![
                "(", ")", "|", "*", "+", "?", "{2}", "{0,1}", "{,2}", "{", "}", "[ab]", "[^a]", "[]a]", "[[:alpha:]]",
                "^", "$", "\\.", "\\b", "\\<", "\\w", "\\1", "(?:", "(?=", "(?!", "(?i)", "(?<=", "\\Q", "\\E", "\\d",
                "(a|b)", "(ab)*", "(ab)+", "(a(b|A)?)+", "[a\\]", "\\x61", "(?#a)", "\\K", "(?>", "(?|", "a{1,2}?",
            ]).prop_map(str::to_owned),
        ];
        prop::collection::vec(part, 1..7).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6000))]
        #[test]
        fn never_hides_a_match(pattern in pattern(), subject in "[abAB.]{0,6}") {
            let may = |syntax| match required(pattern.as_bytes(), syntax) {
                Some(literals) => Prefilter::new(&[Some(literals)]).candidates(subject.as_bytes()).has(0),
                None => true,
            };
            let flags = posix::Flags { ignore_case: true, extended: true, lines: false };
            if let Ok(compiled) = posix::Pattern::new(pattern.as_bytes(), flags)
                && let Ok(Some(_)) = compiled.find(&std::ffi::CString::new(subject.as_str()).unwrap(), 0)
            {
                prop_assert!(may(Syntax::Posix), "POSIX {} on {}", pattern, subject);
            }
            if let Ok(compiled) = pcre2::Pattern::new(pattern.as_bytes(), pcre2_sys::PCRE2_CASELESS)
                && let Ok(Some(_)) = compiled.find(subject.as_bytes())
            {
                prop_assert!(may(Syntax::Pcre), "PCRE {} on {}", pattern, subject);
            }
        }

        #[test]
        fn any_bytes_are_read(pattern in prop::collection::vec(any::<u8>(), 0..30)) {
            let _ = required(&pattern, Syntax::Posix);
            let _ = required(&pattern, Syntax::Pcre);
        }
    }
}
