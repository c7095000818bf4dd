//! PCRE2, by its own library, compiled to machine code where it can. The only unsafe code of `pcre:`.
#![allow(unsafe_code)]

use std::ops::Range;
use std::ptr;

use pcre2_sys as c;

/// Where each group matched, the whole first.
pub type Groups = Vec<Option<Range<usize>>>;

/// A compiled pattern. It is not changed by use, so threads share it.
pub struct Pattern {
    code: *mut c::pcre2_code_8,
    groups: usize,
}

// SAFETY: PCRE2 promises that compiled code is read only and may be used by many threads; match data and match
// contexts are made for each match (pcre2api, "Multithreading").
unsafe impl Send for Pattern {}
// SAFETY: as above.
unsafe impl Sync for Pattern {}

impl Pattern {
    /// Compiles a pattern with these `PCRE2_*` options. The error is the library's, with its offset.
    pub fn new(text: &[u8], options: u32) -> Result<Pattern, String> {
        let (mut error, mut offset) = (0, 0);
        // SAFETY: `text` is as long as announced; the other pointers are to live locals or null where allowed.
        let code = unsafe {
            c::pcre2_compile_8(text.as_ptr(), text.len(), options, &mut error, &mut offset, ptr::null_mut())
        };
        if code.is_null() {
            return Err(format!("error in regex at offset {offset}: {}", message(error)));
        }
        let mut groups: u32 = 0;
        // SAFETY: `code` was compiled just now, is used by nobody else yet, and the capture count is a u32.
        // A pattern that cannot be turned into machine code is interpreted, so that error is no error.
        unsafe {
            c::pcre2_jit_compile_8(code, c::PCRE2_JIT_COMPLETE);
            c::pcre2_pattern_info_8(code, c::PCRE2_INFO_CAPTURECOUNT, (&raw mut groups).cast());
        }
        Ok(Pattern { code, groups: groups as usize })
    }

    /// Groups in the pattern.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Looks for the pattern. The error says that a limit was passed: PCRE2's own for backtracking and memory.
    pub fn find(&self, subject: &[u8]) -> Result<Option<Groups>, String> {
        // SAFETY: `self.code` is compiled; the match data made from it are freed below, after their last use;
        // the subject is as long as announced.
        unsafe {
            let data = c::pcre2_match_data_create_from_pattern_8(self.code, ptr::null_mut());
            if data.is_null() {
                return Err("out of memory".to_owned());
            }
            let run = |options| {
                c::pcre2_match_8(
                    self.code,
                    subject.as_ptr(),
                    subject.len(),
                    0,
                    options,
                    data,
                    ptr::null_mut(),
                )
            };
            // Machine code has a small stack; the interpreter takes what it needs, within its own limits.
            let status = match run(0) {
                c::PCRE2_ERROR_JIT_STACKLIMIT => run(c::PCRE2_NO_JIT),
                status => status,
            };
            let found = match status {
                c::PCRE2_ERROR_NOMATCH => Ok(None),
                status if status < 0 => Err(message(status)),
                _ => {
                    let pairs = c::pcre2_get_ovector_count_8(data) as usize;
                    let places = std::slice::from_raw_parts(c::pcre2_get_ovector_pointer_8(data), pairs * 2);
                    Ok(Some(places.chunks_exact(2).map(range).collect()))
                }
            };
            c::pcre2_match_data_free_8(data);
            found
        }
    }
}

impl Drop for Pattern {
    fn drop(&mut self) {
        // SAFETY: it was compiled by `new` and is freed once.
        unsafe { c::pcre2_code_free_8(self.code) };
    }
}

/// A group that took no part has the largest number at both ends.
fn range(pair: &[usize]) -> Option<Range<usize>> {
    (pair[0] != usize::MAX).then(|| pair[0]..pair[1])
}

fn message(error: i32) -> String {
    let mut text = [0u8; 256];
    // SAFETY: `text` has the room announced.
    let length = unsafe { c::pcre2_get_error_message_8(error, text.as_mut_ptr(), text.len()) };
    let length = usize::try_from(length).unwrap_or(0).min(text.len());
    String::from_utf8_lossy(&text[..length]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_groups() {
        let pattern = Pattern::new(br"^(?!bad)([a-z]+?)(\d+)(x)?$", 0).unwrap();
        assert_eq!(pattern.groups(), 3);
        assert_eq!(pattern.find(b"abc123").unwrap(), Some(vec![Some(0..6), Some(0..3), Some(3..6), None]));
        assert_eq!(pattern.find(b"bad1").unwrap(), None);
        assert_eq!(pattern.find(b"").unwrap(), None);
    }

    #[test]
    fn names_the_mistake() {
        let error = Pattern::new(b"two(", 0).err();
        assert_eq!(error.as_deref(), Some("error in regex at offset 4: missing closing parenthesis"));
    }

    #[test]
    fn endless_work_is_an_error() {
        let pattern = Pattern::new(b"^(a+)+(b|c)*$", c::PCRE2_NO_AUTO_POSSESS | c::PCRE2_NO_START_OPTIMIZE);
        let subject = [b'a'; 60].into_iter().chain([b'!']).collect::<Vec<_>>();
        assert!(pattern.unwrap().find(&subject).is_err());
    }
}
