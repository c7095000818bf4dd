//! Mailboxes that are shared, over real stores.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::{
    Delivery, Error, FlagChange, Flags, Location, Mode, Name, NewMessage, Owner, Rights, Settings,
    open_account,
};

/// Everybody has mail below one directory.
struct Neighbours(PathBuf, Arc<Settings>);

impl Others for Neighbours {
    fn open(&self, user: &str, make: bool) -> Result<Option<Arc<dyn Account>>> {
        let home = self.0.join(user);
        if !make && !home.exists() {
            return Ok(None);
        }
        let location = Location::parse("facteur:~/mail").unwrap();
        open_account(&self.1, &location, &Owner { home: Some(home), ..Owner::named(user) }).map(Some)
    }
}

struct Site {
    house: Arc<Neighbours>,
    _home: tempfile::TempDir,
}

impl Site {
    fn new() -> Site {
        let home = tempfile::tempdir().unwrap();
        let settings = Arc::new(Settings::plain(|| 1_700_000_000));
        Site { house: Arc::new(Neighbours(home.path().to_owned(), settings)), _home: home }
    }

    fn of(&self, user: &str, prefix: &str) -> Spaces {
        let own = self.house.open(user, true).unwrap().unwrap();
        let names = Namespaces { prefix: prefix.to_owned(), others: "shared/".to_owned() };
        let me = Identity { user: user.to_owned(), groups: Vec::new() };
        Spaces::new(own, me, Arc::new(names), Some(self.house.clone()))
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn names(account: &Spaces) -> Vec<String> {
    account.folders().unwrap().iter().map(|folder| folder.name.as_str().to_owned()).collect()
}

fn message(flags: Flags) -> NewMessage {
    let content = Bytes::from_static(b"Subject: x\r\n\r\nhello\r\n");
    NewMessage { content, flags, keywords: vec!["word".to_owned()], received: 0 }
}

#[test]
fn what_is_shared_is_found_and_held_against_its_rights() {
    let site = Site::new();
    let (alice, bob) = (site.of("alice", ""), site.of("bob", ""));
    let (work, shared) = (name("Work"), name("shared/alice/Work"));
    alice.create(&work, None).unwrap();
    alice.open(&work).unwrap().append(&[message(Flags::NONE)]).unwrap();
    assert!(matches!(bob.open(&shared), Err(Error::NoMailbox)));
    assert_eq!(names(&bob), ["INBOX"]);
    alice.set_acl(&work, "bob", Some("lrs")).unwrap();
    assert_eq!(names(&bob), ["INBOX", "shared/alice/Work", "shared", "shared/alice"]);
    assert_eq!(bob.rights(&shared).unwrap(), Rights::parse("lrs").unwrap());
    assert_eq!(bob.owner_of(&shared).unwrap(), "alice");
    let mailbox = bob.open(&shared).unwrap();
    assert_eq!(mailbox.name(), shared);
    assert!(mailbox.body(1).is_ok() && !mailbox.read_only());
    // Of the flags only \Seen may be set, and the rest is left as it is.
    let both = Flags::SEEN | Flags::FLAGGED;
    mailbox.store(&[1].into_iter().collect(), &FlagChange::new(Mode::Replace, both)).unwrap();
    assert_eq!(mailbox.view().get(1).unwrap().flags, Flags::SEEN);
    let flagged = FlagChange::new(Mode::Add, Flags::FLAGGED);
    let refused = mailbox.store(&[1].into_iter().collect(), &flagged);
    assert!(matches!(refused, Err(Error::NoPermission)));
    for refused in [
        mailbox.append(&[message(Flags::NONE)]).err(),
        mailbox.expunge(None).err(),
        bob.delete(&shared).err(),
        bob.create(&name("shared/alice/Work/x"), None).err(),
        bob.create(&name("shared/nobody"), None).err(),
        bob.acl(&shared).err(),
        bob.set_acl(&shared, "bob", Some("a")).err(),
    ] {
        assert!(matches!(refused, Some(Error::NoPermission)), "{refused:?}");
    }
    alice.set_acl(&work, "bob", None).unwrap();
    assert!(matches!(bob.status(&shared), Err(Error::NoMailbox)));
    assert_eq!(names(&bob), ["INBOX"]);
    assert!(bob.metadata(None).unwrap().is_empty());
}

#[test]
fn copies_take_only_the_flags_that_may_be_set() {
    let site = Site::new();
    let (alice, bob) = (site.of("alice", ""), site.of("bob", ""));
    alice.set_acl(&Name::inbox(), "bob", Some("lri")).unwrap();
    let inbox = bob.open(&Name::inbox()).unwrap();
    inbox.append(&[message(Flags::SEEN | Flags::FLAGGED)]).unwrap();
    let target = bob.open(&name("shared/alice/INBOX")).unwrap();
    inbox.copy(&[1].into_iter().collect(), &*target).unwrap();
    let view = alice.open(&Name::inbox()).unwrap().view();
    let entry = *view.get(1).unwrap();
    assert_eq!((entry.flags, entry.keywords), (Flags::NONE, 0));
    // Without `i` nothing is copied.
    alice.set_acl(&Name::inbox(), "bob", Some("lr")).unwrap();
    let target = bob.open(&name("shared/alice/INBOX")).unwrap();
    let refused = inbox.copy(&[1].into_iter().collect(), &*target);
    assert!(matches!(refused, Err(Error::NoPermission)));
    // And without `t` and `e` nothing is moved away.
    let refused = target.move_to(&[1].into_iter().collect(), &*inbox);
    assert!(matches!(refused, Err(Error::NoPermission)));
}

#[test]
fn what_is_made_below_a_shared_mailbox_is_shared_like_it() {
    let site = Site::new();
    let (alice, bob) = (site.of("alice", ""), site.of("bob", ""));
    alice.create(&name("Team"), None).unwrap();
    alice.set_acl(&name("Team"), "anyone", Some("lrk")).unwrap();
    bob.create(&name("shared/alice/Team/New"), None).unwrap();
    assert_eq!(alice.acl(&name("Team/New")).unwrap(), [("anyone".to_owned(), "lrk".to_owned())]);
    assert!(bob.status(&name("shared/alice/Team/New")).is_ok());
    assert!(matches!(bob.delete(&name("shared/alice/Team/New")), Err(Error::NoPermission)));
}

#[test]
fn deliveries_are_held_against_rights_too() {
    let site = Site::new();
    let alice = site.of("alice", "");
    alice.create(&name("Notes"), None).unwrap();
    alice.set_acl(&name("Notes"), crate::rights::OWNER, Some("lr")).unwrap();
    let deliver = |mailbox: &Name| {
        alice.deliver(&Delivery {
            mailbox,
            create: true,
            id: None,
            content: &[b"Subject: x\n\nhello\n"],
            received: 0,
            flags: Flags::NONE,
            keywords: &[],
        })
    };
    assert!(matches!(deliver(&name("Notes")), Err(Error::NoPermission)));
    assert!(deliver(&name("Other")).is_ok() && deliver(&Name::inbox()).is_ok());
    assert_eq!(alice.status(&name("Other")).unwrap().messages, 1);
}

#[test]
fn own_mailboxes_may_have_a_prefix() {
    let site = Site::new();
    let alice = site.of("alice", "INBOX/");
    alice.create(&name("INBOX/Work"), None).unwrap();
    assert_eq!(names(&alice), ["INBOX", "INBOX/Work"]);
    assert!(alice.folders().unwrap()[0].children);
    assert_eq!(alice.open(&name("INBOX/Work")).unwrap().name(), name("INBOX/Work"));
    assert!(matches!(alice.create(&name("Work"), None), Err(Error::BadName(_))));
    assert!(alice.own.status(&name("Work")).is_ok());
    alice.subscribe(&name("INBOX/Work"), true).unwrap();
    assert_eq!(alice.subscriptions().unwrap(), [name("INBOX/Work")]);
    assert_eq!(alice.own.subscriptions().unwrap(), [name("Work")]);
    alice.rename(&name("INBOX/Work"), &name("INBOX/Play")).unwrap();
    assert_eq!(names(&alice), ["INBOX", "INBOX/Play"]);
}
