//! `facteur install-links DIR`: symbolic links by which every command can be called by its own name, and manual pages.

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
    let (directory, man) = match words.as_slice() {
        [directory] => (Path::new(directory), None),
        [directory, option, man] | [option, man, directory] if option == "--man" => {
            (Path::new(directory), Some(Path::new(man)))
        }
        _ => {
            eprintln!("usage: facteur install-links DIR [--man MANDIR]");
            return 1;
        }
    };
    let done = install(directory).and_then(|links| Ok((links, man.map(super::manual::write).transpose()?)));
    match done {
        Ok((links, pages)) => {
            println!("{links} links in {}", directory.display());
            if let (Some(pages), Some(man)) = (pages, man) {
                println!("{pages} manual pages in {}", man.join("man8").display());
            }
            0
        }
        Err(what) => {
            eprintln!("facteur install-links: {what}");
            1
        }
    }
}

/// The commands that scripts know from Postfix and Dovecot. The names of the others say too little outside
/// `facteur NAME`.
const LINKED: &[&str] = &[
    "doveadm",
    "mailq",
    "newaliases",
    "postalias",
    "postcat",
    "postconf",
    "postdrop",
    "postfix",
    "postkick",
    "postlog",
    "postmap",
    "postmulti",
    "postqueue",
    "postsuper",
    "qshape",
    "sendmail",
];

fn install(directory: &Path) -> Result<usize, String> {
    let program =
        std::env::current_exe().map_err(|error| format!("cannot find my own program file: {error}"))?;
    for name in LINKED {
        link_to(&program, &directory.join(name))?;
    }
    Ok(LINKED.len())
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
        assert!(LINKED.iter().all(|name| super::super::find(name).is_some()));
        assert!(install(directory.path()).is_ok());
        assert!(install(directory.path()).is_ok());
        let mine = directory.path().join("postfix");
        std::fs::remove_file(&mine).unwrap();
        std::fs::write(&mine, "a program").unwrap();
        assert!(install(directory.path()).unwrap_err().contains("not a link"));
    }
}
