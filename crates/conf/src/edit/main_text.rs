//! Changing main.cf.

use super::{is_aside, lines};
use crate::lines::starts_with_space;

/// What happens to a parameter in main.cf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MainChange {
    /// It gets this value, where it stands or at the end.
    Set(String),
    /// It becomes a comment.
    CommentOut,
    /// It goes.
    Remove,
}

/// Changes parameters in the text of main.cf. Gives the new text, and the names that stand there several times: each
/// of their settings is changed.
pub fn edit_main(text: &str, changes: &[(String, MainChange)]) -> (String, Vec<String>) {
    let mut seen = vec![0usize; changes.len()];
    let mut out = String::with_capacity(text.len() + 80);
    let mut current = None;
    for line in lines(text) {
        if is_aside(&line) {
            out.push_str(&line);
            continue;
        }
        let continues = starts_with_space(&line);
        if !continues {
            let end =
                line.find(|letter: char| letter == '=' || letter.is_ascii_whitespace()).unwrap_or(line.len());
            current = changes.iter().position(|(name, _)| *name == line[..end]);
            if let Some(index) = current {
                seen[index] += 1;
            }
        }
        match current.map(|index| &changes[index]) {
            None => out.push_str(&line),
            Some((name, MainChange::Set(value))) if !continues => {
                out.push_str(&format!("{name} = {value}\n"))
            }
            Some((_, MainChange::CommentOut)) => {
                out.push('#');
                out.push_str(&line);
            }
            Some((_, MainChange::Set(_) | MainChange::Remove)) => {}
        }
    }
    for ((name, change), seen) in changes.iter().zip(&seen) {
        if let (MainChange::Set(value), 0) = (change, seen) {
            out.push_str(&format!("{name} = {value}\n"));
        }
    }
    let several = changes.iter().zip(&seen).filter(|(_, seen)| **seen > 1).map(|((name, _), _)| name.clone());
    (out, several.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "a = 1\n\n# about b\nb = 2,\n  3\n  # inner comment\n\n  4\n# end\nc=5\n";

    fn edited(text: &str, name: &str, change: MainChange) -> String {
        edit_main(text, &[(name.to_owned(), change)]).0
    }

    #[test]
    fn values_are_replaced_where_they_stand() {
        let expected = "a = 1\n\n# about b\nb = 6\n  # inner comment\n\n# end\nc=5\n";
        assert_eq!(edited(TEXT, "b", MainChange::Set("6".into())), expected);
    }

    #[test]
    fn new_names_come_last() {
        assert_eq!(edited("c=5", "d", MainChange::Set("6".into())), "c=5\nd = 6\n");
        assert_eq!(edited(" a=1\nb=2\n", "a", MainChange::Set("6".into())), " a=1\nb=2\na = 6\n");
    }

    #[test]
    fn settings_are_commented_out_or_removed() {
        let expected = "a = 1\n\n# about b\n#b = 2,\n#  3\n  # inner comment\n\n#  4\n# end\nc=5\n";
        assert_eq!(edited(TEXT, "b", MainChange::CommentOut), expected);
        let expected = "a = 1\n\n# about b\n  # inner comment\n\n# end\nc=5\n";
        assert_eq!(edited(TEXT, "b", MainChange::Remove), expected);
        assert_eq!(edited(TEXT, "nosuch", MainChange::Remove), TEXT);
    }

    #[test]
    fn every_setting_of_a_name_is_changed() {
        let (text, several) = edit_main("a = 1\na=2\nb=3\n", &[("a".into(), MainChange::Set("4".into()))]);
        assert_eq!((text.as_str(), several), ("a = 4\na = 4\nb=3\n", vec!["a".to_owned()]));
    }

    proptest! {
        #[test]
        fn what_was_set_is_read_back(text in "[ab= #\\n]{0,60}", value in "[a-z]{0,5}") {
            use crate::MainCf;
            let text = edited(&text, "b", MainChange::Set(value.clone()));
            let (main, _) = MainCf::parse(&text, std::path::Path::new("main.cf"));
            prop_assert_eq!(main.get("b").map(|setting| setting.value.clone()), Some(value));
        }
    }
}
