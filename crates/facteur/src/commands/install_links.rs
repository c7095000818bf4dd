//! `facteur install-links DIR`: symbolic links by which every command can be called by its own name.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Command;

/// The command.
pub const COMMAND: Command = Command {
    name: "install-links",
    summary: "make links (postmap, sendmail, ...) to this program in a directory",
    run,
};

fn run(words: Vec<OsString>) -> u8 {
    let [directory] = words.as_slice() else {
        eprintln!("usage: facteur install-links DIR");
        return 1;
    };
    match install(Path::new(directory)) {
        Ok(made) => {
            println!("{made} links in {}", Path::new(directory).display());
            0
        }
        Err(what) => {
            eprintln!("facteur install-links: {what}");
            1
        }
    }
}

/// Commands of Facteur alone: their names say too little outside `facteur NAME`.
const WITHOUT_LINK: &[&str] = &["init", "install-links", "demo", "explain", "promises", "trace", "queue"];

fn install(directory: &Path) -> Result<usize, String> {
    let program =
        std::env::current_exe().map_err(|error| format!("cannot find my own program file: {error}"))?;
    let mut made = 0;
    for command in super::COMMANDS.iter().filter(|command| !WITHOUT_LINK.contains(&command.name)) {
        let link = directory.join(command.name);
        link_to(&program, &link)?;
        made += 1;
    }
    Ok(made)
}

/// Makes the link, or renews one of ours. A file that is no link is somebody's program and stays.
fn link_to(program: &Path, link: &PathBuf) -> Result<(), String> {
    match std::fs::symlink_metadata(link) {
        Ok(found) if found.is_symlink() => {
            std::fs::remove_file(link)
                .map_err(|error| format!("cannot replace {}: {error}", link.display()))?;
        }
        Ok(_) => {
            return Err(format!(
                "{} exists and is not a link: move it away first, it may be Postfix's",
                link.display()
            ));
        }
        Err(_) => {}
    }
    std::os::unix::fs::symlink(program, link)
        .map_err(|error| format!("cannot make {}: {error}", link.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_renewed_and_programs_kept() {
        let directory = tempfile::tempdir().unwrap();
        assert!(install(directory.path()).unwrap() > 0);
        assert!(install(directory.path()).is_ok());
        let mine = directory.path().join("postfix");
        std::fs::remove_file(&mine).unwrap();
        std::fs::write(&mine, "a program").unwrap();
        assert!(install(directory.path()).unwrap_err().contains("not a link"));
    }
}
