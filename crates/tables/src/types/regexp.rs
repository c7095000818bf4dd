//! `regexp:`, POSIX regular expressions by the C library, regexp_table(5).

use std::ffi::CString;
use std::ops::Range;

use super::TableType;
use crate::rules::expressions::{self, Engine, unknown_option};
use crate::rules::posix::{Flags, Pattern};
use crate::rules::prefilter::{self, Syntax};

/// The type.
pub const TYPE: TableType = TableType {
    name: "regexp",
    doc: "Patterns as POSIX regular expressions, the first that matches decides.",
    open: expressions::open::<Regexp>,
    make: None,
};

struct Regexp {
    pattern: Pattern,
    required: Option<Vec<Vec<u8>>>,
}

impl Engine for Regexp {
    type Subject<'s> = CString;

    type Flags = Flags;

    fn flags(letters: &[u8], _: &mut dyn FnMut(&str)) -> Result<Flags, String> {
        let mut flags = Flags { ignore_case: true, extended: true, lines: false };
        for letter in letters {
            match letter {
                b'i' => flags.ignore_case ^= true,
                b'm' => flags.lines ^= true,
                b'x' => flags.extended ^= true,
                letter => return Err(unknown_option(*letter)),
            }
        }
        Ok(flags)
    }

    fn compile(text: &[u8], flags: &Flags) -> Result<Regexp, String> {
        let required = flags.extended.then(|| prefilter::required(text, Syntax::Posix)).flatten();
        Ok(Regexp { pattern: Pattern::new(text, *flags)?, required })
    }

    fn required(&self) -> Option<Vec<Vec<u8>>> {
        self.required.clone()
    }

    fn groups(&self) -> usize {
        self.pattern.groups()
    }

    fn subject(text: &[u8]) -> CString {
        CString::new(text).expect("keys hold no NUL, the caller has seen to it")
    }

    fn find(&self, subject: &CString, want: usize) -> Result<Option<Vec<Option<Range<usize>>>>, String> {
        self.pattern.find(subject, want)
    }
}
