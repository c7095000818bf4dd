//! Who may do what with a mailbox. RFC 4314, with Dovecot's rules for identifiers.

use std::fmt;
use std::ops::{BitAnd, BitOr, Not};

/// What somebody may do with a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights(u16);

/// Each right with its letter, in the order of Dovecot's answers.
const LETTERS: [(Rights, char); 11] = [
    (Rights::LOOKUP, 'l'),
    (Rights::READ, 'r'),
    (Rights::WRITE, 'w'),
    (Rights::SEEN, 's'),
    (Rights::DELETED, 't'),
    (Rights::INSERT, 'i'),
    (Rights::POST, 'p'),
    (Rights::EXPUNGE, 'e'),
    (Rights::CREATE, 'k'),
    (Rights::DELETE, 'x'),
    (Rights::ADMIN, 'a'),
];

impl Rights {
    /// None.
    pub const NONE: Rights = Rights(0);
    /// `l`: see that it is there.
    pub const LOOKUP: Rights = Rights(1);
    /// `r`: read it.
    pub const READ: Rights = Rights(1 << 1);
    /// `w`: change flags other than `\Seen` and `\Deleted`, and keywords.
    pub const WRITE: Rights = Rights(1 << 2);
    /// `s`: change `\Seen`.
    pub const SEEN: Rights = Rights(1 << 3);
    /// `t`: change `\Deleted`.
    pub const DELETED: Rights = Rights(1 << 4);
    /// `i`: append and copy messages into it.
    pub const INSERT: Rights = Rights(1 << 5);
    /// `p`: have mail delivered into it.
    pub const POST: Rights = Rights(1 << 6);
    /// `e`: expunge.
    pub const EXPUNGE: Rights = Rights(1 << 7);
    /// `k`: create mailboxes below it.
    pub const CREATE: Rights = Rights(1 << 8);
    /// `x`: delete it, or rename it.
    pub const DELETE: Rights = Rights(1 << 9);
    /// `a`: say who may do what.
    pub const ADMIN: Rights = Rights(1 << 10);
    /// All.
    pub const ALL: Rights = Rights((1 << 11) - 1);
    /// Those without which a mailbox is read only.
    pub const CHANGES: Rights =
        Rights(Rights::WRITE.0 | Rights::SEEN.0 | Rights::DELETED.0 | Rights::INSERT.0 | Rights::EXPUNGE.0);
    /// `c` of RFC 2086.
    const OLD_CREATE: Rights = Rights(Rights::CREATE.0 | Rights::DELETE.0);
    /// `d` of RFC 2086.
    const OLD_DELETE: Rights = Rights(Rights::DELETED.0 | Rights::EXPUNGE.0);

    /// Reads letters; `c` and `d` stand for what they stood for in RFC 2086.
    ///
    /// # Errors
    /// The first letter that is no right.
    pub fn parse(letters: &str) -> Result<Rights, char> {
        letters.chars().try_fold(Rights::NONE, |rights, letter| {
            let more = match letter {
                'c' => Rights::OLD_CREATE,
                'd' => Rights::OLD_DELETE,
                _ => LETTERS.iter().find(|known| known.1 == letter).ok_or(letter)?.0,
            };
            Ok(rights | more)
        })
    }

    /// Are all of these among them?
    pub fn has(self, others: Rights) -> bool {
        self & others == others
    }

    /// Is any of these among them?
    pub fn any(self, others: Rights) -> bool {
        self & others != Rights::NONE
    }

    /// Holds them against what is needed.
    ///
    /// # Errors
    /// One is lacking; who may not look is told that there is no such mailbox.
    pub fn need(self, needed: Rights) -> crate::Result<()> {
        if self.has(needed) {
            Ok(())
        } else if self.has(Rights::LOOKUP) {
            Err(crate::Error::NoPermission)
        } else {
            Err(crate::Error::NoMailbox)
        }
    }

    /// The letters of RFC 4314 alone, without those of RFC 2086: how rights are kept.
    pub fn letters(self) -> String {
        LETTERS.iter().filter(|known| self.has(known.0)).map(|known| known.1).collect()
    }
}

/// As IMAP tells them: with `c` and `d` for old clients.
impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.letters())?;
        f.write_str(if self.any(Rights::OLD_CREATE) { "c" } else { "" })?;
        f.write_str(if self.any(Rights::OLD_DELETE) { "d" } else { "" })
    }
}

