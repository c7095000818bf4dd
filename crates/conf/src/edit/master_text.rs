//! Changing master.cf.

use std::path::Path;

use super::{is_aside, lines};
use crate::lines::starts_with_space;
use crate::{Mistake, Service};

/// `name/type` of a service, either of them perhaps `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Name.
    pub name: String,
    /// Type.
    pub kind: String,
}

impl Pattern {
    /// Whether a service's first two columns fit.
    pub fn matches(&self, name: &str, kind: &str) -> bool {
        (self.name == "*" || self.name == name) && (self.kind == "*" || self.kind == kind)
    }
}

/// What happens to services of master.cf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MasterChange {
    /// The entry is replaced, or added at the end.
    Replace(Vec<String>),
    /// The entry becomes a comment.
    CommentOut,
    /// The entry goes.
    Remove,
    /// The column of this number gets a value; the last one is the command with its arguments.
    Column(usize, Vec<String>),
    /// `-o name=value` is set.
    SetOverride(String, String),
    /// `-o name=…` goes.
    RemoveOverride(String),
}

impl MasterChange {
    /// Whether the entry is read and written anew, instead of treated line by line.
    fn rewrites(&self) -> bool {
        matches!(self, Self::Column(..) | Self::SetOverride(..) | Self::RemoveOverride(_))
    }
}

/// The text of master.cf after changes.
#[derive(Debug, Default)]
pub struct EditedMaster {
    /// The text.
    pub text: String,
    /// Which changes found no entry, by number.
    pub unmatched: Vec<usize>,
    /// What is odd in the entries that were written anew.
    pub mistakes: Vec<Mistake>,
}

/// Changes services in the text of master.cf; `print` writes an entry from its words.
///
/// An entry that is rewritten comes after the comments inside and behind it, as Postfix's own postconf leaves them.
///
/// # Errors
/// An entry to be rewritten is no service, before or after the change.
pub fn edit_master(
    text: &str,
    changes: &[(Pattern, MasterChange)],
    print: &dyn Fn(&[String]) -> String,
) -> Result<EditedMaster, String> {
    let mut editor = Editor {
        changes,
        print,
        seen: vec![false; changes.len()],
        out: String::with_capacity(text.len() + 80),
        mistakes: Vec::new(),
        entry: String::new(),
    };
    let mut current = Vec::new();
    for line in lines(text) {
        if is_aside(&line) {
            editor.out.push_str(&line);
            continue;
        }
        if !starts_with_space(&line) {
            editor.finish(&current)?;
            current = editor.matching(&line);
        }
        editor.line(&current, &line);
    }
    editor.finish(&current)?;
    let Editor { mut out, seen, mistakes, .. } = editor;
    let mut unmatched = Vec::new();
    for (index, (_, change)) in changes.iter().enumerate().filter(|(index, _)| !seen[*index]) {
        match change {
            MasterChange::Replace(words) => out.push_str(&print(words)),
            _ => unmatched.push(index),
        }
    }
    Ok(EditedMaster { text: out, unmatched, mistakes })
}

struct Editor<'a> {
    changes: &'a [(Pattern, MasterChange)],
    print: &'a dyn Fn(&[String]) -> String,
    seen: Vec<bool>,
    out: String,
    mistakes: Vec<Mistake>,
    /// The entry to be rewritten, as far as it has been read.
    entry: String,
}

impl Editor<'_> {
    /// The changes that concern the entry this line begins. A replaced entry is written here.
    fn matching(&mut self, line: &str) -> Vec<usize> {
        let mut columns = line.split_ascii_whitespace();
        let (name, kind) = (columns.next().unwrap_or(""), columns.next().unwrap_or(""));
        let fits = |index: &usize| self.changes[*index].0.matches(name, kind);
        let matching: Vec<usize> = (0..self.changes.len()).filter(fits).collect();
        let whole = matching.iter().rev().find(|index| !self.changes[**index].1.rewrites());
        if let Some(&index) = whole
            && let MasterChange::Replace(words) = &self.changes[index].1
            && !self.seen[index]
        {
            self.out.push_str(&(self.print)(words));
        }
        for &index in &matching {
            self.seen[index] = true;
        }
        matching
    }

    /// A physical line of an entry.
    fn line(&mut self, current: &[usize], line: &str) {
        match current.iter().map(|&index| &self.changes[index].1).next_back() {
            None => self.out.push_str(line),
            Some(MasterChange::Replace(_) | MasterChange::Remove) => {}
            Some(MasterChange::CommentOut) => {
                self.out.push('#');
                self.out.push_str(line);
            }
            Some(_) => self.entry.push_str(line.trim_end_matches('\n')),
        }
    }

    /// The end of an entry: writes it if it was to be rewritten.
    fn finish(&mut self, current: &[usize]) -> Result<(), String> {
        if self.entry.is_empty() {
            return Ok(());
        }
        let entry = std::mem::take(&mut self.entry);
        let mut words =
            Service::parse(&entry, Path::new("master.cf"), 0, &mut self.mistakes)?.words().to_vec();
        for &index in current {
            words = self.changes[index].1.apply(words);
        }
        self.out.push_str(&(self.print)(&words));
        Ok(())
    }
}

