//! Messages in files, in mbox files, in directories.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of a message that are read.
const MOST: u64 = 4 << 20;

/// How deep directories are followed: a Maildir with its folders.
const DEPTH: usize = 4;

/// What is done with a message.
type Each<'a> = dyn FnMut(&[u8]) -> Result<(), String> + 'a;

/// Gives every message of the files; of standard input when there are none.
pub fn each(files: &[PathBuf], take: &mut Each<'_>) -> Result<(), String> {
    if files.is_empty() {
        let mut message = Vec::new();
        let read = std::io::stdin().take(MOST).read_to_end(&mut message);
        read.map_err(|error| format!("standard input: {error}"))?;
        return take(&message);
    }
    files.iter().try_for_each(|file| one(file, DEPTH, take))
}

fn one(path: &Path, depth: usize, take: &mut Each<'_>) -> Result<(), String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
    if fs::metadata(path).map_err(wrong)?.is_dir() {
        if depth == 0 {
            return Ok(());
        }
        let entries: Result<Vec<_>, _> = fs::read_dir(path).map_err(wrong)?.collect();
        let mut inner: Vec<PathBuf> = entries.map_err(wrong)?.iter().map(fs::DirEntry::path).collect();
        inner.sort();
        // Files beside the messages of a Maildir are none.
        inner.retain(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            file.is_dir()
                || !(name.starts_with("dovecot") || name == "subscriptions" || name == "maildirsize")
        });
        return inner.iter().try_for_each(|file| one(file, depth - 1, take));
    }
    let mut file = fs::File::open(path).map_err(wrong)?;
    let mut start = [0; 5];
    let len = file.read(&mut start).map_err(wrong)?;
    if &start[..len] != b"From " {
        let mut message = start[..len].to_vec();
        file.take(MOST).read_to_end(&mut message).map_err(wrong)?;
        return take(&message);
    }
    mbox(&fs::read(path).map_err(wrong)?, take)
}

/// Messages behind lines that begin with `From `.
fn mbox(text: &[u8], take: &mut Each<'_>) -> Result<(), String> {
    let mut start = None;
    let mut at = 0;
    let mut empty = true;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if empty && line.starts_with(b"From ") {
            if let Some(start) = start {
                take(&text[start..at])?;
            }
            start = Some(at + line.len());
        }
        empty = matches!(line, b"\n" | b"\r\n");
        at += line.len();
    }
    start.map_or(Ok(()), |start| take(&text[start..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_wherever_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("one.eml", "Subject: one\n\nFrom here on\n");
        put("box", "From a@b Mon\nSubject: two\n\nx\nFrom y\n\nFrom c@d Tue\nSubject: three\n\nz\n");
        put("Maildir/cur/4:2,S", "Subject: four\n\n");
        put("Maildir/dovecot-uidlist", "3 V1 N2\n");
        let mut found = Vec::new();
        let all = [folder.path().to_owned()];
        let mut take = |message: &[u8]| {
            found.push(String::from_utf8_lossy(message).lines().next().unwrap_or_default().to_owned());
            Ok(())
        };
        each(&all, &mut take).unwrap();
        found.sort();
        assert_eq!(found, ["Subject: four", "Subject: one", "Subject: three", "Subject: two"]);
    }
}
