//! Compiling, adding, deleting, listing.

use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Uid, getgroups, setegid, seteuid, setgroups};
use tables::{Compiled, Repeats, SourceFormat, Spec};

use super::query::file_value;
use super::{FAILED, FOUND, Tool};

impl Tool {
    /// Compiles each table from its source, or adds what standard input holds (`-i`).
    pub fn build(&self) -> Result<u8, String> {
        let options = self.compile_options();
        for spec in &self.specs {
            let source = Path::new(&spec.name);
            let made = if self.options.incremental {
                let mut text = Vec::new();
                std::io::stdin().read_to_end(&mut text).map_err(|error| format!("read stdin: {error}"))?;
                tables::add(&spec.kind, source, &text, &options)
            } else {
                let _lent = if self.options.keep_root { None } else { Identity::of_owner(source)? };
                tables::compile(&spec.kind, source, &options)
            };
            let Compiled { warnings, .. } = made.map_err(|trouble| trouble.to_string())?;
            for warning in warnings {
                log::warn!(target: self.dialect.name, "{warning}");
            }
        }
        Ok(FOUND)
    }

    fn compile_options(&self) -> tables::Options {
        let given = &self.options;
        let now = net::clock::wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        tables::Options {
            format: self.dialect.format,
            repeats: match (given.ignore, given.replace) {
                (true, _) => Repeats::Ignore,
                (_, true) => Repeats::Replace,
                _ => Repeats::Warn,
            },
            fold: !given.no_fold,
            utf8: self.utf8,
            files: given.files,
            inherit_mode: !given.own_mode,
            trailing_nul: given.trailing_nul,
            signature: (self.dialect.format == SourceFormat::Aliases)
                .then(|| (i64::try_from(now).unwrap_or_default(), self.myhostname.clone())),
        }
    }

    /// Deletes a key, or the keys in standard input, from each table.
    pub fn delete(&self, key: &str) -> Result<u8, String> {
        let keys: Vec<Vec<u8>> = match key {
            "-" => {
                let mut text = Vec::new();
                std::io::stdin().read_to_end(&mut text).map_err(|error| format!("read stdin: {error}"))?;
                text.split(|byte| *byte == b'\n').filter(|key| !key.is_empty()).map(<[u8]>::to_vec).collect()
            }
            key => vec![key.as_bytes().to_vec()],
        };
        let options = self.compile_options();
        let mut status = FAILED;
        for spec in &self.specs {
            let found = tables::remove(&spec.kind, Path::new(&spec.name), &keys, &options)
                .map_err(|trouble| trouble.to_string())?;
            if found.contains(&true) {
                status = FOUND;
            }
        }
        Ok(status)
    }

    /// Lists the rows of the first table; others are not looked at, as in Postfix.
    pub fn dump(&self) -> Result<u8, String> {
        self.specs.first().map_or(Ok(()), |spec| self.dump_one(spec))?;
        Ok(FOUND)
    }

    fn dump_one(&self, spec: &Spec) -> Result<(), String> {
        let table = self.open(spec)?;
        let mut out = BufWriter::new(std::io::stdout().lock());
        let mut mistake = None;
        let listed = table.rows(|key, value| {
            if key.is_empty() {
                log::warn!(target: self.dialect.name, "table {spec}: empty lookup key value is not allowed");
            }
            if value.is_empty() {
                self.warn_of_empty_value(spec, key);
            }
            let value = match self.options.files {
                true => file_value(spec, key, value),
                false => Ok(value.to_vec()),
            };
            match value {
                Ok(value) => {
                    let line = [key, self.dialect.after_key.as_bytes(), b"\t", &value, b"\n"].concat();
                    // A reader that went away, such as `head`, ends the list.
                    out.write_all(&line).is_ok()
                }
                Err(what) => {
                    mistake = Some(what);
                    false
                }
            }
        });
        let _ = out.flush();
        match (listed, mistake) {
            (_, Some(what)) => Err(what),
            (Err(trouble), _) => Err(format!("table {spec}: {trouble}")),
            (Ok(false), _) => Err(format!("table {spec}: sequence operation is not supported")),
            (Ok(true), _) => Ok(()),
        }
    }
}

/// The rights of a file's owner, for as long as this lives: root reads and writes the files of others as they.
struct Identity {
    groups: Vec<Gid>,
}

impl Identity {
    fn of_owner(source: &Path) -> Result<Option<Identity>, String> {
        let Ok(meta) = std::fs::metadata(source) else { return Ok(None) };
        if !Uid::effective().is_root() || meta.uid() == 0 {
            return Ok(None);
        }
        let failed = |error: nix::Error| {
            format!("cannot take the rights of the owner of {}: {error}", source.display())
        };
        let groups = getgroups().map_err(failed)?;
        let gid = Gid::from_raw(meta.gid());
        setgroups(&[gid]).and_then(|()| setegid(gid)).map_err(failed)?;
        seteuid(Uid::from_raw(meta.uid())).map_err(failed)?;
        Ok(Some(Identity { groups }))
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        // Should this fail we go on with fewer rights, and what needs them fails with its own message.
        let _ = seteuid(Uid::from_raw(0));
        let _ = setegid(Gid::from_raw(0));
        let _ = setgroups(&self.groups);
    }
}
