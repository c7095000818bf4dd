//! What has to be done so that two mailboxes hold the same: decided by what is in both, without doing anything.

use std::collections::{HashMap, HashSet, VecDeque};

use store::Flags;

/// A message as both sides can see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub uid: u32,
    pub flags: Flags,
    /// Sorted.
    pub keywords: Vec<String>,
    /// INTERNALDATE, in seconds since 1970.
    pub received: i64,
    /// RFC822.SIZE.
    pub size: u64,
    /// A hash of fields that no server changes: the same message has the same everywhere.
    pub print: u64,
}

/// What is in a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub uidvalidity: u32,
    pub uidnext: u32,
    /// UIDs ascending.
    pub messages: Vec<Message>,
}

/// How two sides become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// The target becomes what the source is.
    Backup,
    /// What is new in the source comes into the target, which loses nothing.
    OneWay,
    /// Both get what the other has.
    TwoWay,
}

/// Flags and keywords of a message.
pub(super) type Marks = (Flags, Vec<String>);

/// What is done on one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// UIDs on the other side of messages to be copied to this one.
    pub copy: Vec<u32>,
    /// New flags, by UID.
    pub flags: Vec<(u32, Marks)>,
    /// UIDs to be removed.
    pub expunge: Vec<u32>,
}

/// What is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub source: Work,
    pub target: Work,
    /// The target is emptied first, and takes up the numbers of the source.
    pub anew: bool,
}

/// Decides. `numbers`: the target can take up UIDs.
pub(super) fn plan(source: &Contents, target: &Contents, mode: Mode, numbers: bool) -> Plan {
    let Paired { pairs, left, right } = pair(source, target);
    let same = source.uidvalidity == target.uidvalidity;
    let mut plan = Plan::default();
    if mode == Mode::Backup && numbers {
        let aligned = same
            && right.is_empty()
            && pairs.iter().all(|(one, other)| one.uid == other.uid)
            && left.iter().all(|message| message.uid >= target.uidnext);
        if !aligned {
            plan.anew = true;
            plan.target.expunge = target.messages.iter().map(|message| message.uid).collect();
            plan.target.copy = source.messages.iter().map(|message| message.uid).collect();
            return plan;
        }
    }
    let uids = |contents: &Contents| -> HashSet<u32> {
        contents.messages.iter().map(|message| message.uid).collect()
    };
    let (here, there) = (uids(source), uids(target));
    // A UID that the other side has given out and does not have any more: it was removed there.
    let was_removed = |message: &Message, other: &Contents, known: &HashSet<u32>| {
        same && message.uid < other.uidnext && !known.contains(&message.uid)
    };
    for message in left {
        match mode {
            Mode::Backup => plan.target.copy.push(message.uid),
            Mode::OneWay if was_removed(message, target, &there) => {}
            Mode::TwoWay if was_removed(message, target, &there) => plan.source.expunge.push(message.uid),
            Mode::OneWay | Mode::TwoWay => plan.target.copy.push(message.uid),
        }
    }
    for message in right {
        match mode {
            Mode::Backup => plan.target.expunge.push(message.uid),
            Mode::OneWay => {}
            Mode::TwoWay if was_removed(message, source, &here) => plan.target.expunge.push(message.uid),
            Mode::TwoWay => plan.source.copy.push(message.uid),
        }
    }
    for (one, other) in pairs {
        let wanted = match mode {
            Mode::Backup => (one.flags, one.keywords.clone()),
            Mode::OneWay | Mode::TwoWay => both(one, other),
        };
        if wanted != (other.flags, other.keywords.clone()) {
            plan.target.flags.push((other.uid, wanted.clone()));
        }
        if mode == Mode::TwoWay && wanted != (one.flags, one.keywords.clone()) {
            plan.source.flags.push((one.uid, wanted));
        }
    }
    plan
}

/// What either has. Which side was changed last nobody knows: nothing that was marked gets lost.
fn both(one: &Message, other: &Message) -> Marks {
    let mut keywords = [one.keywords.as_slice(), other.keywords.as_slice()].concat();
    keywords.sort();
    keywords.dedup();
    (one.flags | other.flags, keywords)
}

struct Paired<'a> {
    pairs: Vec<(&'a Message, &'a Message)>,
    /// Only in the source.
    left: Vec<&'a Message>,
    /// Only in the target.
    right: Vec<&'a Message>,
}

