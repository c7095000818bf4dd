//! `facteur store`: looks after accounts of the kind `facteur:`, each named by its directory.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use store::Flags;
use store::facteur::upkeep::{self, Exported};

use super::Command;

/// The command.
pub const COMMAND: Command =
    Command { name: "store", summary: "verify, repair, compact, back up or export accounts", run };

const USAGE: &str = "usage: facteur store verify DIRECTORY ...      is everything there? (may be in use)
       facteur store compact DIRECTORY ...     free the space of removed messages (may be in use)
       facteur store repair DIRECTORY ...      make a new catalogue (not while in use)
       facteur store backup DIRECTORY COPY     copy an account (may be in use)
       facteur store export DIRECTORY MAILDIR  write every message that can be read into Maildir++ folders";

fn run(words: Vec<OsString>) -> u8 {
    let places: Vec<PathBuf> = words.iter().skip(1).map(PathBuf::from).collect();
    let action = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let told = match (action.as_str(), &places[..]) {
        ("verify", [_, ..]) => all(&places, verify),
        ("compact", [_, ..]) => all(&places, |place| {
            println!("{}: {} bytes freed", place.display(), upkeep::compact(place, now)?);
            Ok(true)
        }),
        ("repair", [_, ..]) => all(&places, repair),
        ("backup", [from, to]) => all(std::slice::from_ref(from), |from| {
            upkeep::backup(from, to, now)?;
            Ok(true)
        }),
        ("export", [from, to]) => all(std::slice::from_ref(from), |from| export(from, to)),
        _ => {
            eprintln!("{USAGE}");
            return 64;
        }
    };
    u8::from(!told)
}

fn now() -> i64 {
    Timestamp::try_from(net::clock::wall()).map_or(0, Timestamp::as_second)
}

/// Does it for each place; gives whether all is well.
fn all(places: &[PathBuf], mut each: impl FnMut(&Path) -> store::Result<bool>) -> bool {
    let mut well = true;
    for place in places {
        well &= each(place).unwrap_or_else(|error| {
            eprintln!("facteur store: {}: {error}", place.display());
            false
        });
    }
    well
}

fn verify(place: &Path) -> store::Result<bool> {
    let found = upkeep::verify(place, now)?;
    println!("{}: {} messages, {} bytes", place.display(), found.messages, found.bytes);
    found.wrong.iter().for_each(|line| println!("  wrong: {line}"));
    found.torn.iter().for_each(|line| println!("  half a delivery, nobody was told of it: {line}"));
    Ok(found.wrong.is_empty())
}

fn repair(place: &Path) -> store::Result<bool> {
    let done = upkeep::repair(place, now)?;
    println!("{}: {} messages kept, {} found again", place.display(), done.kept, done.found);
    if let Some(old) = &done.old {
        println!("  the old catalogue is {}", old.display());
    }
    done.lost.iter().for_each(|line| println!("  lost: {line}"));
    Ok(done.lost.is_empty())
}

fn export(from: &Path, to: &Path) -> store::Result<bool> {
    let mut number = 0_u64;
    let lost = upkeep::export(from, now, &mut |message| {
        number += 1;
        write_message(to, number, &message)
            .map_err(|error| mail::Trouble::from_error(format!("write to {}", to.display()), error).into())
    })?;
    println!("{number} messages");
    lost.iter().for_each(|line| println!("  lost: {line}"));
    Ok(lost.is_empty())
}

/// Writes one message into its folder, with its flags in its name and LF line ends.
fn write_message(to: &Path, number: u64, message: &Exported) -> std::io::Result<()> {
    let folder = match message.mailbox.as_str() {
        "INBOX" => to.to_owned(),
        name => to.join(format!(".{}", store::to_utf7(&name.replace('/', ".")))),
    };
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(folder.join(part))?;
    }
    let letters = [
        (Flags::DRAFT, 'D'),
        (Flags::FLAGGED, 'F'),
        (Flags::ANSWERED, 'R'),
        (Flags::SEEN, 'S'),
        (Flags::DELETED, 'T'),
    ];
    let flags: String = letters.iter().filter(|(flag, _)| message.flags.has(*flag)).map(|(_, l)| l).collect();
    let path = folder.join("cur").join(format!("{}.{number}.export:2,{flags}", message.received));
    let mut file = fs::File::create_new(path)?;
    for line in message.content.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\r\n") {
            Some(text) => {
                file.write_all(text)?;
                file.write_all(b"\n")?;
            }
            None => file.write_all(line)?,
        }
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_a_maildir() {
        let directory = tempfile::tempdir().unwrap();
        let message = |mailbox: &str| Exported {
            mailbox: mailbox.to_owned(),
            flags: Flags::SEEN | Flags::FLAGGED,
            keywords: Vec::new(),
            received: 7,
            content: b"a\r\nb\r\n".to_vec(),
        };
        write_message(directory.path(), 1, &message("INBOX")).unwrap();
        write_message(directory.path(), 2, &message("Entwürfe/x")).unwrap();
        assert_eq!(fs::read(directory.path().join("cur/7.1.export:2,FS")).unwrap(), b"a\nb\n");
        assert!(directory.path().join(".Entw&APw-rfe.x/cur/7.2.export:2,FS").exists());
    }

    #[test]
    fn a_directory_without_account_is_told() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(run(vec!["verify".into(), directory.path().into()]), 1);
        assert_eq!(run(vec!["verify".into()]), 64);
    }
}
