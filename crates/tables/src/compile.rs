//! From text to an indexed file: what `postmap` and `postalias` do.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mail::Trouble;

use crate::files::{Replacement, with_suffix};
use crate::fold::fold;
use crate::source::{Reader, reason};
use crate::{cdb, lmdb, types};

/// The grammar of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SourceFormat {
    /// `key value` lines, as `postmap` reads them.
    #[default]
    Map,
    /// `name: value` lines, as `postalias` reads them (aliases(5)).
    Aliases,
}

/// What to do with a key that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Repeats {
    /// Keep the first, warn (default).
    #[default]
    Warn,
    /// Keep the first, say nothing (`-w`).
    Ignore,
    /// Keep the last (`-r`).
    Replace,
}

/// How to compile a table; the options of `postmap`.
#[derive(Clone, Debug)]
pub struct Options {
    /// The grammar of the text.
    pub format: SourceFormat,
    /// A key that is there already.
    pub repeats: Repeats,
    /// Fold keys to lower case (`-f` says no).
    pub fold: bool,
    /// Keys and values are UTF-8 (`-u` says no; `smtputf8_enable`).
    pub utf8: bool,
    /// Values are names of files whose content is stored in base64 (`-F`).
    pub files: bool,
    /// Give the result the mode of the source (`-p` says no, and gives 0644).
    pub inherit_mode: bool,
    /// `-N` and `-n`: keys and values end with a NUL, or do not. `None`: whatever is usual for the type.
    pub trailing_nul: Option<bool>,
    /// Rows that alias tables carry for NIS and sendmail: time of compilation in seconds since 1970, host name.
    pub signature: Option<(i64, String)>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            format: SourceFormat::Map,
            repeats: Repeats::Warn,
            fold: true,
            utf8: true,
            files: false,
            inherit_mode: true,
            trailing_nul: None,
            signature: None,
        }
    }
}

/// What compiling made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// The file.
    pub file: PathBuf,
    /// Rows in it.
    pub rows: u64,
    /// Lines that were skipped and keys that came twice, each as a sentence with file and line.
    pub warnings: Vec<String>,
}

/// What an indexed file is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An LMDB file, `x.lmdb`: `hash:`, `btree:`, `dbm:`, `lmdb:`.
    Lmdb,
    /// A cdb file, `x.cdb`.
    Cdb,
}

impl Format {
    /// The compiled file of a source.
    pub fn file(self, source: &Path) -> PathBuf {
        with_suffix(source, if self == Format::Lmdb { ".lmdb" } else { ".cdb" })
    }

    /// Do keys and values end with a NUL?
    fn nul(self, options: &Options) -> bool {
        options.trailing_nul.unwrap_or(self == Format::Lmdb)
    }

    /// Why a key cannot be stored, if it cannot.
    fn refuses(self, key: &[u8], options: &Options) -> Option<&'static str> {
        let length = key.len() + usize::from(self.nul(options));
        match self {
            Format::Lmdb if length == 0 => Some("an empty key cannot be stored -- ignoring this line"),
            Format::Lmdb if length > lmdb::KEY_MAX => {
                Some("a key this long cannot be stored -- ignoring this line")
            }
            _ => None,
        }
    }
}

/// Compiles the text file `source` into the file of table type `kind` beside it, replacing it in one step.
///
/// # Errors
/// The type cannot be compiled, the source cannot be read or the result not be written.
pub fn compile(kind: &str, source: &Path, options: &Options) -> Result<Compiled, Trouble> {
    let format = make_format(kind)?;
    let path = source.display().to_string();
    let open = |error: io::Error| Trouble::new(format!("open {path}: {}", reason(&error)));
    let text = fs::read(source).map_err(open)?;
    let model = fs::metadata(source).map_err(open)?;
    let mut rows = Rows::new(format, options);
    rows.read(&path, &text);
    rows.sign();
    drop(text);
    write(kind, source, rows, options.inherit_mode.then_some(&model))
}

/// Adds `text` to what the compiled file holds (`postmap -i`), creating it when there is none.
///
/// # Errors
/// The type cannot be changed, or the file not be read or written.
pub fn add(kind: &str, source: &Path, text: &[u8], options: &Options) -> Result<Compiled, Trouble> {
    let mut rows = old_rows(kind, source, options)?;
    rows.read("stdin", text);
    rows.sign();
    let model = fs::metadata(source).ok();
    write(kind, source, rows, model.as_ref())
}

