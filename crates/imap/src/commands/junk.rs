//! Mail that somebody moves to his junk mailbox, or out of it, or that he marks as junk, teaches the spam filter.

use scan::Training;
use scan::spam::Class;
use store::{Folder, Mailbox, Name, SpecialUse};

use crate::session::Session;

/// Messages of one command that are learned.
const MOST: usize = 100;

/// Bytes of a message that are learned.
const BYTES: u64 = 512 << 10;

/// Leaves copies of these messages of `target`, where that says something about them. What goes wrong is logged: the
/// mail is where the user wants it, whatever the filter learns.
pub(super) fn learn(session: &Session, target: &dyn Mailbox, uids: &[u32]) {
    let (Some(training), Some(user), Ok(selected)) =
        (&session.settings.training, &session.user, session.selected())
    else {
        return;
    };
    let Ok(folders) = user.account.folders() else { return };
    if let Some(class) = class(&folders, &selected.mailbox.name(), &target.name()) {
        leave(training, &user.name, class, target, uids);
    }
}

/// The same for messages of the selected mailbox that were given these keywords.
pub(super) fn learn_from_keywords(session: &Session, keywords: &[String], uids: &[u32]) {
    if let (Some(training), Some(user), Ok(selected), Some(class)) =
        (&session.settings.training, &session.user, session.selected(), marked(keywords))
    {
        leave(training, &user.name, class, &*selected.mailbox, uids);
    }
}

fn leave(training: &Training, user: &str, class: Class, mailbox: &dyn Mailbox, uids: &[u32]) {
    for uid in uids.iter().take(MOST) {
        let left = mailbox.body_range(*uid, 0..BYTES).map_err(|error| error.to_string());
        let left =
            left.and_then(|message| training.leave(user, class, &message).map_err(|error| error.to_string()));
        if let Err(what) = left {
            log::warn!(target: "imap", "spam filter does not learn from {user}: {what}");
            return;
        }
    }
}

/// What keywords say (RFC 9051 2.3.2), those that older clients use too; nothing where they say both.
fn marked(keywords: &[String]) -> Option<Class> {
    let has = |names: &[&str]| {
        keywords.iter().any(|keyword| names.iter().any(|name| keyword.eq_ignore_ascii_case(name)))
    };
    match (has(&["$Junk", "Junk"]), has(&["$NotJunk", "NotJunk", "NonJunk"])) {
        (true, false) => Some(Class::Spam),
        (false, true) => Some(Class::Ham),
        _ => None,
    }
}

/// What a way from one mailbox to another says. From junk to the trash is no praise.
fn class(folders: &[Folder], from: &Name, to: &Name) -> Option<Class> {
    let is = |name: &Name, wanted: SpecialUse, usual: &[&str]| {
        let marked = folders.iter().find(|folder| folder.special_use == Some(wanted));
        match marked {
            Some(folder) => folder.name == *name,
            None => usual.iter().any(|usual| name.as_str().eq_ignore_ascii_case(usual)),
        }
    };
    let junk = |name: &Name| is(name, SpecialUse::Junk, &["Junk", "Spam"]);
    match (junk(from), junk(to)) {
        (false, true) => Some(Class::Spam),
        (true, false) if !is(to, SpecialUse::Trash, &["Trash", "Deleted Messages"]) => Some(Class::Ham),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_that_say_something() {
        let name = |text: &str| Name::new(text).unwrap();
        let folder = |text: &str, special_use| Folder {
            name: name(text),
            selectable: true,
            children: false,
            subscribed: false,
            special_use,
            inferiors: true,
        };
        let plain = [folder("INBOX", None), folder("Junk", None)];
        let marked = [folder("Werbung", Some(SpecialUse::Junk)), folder("Kish", Some(SpecialUse::Trash))];
        for (folders, from, to, said) in [
            (&plain[..], "INBOX", "Junk", Some(Class::Spam)),
            (&plain, "Junk", "INBOX", Some(Class::Ham)),
            (&plain, "Junk", "Trash", None),
            (&plain, "INBOX", "Work", None),
            (&plain, "Junk", "spam", None),
            (&marked, "INBOX", "Werbung", Some(Class::Spam)),
            (&marked, "INBOX", "Junk", None),
            (&marked, "Werbung", "Kish", None),
            (&marked, "Werbung", "Work", Some(Class::Ham)),
        ] {
            assert_eq!(class(folders, &name(from), &name(to)), said, "{from} {to}");
        }
    }

    #[test]
    fn keywords_that_say_something() {
        for (keywords, said) in [
            (&["$Junk"][..], Some(Class::Spam)),
            (&["JUNK", "work"], Some(Class::Spam)),
            (&["$NotJunk"], Some(Class::Ham)),
            (&["nonjunk"], Some(Class::Ham)),
            (&["$Junk", "NonJunk"], None),
            (&["$Forwarded"], None),
            (&[], None),
        ] {
            let keywords: Vec<String> = keywords.iter().map(|keyword| (*keyword).to_owned()).collect();
            assert_eq!(marked(&keywords), said, "{keywords:?}");
        }
    }
}
