//! What is in an account that another program may still be using: looked at, and left as it is.

use crate::foreign::Tree;
use crate::maildir::Maildirs;
use crate::mbox::{Locks, Mboxes};
use crate::{Error, Kind, Limits, Name, Owner, Place, Result};

/// A mailbox, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Its name.
    pub name: Name,
    /// How many messages are in it.
    pub messages: u64,
    /// UIDVALIDITY, where a program has given one.
    pub uidvalidity: Option<u32>,
}

/// Counts the mailboxes of an account in the format of another program: no file is made, changed or locked.
///
/// # Errors
/// A file or directory cannot be read; our own kind, which no other program uses.
pub fn tally(place: &Place, owner: &Owner) -> Result<Vec<Tally>> {
    match place.kind {
        Kind::Maildir => all(&Maildirs::new(place, owner, Limits::default())),
        Kind::Mbox => all(&Mboxes::new(place, owner, Locks::default())),
        Kind::Facteur => Err(Error::Unsupported("accounts of our own are counted by 'facteur store verify'")),
    }
}

fn all(tree: &impl Tree) -> Result<Vec<Tally>> {
    let mut names = vec![Name::inbox()];
    names.extend(tree.names()?.into_iter().filter(|(_, real)| *real).map(|(name, _)| name));
    let count = |name: Name| {
        let (messages, uidvalidity) = tree.tally(&name)?;
        Ok(Tally { name, messages, uidvalidity })
    };
    names.into_iter().map(count).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::Location;

    /// Name, messages and UIDVALIDITY of each mailbox.
    fn counted(location: &str, root: &std::path::Path) -> Vec<(String, u64, Option<u32>)> {
        let owner = Owner { home: Some(root.to_owned()), ..Owner::named("joe") };
        let place = Location::parse(location).unwrap().place(&owner).unwrap();
        let mut found: Vec<_> = tally(&place, &owner)
            .unwrap()
            .into_iter()
            .map(|tally| (tally.name.as_str().to_owned(), tally.messages, tally.uidvalidity))
            .collect();
        found.sort();
        found
    }

    #[test]
    fn a_maildir_is_counted_and_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join("Maildir").join(name);
        for folder in ["cur", "new", "tmp", ".Sent/cur", ".Sent/new"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for file in ["cur/1.a:2,S", "new/2.a", "cur/.hidden", "tmp/3.a", ".Sent/cur/1.a:2,"] {
            fs::write(at(file), "Subject: x\n\nx\n").unwrap();
        }
        fs::write(at("dovecot-uidlist"), "3 V1700000000 N3 G00112233445566778899aabbccddeeff\n1 :1.a\n")
            .unwrap();
        let found = counted("maildir:~/Maildir", home.path());
        assert_eq!(found, [("INBOX".into(), 2, Some(1_700_000_000)), ("Sent".into(), 1, None)]);
        let left: Vec<_> = fs::read_dir(at("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 5, "{left:?}");
    }

    #[test]
    fn an_mbox_is_counted_and_left_alone() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("mail")).unwrap();
        let message = "From joe@x.test Mon Jan  5 10:00:00 2026\nSubject: x\n\nx\n\n";
        let first = message.replacen("Subject", "X-IMAPbase: 1700000001 0000000002\nSubject", 1);
        fs::write(home.path().join("inbox"), format!("{first}{message}")).unwrap();
        fs::write(home.path().join("mail/Sent"), message).unwrap();
        let location = format!("mbox:~/mail:INBOX={}", home.path().join("inbox").display());
        let found = counted(&location, home.path());
        assert_eq!(found, [("INBOX".into(), 2, Some(1_700_000_001)), ("Sent".into(), 1, None)]);
        assert_eq!(fs::read_dir(home.path().join("mail")).unwrap().count(), 1);
    }
}
