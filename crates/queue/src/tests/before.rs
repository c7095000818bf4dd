//! Security list, item 22: what an earlier version wrote is read by every later one.

use std::fs;

use super::{content, now, settings};
use crate::{Fate, Queue, State};

/// The journal of version 0.1 with three messages: the first was deferred for one of its recipients and delivered to
/// the other, the second is on hold and large for this journal, the third was removed. Its bytes never change.
const VERSION_0_1: &[u8] = include_bytes!("journal-0.1");

#[test]
fn the_journal_of_the_first_version_is_read() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("journal")).unwrap();
    fs::write(directory.path().join("journal/0000000001"), VERSION_0_1).unwrap();
    let (queue, recovered) = Queue::open(settings(directory.path()), now()).unwrap();
    assert!(recovered.damaged.is_empty(), "{recovered:?}");
    let listed = queue.list(None, 10);
    let [first, second] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((first.brief.state, second.brief.state), (State::Deferred, State::Hold));
    assert_eq!(first.recipients.len(), 1);
    assert_eq!(first.recipients[0].address.as_str(), "r1@y.test");
    assert_eq!(first.recipients[0].reason.as_deref(), Some("not now"));
    for (listed, recipients, size) in [(first, 2, 100), (second, 3, 900)] {
        let stored = queue.load(&listed.brief.id).unwrap();
        assert_eq!(stored.envelope.sender.as_str(), "s@x.test");
        assert_eq!(stored.envelope.recipients.len(), recipients);
        assert_eq!(stored.body.bytes().unwrap(), content(&listed.brief.id, size));
    }
    assert_eq!(queue.load(&first.brief.id).unwrap().fates[0], Fate::Done);
}
