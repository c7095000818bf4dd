//! Which texts a message may contain: a few bytes that rule out nearly all messages without reading them.
//!
//! A signature is a set of bits, one for each group of three bytes of the folded text, hashed. IMAP asks for any part of a
//! word, so an index of words would not do; one of trigrams for a whole account (FTS5) answers the same question, and
//! has to be kept sorted with every delivery. What a signature allows is read, so an answer is never wrong.

use mime::fold::casemap;
use mime::text::Text;

/// Bits of the largest signature.
const MOST_BITS: usize = 1 << 16;
/// Bits of the smallest signature.
const LEAST_BITS: usize = 1 << 8;
/// Bits for each different trigram.
const BITS_EACH: usize = 4;

/// The signature of a text.
pub(super) fn of(text: &Text) -> Vec<u8> {
    let mut bits = vec![0_u8; MOST_BITS / 8];
    let mut different = 0;
    for part in [&text.header, &text.body] {
        for bit in trigrams(casemap(part).as_bytes()) {
            let (byte, mask) = (&mut bits[bit / 8], 1 << (bit % 8));
            different += usize::from(*byte & mask == 0);
            *byte |= mask;
        }
    }
    // Half of a set of hashes laid over the other is the set of their lower bits.
    let wanted = (different * BITS_EACH).next_power_of_two().max(LEAST_BITS);
    while bits.len() * 8 > wanted {
        let upper = bits.split_off(bits.len() / 2);
        bits.iter_mut().zip(upper).for_each(|(low, high)| *low |= high);
    }
    bits
}

/// Each group of three bytes, as a number below [`MOST_BITS`].
fn trigrams(text: &[u8]) -> impl Iterator<Item = usize> + '_ {
    text.windows(3).map(|three| {
        let number = u32::from(three[0]) | u32::from(three[1]) << 8 | u32::from(three[2]) << 16;
        (number.wrapping_mul(0x9e37_79b1) >> 16) as usize
    })
}

/// A text that is looked for.
pub(super) struct Pattern(Vec<usize>);

impl Pattern {
    pub(super) fn new(needle: &str) -> Pattern {
        Pattern(trigrams(casemap(needle).as_bytes()).collect())
    }

    /// Is it too short to rule anything out?
    pub(super) fn is_everywhere(&self) -> bool {
        self.0.is_empty()
    }

    /// Does a signature allow it?
    pub(super) fn may_be_in(&self, bits: &[u8]) -> bool {
        let len = bits.len() * 8;
        len < LEAST_BITS
            || !len.is_power_of_two()
            || self.0.iter().all(|bit| {
                let bit = bit & (len - 1);
                bits[bit / 8] >> (bit % 8) & 1 == 1
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(body: &str) -> Text {
        Text { header: "Subject: Grüße\n".to_owned(), body: body.to_owned() }
    }

    #[test]
    fn most_of_what_is_not_there_is_ruled_out() {
        let words: Vec<String> =
            (0..2000_u32).map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761))).collect();
        let signature = of(&text(&words.join(" ")));
        assert!(
            Pattern::new("grÜSSe").may_be_in(&of(&text("")))
                || Pattern::new("GRÜßE").may_be_in(&of(&text("")))
        );
        assert!(words.iter().all(|word| Pattern::new(word).may_be_in(&signature)));
        let wrong =
            (0..1000).filter(|n| Pattern::new(&format!("absent {n} word")).may_be_in(&signature)).count();
        assert!(wrong < 10, "{wrong} of 1000");
        assert!(Pattern::new("ab").is_everywhere());
        assert!(Pattern::new("abc").may_be_in(&[]));
    }

    proptest! {
        #[test]
        fn what_is_there_is_allowed(body in "\\PC{0,200}", from in 0usize..200, len in 0usize..30) {
            let part: String = body.chars().skip(from).take(len).collect();
            let folded = casemap(&body);
            if folded.contains(&casemap(&part)) {
                prop_assert!(Pattern::new(&part).may_be_in(&of(&text(&body))));
            }
        }
    }
}
