//! The habits of the house, held by tests: floors, files, lists, maps, licences.

mod code;
mod files;
mod floors;
mod licences;
mod lists;
mod map;

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lies in the repository")
}

/// Directories that hold what tools make, not what we write.
const MADE: &[&str] = &[".git", "target", "corpus", "artifacts", "__pycache__"];

/// Every file of the repository, relative to its root, sorted.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(root().join(&directory)).expect("the repository is readable") {
            let entry = entry.expect("the repository is readable");
            let name = entry.file_name();
            let made = MADE.iter().any(|made| name == *made) || name.to_string_lossy().starts_with("target-");
            match entry.file_type().expect("it was just listed") {
                kind if kind.is_dir() && !made => open.push(directory.join(name)),
                kind if kind.is_file() && !made => found.push(directory.join(name)),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// The text of a file given relative to the root; `None` when it is not UTF-8.
fn text(file: &Path) -> Option<String> {
    String::from_utf8(fs::read(root().join(file)).expect("it was just listed")).ok()
}

/// Every Rust file with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let rust = files().into_iter().filter(|file| file.extension().is_some_and(|end| end == "rs"));
    rust.map(|file| (file.clone(), text(&file).expect("Rust is written in UTF-8"))).collect()
}

/// The names of the crates of the workspace: the directories below `crates`.
fn crates() -> Vec<String> {
    let manifests = files().into_iter().filter(|file| file.ends_with("Cargo.toml"));
    let mut names: Vec<_> = manifests
        .filter_map(|file| Some(file.strip_prefix("crates").ok()?.parent()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}
