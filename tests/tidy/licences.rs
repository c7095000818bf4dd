//! What is built in has a licence that `deny.toml` allows, and nothing that it bans is built in.

use super::text;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The strings of an array of `deny.toml`, from `start` to the closing bracket; of tables, their `crate`.
fn strings(section: &str, start: &str) -> Vec<String> {
    let deny = text(Path::new("deny.toml")).expect("deny.toml is written in UTF-8");
    let section = deny.split(section).nth(1).unwrap_or_else(|| panic!("deny.toml has {section}"));
    let array = section.split(start).nth(1).unwrap_or_else(|| panic!("{section} has {start}"));
    let lines = array.lines().take_while(|line| !line.starts_with(']'));
    let lines = lines.map(|line| line.split("crate = ").nth(1).unwrap_or(line));
    lines.filter_map(|line| Some(line.split('"').nth(1)?.to_owned())).collect()
}

/// Whether a licence expression can be met with the licences allowed.
///
/// `OR` binds less than `AND`; `/` is an old way to write `OR`.
fn met(expression: &str, allowed: &[String]) -> bool {
    let words = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = words.split_whitespace().collect();
    let (met, rest) = any(&words, allowed);
    met && rest.is_empty()
}

fn any<'a, 'b>(words: &'a [&'b str], allowed: &[String]) -> (bool, &'a [&'b str]) {
    let (mut met, mut rest) = all(words, allowed);
    while let Some(("OR", after)) = rest.split_first().map(|(word, after)| (*word, after)) {
        let (other, after) = all(after, allowed);
        (met, rest) = (met || other, after);
    }
    (met, rest)
}

fn all<'a, 'b>(words: &'a [&'b str], allowed: &[String]) -> (bool, &'a [&'b str]) {
    let (mut met, mut rest) = one(words, allowed);
    while let Some(("AND", after)) = rest.split_first().map(|(word, after)| (*word, after)) {
        let (other, after) = one(after, allowed);
        (met, rest) = (met && other, after);
    }
    (met, rest)
}

fn one<'a, 'b>(words: &'a [&'b str], allowed: &[String]) -> (bool, &'a [&'b str]) {
    match words {
        ["(", inside @ ..] => {
            let (met, rest) = any(inside, allowed);
            (met && rest.first() == Some(&")"), rest.get(1..).unwrap_or_default())
        }
        [licence, "WITH", exception, rest @ ..] => {
            (allowed.iter().any(|known| *known == format!("{licence} WITH {exception}")), rest)
        }
        [licence, rest @ ..] => (allowed.iter().any(|known| known == licence), rest),
        [] => (false, words),
    }
}

/// Name and licence of every crate that this machine builds in, tests and build scripts included.
///
/// Not from `cargo metadata`, whose graph also has crates that only a feature nobody asked for would bring.
fn built_in() -> BTreeMap<String, String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--edges", "all", "--prefix", "none"])
        .args(["--format", "{p}\t{l}"])
        .current_dir(super::root())
        .output()
        .expect("cargo runs these tests, so it can run again");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let lines = String::from_utf8(tree.stdout).expect("cargo writes UTF-8");
    let pairs = lines.lines().filter_map(|line| line.split_once('\t'));
    let named = pairs.filter_map(|(name, licence)| Some((name.split(' ').next()?, licence)));
    named
        .map(|(name, licence)| (name.to_owned(), licence.trim_end_matches("(*)").trim().to_owned()))
        .collect()
}

#[test]
fn every_licence_is_allowed() {
    let allowed = strings("[licenses]", "allow = [");
    assert!(allowed.iter().any(|licence| licence == "MIT"), "{allowed:?}");
    let built_in = built_in();
    assert!(built_in.len() > 50, "the dependencies are found: {}", built_in.len());
    let wrong: Vec<_> = built_in.iter().filter(|(_, licence)| !met(licence, &allowed)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_banned_is_built_in() {
    let banned = strings("[bans]", "deny = [");
    assert!(banned.iter().any(|name| name == "openssl"), "{banned:?}");
    let built_in = built_in();
    let wrong: Vec<_> = banned.iter().filter(|name| built_in.contains_key(*name)).collect();
    assert!(wrong.is_empty(), "deny.toml says why not: {wrong:?}");
}

#[test]
fn licence_expressions_are_read() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    for good in
        ["MIT", "GPL-3.0 OR MIT", "MIT/GPL-3.0", "(MIT OR GPL-3.0) AND ISC", "Apache-2.0 WITH LLVM-exception"]
    {
        assert!(met(good, &allowed), "{good}");
    }
    for bad in
        ["", "MPL-2.0", "MIT AND MPL-2.0", "MPL-2.0 OR GPL-3.0 AND MIT", "(MIT", "Apache-2.0", "MIT GPL-3.0"]
    {
        assert!(!met(bad, &allowed), "{bad}");
    }
}