/// Removes keys from the compiled file (`postmap -d`). Tells which were there.
///
/// # Errors
/// The type cannot be changed, or the file not be read or written.
pub fn remove(kind: &str, source: &Path, keys: &[Vec<u8>], options: &Options) -> Result<Vec<bool>, Trouble> {
    let format = match types::find(kind) {
        Some(found) if found.make.is_none() => {
            let name = source.display();
            return Err(Trouble::new(format!("{kind}:{name} map requires O_RDONLY access mode")));
        }
        _ => make_format(kind)?,
    };
    let file = format.file(source);
    if !file.exists() {
        return match kind {
            // As Postfix has it: such a table is there, and empty.
            "lmdb" => Ok(vec![false; keys.len()]),
            "hash" | "btree" => Err(no_database(&with_suffix(source, ".db"))),
            _ => Err(no_database(&file)),
        };
    }
    let mut rows = old_rows(kind, source, options)?;
    let found = rows.remove(keys.iter().map(|key| fold_key(key, options)));
    if found.contains(&true) {
        let model = fs::metadata(&file).ok();
        write(kind, source, rows, model.as_ref())?;
    }
    Ok(found)
}

fn no_database(file: &Path) -> Trouble {
    Trouble::new(format!("open database {}: No such file or directory", file.display()))
}

fn fold_key(key: &[u8], options: &Options) -> Vec<u8> {
    if options.fold { fold(key, options.utf8).into_owned() } else { key.to_vec() }
}

fn make_format(kind: &str) -> Result<Format, Trouble> {
    match types::find(kind) {
        None => Err(Trouble::new(format!("unsupported dictionary type: {kind}"))),
        Some(found) => found.make.ok_or_else(|| {
            Trouble::new(format!("unsupported dictionary type: {kind} does not support bulk-mode creation."))
        }),
    }
}

fn old_rows<'a>(kind: &str, source: &Path, options: &'a Options) -> Result<Rows<'a>, Trouble> {
    let format = make_format(kind)?;
    if format == Format::Cdb {
        return Err(Trouble::new(
            "dict_cdb_open: inappropriate open flags for cdb database - specify O_RDONLY or O_WRONLY|O_CREAT|O_TRUNC",
        ));
    }
    let file = format.file(source);
    let mut rows = Rows::new(format, options);
    match lmdb::Reader::open(&file, false) {
        Ok(reader) => {
            for row in reader.rows() {
                let (key, value) =
                    row.map_err(|error| Trouble::from_error(format!("read {}", file.display()), error))?;
                let bare = |text: &[u8]| text.strip_suffix(b"\0").unwrap_or(text).len();
                rows.push(&key[..bare(&key)], &value[..bare(&value)], 0);
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Trouble::from_error(format!("open database {}", file.display()), error)),
    }
    Ok(rows)
}

fn write(
    kind: &str,
    source: &Path,
    rows: Rows<'_>,
    model: Option<&fs::Metadata>,
) -> Result<Compiled, Trouble> {
    let format = rows.format;
    let file = format.file(source);
    let trouble = |error: io::Error| Trouble::new(format!("create {}: {}", file.display(), reason(&error)));
    // Warnings name the table in Postfix's words: its file for Berkeley DB types, the source for cdb.
    let path = source.display();
    let shown = match kind {
        "hash" | "btree" => format!("{path}.db"),
        "cdb" => path.to_string(),
        _ => format!("{kind}:{path}"),
    };
    let nul: &[u8] = if format.nul(rows.options) { b"\0" } else { b"" };
    let (rows, warnings) = rows.settle(&shown);
    let (replacement, out) = Replacement::create(&file, model).map_err(trouble)?;
    let count = match format {
        Format::Lmdb => {
            let mut writer = lmdb::Writer::new(out).map_err(trouble)?;
            let mut with_nul = (Vec::new(), Vec::new());
            for (key, value) in rows.iter() {
                for (buffer, text) in [(&mut with_nul.0, key), (&mut with_nul.1, value)] {
                    buffer.clear();
                    buffer.extend_from_slice(text);
                    buffer.extend_from_slice(nul);
                }
                writer.put(&with_nul.0, &with_nul.1).map_err(trouble)?;
            }
            writer.finish()
        }
        Format::Cdb => {
            let mut writer = cdb::Writer::new(out).map_err(trouble)?;
            for (key, value) in rows.iter() {
                writer.put(&[key, nul].concat(), &[value, nul].concat()).map_err(trouble)?;
            }
            writer.finish()
        }
    };
    let count = count.map_err(trouble)?;
    replacement.commit().map_err(trouble)?;
    Ok(Compiled { file, rows: count, warnings })
}

