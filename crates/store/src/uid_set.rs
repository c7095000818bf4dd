//! Sets of UIDs, as ranges.

use std::fmt;
use std::ops::RangeInclusive;

/// A set of UIDs: sorted ranges that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UidSet {
    ranges: Vec<(u32, u32)>,
}

impl UidSet {
    /// Without any.
    pub fn new() -> UidSet {
        UidSet::default()
    }

    /// Every UID there can be.
    pub fn all() -> UidSet {
        UidSet { ranges: vec![(1, u32::MAX)] }
    }

    /// Puts a range in; both ends belong to it, in either order.
    pub fn insert(&mut self, one: u32, other: u32) {
        let (first, last) = (one.min(other), one.max(other));
        // The usual case: at the end.
        match self.ranges.last_mut() {
            None => return self.ranges.push((first, last)),
            Some(end) if first > end.1.saturating_add(1) => return self.ranges.push((first, last)),
            Some(end) if first >= end.0 => {
                end.1 = end.1.max(last);
                return;
            }
            Some(_) => {}
        }
        let from = self.ranges.partition_point(|range| range.1.saturating_add(1) < first);
        let to = self.ranges.partition_point(|range| range.0 <= last.saturating_add(1));
        let mut merged = (first, last);
        if let (Some(low), Some(high)) = (self.ranges[from..to].first(), self.ranges[from..to].last()) {
            merged = (first.min(low.0), last.max(high.1));
        }
        self.ranges.splice(from..to, [merged]);
    }

    /// Is it in?
    pub fn contains(&self, uid: u32) -> bool {
        let at = self.ranges.partition_point(|range| range.1 < uid);
        self.ranges.get(at).is_some_and(|range| range.0 <= uid)
    }

    /// The ranges, ascending.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u32>> + '_ {
        self.ranges.iter().map(|range| range.0..=range.1)
    }

    /// Has it no UID?
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many UIDs.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|range| u64::from(range.1 - range.0) + 1).sum()
    }

    /// Every UID, ascending. Mind sets that name UIDs that do not exist.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().flat_map(|range| range.0..=range.1)
    }
}

impl FromIterator<u32> for UidSet {
    fn from_iter<I: IntoIterator<Item = u32>>(uids: I) -> UidSet {
        let mut set = UidSet::new();
        uids.into_iter().for_each(|uid| set.insert(uid, uid));
        set
    }
}

/// As IMAP writes it: `1:3,7`.
impl fmt::Display for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}:{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_that_touch_become_one() {
        let set: UidSet = [5, 1, 2, 9, 3, 8].into_iter().collect();
        assert_eq!(set.to_string(), "1:3,5,8:9");
        assert_eq!(set.len(), 6);
        assert!(set.contains(5) && !set.contains(4) && UidSet::all().contains(u32::MAX));
    }

    proptest! {
        #[test]
        fn it_holds_what_was_put_in(ranges in proptest::collection::vec((1u32..60, 1u32..60), 0..12)) {
            let mut set = UidSet::new();
            let mut model = std::collections::BTreeSet::new();
            for (one, other) in ranges {
                set.insert(one, other);
                model.extend(one.min(other)..=one.max(other));
            }
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), model.into_iter().collect::<Vec<_>>());
            prop_assert!(set.ranges.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }
    }
}