/// Finds the same messages on both sides: by UID where the numbers mean the same, then by what is in them, in order.
fn pair<'a>(source: &'a Contents, target: &'a Contents) -> Paired<'a> {
    let mut pairs = Vec::new();
    let mut taken = HashSet::new();
    let mut left = Vec::new();
    let by_uid: HashMap<u32, &Message> = match source.uidvalidity == target.uidvalidity {
        true => target.messages.iter().map(|message| (message.uid, message)).collect(),
        false => HashMap::new(),
    };
    for message in &source.messages {
        match by_uid.get(&message.uid).filter(|other| other.print == message.print) {
            Some(other) => {
                taken.insert(other.uid);
                pairs.push((message, *other));
            }
            None => left.push(message),
        }
    }
    let mut by_print: HashMap<u64, VecDeque<&Message>> = HashMap::new();
    for message in target.messages.iter().filter(|message| !taken.contains(&message.uid)) {
        by_print.entry(message.print).or_default().push_back(message);
    }
    left.retain(|message| {
        let Some(other) = by_print.get_mut(&message.print).and_then(VecDeque::pop_front) else { return true };
        taken.insert(other.uid);
        pairs.push((message, other));
        false
    });
    let right = target.messages.iter().filter(|message| !taken.contains(&message.uid)).collect();
    Paired { pairs, left, right }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(uid: u32, print: u64) -> Message {
        Message { uid, flags: Flags::NONE, keywords: Vec::new(), received: 0, size: 1, print }
    }

    fn contents(uidvalidity: u32, uidnext: u32, messages: &[(u32, u64)]) -> Contents {
        let messages = messages.iter().map(|(uid, print)| message(*uid, *print)).collect();
        Contents { uidvalidity, uidnext, messages }
    }

    #[test]
    fn a_backup_becomes_the_same_or_begins_anew() {
        let source = contents(7, 10, &[(1, 11), (3, 13), (9, 19)]);
        let copies = |target, numbers| {
            let plan = plan(&source, &target, Mode::Backup, numbers);
            (plan.anew, plan.target.copy, plan.target.expunge)
        };
        assert_eq!(copies(contents(7, 4, &[(1, 11), (3, 13)]), true), (false, vec![9], vec![]));
        assert_eq!(copies(contents(5, 1, &[]), true), (true, vec![1, 3, 9], vec![]));
        // One that was removed in the copy, one that was put in, another one under a UID.
        assert!(copies(contents(7, 4, &[(1, 11)]), true).0);
        assert_eq!(copies(contents(7, 5, &[(1, 11), (3, 13), (4, 14)]), true).2, [1, 3, 4]);
        assert!(copies(contents(7, 4, &[(1, 99), (3, 13)]), true).0);
        // Where UIDs cannot be kept, only what is in the messages counts.
        assert_eq!(copies(contents(5, 9, &[(4, 13), (8, 88)]), false), (false, vec![1, 9], vec![8]));
    }

    #[test]
    fn two_ways_lose_nothing_and_remove_what_was_removed() {
        let source = contents(7, 6, &[(1, 11), (2, 12), (5, 15)]);
        let target = contents(7, 6, &[(1, 11), (3, 13), (5, 55)]);
        let both = plan(&source, &target, Mode::TwoWay, true);
        assert_eq!(both.source.expunge, [2], "it was removed there");
        assert_eq!(both.target.expunge, [3], "it was removed here");
        assert_eq!((both.target.copy, both.source.copy), (vec![5], vec![5]), "two came under one UID");
        let one = plan(&source, &target, Mode::OneWay, true);
        assert_eq!((one.source, one.target.copy, one.target.expunge), (Work::default(), vec![5], vec![]));
        let strangers = plan(&source, &contents(8, 4, &[(1, 12), (3, 33)]), Mode::TwoWay, true);
        assert_eq!((strangers.target.copy, strangers.source.copy), (vec![1, 5], vec![3]));
    }

    #[test]
    fn flags_follow_the_source_or_are_joined() {
        let mut source = contents(7, 2, &[(1, 11)]);
        let mut target = source.clone();
        source.messages[0].flags = Flags::SEEN;
        target.messages[0].keywords = vec!["Work".to_owned()];
        let backup = plan(&source, &target, Mode::Backup, true);
        assert_eq!(backup.target.flags, [(1, (Flags::SEEN, Vec::new()))]);
        let sync = plan(&source, &target, Mode::TwoWay, true);
        let joined = vec![(1, (Flags::SEEN, vec!["Work".to_owned()]))];
        assert_eq!((&sync.source.flags, &sync.target.flags), (&joined, &joined));
        // The same message twice is two.
        let twice = contents(7, 3, &[(1, 11), (2, 11)]);
        assert_eq!(plan(&twice, &contents(9, 2, &[(1, 11)]), Mode::TwoWay, false).target.copy, [2]);
    }
}