impl MasterChange {
    fn apply(&self, mut words: Vec<String>) -> Vec<String> {
        let command = crate::COLUMNS.len() - 1;
        match self {
            Self::Column(column, value) if *column == command => {
                words.truncate(command);
                words.extend(value.iter().cloned());
            }
            Self::Column(column, value) => words[*column] = value.concat(),
            Self::SetOverride(name, value) => {
                let places = override_places(&words, name);
                for &place in &places {
                    words[place] = format!("{name}={value}");
                }
                if places.is_empty() {
                    let end = options_end(&words);
                    words.splice(end..end, ["-o".to_owned(), format!("{name}={value}")]);
                }
            }
            Self::RemoveOverride(name) => {
                for place in override_places(&words, name).into_iter().rev() {
                    words.drain(place - 1..=place);
                }
            }
            Self::Replace(_) | Self::CommentOut | Self::Remove => {}
        }
        words
    }
}

/// Where the settings of this name stand among the words.
fn override_places(words: &[String], name: &str) -> Vec<usize> {
    let options = crate::COLUMNS.len()..options_end(words);
    let is_setting = |place: &usize| {
        words[place - 1] == "-o" && words[*place].split_once('=').is_some_and(|(own, _)| own == name)
    };
    options.filter(is_setting).collect()
}

/// Where the options end and the other arguments begin.
fn options_end(words: &[String]) -> usize {
    let mut place = crate::COLUMNS.len();
    while let Some(word) = words.get(place).filter(|word| crate::master_cf::is_option(word)) {
        place += if word == "-o" { 2 } else { 1 };
    }
    place.min(words.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# top\nsmtp inet n - n - - smtpd\n\n  -o a=b\n # c\n   -v {x y}\n\n# about foo\nfoo unix - - n - - smtp\n";

    fn edited(pattern: (&str, &str), change: MasterChange) -> String {
        let pattern = Pattern { name: pattern.0.to_owned(), kind: pattern.1.to_owned() };
        let print = |words: &[String]| format!("{}\n", words.join(" "));
        edit_master(TEXT, &[(pattern, change)], &print).expect("services").text
    }

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn entries_are_replaced_commented_out_or_removed() {
        let entry = MasterChange::Replace(words("x unix - - - - - y"));
        let expected = "# top\nx unix - - - - - y\n\n # c\n\n# about foo\nfoo unix - - n - - smtp\n";
        assert_eq!(edited(("smtp", "inet"), entry.clone()), expected);
        assert_eq!(edited(("new", "unix"), entry), format!("{TEXT}x unix - - - - - y\n"));
        let expected = "# top\n\n # c\n\n# about foo\nfoo unix - - n - - smtp\n";
        assert_eq!(edited(("smtp", "*"), MasterChange::Remove), expected);
        let expected = "# top\n#smtp inet n - n - - smtpd\n\n#  -o a=b\n # c\n#   -v {x y}\n\n# about foo\nfoo unix - - n - - smtp\n";
        assert_eq!(edited(("smtp", "inet"), MasterChange::CommentOut), expected);
    }

    #[test]
    fn columns_and_overrides_are_set() {
        let last = |text: String| text.lines().find(|line| line.starts_with("smtp")).map(str::to_owned);
        let smtp = ("smtp", "inet");
        for (change, expected) in [
            (MasterChange::Column(4, words("y")), "smtp inet n - y - - smtpd -o a=b -v x y"),
            (MasterChange::Column(7, words("smtpd -D")), "smtp inet n - n - - smtpd -D"),
            (MasterChange::SetOverride("a".into(), "c".into()), "smtp inet n - n - - smtpd -o a=c -v x y"),
            (
                MasterChange::SetOverride("d".into(), "".into()),
                "smtp inet n - n - - smtpd -o a=b -v -o d= x y",
            ),
            (MasterChange::RemoveOverride("a".into()), "smtp inet n - n - - smtpd -v x y"),
        ] {
            assert_eq!(last(edited(smtp, change.clone())).as_deref(), Some(expected), "{change:?}");
        }
    }

    #[test]
    fn changes_that_find_nothing_are_told() {
        let nobody = Pattern { name: "nosuch".into(), kind: "*".into() };
        let EditedMaster { text, unmatched, .. } =
            edit_master(TEXT, &[(nobody, MasterChange::Remove)], &|_| String::new()).expect("services");
        assert_eq!((text.as_str(), unmatched), (TEXT, vec![0]));
    }
}
