//! main.cf: an ordered list of settings with their places.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::lines::{self, name_value};
use crate::{Mistake, Severity};

/// One `name = value` as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Name.
    pub name: String,
    /// Value, unexpanded, continuation lines joined.
    pub value: String,
    /// File; empty for a setting of the command line.
    pub file: PathBuf,
    /// First line, from 1; 0 for a setting of the command line.
    pub line: usize,
}

/// What main.cf and the parts beside it say. Of several settings of one name the last stands.
#[derive(Clone, Debug, Default)]
pub struct MainCf {
    settings: Vec<Setting>,
    last: HashMap<String, usize>,
    parts: Vec<PathBuf>,
    made_from_parts: bool,
}

impl MainCf {
    /// Reads `main.cf` in a directory, then its parts: `conf.d/*.conf` and `conf.d/*.cf` in name order.
    ///
    /// Without a main.cf the parts are the configuration. When main.cf already says all that the parts say, it was
    /// made from them ([`MainCf::made_from_parts`]), and they are no second opinion worth a warning.
    pub fn read(dir: &Path) -> (Self, Vec<Mistake>) {
        let (mut main, mut mistakes) = (Self::default(), Vec::new());
        let parts = match parts(dir) {
            Ok(parts) => parts,
            Err(mistake) => {
                mistakes.push(mistake);
                Vec::new()
            }
        };
        let file = dir.join("main.cf");
        match lines::read(&file, &mut mistakes) {
            Ok(text) => main.take(&text, &file, &mut mistakes),
            Err(error) if error.kind() == ErrorKind::NotFound && !parts.is_empty() => {}
            Err(error) => mistakes.push(cannot_open(&file, &error)),
        }
        let alone = main.clone();
        let mut overriding = Vec::new();
        for part in &parts {
            match lines::read(part, &mut mistakes) {
                Ok(text) => main.take(&text, part, &mut overriding),
                Err(error) => overriding.push(cannot_open(part, &error)),
            }
        }
        main.made_from_parts = !parts.is_empty()
            && main.settings.len() > alone.settings.len()
            && main.last.iter().all(|(name, last)| {
                alone.get(name).is_some_and(|setting| setting.value == main.settings[*last].value)
            });
        if main.made_from_parts {
            overriding.retain(|mistake| mistake.severity > Severity::Warning);
        }
        mistakes.append(&mut overriding);
        main.parts = parts;
        (main, mistakes)
    }

    /// Reads a text as if it were this file.
    pub fn parse(text: &str, file: &Path) -> (Self, Vec<Mistake>) {
        let (mut main, mut mistakes) = (Self::default(), Vec::new());
        main.take(text, file, &mut mistakes);
        (main, mistakes)
    }

    /// The setting of a name that stands.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.last.get(name).map(|&index| &self.settings[index])
    }

    /// All settings in the order read, repeated ones included.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// The settings that stand, in the order read.
    pub fn standing(&self) -> impl Iterator<Item = &Setting> {
        self.settings
            .iter()
            .enumerate()
            .filter(|(index, setting)| self.last[&setting.name] == *index)
            .map(|(_, s)| s)
    }

    /// The files of `conf.d` that were read, in order.
    pub fn parts(&self) -> &[PathBuf] {
        &self.parts
    }

    /// Whether main.cf was evidently made from the parts: every setting of theirs stands there with the same value.
    pub fn made_from_parts(&self) -> bool {
        self.made_from_parts
    }

    /// Sets a name as the command line's `-o name=value` does, whatever the files say.
    pub fn set(&mut self, name: &str, value: &str) {
        self.last.insert(name.to_owned(), self.settings.len());
        let (name, value) = (name.to_owned(), value.to_owned());
        self.settings.push(Setting { name, value, file: PathBuf::new(), line: 0 });
    }

    fn take(&mut self, text: &str, file: &Path, mistakes: &mut Vec<Mistake>) {
        for line in lines::logical(text, file, mistakes) {
            let place = Some((file, line.number));
            let (name, value) = match name_value(&line.text) {
                Ok(pair) => pair,
                Err(wrong) => {
                    mistakes.push(Mistake::new(Severity::Fatal, place, wrong));
                    continue;
                }
            };
            if let Some(earlier) = self.get(name)
                && earlier.value != value
            {
                let text = format!("overriding earlier entry: {name}={}", earlier.value);
                mistakes.push(Mistake::new(Severity::Warning, place, text));
            }
            self.set(name, value);
            let last = self.settings.last_mut().expect("it was just set");
            (last.file, last.line) = (file.to_owned(), line.number);
        }
    }
}

