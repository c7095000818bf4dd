//! The table types: one file and one line each.

use std::sync::Arc;

use crate::compile::Format;
use crate::{Keys, Spec, Table, Tables};

mod btree;
mod cdb;
mod cidr;
#[cfg(test)]
mod database_tests;
mod dbm;
mod directory;
mod environ;
mod fail;
mod hash;
mod inline;
mod ldap;
mod lmdb;
mod memcache;
mod mysql;
mod nis;
mod pcre;
mod pgsql;
mod pipemap;
mod proxy;
mod queries;
mod randmap;
mod redis;
mod regexp;
#[cfg(test)]
mod server_tests;
mod socketmap;
mod sqlite;
mod r#static;
mod tcp;
pub(crate) mod texthash;
mod unionmap;
mod unix;

/// A table type.
pub struct TableType {
    /// What stands before the colon.
    pub name: &'static str,
    /// One sentence for `postconf -m` and the reference.
    pub doc: &'static str,
    /// Opens a table. The error is a sentence such as `open x: No such file or directory`.
    pub open: fn(&Opening<'_>) -> Result<Arc<dyn Table>, String>,
    /// What `postmap` makes of the source text, for types that are compiled.
    pub make: Option<Format>,
}

/// What a type is given to open a table.
pub struct Opening<'a> {
    /// The table as written.
    pub spec: &'a Spec,
    /// How keys and values are treated.
    pub keys: Keys,
    /// The factory, for tables made of tables.
    pub tables: &'a Tables,
}

/// Every table type.
pub const TYPES: &[&TableType] = &[
    &btree::TYPE,
    &cdb::TYPE,
    &cidr::TYPE,
    &dbm::TYPE,
    &directory::TYPE,
    &environ::TYPE,
    &fail::TYPE,
    &hash::TYPE,
    &inline::TYPE,
    &ldap::TYPE,
    &lmdb::TYPE,
    &memcache::TYPE,
    &mysql::TYPE,
    &nis::TYPE,
    &pcre::TYPE,
    &pgsql::TYPE,
    &pipemap::TYPE,
    &proxy::TYPE,
    &randmap::TYPE,
    &redis::TYPE,
    &regexp::TYPE,
    &socketmap::TYPE,
    &sqlite::TYPE,
    &r#static::TYPE,
    &tcp::TYPE,
    &texthash::TYPE,
    &unionmap::TYPE,
    &unix::TYPE,
];

/// The type of this name.
pub fn find(name: &str) -> Option<&'static TableType> {
    TYPES.iter().find(|found| found.name == name).copied()
}

/// Why a type is not there.
pub(crate) fn unsupported(name: &str) -> String {
    let remedy = match name {
        "nisplus" | "netinfo" => "; NIS is not supported: export the map to a text file and use hash:",
        "mongodb" => "; MongoDB is not spoken: export the collection to a text file and use hash:",
        "sdbm" => "; compile the source again and use hash:",
        "internal" => "; internal: tables exist within a program only",
        _ => "",
    };
    format!("unsupported dictionary type: {name}{remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_named_once_and_told() {
        assert!(TYPES.is_sorted_by_key(|found| found.name));
        for (n, found) in TYPES.iter().enumerate() {
            assert!(found.doc.ends_with('.'), "{} needs a sentence", found.name);
            assert!(TYPES[..n].iter().all(|other| other.name != found.name), "{} stands twice", found.name);
        }
    }
}
