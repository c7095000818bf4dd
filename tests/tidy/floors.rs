//! A crate uses only crates of lower floors: one rule, no list of exceptions.

use super::{crates, root};
use std::fs;

/// The rooms of each floor, from the ground up (ARCHITECTURE.md).
const FLOORS: &[&[&str]] = &[
    &["mail", "conf"],
    &["proto", "tables", "queue", "master", "mime"],
    &["net", "route", "store", "people"],
    &["gate", "sign", "scan", "acme"],
    &["filter", "imap"],
    &["deliver"],
    &["mta"],
    &["web"],
    &["facteur"],
];

/// Stands beside the house: it may use every room, and rooms may use it in their tests only.
const TESTBED: &str = "testbed";

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The rooms that a manifest names in its sections of dependencies, each with the section.
fn uses(manifest: &str, rooms: &[String]) -> Vec<(String, String)> {
    let mut section = String::new();
    let mut uses = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if section.ends_with("dependencies") {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            if rooms.iter().any(|room| room == name) {
                uses.push((section.clone(), name.to_owned()));
            }
        }
    }
    uses
}

#[test]
fn arrows_go_down_only() {
    let rooms = crates();
    assert!(rooms.len() > 10, "the rooms are found: {rooms:?}");
    let mut wrong = Vec::new();
    for room in &rooms {
        let manifest = fs::read_to_string(root().join("crates").join(room).join("Cargo.toml"));
        for (section, used) in uses(&manifest.expect("it was just listed"), &rooms) {
            let allowed = match (floor(room), floor(&used)) {
                (Some(above), Some(below)) => below < above,
                (None, Some(_)) => room == TESTBED,
                (_, None) => used == TESTBED && section == "dev-dependencies",
            };
            if !allowed {
                wrong.push(format!("{room} must not use {used} ([{section}])"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_crate_has_its_floor() {
    let homeless: Vec<_> =
        crates().into_iter().filter(|room| floor(room).is_none() && room != TESTBED).collect();
    assert!(homeless.is_empty(), "say in tests/tidy/floors.rs on which floor they live: {homeless:?}");
}

#[test]
fn a_manifest_is_read_by_section() {
    let rooms = ["mail".to_owned(), "conf".to_owned(), "net".to_owned()];
    let manifest = "[package]\nname = \"conf\"\n[dependencies]\nmail.workspace = true\nmailbox = \"1\"\n\
        [dev-dependencies]\nnet = { path = \"../net\" }\n[features]\nconf = []\n";
    let found = uses(manifest, &rooms);
    assert_eq!(
        found,
        [("dependencies".to_owned(), "mail".to_owned()), ("dev-dependencies".to_owned(), "net".to_owned())]
    );
}
