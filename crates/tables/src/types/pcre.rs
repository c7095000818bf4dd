//! `pcre:`, Perl-compatible regular expressions by PCRE2, pcre_table(5).

use std::ops::Range;

use pcre2_sys as c;

use super::TableType;
use crate::rules::expressions::{self, Engine, unknown_option};
use crate::rules::pcre2::Pattern;
use crate::rules::prefilter::{self, Syntax};

/// The type.
pub const TYPE: TableType = TableType {
    name: "pcre",
    doc: "Patterns as Perl-compatible regular expressions, the first that matches decides.",
    open: expressions::open::<Pcre>,
    make: None,
};

struct Pcre {
    pattern: Pattern,
    required: Option<Vec<Vec<u8>>>,
}

impl Engine for Pcre {
    type Subject<'s> = &'s [u8];

    /// `PCRE2_*` options.
    type Flags = u32;

    fn flags(letters: &[u8], warn: &mut dyn FnMut(&str)) -> Result<u32, String> {
        let mut options = c::PCRE2_CASELESS | c::PCRE2_DOTALL;
        for letter in letters {
            options ^= match letter {
                b'i' => c::PCRE2_CASELESS,
                b'm' => c::PCRE2_MULTILINE,
                b's' => c::PCRE2_DOTALL,
                b'x' => c::PCRE2_EXTENDED,
                b'A' => c::PCRE2_ANCHORED,
                b'E' => c::PCRE2_DOLLAR_ENDONLY,
                b'U' => c::PCRE2_UNGREEDY,
                b'X' => {
                    warn("ignoring obsolete regexp option \"X\"");
                    0
                }
                letter => return Err(unknown_option(*letter)),
            };
        }
        Ok(options)
    }

    fn compile(text: &[u8], options: &u32) -> Result<Pcre, String> {
        // With the x flag blanks in the pattern mean nothing, which the prefilter does not know.
        let plain = options & c::PCRE2_EXTENDED == 0;
        let required = plain.then(|| prefilter::required(text, Syntax::Pcre)).flatten();
        Ok(Pcre { pattern: Pattern::new(text, *options)?, required })
    }

    fn required(&self) -> Option<Vec<Vec<u8>>> {
        self.required.clone()
    }

    fn groups(&self) -> usize {
        self.pattern.groups()
    }

    fn subject(text: &[u8]) -> &[u8] {
        text
    }

    fn find(&self, subject: &&[u8], _: usize) -> Result<Option<Vec<Option<Range<usize>>>>, String> {
        self.pattern.find(subject)
    }
}
