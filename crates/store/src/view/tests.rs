use proptest::prelude::*;

use super::*;
use crate::UidSet;

fn entry(uid: u32) -> Entry {
    Entry { uid, size: 1, flags: Flags::NONE, keywords: 0, modseq: 1, received: 0, saved: 0, key: uid.into() }
}

fn view(uids: impl IntoIterator<Item = u32>) -> View {
    let mut editor = View::new(7, 1, 1, Vec::new()).edit();
    uids.into_iter().for_each(|uid| editor.push(entry(uid)));
    editor.finish()
}

fn uids(view: &View) -> Vec<u32> {
    view.iter().map(|entry| entry.uid).collect()
}

#[test]
fn numbers_and_uids_lead_to_each_other() {
    let view = view((1..=2000).map(|n| n * 3));
    assert_eq!((view.len(), view.uidnext), (2000, 6001));
    for sequence in [1, 2, 255, 256, 257, 1024, 2000] {
        assert_eq!(view.get(sequence).map(|e| e.uid), Some(sequence * 3));
        assert_eq!(view.sequence(sequence * 3), Some(sequence));
        assert_eq!(view.sequence_from(sequence * 3 - 1), sequence);
        assert_eq!(view.find(sequence * 3).map(|e| e.uid), Some(sequence * 3));
    }
    assert!(view.get(0).is_none() && view.get(2001).is_none() && view.find(4).is_none());
    assert_eq!(view.sequence_from(9999), 2001);
    assert_eq!(
        view.range(256, 258).map(|(n, e)| (n, e.uid)).collect::<Vec<_>>(),
        [(256, 768), (257, 771), (258, 774)]
    );
    assert_eq!(view.range(2000, 9999).count(), 1);
    assert_eq!(view.range(2001, 9999).count(), 0);
    assert_eq!(view.uid_range(4, 9).map(|(n, _)| n).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(View::default().range(1, 5).count(), 0);
}

#[test]
fn a_session_that_must_not_hear_of_expunge_keeps_its_numbers() {
    let old = view(1..=600);
    let mut editor = old.edit();
    editor.remove(&[1, 300, 301].into_iter().collect());
    editor.push(entry(601));
    editor.update(2, |entry| entry.flags = Flags::SEEN);
    let new = Arc::new(editor.finish());
    let changes = new.changes(&old);
    assert_eq!(changes, Changes { expunged: vec![1, 300, 301], updated: vec![2], arrived: vec![601] });
    let kept = new.keeping(&old);
    assert_eq!((kept.len(), kept.sequence(300), kept.sequence(601)), (601, Some(300), Some(601)));
    assert!(kept.find(2).is_some_and(|entry| entry.flags == Flags::SEEN));
    assert_eq!(new.changes(&kept).expunged, [1, 300, 301]);
    assert!(Arc::ptr_eq(&new.keeping(&new), &new));
}

#[test]
fn keywords_get_bits_for_good() {
    let mut editor = view([]).edit();
    assert_eq!(editor.keyword_bits(["$Junk", "a"]).ok(), Some(0b11));
    assert_eq!(editor.keyword_bits(["A", "b"]).ok(), Some(0b110));
    let view = editor.finish();
    assert_eq!(view.keyword_names(0b101).collect::<Vec<_>>(), ["$Junk", "b"]);
    let many: Vec<String> = (0..70).map(|n| format!("k{n}")).collect();
    assert!(view.edit().keyword_bits(many.iter().map(String::as_str)).is_err());
}

proptest! {
    #[test]
    fn changes_lead_from_old_to_new(
        start in proptest::collection::btree_set(1u32..3000, 0..900),
        gone in proptest::collection::vec((1u32..3000, 0u32..40), 0..6),
        put in proptest::collection::btree_set(1u32..4000, 0..40),
    ) {
        let old = view(start.iter().copied());
        let mut editor = old.edit();
        let mut removed = UidSet::new();
        gone.iter().for_each(|(first, more)| removed.insert(*first, first + more));
        editor.remove(&removed);
        put.iter().for_each(|uid| editor.insert(entry(*uid)));
        let new = editor.finish();
        let mut model: std::collections::BTreeSet<u32> = start.iter().copied().filter(|uid| !removed.contains(*uid)).collect();
        model.extend(&put);
        prop_assert_eq!(uids(&new), model.iter().copied().collect::<Vec<_>>());
        for (at, uid) in model.iter().enumerate() {
            prop_assert_eq!(new.sequence(*uid), Some(at as u32 + 1));
            prop_assert_eq!(new.get(at as u32 + 1).map(|e| e.uid), Some(*uid));
        }
        let changes = new.changes(&old);
        prop_assert_eq!(changes.expunged, start.difference(&model).copied().collect::<Vec<_>>());
        prop_assert_eq!(changes.arrived, model.difference(&start).copied().collect::<Vec<_>>());
        prop_assert!(changes.updated.is_empty());
    }
}