/// The files of `conf.d`, in name order.
fn parts(dir: &Path) -> Result<Vec<PathBuf>, Mistake> {
    let dir = dir.join("conf.d");
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot_open(&dir, &error)),
    };
    let mut parts: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            !hidden && path.extension().is_some_and(|end| end == "conf" || end == "cf")
        })
        .collect();
    parts.sort();
    Ok(parts)
}

pub(crate) fn cannot_open(file: &Path, error: &std::io::Error) -> Mistake {
    // The text of the system without Rust's "(os error 2)".
    let reason = error.to_string();
    let reason = reason.split(" (os error").next().unwrap_or(&reason);
    Mistake::new(Severity::Fatal, None, format!("open {}: {reason}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (MainCf, Vec<Mistake>) {
        MainCf::parse(text, Path::new("main.cf"))
    }

    #[test]
    fn the_last_setting_stands_and_a_different_earlier_one_is_told() {
        let (main, mistakes) = parse("a = 1\na=1\nb=\na =\n 2\n");
        assert_eq!(main.get("a").map(|setting| (setting.value.as_str(), setting.line)), Some(("2", 4)));
        assert_eq!(main.get("b").map(|setting| setting.value.as_str()), Some(""));
        let told: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["main.cf, line 4: overriding earlier entry: a=1"]);
        assert_eq!(main.standing().count(), 2);
    }

    #[test]
    fn every_bad_line_is_collected() {
        let (main, mistakes) = parse(" x = 1\na = 1\njunk\n= 2\nb c = 3\nd=4");
        let lines: Vec<_> = mistakes.iter().map(|mistake| (mistake.line, mistake.severity)).collect();
        let fatal = Severity::Fatal;
        assert_eq!(lines, [(1, Severity::Warning), (3, fatal), (4, fatal), (5, fatal)]);
        assert_eq!(main.get("d").map(|setting| setting.value.as_str()), Some("4"));
    }

    #[test]
    fn parts_are_read_after_main_cf_in_name_order() {
        let dir = tempfile::tempdir().expect("a directory");
        let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("written");
        std::fs::create_dir(dir.path().join("conf.d")).expect("made");
        put("conf.d/20-b.conf", "b = 20\nc = 20\n");
        put("conf.d/10-a.cf", "b = 10\n");
        put("conf.d/.30-c.conf", "b = 30\n");
        put("conf.d/README", "b = 40\n");
        let (main, mistakes) = MainCf::read(dir.path());
        assert_eq!(main.get("b").map(|setting| setting.value.as_str()), Some("20"), "without a main.cf");
        assert_eq!(mistakes.len(), 1, "10 and 20 differ: {mistakes:?}");
        assert!(!main.made_from_parts());

        put("main.cf", "a = 1\nb = 1\n");
        let (main, mistakes) = MainCf::read(dir.path());
        assert_eq!(main.get("b").map(|setting| setting.value.as_str()), Some("20"));
        assert_eq!((main.parts().len(), mistakes.len()), (2, 2), "{mistakes:?}");

        put("main.cf", "b = 10\n# by make\nb = 20\nc = 20\n");
        let (main, mistakes) = MainCf::read(dir.path());
        assert!(main.made_from_parts());
        assert_eq!(mistakes.len(), 1, "only what main.cf says twice: {mistakes:?}");
    }

    #[test]
    fn nothing_to_read_is_fatal() {
        let dir = tempfile::tempdir().expect("a directory");
        let (_, mistakes) = MainCf::read(dir.path());
        assert_eq!(mistakes.len(), 1);
        assert!(mistakes[0].text.ends_with("main.cf: No such file or directory"), "{mistakes:?}");
    }
}
