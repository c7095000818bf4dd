//! Mail that somebody moves to his junk mailbox, or out of it, teaches the spam filter.

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
    let Some(class) = class(&folders, &selected.mailbox.name(), &target.name()) else { return };
    for uid in uids.iter().take(MOST) {
        let left = target.body_range(*uid, 0..BYTES).map_err(|error| error.to_string());
        let left = left.and_then(|message| {
            training.leave(&user.name, class, &message).map_err(|error| error.to_string())
        });
        if let Err(what) = left {
            log::warn!(target: "imap", "spam filter does not learn from {}: {what}", user.name);
            return;
        }
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
}
