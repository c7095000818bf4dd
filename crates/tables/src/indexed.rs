//! Tables in indexed files: found beside their source, rebuilt when they are stale, opened by their format.
//!
//! For `hash:x`: the compiled file `x.lmdb` unless the source `x` is newer; else it is compiled now. Where we may
//! not write, a fresh `x.db` of Postfix serves, else the text itself is kept in memory. Without a source
//! whatever compiled file there is serves. `x.db` is never touched.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mail::Trouble;

use crate::compile::{self, Format, Options, SourceFormat};
use crate::files::{Watched, is_stale, with_suffix};
use crate::source::reason;
use crate::table::Rows;
use crate::types::{Opening, texthash};
use crate::{Hit, Lookup, Shape, Table, bdb, cdb, lmdb, types};

/// Opens the table of a type that is compiled.
pub fn open_compiled(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let kind = types::find(&opening.spec.kind).and_then(|found| found.make);
    let format = kind.expect("only compiled types are opened here");
    let place = Place::of(opening, format);
    // Watched from before the first look, so that no change falls between.
    let watched: Vec<_> =
        [&place.source, &place.compiled, &place.berkeley].into_iter().map(Watched::now).collect();
    let source = fs::metadata(&place.source).ok().filter(fs::Metadata::is_file);
    let compiled = fs::metadata(&place.compiled).ok();
    match (source, compiled) {
        (Some(source), Some(compiled)) if !is_stale(&source, &compiled) => place.open_index(watched),
        (None, Some(_)) => place.open_index(watched),
        (None, None) => place.open_berkeley(watched),
        (Some(source), _) => match place.rebuild(opening) {
            Ok(()) => place.open_index(place.watch_again()),
            Err(why) => {
                let old = fs::metadata(&place.berkeley).is_ok_and(|old| !is_stale(&source, &old));
                let instead = if old { "its Berkeley DB file" } else { "the source text" };
                log::info!(target: opening.tables.settings().program, "{}: {why}: using {instead} instead", opening.spec);
                if old {
                    place.open_berkeley(watched)
                } else {
                    texthash::load(opening, place.source_format(opening), watched)
                }
            }
        },
    }
}

/// Where the files of a table are.
struct Place {
    format: Format,
    source: PathBuf,
    compiled: PathBuf,
    /// Postfix's file, for types that are Berkeley DB there.
    berkeley: PathBuf,
}

impl Place {
    fn of(opening: &Opening<'_>, format: Format) -> Place {
        let source = PathBuf::from(&opening.spec.name);
        let compiled = format.file(&source);
        let berkeley = match opening.spec.kind.as_str() {
            "hash" | "btree" => with_suffix(&source, ".db"),
            _ => compiled.clone(),
        };
        Place { format, source, compiled, berkeley }
    }

    fn watch_again(&self) -> Vec<Watched> {
        vec![Watched::now(&self.source), Watched::now(&self.compiled)]
    }

    /// An alias file, by configuration or because what was compiled from it before carries the signature.
    fn source_format(&self, opening: &Opening<'_>) -> SourceFormat {
        let configured = crate::spec::divide(&opening.tables.settings().aliases)
            .iter()
            .any(|table| table.rsplit_once(':').map_or(*table, |(_, name)| name) == opening.spec.name);
        let signed = || {
            Index::open(self.format, &self.compiled)
                .or_else(|_| Index::open_berkeley(&self.berkeley))
                .is_ok_and(|index| {
                    [b"@".as_slice(), b"@\0"].iter().any(|key| matches!(index.get(key), Ok(Some(_))))
                })
        };
        if configured || signed() { SourceFormat::Aliases } else { SourceFormat::Map }
    }

    fn rebuild(&self, opening: &Opening<'_>) -> Result<(), String> {
        let settings = opening.tables.settings();
        let format = self.source_format(opening);
        let signature = (format == SourceFormat::Aliases)
            .then(|| fs::metadata(&self.source).ok())
            .flatten()
            .map(|meta| (std::os::unix::fs::MetadataExt::mtime(&meta), settings.myhostname.clone()));
        let options = Options { format, utf8: settings.utf8, signature, ..Options::default() };
        let made = compile::compile(&opening.spec.kind, &self.source, &options)
            .map_err(|trouble| trouble.to_string())?;
        for warning in &made.warnings {
            log::warn!(target: settings.program, "{warning}");
        }
        log::info!(
            target: settings.program,
            "compiled {} into {} ({} rows)",
            self.source.display(),
            made.file.display(),
            made.rows
        );
        Ok(())
    }

