//! Text made comparable: `i;unicode-casemap` (RFC 5051), for SEARCH, SORT and THREAD.

use icu_normalizer::DecomposingNormalizerBorrowed;

/// Title case, then decomposed. Two texts are the same for SORT when these are equal, and their order is that of the
/// bytes; a text contains another for SEARCH when these do.
pub fn casemap(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // No letter of ASCII is decomposed, or changes its place among others: what stands between them is by itself.
    while !rest.is_empty() {
        let (plain, more) =
            rest.split_at(rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len()));
        let start = out.len();
        out.push_str(plain);
        out[start..].make_ascii_uppercase();
        let (other, more) =
            more.split_at(more.bytes().position(|byte| byte.is_ascii()).unwrap_or(more.len()));
        if !other.is_empty() {
            let upper: String = other.chars().map(title).collect();
            out.push_str(&DecomposingNormalizerBorrowed::new_nfkd().normalize(&upper));
        }
        rest = more;
    }
    out
}

/// A letter whose capital is not one letter stays as it is.
fn title(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_are_folded_as_the_whole(text in "([a-z ]|\\PC|[\u{300}-\u{315}\u{131}\u{17f}\u{fb01}\u{1e9b}\u{ac00}]){0,40}") {
            let upper: String = text.chars().map(title).collect();
            let whole = DecomposingNormalizerBorrowed::new_nfkd().normalize(&upper).into_owned();
            prop_assert_eq!(casemap(&text), whole);
        }
    }
}
