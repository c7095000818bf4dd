//! From text to an indexed file: what `postmap` and `postalias` do.

use std::path::{Path, PathBuf};

use mail::Trouble;

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
}

/// Compiles the text file `source` into the file of table type `kind` beside it, replacing it in one step.
///
/// Lines that cannot be used are skipped with a warning that names file and line.
pub fn compile(kind: &str, source: &Path, options: &Options) -> Result<Compiled, Trouble> {
    let _ = (kind, source, options);
    todo!()
}
