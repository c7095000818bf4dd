//! The text from which indexed tables are made: `key value` lines, and the aliases(5) format.

use base64::Engine;

use crate::aliases;
use crate::lines::{is_space, logical_lines, trim};

/// One row of a source text.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// The key as written: quotes stay.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// First line of the row.
    pub line: u32,
}

/// What a reader of source text wants to be told.
pub struct Reader<'a> {
    /// The name for warnings.
    pub name: &'a str,
    /// `postmap` or `aliases` format.
    pub format: crate::SourceFormat,
    /// Keys and values must be UTF-8.
    pub utf8: bool,
    /// Values are file names, whose content is stored in base64.
    pub files: bool,
    /// What is said after a mistake: ` -- ignoring this line` in `texthash:`.
    pub tail: &'static str,
}

impl Reader<'_> {
    /// Gives each row to `take`, whose error is a reason to skip the row. Lines that are no rows, and such
    /// reasons, go to `warn` with the number of the line.
    pub fn read(
        &self,
        text: &[u8],
        warn: &mut dyn FnMut(u32, String),
        mut take: impl FnMut(Row) -> Result<(), String>,
    ) {
        let mut orphans = Vec::new();
        for line in logical_lines(text, |text| orphans.push(shown(text))) {
            let row = match self.format {
                crate::SourceFormat::Map => self.map_row(&line.text),
                crate::SourceFormat::Aliases => self.alias_row(&line.text),
            };
            let taken = row.and_then(|(key, value, remark)| {
                if let Some(remark) = remark {
                    warn(line.number, format!("{}, line {}: {remark}", self.name, line.number));
                }
                take(Row { key, value, line: line.number })
            });
            if let Err(why) = taken {
                warn(line.number, format!("{}, line {}: {why}", self.name, line.number));
            }
        }
        for text in orphans {
            warn(0, format!("{}: logical line must not start with whitespace: \"{text}\"", self.name));
        }
    }

    fn check_utf8(&self, line: &[u8]) -> Result<(), String> {
        if self.utf8 && std::str::from_utf8(line).is_err() {
            return Err(format!("non-UTF-8 input \"{}\" -- ignoring this line", shown(line)));
        }
        Ok(())
    }

    fn map_row(&self, line: &[u8]) -> Result<Parsed, String> {
        self.check_utf8(line)?;
        let end = key_end(line)
            .ok_or_else(|| format!("unbalanced '\"' in '{}' -- ignoring this line", shown(line)))?;
        let (key, value) = (&line[..end], trim(&line[end..]));
        if key.is_empty() || value.is_empty() {
            return Err(format!("expected format: key whitespace value{}", self.tail));
        }
        let remark = key
            .ends_with(b":")
            .then(|| "record is in \"key: value\" format; is this an alias file?".to_owned());
        let value = if self.files { file_values(value)? } else { value.to_vec() };
        Ok((key.to_vec(), value, remark))
    }

    fn alias_row(&self, line: &[u8]) -> Result<Parsed, String> {
        self.check_utf8(line)?;
        let (key, value) = aliases::row(line)?;
        Ok((key, value, None))
    }
}

type Parsed = (Vec<u8>, Vec<u8>, Option<String>);

/// Where the key ends: at the first white space outside double quotes. `None`: a quote is not closed.
fn key_end(line: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut at = 0;
    while at < line.len() {
        match line[at] {
            b'\\' => at += 1,
            b'"' => quoted = !quoted,
            byte if is_space(byte) && !quoted => break,
            _ => {}
        }
        at += 1;
    }
    (!quoted).then_some(at.min(line.len()))
}

/// The content of the files named, joined by newlines, in base64.
fn file_values(names: &[u8]) -> Result<Vec<u8>, String> {
    use std::os::unix::ffi::OsStrExt;
    let mut content = Vec::new();
    for (n, name) in names.split(|b| *b == b',' || is_space(*b)).filter(|name| !name.is_empty()).enumerate() {
        if n > 0 {
            content.push(b'\n');
        }
        let path = std::path::Path::new(std::ffi::OsStr::from_bytes(name));
        let bytes = std::fs::read(path)
            .map_err(|error| format!("open {}: {}: skipping this entry", shown(name), reason(&error)))?;
        content.extend_from_slice(&bytes);
    }
    Ok(base64::engine::general_purpose::STANDARD.encode(content).into_bytes())
}

/// Bytes for a log line.
pub fn shown(text: &[u8]) -> String {
    text.iter().map(|b| if (0x20..0x7f).contains(b) { *b as char } else { '?' }).collect()
}

/// The text of a system error as C prints it, without Rust's `(os error N)`.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8]) -> (Vec<(String, String)>, Vec<String>) {
        let reader =
            Reader { name: "t", format: crate::SourceFormat::Map, utf8: true, files: false, tail: "" };
        let (mut rows, mut warnings) = (Vec::new(), Vec::new());
        reader.read(text, &mut |_, text| warnings.push(text), |row| {
            rows.push((shown(&row.key), shown(&row.value)));
            Ok(())
        });
        (rows, warnings)
    }

    #[test]
    fn quotes_keep_a_key_together_and_stay_in_it() {
        let (rows, warnings) = rows(b"\"a b\"c d\nx\\ y z\n\"open x\nkey: v\nnone\n\xff x\n");
        let expected = [("\"a b\"c", "d"), ("x\\ y", "z"), ("key:", "v")];
        assert_eq!(rows, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(
            warnings,
            [
                "t, line 3: unbalanced '\"' in '\"open x' -- ignoring this line",
                "t, line 4: record is in \"key: value\" format; is this an alias file?",
                "t, line 5: expected format: key whitespace value",
                "t, line 6: non-UTF-8 input \"? x\" -- ignoring this line",
            ]
        );
    }
}