    fn open_index(&self, watched: Vec<Watched>) -> Result<Arc<dyn Table>, String> {
        self.table(&self.compiled, Index::open(self.format, &self.compiled), watched)
    }

    fn open_berkeley(&self, watched: Vec<Watched>) -> Result<Arc<dyn Table>, String> {
        self.table(&self.berkeley, Index::open_berkeley(&self.berkeley), watched)
    }

    fn table(
        &self,
        file: &Path,
        index: io::Result<Index>,
        watched: Vec<Watched>,
    ) -> Result<Arc<dyn Table>, String> {
        let name = file.display().to_string();
        let failed = |error: io::Error| format!("open database {name}: {}", reason(&error));
        let index = index.map_err(failed)?;
        let nul = index.ends_with_nul().map_err(failed)?;
        Ok(Arc::new(Indexed { index, nul, name, watched }))
    }
}

/// An open file of one of the formats.
enum Index {
    Lmdb(lmdb::Reader),
    Cdb(cdb::Reader),
    Berkeley(bdb::Reader),
}

type Row = io::Result<(Vec<u8>, Vec<u8>)>;

impl Index {
    fn open(format: Format, path: &Path) -> io::Result<Index> {
        match format {
            // Postfix's own postmap writes such a file in place.
            Format::Lmdb => lmdb::Reader::open(path, true).map(Index::Lmdb),
            Format::Cdb => cdb::Reader::open(path).map(Index::Cdb),
        }
    }

    fn open_berkeley(path: &Path) -> io::Result<Index> {
        bdb::Reader::open(path).map(Index::Berkeley)
    }

    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        match self {
            Index::Lmdb(reader) => reader.get(key),
            Index::Cdb(reader) => reader.get(key),
            Index::Berkeley(reader) => reader.get(key),
        }
    }

    fn rows(&self) -> Option<Box<dyn Iterator<Item = Row> + '_>> {
        match self {
            Index::Lmdb(reader) => Some(Box::new(reader.rows())),
            Index::Berkeley(reader) => Some(Box::new(reader.rows())),
            // Postfix cannot list them either.
            Index::Cdb(_) => None,
        }
    }

    /// Do keys end with a NUL, as `postmap -N` makes them? The first row tells; `None` without rows.
    fn ends_with_nul(&self) -> io::Result<Option<bool>> {
        match self.rows().and_then(|mut rows| rows.next()) {
            Some(row) => Ok(Some(row?.0.ends_with(b"\0"))),
            None => Ok(None),
        }
    }
}

struct Indexed {
    index: Index,
    nul: Option<bool>,
    name: String,
    watched: Vec<Watched>,
}

impl Indexed {
    fn get(&self, key: &[u8]) -> io::Result<Option<Hit>> {
        let with_nul = || [key, b"\0"].concat();
        let found = match self.nul {
            Some(true) => self.index.get(&with_nul())?,
            Some(false) => self.index.get(key)?,
            None => match self.index.get(key)? {
                Some(found) => Some(found),
                None => self.index.get(&with_nul())?,
            },
        };
        Ok(found.map(|value| Hit::new(without_nul(value))))
    }
}

fn without_nul(mut text: Vec<u8>) -> Vec<u8> {
    if text.last() == Some(&0) {
        text.pop();
    }
    text
}

impl Table for Indexed {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        let answer = self.get(key);
        Lookup::Ready(answer.map_err(|error| Trouble::from_error(format!("read {}", self.name), error)))
    }

    fn shape(&self) -> Shape {
        Shape::FIXED
    }

    fn folds(&self) -> bool {
        true
    }

    fn watched(&self) -> &[Watched] {
        &self.watched
    }

    fn rows(&self) -> Option<Rows<'_>> {
        let rows = self.index.rows()?;
        Some(Box::new(rows.map(|row| match row {
            Ok((key, value)) => Ok((without_nul(key), without_nul(value))),
            Err(error) => Err(Trouble::from_error(format!("read {}", self.name), error)),
        })))
    }
}
