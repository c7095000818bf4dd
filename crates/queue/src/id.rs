//! Queue ids in Postfix's two forms.

use jiff::Timestamp;
use mail::QueueId;

/// Digits and consonants: no id spells a word.
const ALPHABET: &[u8; 52] = b"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

/// The short form: microseconds in five hexadecimal digits, then a number that differs for each message, as the
/// inode number does in Postfix.
pub(crate) fn short(now: Timestamp, serial: u32) -> QueueId {
    make(format!("{:05X}{serial:X}", micros(now)))
}

/// The long form (`enable_long_queue_ids`): seconds and microseconds in base 52, `z`, the number in base 51.
pub(crate) fn long(now: Timestamp, serial: u32) -> QueueId {
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    make(format!(
        "{}{}z{}",
        digits(seconds, 52, 6),
        digits(micros(now).into(), 52, 4),
        digits(serial.into(), 51, 1)
    ))
}

fn micros(now: Timestamp) -> u32 {
    (now.subsec_nanosecond().unsigned_abs() / 1000) % 1_000_000
}

fn digits(mut value: u64, base: u64, width: usize) -> String {
    let mut digits = Vec::new();
    while value > 0 || digits.len() < width {
        digits.push(ALPHABET[(value % base) as usize]);
        value /= base;
    }
    digits.iter().rev().map(|digit| char::from(*digit)).collect()
}

fn make(text: String) -> QueueId {
    QueueId::parse(&text).expect("made of letters and digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_those_of_postfix() {
        let now: Timestamp = "2014-01-09T17:02:58.654321Z".parse().expect("a time");
        assert_eq!(short(now, 0x1A2B3).as_str(), "9FBF11A2B3");
        let id = long(now, 51 * 51);
        assert_eq!(id.as_str().len(), 6 + 4 + 1 + 3);
        assert!(id.as_str().ends_with("z100"));
        assert_eq!(digits(52 * 52 + 51, 52, 1), "10z");
        assert_eq!(digits(0, 52, 4), "0000");
    }
}
