//! Changing main.cf and master.cf as text, so that comments and everything not asked for stay.
//!
//! Texts in, texts out: writing a file in place of another is the caller's work.

mod main_text;
mod master_text;

pub use main_text::{MainChange, edit_main};
pub use master_text::{EditedMaster, MasterChange, Pattern, edit_master};

/// Lines with their ends; the last one gets an end, so that something can stand after it.
fn lines(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split_inclusive('\n')
        .map(|line| if line.ends_with('\n') { line.to_owned() } else { format!("{line}\n") })
}

/// Whether a physical line is empty or a comment.
fn is_aside(line: &str) -> bool {
    let bare = line.trim_ascii();
    bare.is_empty() || bare.starts_with('#')
}