/// Rows on their way into a file: all text in one place, so that a million rows cost little.
struct Rows<'a> {
    format: Format,
    options: &'a Options,
    text: Vec<u8>,
    rows: Vec<RowAt>,
    warnings: Vec<(u32, String)>,
}

#[derive(Clone, Copy)]
struct RowAt {
    /// The first eight bytes of the key, so that sorting seldom looks further.
    start: u64,
    at: usize,
    key: u32,
    value: u32,
    /// Order of arrival, and the line for warnings (0: the row was in the file before).
    line: u32,
}

impl RowAt {
    fn key<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        &text[self.at..self.at + self.key as usize]
    }

    fn value<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        &text[self.at + self.key as usize..][..self.value as usize]
    }
}

impl<'a> Rows<'a> {
    fn new(format: Format, options: &'a Options) -> Rows<'a> {
        Rows { format, options, text: Vec::new(), rows: Vec::new(), warnings: Vec::new() }
    }

    fn push(&mut self, key: &[u8], value: &[u8], line: u32) {
        let mut start = [0; 8];
        let length = key.len().min(8);
        start[..length].copy_from_slice(&key[..length]);
        self.rows.push(RowAt {
            start: u64::from_be_bytes(start),
            at: self.text.len(),
            key: key.len() as u32,
            value: value.len() as u32,
            line,
        });
        self.text.extend_from_slice(key);
        self.text.extend_from_slice(value);
    }

    fn read(&mut self, name: &str, text: &[u8]) {
        self.text.reserve(text.len());
        let options = self.options;
        let reader =
            Reader { name, format: options.format, utf8: options.utf8, files: options.files, tail: "" };
        let mut warnings = std::mem::take(&mut self.warnings);
        reader.read(text, &mut |line, text| warnings.push((line, text)), |row| {
            let key: &[u8] = &row.key;
            let key = if options.fold { fold(key, options.utf8) } else { key.into() };
            if let Some(why) = self.format.refuses(&key, options) {
                return Err(why.to_owned());
            }
            self.push(&key, &row.value, row.line);
            Ok(())
        });
        self.warnings = warnings;
    }

    /// The rows that NIS and sendmail expect in an alias table; they replace older ones.
    fn sign(&mut self) {
        let Some((time, host)) = &self.options.signature else { return };
        let signs: [(&[u8], Vec<u8>); 3] = [
            (b"YP_LAST_MODIFIED", format!("{time:010}").into_bytes()),
            (b"YP_MASTER_NAME", host.clone().into_bytes()),
            (b"@", b"@".to_vec()),
        ];
        self.remove(signs.iter().map(|(key, _)| key.to_vec()));
        for (key, value) in &signs {
            self.push(key, value, u32::MAX);
        }
    }

    fn remove(&mut self, keys: impl Iterator<Item = Vec<u8>>) -> Vec<bool> {
        let keys: Vec<_> = keys.collect();
        let wanted: std::collections::HashSet<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let mut there: std::collections::HashSet<&[u8]> = std::collections::HashSet::new();
        let text = &self.text;
        self.rows.retain(|row| {
            let hit = wanted.get(row.key(text));
            there.extend(hit);
            hit.is_none()
        });
        keys.iter().map(|key| there.contains(key.as_slice())).collect()
    }

    /// Sorts by key and keeps one row of each; the warnings come in the order of lines.
    fn settle(mut self, table: &str) -> (Settled, Vec<String>) {
        let text = std::mem::take(&mut self.text);
        let keep_last = self.options.repeats == Repeats::Replace;
        let mut rows = self.rows;
        rows.sort_unstable_by(|a, b| {
            (a.start.cmp(&b.start))
                .then_with(|| a.key(&text).cmp(b.key(&text)))
                // What arrived first has the lower place.
                .then_with(|| if keep_last { b.at.cmp(&a.at) } else { a.at.cmp(&b.at) })
        });
        let warn = self.options.repeats == Repeats::Warn;
        let mut warnings = self.warnings;
        rows.dedup_by(|again, kept| {
            let same = again.start == kept.start && again.key(&text) == kept.key(&text);
            if same && warn {
                let key = mail::logline::printable(&String::from_utf8_lossy(again.key(&text)));
                warnings.push((again.line, format!("{table}: duplicate entry: \"{key}\"")));
            }
            same
        });
        warnings.sort_by_key(|(line, _)| *line);
        (Settled { text, rows }, warnings.into_iter().map(|(_, text)| text).collect())
    }
}

struct Settled {
    text: Vec<u8>,
    rows: Vec<RowAt>,
}

impl Settled {
    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.rows.iter().map(|row| (row.key(&self.text), row.value(&self.text)))
    }
}
