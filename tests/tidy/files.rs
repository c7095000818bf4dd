//! Files stay small, say at their top what they are for, and are named for what they hold.

use super::{files, root, sources};
use std::fs;

/// More than this is data, and data is made, not kept.
const LARGEST: u64 = 300_000;

/// A longer file of code is two files, unless it is a list of like things and says so at its top.
const LONGEST: usize = 800;

#[test]
fn no_file_is_huge() {
    let size = |file: &std::path::Path| fs::metadata(root().join(file)).expect("it was just listed").len();
    let huge: Vec<_> = files().into_iter().filter(|file| size(file) > LARGEST).collect();
    assert!(huge.is_empty(), "more than {LARGEST} bytes: {huge:?}");
}

#[test]
fn long_files_are_lists() {
    let mut longest: Vec<_> =
        sources().into_iter().map(|(file, text)| (text.lines().count(), file, text)).collect();
    longest.sort_by_key(|(lines, ..)| std::cmp::Reverse(*lines));
    println!("The ten longest files:");
    for (lines, file, _) in longest.iter().take(10) {
        println!("{lines:6} {}", file.display());
    }
    let is_list = |text: &str| {
        text.lines().take_while(|line| line.starts_with("//!")).any(|line| line.contains("list"))
    };
    let wrong: Vec<_> =
        longest.iter().filter(|(lines, _, text)| *lines > LONGEST && !is_list(text)).collect();
    let wrong: Vec<_> =
        wrong.iter().map(|(lines, file, _)| format!("{} ({lines})", file.display())).collect();
    assert!(wrong.is_empty(), "split what is longer than {LONGEST} lines: {wrong:?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    // `tests.rs` is the tests of the file beside it, and nothing else.
    let told = |file: &std::path::Path, text: &str| text.starts_with("//!") || file.ends_with("tests.rs");
    let silent: Vec<_> =
        sources().into_iter().filter(|(file, text)| !told(file, text)).map(|(file, _)| file).collect();
    assert!(silent.is_empty(), "the first line of a file is its purpose, `//! …`: {silent:?}");
}

#[test]
fn no_file_is_a_drawer() {
    let drawers = ["common", "util", "utils", "helper", "helpers", "misc"];
    let is_drawer = |file: &std::path::Path| {
        file.with_extension("").components().any(|part| drawers.iter().any(|name| part.as_os_str() == *name))
    };
    let wrong: Vec<_> = files().into_iter().filter(|file| is_drawer(file)).collect();
    assert!(wrong.is_empty(), "name a file for what it holds: {wrong:?}");
}
