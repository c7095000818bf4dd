//! Text made comparable: `i;unicode-casemap` (RFC 5051), for SEARCH, SORT and THREAD.

use icu_normalizer::DecomposingNormalizerBorrowed;

/// Title case, then decomposed. Two texts are the same for SORT when these are equal, and their order is that of the
/// bytes; a text contains another for SEARCH when these do.
pub fn casemap(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_uppercase();
    }
    let upper: String = text.chars().map(title).collect();
    DecomposingNormalizerBorrowed::new_nfkd().normalize(&upper).into_owned()
}

/// A letter whose capital is not one letter stays as it is.
fn title(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => letter,
    }
}
