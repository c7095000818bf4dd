//! The factory: opens tables by name, shares them, and opens them anew when their files change.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{Fault, Hit, Maps, Shape};

/// What the factory has to know of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `default_database_type`: what a name without a type means to `postmap`.
    pub default_database_type: String,
    /// `smtputf8_enable`: keys and values of UTF-8 tables are checked, and folded beyond ASCII.
    pub utf8: bool,
    /// `$alias_maps $alias_database`: tables whose source is in the format of aliases(5).
    pub aliases: String,
    /// The program name for warnings (`smtpd`, `postmap`).
    pub program: &'static str,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            default_database_type: "hash".to_owned(),
            utf8: true,
            aliases: String::new(),
            program: "facteur",
        }
    }
}

/// How the keys of a table are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Keys {
    /// Fold to lower case, in tables of fixed strings.
    pub fold: bool,
    /// Check that keys and values are UTF-8 (when `smtputf8_enable` is on).
    pub utf8: bool,
}

impl Keys {
    /// Nearly every table: folded, UTF-8.
    pub const FOLDED: Keys = Keys { fold: true, utf8: true };
    /// Header and body checks: bytes as they are.
    pub const RAW: Keys = Keys { fold: false, utf8: false };
}

/// A file a table was read from, as it was then.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The file.
    pub path: PathBuf,
}

/// Opens tables and shares them. Cheap to clone.
#[derive(Clone)]
pub struct Tables {
    settings: Arc<Settings>,
}

impl Tables {
    /// A factory with nothing open.
    pub fn new(settings: Settings) -> Tables {
        Tables { settings: Arc::new(settings) }
    }

    /// Opens the chain in a parameter value: `hash:/a, regexp:/b`.
    ///
    /// A table that cannot be opened now, or whose type is not supported, is logged, listed in
    /// [`Maps::faults`], and makes each look-up trouble until it can be opened. The error is for text that is
    /// no `type:name`.
    pub fn maps(&self, parameter: &str, text: &str) -> Result<Maps, Fault> {
        self.maps_with(parameter, text, Keys::FOLDED)
    }

    /// As [`Tables::maps`], with other keys: header and body checks want [`Keys::RAW`].
    pub fn maps_with(&self, parameter: &str, text: &str, keys: Keys) -> Result<Maps, Fault> {
        let _ = (parameter, text, keys, &self.settings);
        todo!()
    }

    /// Opens tables anew whose files have changed, and those that could not be opened before.
    ///
    /// Looks at files, so call it off the async threads, about once a second. A table whose new content
    /// cannot be opened keeps the old one, with a warning.
    pub fn refresh(&self) {
        todo!()
    }
}

/// A table shared by all who named it.
pub(crate) struct Handle {
    name: Arc<str>,
    program: &'static str,
}

impl Handle {
    pub(crate) fn shape(&self) -> Shape {
        todo!()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        self.name.clone()
    }

    pub(crate) fn program(&self) -> &'static str {
        self.program
    }

    pub(crate) fn fault(&self, _parameter: &str) -> Option<Fault> {
        todo!()
    }

    pub(crate) async fn ask(&self, _key: &[u8]) -> Result<Option<(Hit, Option<String>)>, mail::Trouble> {
        todo!()
    }
}
