//! The C library's regular expressions, POSIX as Postfix has them. The only unsafe code of `regexp:`.
//!
//! The library locks a compiled expression while it runs, so each is kept in as many copies as threads use it at
//! the same time.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Where each group matched, the whole first.
pub type Groups = Vec<Option<Range<usize>>>;

/// How a pattern is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// Letters match both cases.
    pub ignore_case: bool,
    /// Extended syntax; else basic.
    pub extended: bool,
    /// `^` and `$` also match at line ends, `.` does not match them.
    pub lines: bool,
}

/// A pattern, compiled once for every thread that uses it at the same time.
pub struct Pattern {
    text: CString,
    flags: i32,
    groups: usize,
    idle: Mutex<Vec<Compiled>>,
}

/// Groups a match is asked for; what is beyond cannot be referred to.
const GROUPS_MAX: usize = 64;

impl Pattern {
    /// Compiles a pattern. The error is the library's text.
    pub fn new(text: &[u8], flags: Flags) -> Result<Pattern, String> {
        let text = CString::new(text).map_err(|_| "pattern has a NUL in it".to_owned())?;
        let mut bits = 0;
        if flags.ignore_case {
            bits |= libc::REG_ICASE;
        }
        if flags.extended {
            bits |= libc::REG_EXTENDED;
        }
        if flags.lines {
            bits |= libc::REG_NEWLINE;
        }
        let compiled = Compiled::new(&text, bits)?;
        let groups = count_groups(text.as_bytes(), flags.extended).min(GROUPS_MAX - 1);
        Ok(Pattern { text, flags: bits, groups, idle: Mutex::new(vec![compiled]) })
    }

    /// Groups in the pattern.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Looks for the pattern, which it finds leftmost and longest. `want`: the highest group that is wanted.
    pub fn find(&self, subject: &CString, want: usize) -> Result<Option<Groups>, String> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let compiled = match idle {
            Some(compiled) => compiled,
            None => Compiled::new(&self.text, self.flags)?,
        };
        let found = compiled.find(subject, want.min(self.groups));
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(compiled);
        found
    }
}

/// The groups of a pattern that has been compiled, so that its brackets are known to be closed. (The library
/// counts them too, in a field that its binding keeps to itself.)
fn count_groups(pattern: &[u8], extended: bool) -> usize {
    let mut groups = 0;
    let mut at = 0;
    while at < pattern.len() {
        match pattern[at] {
            b'\\' => {
                at += 1;
                groups += usize::from(!extended && pattern.get(at) == Some(&b'('));
            }
            b'(' if extended => groups += 1,
            b'[' => at = end_of_brackets(pattern, at),
            _ => {}
        }
        at += 1;
    }
    groups
}

/// Where the bracket expression that begins at `at` ends.
fn end_of_brackets(pattern: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    at += usize::from(pattern.get(at) == Some(&b'^'));
    at += usize::from(pattern.get(at) == Some(&b']'));
    while at < pattern.len() && pattern[at] != b']' {
        if let (b'[', Some(mark @ (b':' | b'.' | b'='))) = (pattern[at], pattern.get(at + 1)) {
            let close = [*mark, b']'];
            let inner = &pattern[at + 2..];
            at += 3 + inner.windows(2).position(|pair| pair == close).unwrap_or(inner.len());
        }
        at += 1;
    }
    at
}

struct Compiled(Box<libc::regex_t>);

// SAFETY: a `regex_t` owns what it points to, and the library keeps no per-thread state in it. A `Compiled` is
// used by one thread at a time: it is taken out of the pool meanwhile.
unsafe impl Send for Compiled {}

impl Compiled {
    fn new(text: &CString, flags: i32) -> Result<Compiled, String> {
        let mut regex = Box::new(MaybeUninit::<libc::regex_t>::zeroed());
        // SAFETY: `regex` is memory for one `regex_t`, `text` ends with a NUL; both outlive the call.
        let status = unsafe { libc::regcomp(regex.as_mut_ptr(), text.as_ptr(), flags) };
        if status != 0 {
            return Err(message(status, regex.as_ptr()));
        }
        // SAFETY: regcomp succeeded, so the value is initialised.
        Ok(Compiled(unsafe { regex.assume_init() }))
    }

    fn find(&self, subject: &CString, want: usize) -> Result<Option<Groups>, String> {
        let mut places = [libc::regmatch_t { rm_so: -1, rm_eo: -1 }; GROUPS_MAX];
        // SAFETY: the expression is compiled, the subject ends with a NUL, and `places` has room for the
        // `want + 1 <= GROUPS_MAX` entries that are announced.
        let status =
            unsafe { libc::regexec(&raw const *self.0, subject.as_ptr(), want + 1, places.as_mut_ptr(), 0) };
        match status {
            0 => Ok(Some(
                places[..=want]
                    .iter()
                    .map(|place| {
                        let from = usize::try_from(place.rm_so).ok()?;
                        Some(from..usize::try_from(place.rm_eo).ok()?)
                    })
                    .collect(),
            )),
            libc::REG_NOMATCH => Ok(None),
            status => Err(message(status, &raw const *self.0)),
        }
    }
}

impl Drop for Compiled {
    fn drop(&mut self) {
        // SAFETY: it was compiled by regcomp and is freed once.
        unsafe { libc::regfree(&raw mut *self.0) };
    }
}

fn message(status: i32, regex: *const libc::regex_t) -> String {
    let mut text = [0u8; 256];
    // SAFETY: `text` has the room announced; `regex` is what regcomp or regexec was given just now.
    unsafe { libc::regerror(status, regex, text.as_mut_ptr().cast(), text.len()) };
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    String::from_utf8_lossy(&text[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: Flags = Flags { ignore_case: true, extended: true, lines: false };

    fn find(pattern: &str, subject: &str) -> Option<Groups> {
        let pattern = Pattern::new(pattern.as_bytes(), FLAGS).unwrap();
        pattern.find(&CString::new(subject).unwrap(), 9).unwrap()
    }

    #[test]
    fn leftmost_longest() {
        assert_eq!(find("a||b", "b"), Some(vec![Some(0..1)]));
        assert_eq!(find("(A)|(b)", "xb"), Some(vec![Some(1..2), None, Some(1..2)]));
        assert_eq!(find("^z", "xb"), None);
    }

    #[test]
    fn counts_groups() {
        for (pattern, extended, expected) in [
            ("(a)(b(c))", true, 3),
            (r"\(a[(]", true, 0),
            ("[](](a)", true, 1),
            ("[[:alpha:](](a)", true, 1),
            (r"\(a\)(b)", false, 1),
        ] {
            let flags = Flags { extended, ..FLAGS };
            assert_eq!(Pattern::new(pattern.as_bytes(), flags).unwrap().groups(), expected, "{pattern}");
        }
    }

    #[test]
    fn names_the_mistake() {
        assert_eq!(Pattern::new(b"unbalanced(", FLAGS).err().as_deref(), Some("Unmatched ( or \\("));
        assert!(Pattern::new(b"a\0b", FLAGS).is_err());
    }

    #[test]
    fn threads_share_a_pattern() {
        let pattern = Pattern::new(b"^(.*)@(.*)$", FLAGS).unwrap();
        std::thread::scope(|scope| {
            for n in 0..4 {
                let pattern = &pattern;
                scope.spawn(move || {
                    let subject = CString::new(format!("user{n}@example")).unwrap();
                    for _ in 0..200 {
                        assert_eq!(pattern.find(&subject, 1).unwrap().unwrap()[1], Some(0..5));
                    }
                });
            }
        });
    }
}
