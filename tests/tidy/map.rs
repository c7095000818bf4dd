//! The maps name what exists.

use super::{root, text};
use std::path::Path;

/// The pages that lead a reader through the tree.
const MAPS: &[&str] = &["ARCHITECTURE.md", "README.md"];

/// The names of files and directories of the tree in a page: code spans that begin with one of its directories,
/// or that end as our files do.
fn places(page: &str) -> Vec<String> {
    let spans = page.split('`').skip(1).step_by(2);
    let plain =
        |span: &&str| span.chars().all(|letter| letter.is_ascii_alphanumeric() || "/_-.".contains(letter));
    let starts = ["crates/", "tests/", "docs/", "fuzz/", "benches/", ".ci/", "rfc/"];
    let place = |span: &&str| {
        let file = span.ends_with(".rs") || span.ends_with(".toml");
        starts.iter().any(|start| span.starts_with(start)) || (file && span.contains('/'))
    };
    spans.filter(plain).filter(place).map(str::to_owned).collect()
}

#[test]
fn every_place_on_a_map_exists() {
    let mut lost = Vec::new();
    for map in MAPS {
        assert!(root().join(map).is_file(), "{map} leads a reader through the tree");
        let page = text(Path::new(map)).expect("pages are written in UTF-8");
        for place in places(&page) {
            // `mta/src/road.rs` is short for `crates/mta/src/road.rs`.
            if !root().join(&place).exists() && !root().join("crates").join(&place).exists() {
                lost.push(format!("{map}: {place}"));
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
}

#[test]
fn places_are_told_from_other_code() {
    let page = "See `crates/mta/src/road.rs`, `mta/src/road.rs`, `docs/`; not `/etc/postfix`, `a/b`, `x.rs`, \
        `cargo test -p x/y.rs` or `smtpd`.";
    assert_eq!(places(page), ["crates/mta/src/road.rs", "mta/src/road.rs", "docs/"]);
}
