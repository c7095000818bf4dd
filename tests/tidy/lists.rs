//! One file and one line: what lies in a folder of like things is in the list of that folder.

use super::{root, sources, text};
use std::path::Path;

/// The folders in which each file, or folder, is one thing that a list names.
const FOLDERS: &[&str] = &[
    "crates/tables/src/types",
    "crates/filter/src/restrictions",
    "crates/deliver/src/agents",
    "crates/people/src/databases",
    "crates/people/src/sasl",
    "crates/people/src/schemes",
    "crates/facteur/src/commands",
];

#[test]
fn every_thing_is_in_its_list() {
    let mut seen = 0;
    let mut missing = Vec::new();
    for folder in FOLDERS.iter().filter(|folder| root().join(folder).is_dir()) {
        let list = [format!("{folder}/mod.rs"), format!("{folder}.rs")];
        let list = list.iter().find(|file| root().join(file).is_file());
        let list = list.unwrap_or_else(|| panic!("{folder} has no list"));
        let list = text(Path::new(list)).expect("Rust is written in UTF-8");
        for (file, source) in sources() {
            let Ok(inside) = file.strip_prefix(folder) else { continue };
            let is_thing = source.contains("pub const ") && !inside.ends_with("mod.rs");
            let stem = inside.with_extension("");
            let (Some(stem), 1) = (stem.to_str(), inside.components().count()) else { continue };
            if is_thing {
                seen += 1;
                if !list.contains(&format!("{stem}::")) {
                    missing.push(file.clone());
                }
            }
        }
    }
    assert!(seen > 0, "the folders of like things are found");
    assert!(missing.is_empty(), "without a line in the list of their folder: {missing:?}");
}

#[test]
fn every_block_of_parameters_is_registered() {
    let registered = text(Path::new("crates/facteur/src/params.rs")).expect("Rust is written in UTF-8");
    let mut seen = 0;
    let mut missing = Vec::new();
    for (file, source) in sources().into_iter().filter(|(file, _)| !file.ends_with("tests.rs")) {
        let room = file.components().nth(1).map(|room| room.as_os_str().to_string_lossy().into_owned());
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        for block in source.split("params! {").skip(1) {
            let end = block.find("\n}").unwrap_or(block.len());
            for line in block[..end].lines() {
                let name = |start: &str| Some(line.strip_prefix(start)?.split(' ').next()?.to_owned());
                let (Some(room), true) = (&room, file.starts_with("crates")) else { continue };
                let entry = name("    pub struct ").map(|block| format!("{block}::DECLARATIONS"));
                let Some(entry) = entry.or_else(|| name("    pub const ")) else { continue };
                seen += 1;
                let in_room = registered.lines().any(|line| {
                    line.contains(&format!("group(\"{room}\"")) && line.contains(&format!("::{entry})"))
                });
                if !in_room {
                    missing.push(format!("{}: {entry}", file.display()));
                }
            }
        }
    }
    assert!(seen > 40, "the blocks are found");
    assert!(missing.is_empty(), "without a line in crates/facteur/src/params.rs: {missing:#?}");
}
