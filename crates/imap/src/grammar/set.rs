//! Sets of message numbers: `1:4,7,9:*` and `$`. RFC 9051 `sequence-set`.

use super::cursor::{Bad, Cursor, Parsed};

/// Most ranges in one set.
const RANGES: usize = 20_000;

/// `*` in a set: the largest number in use.
pub const STAR: u32 = u32::MAX;

/// Numbers or UIDs as a client names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Set {
    /// Ranges, each from the smaller to the larger end; an end may be [`STAR`].
    Ranges(Vec<(u32, u32)>),
    /// `$`: what the last search saved. RFC 5182.
    Saved,
}

impl Set {
    /// Reads a set.
    pub fn parse(cursor: &mut Cursor<'_>) -> Parsed<Set> {
        if cursor.eat(b'$') {
            return Ok(Set::Saved);
        }
        let mut ranges = Vec::new();
        loop {
            let first = number_or_star(cursor)?;
            let last = if cursor.eat(b':') { number_or_star(cursor)? } else { first };
            ranges.push((first.min(last), first.max(last)));
            if ranges.len() > RANGES {
                return Err(Bad("too many ranges in a set"));
            }
            if !cursor.eat(b',') {
                return Ok(Set::Ranges(ranges));
            }
        }
    }

    /// The ranges with `*` replaced by `largest`, in ascending order and without overlaps. None when `$` is meant.
    pub fn resolve(&self, largest: u32) -> Option<Vec<(u32, u32)>> {
        let Set::Ranges(ranges) = self else { return None };
        let end = |number: u32| if number == STAR { largest } else { number };
        let ranges = ranges.iter().map(|(first, last)| {
            let (first, last) = (end(*first), end(*last));
            (first.min(last), first.max(last))
        });
        Some(merge(ranges.collect()))
    }
}

/// Sorts ranges, and joins those that touch.
pub fn merge(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// Is the number within these ascending ranges?
pub fn contains(ranges: &[(u32, u32)], number: u32) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= number);
    after > 0 && ranges[after - 1].1 >= number
}

/// Numbers in ascending order, written as a set.
pub fn write(numbers: impl IntoIterator<Item = u32>, out: &mut Vec<u8>) {
    let mut numbers = numbers.into_iter();
    let Some(first) = numbers.next() else { return };
    let mut range = (first, first);
    let mut separator = false;
    let mut put = |(first, last): (u32, u32), out: &mut Vec<u8>| {
        if std::mem::replace(&mut separator, true) {
            out.push(b',');
        }
        out.extend_from_slice(first.to_string().as_bytes());
        if last > first {
            out.push(b':');
            out.extend_from_slice(last.to_string().as_bytes());
        }
    };
    for number in numbers {
        if number == range.1.wrapping_add(1) {
            range.1 = number;
        } else {
            put(range, out);
            range = (number, number);
        }
    }
    put(range, out);
}

fn number_or_star(cursor: &mut Cursor<'_>) -> Parsed<u32> {
    if cursor.eat(b'*') {
        return Ok(STAR);
    }
    match cursor.number()? {
        0 => Err(Bad("message numbers start at 1")),
        // The last UID is never given out, so that `*` can have its place.
        number => Ok(number.min(STAR - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Parsed<Set> {
        let mut cursor = Cursor::new(text.as_bytes());
        let set = Set::parse(&mut cursor)?;
        cursor.end()?;
        Ok(set)
    }

    #[test]
    fn sets_are_read_and_made_simple() {
        let resolved = |text: &str, largest| parse(text).unwrap().resolve(largest).unwrap();
        assert_eq!(resolved("1", 9), [(1, 1)]);
        assert_eq!(resolved("5:2,3,6", 9), [(2, 6)]);
        assert_eq!(resolved("*:4", 9), [(4, 9)]);
        assert_eq!(resolved("20:*", 9), [(9, 20)]);
        assert_eq!(resolved("7,1:2", 9), [(1, 2), (7, 7)]);
        assert_eq!(parse("$"), Ok(Set::Saved));
        for bad in ["", "0", "1,", "1:", "a", "1:0", "4294967296", "1;2", "1 2"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_are_found_and_written() {
        let ranges = [(2, 4), (9, 9)];
        let found: Vec<u32> = (0..12).filter(|number| contains(&ranges, *number)).collect();
        assert_eq!(found, [2, 3, 4, 9]);
        let mut text = Vec::new();
        write(found, &mut text);
        assert_eq!(text, b"2:4,9");
    }
}
