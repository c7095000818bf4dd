//! Names of message files: `base[,S=size][,W=size][:2,FLAGS]`.
//!
//! Names are bytes: whatever a file system holds must be served, also what is not UTF-8.

use crate::Flags;

/// What stands behind `:2,` in a file name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// System flags.
    pub flags: Flags,
    /// Keywords: bit 0 is the letter `a`, bit 25 the letter `z`. `dovecot-keywords` says what they mean.
    pub keywords: u32,
    /// Everything else, kept as it is found: letters of others (`P`), and what follows a second comma.
    other: Vec<u8>,
}

/// The letters of the system flags.
const LETTERS: [(u8, Flags); 5] = [
    (b'D', Flags::DRAFT),
    (b'F', Flags::FLAGGED),
    (b'R', Flags::ANSWERED),
    (b'S', Flags::SEEN),
    (b'T', Flags::DELETED),
];

/// The part of a name that stays when flags change.
pub fn base(name: &[u8]) -> &[u8] {
    match memchr::memchr(b':', name) {
        Some(at) => &name[..at],
        None => name,
    }
}

/// The flags in a name; none where it has no `:2,`.
pub fn info(name: &[u8]) -> Info {
    let mut info = Info::default();
    let Some(rest) = name[base(name).len()..].strip_prefix(b":2,") else { return info };
    let letters = memchr::memchr(b',', rest).unwrap_or(rest.len());
    for letter in &rest[..letters] {
        match LETTERS.iter().find(|(known, _)| known == letter) {
            Some((_, flag)) => info.flags = info.flags | *flag,
            None if letter.is_ascii_lowercase() => info.keywords |= 1 << (letter - b'a'),
            None => info.other.push(*letter),
        }
    }
    info.other.sort_unstable();
    info.other.extend_from_slice(&rest[letters..]);
    info
}

impl Info {
    /// Flags and letters of keywords, nothing else.
    pub fn new(flags: Flags, keywords: u32) -> Info {
        Info { flags, keywords, other: Vec::new() }
    }

    /// These letters of others with the flags and keywords of `wanted`.
    pub fn with(self, wanted: &Info) -> Info {
        Info { flags: wanted.flags, keywords: wanted.keywords, other: self.other }
    }

    /// The name of a file with these flags: letters in the order of their codes, as every program writes them.
    pub fn name(&self, base: &[u8]) -> Vec<u8> {
        let tail = memchr::memchr(b',', &self.other).unwrap_or(self.other.len());
        let mut letters: Vec<u8> = self.other[..tail].to_vec();
        letters.extend(LETTERS.iter().filter(|(_, flag)| self.flags.has(*flag)).map(|(letter, _)| *letter));
        letters.extend((0..26).filter(|bit| self.keywords & (1 << bit) != 0).map(|bit| b'a' + bit));
        letters.sort_unstable();
        letters.dedup();
        [base, b":2,", &letters, &self.other[tail..]].concat()
    }
}

/// The number after `,S=` (octets of the file) or `,W=` (octets with CRLF line ends).
pub fn size(base: &[u8], key: u8) -> Option<u64> {
    let wanted = [b',', key, b'='];
    let at = memchr::memmem::find(base, &wanted)? + wanted.len();
    let end = base[at..].iter().position(|b| !b.is_ascii_digit()).map_or(base.len(), |n| at + n);
    if end < base.len() && base[end] != b',' {
        return None;
    }
    std::str::from_utf8(&base[at..end]).ok()?.parse().ok()
}

/// The order in which new messages get their UIDs: by the time in the name, then by the name.
pub fn order(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    let seconds = |name: &[u8]| {
        name.iter()
            .take_while(|b| b.is_ascii_digit())
            .fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    };
    seconds(a).cmp(&seconds(b)).then_with(|| micros(a).cmp(&micros(b))).then_with(|| a.cmp(b))
}

/// The microseconds of `seconds.M123P456.host`, so that `M9` comes before `M10`.
fn micros(name: &[u8]) -> u64 {
    let digits = name.iter().position(|b| *b == b'.').and_then(|dot| name[dot + 1..].strip_prefix(b"M"));
    digits.map_or(0, |digits| {
        digits
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    })
}

/// A message file, rather than something a program hides from readers.
pub fn is_message(name: &[u8]) -> bool {
    name.first().is_some_and(|first| *first != b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn flags_are_read_and_written_in_order() {
        let name = b"1795279026.M927184P9214.vm,S=36,W=41:2,Sab";
        let mut info = info(name);
        assert_eq!((info.flags, info.keywords), (Flags::SEEN, 3));
        info.flags = info.flags | Flags::DRAFT | Flags::DELETED;
        assert_eq!(info.name(base(name)), b"1795279026.M927184P9214.vm,S=36,W=41:2,DSTab");
    }

    #[test]
    fn letters_of_others_stay() {
        let name = b"1.x:2,PSz,more";
        let mut info = info(name);
        info.flags = info.flags | Flags::FLAGGED;
        assert_eq!(info.name(base(name)), b"1.x:2,FPSz,more");
    }

    #[test]
    fn sizes() {
        assert_eq!(size(b"1.M2P3.h,S=36,W=41", b'S'), Some(36));
        assert_eq!(size(b"1.M2P3.h,S=36,W=41", b'W'), Some(41));
        assert_eq!(size(b"1.M2P3.h,S=36x", b'S'), None);
        assert_eq!(size(b"1.M2P3.h", b'S'), None);
    }

    #[test]
    fn older_first() {
        assert!(order(b"999999999.x", b"1000000000.a").is_lt());
        assert!(order(b"5.M9P1.h", b"5.M10P1.h").is_lt());
        assert!(order(b"5.b", b"5.a").is_gt());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(flags in 0u8..32, keywords in 0u32..(1 << 26), tail in "(P|Q|)(,[a-z]{0,4})?") {
            let start = info(format!("b:2,{tail}").as_bytes());
            let one = Info { flags: Flags(flags), keywords, ..start };
            let name = one.name(b"b");
            prop_assert_eq!(base(&name), b"b");
            prop_assert_eq!(info(&name), one);
        }
    }
}
