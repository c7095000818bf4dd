//! Words that have no place in the code, or only in tests.

use super::{files, sources, text};

/// The part of a file that is no test.
fn before_tests(source: &str) -> &str {
    source.find("#[cfg(test)]").map_or(source, |end| &source[..end])
}

/// Whether a whole file is a test, by where it lies.
fn is_test(file: &std::path::Path) -> bool {
    file.starts_with("tests")
        || file.starts_with("fuzz")
        || file.starts_with("crates/testbed")
        || file.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "benches")
        || file.file_stem().is_some_and(|stem| {
            stem == "tests" || stem == "testing" || stem.to_string_lossy().ends_with("_tests")
        })
}

#[test]
fn nothing_is_unwrapped_outside_tests() {
    let mut wrong = Vec::new();
    for (file, source) in sources().into_iter().filter(|(file, _)| !is_test(file)) {
        for (number, line) in before_tests(&source).lines().enumerate() {
            if line.contains(concat!(".unw", "rap()")) && !line.trim_start().starts_with("//") {
                wrong.push(format!("{}:{}", file.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "say with expect() why it cannot fail: {wrong:#?}");
}

#[test]
fn unsafe_code_is_where_it_is_audited() {
    let audited = [
        "crates/deliver/src/child.rs",
        "crates/deliver/src/privilege.rs",
        "crates/master/src/sys.rs",
        "crates/net/src/dns/lines.rs",
        "crates/people/src/outside/libpam.rs",
        "crates/people/src/schemes/libcrypt.rs",
        "crates/store/src/facteur/pulse.rs",
        "crates/store/src/facteur/writeback.rs",
        "crates/tables/src/rules/pcre2.rs",
        "crates/tables/src/rules/posix.rs",
    ];
    let mut wrong = Vec::new();
    for (file, source) in sources().into_iter().filter(|(file, _)| !is_test(file)) {
        let place = audited.iter().any(|module| file.as_path() == std::path::Path::new(module));
        for (number, line) in source.lines().enumerate() {
            let blocks = [concat!("unsafe", " {"), concat!("unsafe", " fn"), concat!("unsafe", " impl")];
            if !blocks.iter().any(|block| line.contains(block)) || line.trim_start().starts_with("//") {
                continue;
            }
            let above: Vec<_> = source.lines().take(number).collect();
            let told =
                above.iter().rev().take(8).any(|line| line.contains("SAFETY:") || line.contains("# Safety"));
            if !place || !told {
                wrong.push(format!("{}:{}", file.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "outside its modules, or without a SAFETY comment: {wrong:#?}");
}

/// Each is written in two parts, so that this file does not contain it.
const FORBIDDEN: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("dbg", "!("),
    concat!("/wo", "rk/"),
    concat!("index.crates", ".io"),
    concat!("artifact", "ory"),
];

/// Forbidden in either case.
const FORBIDDEN_WORDS: &[&str] = &[
    concat!("cla", "ude"),
    concat!("anth", "ropic"),
    concat!("open", "ai"),
    concat!("chat", "gpt"),
    concat!("co", "pilot"),
    concat!("language", " model"),
];

#[test]
fn the_repository_speaks_of_the_project_alone() {
    let mut wrong = Vec::new();
    for file in files().into_iter().filter(|file| !file.ends_with("Cargo.lock")) {
        let Some(text) = text(&file) else { continue };
        for (number, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            let word = FORBIDDEN.iter().find(|word| line.contains(**word));
            if let Some(word) = word.or_else(|| FORBIDDEN_WORDS.iter().find(|word| lower.contains(**word))) {
                wrong.push(format!("{}:{}: {word}", file.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_office_knows_the_house() {
    let below =
        ["mail", "conf", "proto", "tables", "queue", "net", "route", "store", "filter", "imap", "deliver"];
    let knows = |source: &str| {
        source.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == "House")
    };
    let wrong: Vec<_> = sources()
        .into_iter()
        .filter(|(file, source)| {
            below.iter().any(|room| file.starts_with(format!("crates/{room}"))) && knows(source)
        })
        .map(|(file, _)| file)
        .collect();
    assert!(wrong.is_empty(), "take what is needed instead of the whole house: {wrong:?}");
}
