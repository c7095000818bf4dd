//! Tables in parameter values whose own configuration has parameters too.

use std::path::Path;

use crate::lines::{self, name_value};
use crate::main_cf::cannot_open;
use crate::words::{COMMA_SPACE, unbraced, words};
use crate::{Mistake, Severity};

/// `type:name` in a value.
pub(super) struct Table {
    pub(super) kind: String,
    pub(super) name: String,
}

/// How deep tables of tables are followed.
const DEPTH: usize = 10;

/// The tables a value names, inside `proxy:`, `pipemap:{…}` and `unionmap:{…}` too.
pub(super) fn tables(text: &str, wrong: &mut dyn FnMut(String)) -> Vec<Table> {
    let mut found = Vec::new();
    collect(text, wrong, &mut found, DEPTH);
    found
}

fn collect(text: &str, wrong: &mut dyn FnMut(String), found: &mut Vec<Table>, depth: usize) {
    if depth == 0 {
        return;
    }
    let inside = |word: &str, found: &mut Vec<Table>, wrong: &mut dyn FnMut(String)| {
        let text = unbraced(word).unwrap_or_else(|(text, why)| {
            wrong(why);
            text
        });
        collect(text, wrong, found, depth - 1);
    };
    for word in words(text, COMMA_SPACE) {
        if word.starts_with('{') {
            inside(word, found, wrong);
            continue;
        }
        let mut word = word;
        while let Some(rest) = word.strip_prefix("proxy:") {
            word = rest;
        }
        match word.split_once(':') {
            Some((_, name)) if name.starts_with('{') => inside(name, found, wrong),
            Some((kind, name)) => found.push(Table { kind: kind.to_owned(), name: name.to_owned() }),
            None => {}
        }
    }
}

/// The parameters of a type of database: names in its configuration file, and endings of names in main.cf.
pub(super) fn endings(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "ldap" => LDAP,
        "mysql" => MYSQL,
        "pgsql" => PGSQL,
        "sqlite" => SQLITE,
        "memcache" => MEMCACHE,
        _ => return None,
    })
}

/// Reads a database's configuration file and tells names that its type does not have.
pub(super) fn check(table: &Table, endings: &[&str], mistakes: &mut Vec<Mistake>) {
    let file = Path::new(&table.name);
    let text = match lines::read(file, mistakes) {
        Ok(text) => text,
        Err(error) => {
            let why = cannot_open(file, &error).text;
            let text = format!("{} configuration: {why}", table.kind);
            mistakes.push(Mistake::new(Severity::Warning, None, text));
            return;
        }
    };
    for line in lines::logical(&text, file, mistakes) {
        let text = match name_value(&line.text) {
            Ok((name, _)) if endings.contains(&name) => continue,
            Ok((name, value)) => format!("unused parameter: {name}={}", shown(name, value)),
            Err(wrong) => wrong,
        };
        mistakes.push(Mistake::new(Severity::Warning, Some((file, line.number)), text));
    }
}

/// A misspelt password is a password.
fn shown<'a>(name: &str, value: &'a str) -> &'a str {
    let name = name.to_ascii_lowercase();
    if ["pas", "pw", "secret"].iter().any(|part| name.contains(part)) { "(not shown)" } else { value }
}

const LDAP: &[&str] = &[
    "bind",
    "bind_dn",
    "bind_pw",
    "cache",
    "cache_expiry",
    "cache_size",
    "chase_referrals",
    "debuglevel",
    "dereference",
    "domain",
    "expansion_limit",
    "leaf_result_attribute",
    "query_filter",
    "recursion_limit",
    "result_attribute",
    "result_filter",
    "result_format",
    "sasl_authz_id",
    "sasl_mechs",
    "sasl_minssf",
    "sasl_realm",
    "scope",
    "search_base",
    "server_host",
    "server_port",
    "size_limit",
    "special_result_attribute",
    "start_tls",
    "terminal_result_attribute",
    "timeout",
    "tls_ca_cert_dir",
    "tls_ca_cert_file",
    "tls_cert",
    "tls_cipher_suite",
    "tls_key",
    "tls_random_file",
    "tls_require_cert",
    "version",
];
const MYSQL: &[&str] = &[
    "additional_conditions",
    "dbname",
    "domain",
    "expansion_limit",
    "hosts",
    "option_file",
    "option_group",
    "password",
    "query",
    "require_result_set",
    "result_format",
    "select_field",
    "table",
    "tls_CAfile",
    "tls_CApath",
    "tls_cert_file",
    "tls_ciphers",
    "tls_key_file",
    "tls_verify_cert",
    "user",
    "where_field",
];
const PGSQL: &[&str] = &[
    "additional_conditions",
    "dbname",
    "domain",
    "expansion_limit",
    "hosts",
    "password",
    "query",
    "result_format",
    "select_field",
    "select_function",
    "table",
    "user",
    "where_field",
];
const SQLITE: &[&str] = &[
    "additional_conditions",
    "dbpath",
    "domain",
    "expansion_limit",
    "query",
    "result_format",
    "select_field",
    "table",
    "where_field",
];
const MEMCACHE: &[&str] = &[
    "backup",
    "data_size_limit",
    "domain",
    "flags",
    "key_format",
    "line_size_limit",
    "max_try",
    "memcache",
    "retry_pause",
    "timeout",
    "ttl",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_its_type_does_not_have() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("x.cf");
        std::fs::write(&file, "user = x\n# c\nquery = %s\nserver_host = y\njunk\npasword = s3cret\n")
            .expect("written");
        let table = Table { kind: "mysql".to_owned(), name: file.display().to_string() };
        let mut mistakes = Vec::new();
        check(&table, endings("mysql").expect("known"), &mut mistakes);
        let lines: Vec<_> = mistakes.iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines, [4, 5, 6]);
        assert!(mistakes[0].text.ends_with("server_host=y"), "{mistakes:?}");
        assert!(!mistakes[2].text.contains("s3cret"), "{mistakes:?}");
    }

    #[test]
    fn deep_nesting_ends() {
        let mut told = 0;
        assert!(tables(&"{".repeat(5000), &mut |_| told += 1).is_empty());
        assert!(told > 0);
    }
}
