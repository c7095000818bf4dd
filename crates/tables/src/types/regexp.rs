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

    fn compile(text: &[u8], flags: &[u8], _: &mut dyn FnMut(&str)) -> Result<Regexp, String> {
        let mut how = Flags { ignore_case: true, extended: true, lines: false };
        for flag in flags {
            match flag {
                b'i' => how.ignore_case ^= true,
                b'm' => how.lines ^= true,
                b'x' => how.extended ^= true,
                flag => return Err(unknown_option(*flag)),
            }
        }
        let required = how.extended.then(|| prefilter::required(text, Syntax::Posix)).flatten();
        Ok(Regexp { pattern: Pattern::new(text, how)?, required })
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
