//! Compiled tables that are older than the text they are made from.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use conf::Mistake;

use super::{at, tables_in, values};
use crate::config::Config;

/// What a type of table is compiled into, whether it is made anew by itself, and what made it.
const COMPILED: &[(&str, &[(&str, Remedy)])] = &[
    ("hash", &[(".lmdb", Remedy::Itself), (".db", Remedy::Postfix)]),
    ("btree", &[(".lmdb", Remedy::Itself), (".db", Remedy::Postfix)]),
    ("dbm", &[(".lmdb", Remedy::Itself), (".pag", Remedy::Postfix)]),
    ("lmdb", &[(".lmdb", Remedy::Itself)]),
    ("cdb", &[(".cdb", Remedy::Postmap)]),
];

#[derive(Clone, Copy)]
enum Remedy {
    /// It is made anew when it is opened.
    Itself,
    /// Only Postfix reads it.
    Postfix,
    /// Somebody has to run postmap.
    Postmap,
}

/// Every stale table that a parameter names, once.
pub fn find(config: &Config) -> Vec<Mistake> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (view, parameter, value) in values(config) {
        for spec in tables_in(&value) {
            let Some((_, files)) = COMPILED.iter().find(|(kind, _)| *kind == spec.kind) else { continue };
            if !seen.insert(spec.to_string()) {
                continue;
            }
            for (suffix, remedy) in files.iter().filter(|(suffix, _)| is_stale(&spec.name, suffix)) {
                let text = format!(
                    "{parameter}: {}{suffix} is older than {}: {}",
                    spec.name,
                    spec.name,
                    advice(*remedy, &spec)
                );
                found.push(at(&view, &parameter, text));
            }
        }
    }
    found
}

fn advice(remedy: Remedy, spec: &tables::Spec) -> String {
    match remedy {
        Remedy::Itself => "it is made anew as soon as it is read".to_owned(),
        Remedy::Postfix => {
            format!(
                "it is not read here, but run Postfix's own 'postmap {spec}' before going back to Postfix"
            )
        }
        Remedy::Postmap => format!("what was changed does not count before 'postmap {spec}'"),
    }
}

fn is_stale(source: &str, suffix: &str) -> bool {
    let compiled = PathBuf::from(format!("{source}{suffix}"));
    let modified = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    matches!((modified(Path::new(source)), modified(&compiled)), (Some(text), Some(made)) if text > made)
}

#[cfg(test)]
mod tests {
    use super::super::config;
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_older_than_its_source_is_named_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["virtual", "transport", "fresh"] {
            fs::write(path(name), "a b\n").unwrap();
        }
        let old = fs::metadata(path("virtual")).unwrap().modified().unwrap() - Duration::from_secs(60);
        for name in ["virtual.db", "transport.cdb"] {
            fs::write(path(name), "").unwrap();
            fs::File::options().write(true).open(path(name)).unwrap().set_modified(old).unwrap();
        }
        let dir = dir.path().display();
        let config = config(
            &format!(
                "virtual_alias_maps = hash:{dir}/virtual, proxy:hash:{dir}/virtual\n\
                 relocated_maps = hash:{dir}/fresh\n"
            ),
            &format!("smtp inet n - n - - smtpd -o transport_maps=cdb:{dir}/transport\n"),
        );
        let found: Vec<String> = find(&config).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                format!(
                    "main.cf, line 1: virtual_alias_maps: {dir}/virtual.db is older than {dir}/virtual: it is not \
                     read here, but run Postfix's own 'postmap hash:{dir}/virtual' before going back to Postfix"
                ),
                format!(
                    "master.cf, line 1: transport_maps: {dir}/transport.cdb is older than {dir}/transport: what was \
                     changed does not count before 'postmap cdb:{dir}/transport'"
                ),
            ]
        );
    }
}