impl BitOr for Rights {
    type Output = Rights;
    fn bitor(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }
}

impl BitAnd for Rights {
    type Output = Rights;
    fn bitand(self, other: Rights) -> Rights {
        Rights(self.0 & other.0)
    }
}

impl Not for Rights {
    type Output = Rights;
    fn not(self) -> Rights {
        Rights(!self.0 & Rights::ALL.0)
    }
}

/// Somebody of whom lists of rights may speak.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The name of the account.
    pub user: String,
    /// The groups it belongs to (`acl_groups`), without their `$`.
    pub groups: Vec<String>,
}

/// The identifier that stands for the owner of a mailbox in its list of rights.
pub const OWNER: &str = "owner";

/// What somebody may do, by the list of a mailbox.
///
/// Of the identifiers that mean him the most specific counts: `anyone`, `authenticated`, his groups (`$group`) together,
/// `owner`, his name. What a `-identifier` takes away is taken from that. An owner of whom the list
/// says nothing may do everything; he may always look and administer.
pub fn effective(list: &[(String, String)], who: &Identity, is_owner: bool) -> Rights {
    let class = |identifier: &str| match identifier {
        "anyone" => Some(0),
        "authenticated" => Some(1),
        OWNER => is_owner.then_some(3),
        other => match other.strip_prefix('$') {
            Some(group) => who.groups.iter().any(|own| own == group).then_some(2),
            None => (other == who.user).then_some(4),
        },
    };
    let mut best = if is_owner { (3, Rights::ALL) } else { (0, Rights::NONE) };
    let mut owner_said = false;
    let mut taken = Rights::NONE;
    for (identifier, letters) in list {
        // What is kept was parsed before; a list that somebody else has written may hold anything.
        let rights = Rights::parse(letters).unwrap_or_default();
        if let Some(identifier) = identifier.strip_prefix('-') {
            if class(identifier).is_some() {
                taken = taken | rights;
            }
            continue;
        }
        let Some(rank) = class(identifier) else { continue };
        best = match rank.cmp(&best.0) {
            std::cmp::Ordering::Greater => (rank, rights),
            std::cmp::Ordering::Equal if rank == 3 && !std::mem::replace(&mut owner_said, true) => {
                (rank, rights)
            }
            std::cmp::Ordering::Equal => (rank, best.1 | rights),
            std::cmp::Ordering::Less => best,
        };
    }
    let rights = best.1 & !taken;
    if is_owner { rights | Rights::LOOKUP | Rights::ADMIN } else { rights }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_old_and_new() {
        let rights = Rights::parse("lrc").unwrap();
        assert_eq!((rights.letters().as_str(), rights.to_string().as_str()), ("lrkx", "lrkxc"));
        assert_eq!(Rights::ALL.to_string(), "lrwstipekxacd");
        assert_eq!(Rights::parse("lq"), Err('q'));
        assert_eq!(!Rights::ALL, Rights::NONE);
    }

    #[test]
    fn the_most_specific_identifier_counts() {
        let bob = Identity { user: "bob".to_owned(), groups: vec!["staff".to_owned()] };
        let of = |list: &[(&str, &str)], owner| {
            let list: Vec<_> =
                list.iter().map(|(id, rights)| ((*id).to_owned(), (*rights).to_owned())).collect();
            effective(&list, &bob, owner).letters()
        };
        assert_eq!(of(&[], false), "");
        assert_eq!(of(&[("anyone", "lr")], false), "lr");
        assert_eq!(of(&[("anyone", "lr"), ("authenticated", "l")], false), "l");
        assert_eq!(of(&[("$staff", "lrs"), ("$other", "a"), ("anyone", "p")], false), "lrs");
        assert_eq!(of(&[("bob", "lrw"), ("$staff", "lrs")], false), "lrw");
        assert_eq!(of(&[("bob", "lrw"), ("-$staff", "w")], false), "lr");
        assert_eq!(of(&[("alice", "lrw"), ("owner", "a")], false), "");
        assert_eq!(of(&[], true), Rights::ALL.letters());
        assert_eq!(of(&[("anyone", "l")], true), Rights::ALL.letters());
        assert_eq!(of(&[("owner", "lr")], true), "lra");
    }
}
