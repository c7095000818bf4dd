//! The options of postconf, and which of them go together.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use conf::{Class, name_value};

use super::Fatal;

/// What is shown or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// Parameters of main.cf.
    Main,
    /// `-M`: services of master.cf.
    Services,
    /// `-F`: columns of services.
    Columns,
    /// `-P`: `-o name=value` of services.
    Overrides,
    /// `-a`: types of logins of the server.
    ServerLogins,
    /// `-A`: types of logins of the client.
    ClientLogins,
    /// `-l`: kinds of locks.
    Locks,
    /// `-m`: types of tables.
    Tables,
    /// `-b`: notices with values filled in.
    Notices,
    /// `-t`: templates of notices.
    Templates,
    /// `-T`: what the TLS library can do.
    Tls,
}

impl Subject {
    fn of(letter: char) -> Option<Self> {
        Some(match letter {
            'p' => Self::Main,
            'M' => Self::Services,
            'F' => Self::Columns,
            'P' => Self::Overrides,
            'a' => Self::ServerLogins,
            'A' => Self::ClientLogins,
            'l' => Self::Locks,
            'm' => Self::Tables,
            'b' => Self::Notices,
            't' => Self::Templates,
            'T' => Self::Tls,
            _ => return None,
        })
    }

    /// The options that change something, and those that say how to show.
    fn allows(self) -> (&'static str, &'static str) {
        match self {
            Self::Main => ("eX#", "dfhHnoxC"),
            Self::Services => ("eX#", "foxC"),
            Self::Columns => ("e", "fhHoxC"),
            Self::Overrides => ("eX", "fhHoxC"),
            _ => ("", ""),
        }
    }
}

/// A command line, understood.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) subject: Subject,
    letters: Vec<char>,
    /// `-c`.
    pub(super) directory: Option<PathBuf>,
    /// `-o name=value`.
    pub(super) overrides: Vec<(String, String)>,
    /// `-C`; empty for all.
    pub(super) classes: Vec<Class>,
    /// `-T`.
    pub(super) mode: String,
    /// What follows the options. A byte is a character here, so that an old encoding survives an edit.
    pub(super) arguments: Vec<String>,
}

impl Options {
    /// Reads a command line. Options end at the first other word.
    pub(super) fn parse(words: Vec<OsString>) -> Result<Self, Fatal> {
        let mut options = Self {
            subject: Subject::Main,
            letters: Vec::new(),
            directory: None,
            overrides: Vec::new(),
            classes: Vec::new(),
            mode: String::new(),
            arguments: Vec::new(),
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let bytes = word.as_bytes();
            if bytes == b"--" {
                break;
            }
            if bytes.len() < 2 || bytes[0] != b'-' {
                options.arguments.push(bytes_to_text(bytes));
                break;
            }
            options.cluster(&bytes[1..], &mut words)?;
        }
        options.arguments.extend(words.map(|word| bytes_to_text(word.as_bytes())));
        options.settle()?;
        Ok(options)
    }

    /// The letters after a dash; a letter that takes a value takes the rest, or else the next word.
    fn cluster(&mut self, letters: &[u8], words: &mut dyn Iterator<Item = OsString>) -> Result<(), Fatal> {
        for (index, &letter) in letters.iter().enumerate() {
            let letter = char::from(letter);
            if !"cCoT".contains(letter) {
                if !"aAbdefFhHlmMnpPtvxX#".contains(letter) {
                    return Err(Fatal(format!("invalid option -- '{letter}'\n{USAGE}")));
                }
                self.letters.push(letter);
                continue;
            }
            let rest = &letters[index + 1..];
            let value = if rest.is_empty() { words.next() } else { Some(OsStr::from_bytes(rest).to_owned()) };
            let value = value.ok_or_else(|| format!("option -{letter} requires a value\n{USAGE}"))?;
            self.value(letter, value)?;
            break;
        }
        Ok(())
    }

    fn value(&mut self, letter: char, value: OsString) -> Result<(), Fatal> {
        let text = value.to_string_lossy().into_owned();
        match letter {
            'c' => {
                self.directory = Some(value.into());
                return Ok(());
            }
            'o' => {
                let (name, value) =
                    name_value(&text).map_err(|wrong| format!("invalid parameter override: {wrong}"))?;
                self.overrides.push((name.to_owned(), value.to_owned()));
            }
            'C' => {
                for word in text.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
                    match word.to_ascii_lowercase().as_str() {
                        "builtin" => self.classes.push(Class::Builtin),
                        "service" => self.classes.push(Class::Service),
                        "user" => self.classes.push(Class::User),
                        "all" => self.classes.extend([Class::Builtin, Class::Service, Class::User]),
                        _ => return Err(Fatal(format!("unknown -C option value \"{word}\" in \"{text}\""))),
                    }
                }
            }
            _ => self.mode = text,
        }
        self.letters.push(letter);
        Ok(())
    }

    /// Finds the subject and what is to be done, and refuses what does not go together.
    fn settle(&mut self) -> Result<(), Fatal> {
        self.letters.retain(|letter| *letter != 'v');
        self.letters.sort_unstable();
        self.letters.dedup();
        let subjects: Vec<char> =
            self.letters.iter().copied().filter(|letter| Subject::of(*letter).is_some()).collect();
        if let [one, other, ..] = subjects[..] {
            return Err(Fatal(format!("specify one of -{one} -{other}")));
        }
        let subject = subjects.first().copied();
        self.subject = subject.and_then(Subject::of).unwrap_or(Subject::Main);
        self.letters.retain(|letter| Some(*letter) != subject);
        let (changes, shows) = self.subject.allows();
        if changes.contains('e')
            && !self.letters.contains(&'e')
            && self.arguments.iter().any(|argument| argument.contains('='))
        {
            self.letters.push('e');
        }
        if let Some(letter) =
            self.letters.iter().find(|letter| !changes.contains(**letter) && !shows.contains(**letter))
        {
            let subject = subject.unwrap_or('p');
            return Err(Fatal(format!("with option -{subject}, do not specify -{letter}")));
        }
        let change = self.letters.iter().find(|letter| changes.contains(**letter));
        let pairs = [('d', 'n'), ('h', 'H')].into_iter().find(|(a, b)| self.has(*a) && self.has(*b));
        let other = change.and_then(|change| {
            self.letters.iter().find(|letter| *letter != change).map(|other| (*change, *other))
        });
        if let Some((a, b)) = pairs.or(other) {
            return Err(Fatal(format!("specify one of -{a} -{b}")));
        }
        match change {
            Some('e') if self.arguments.is_empty() => Err(Fatal("-e requires name=value argument".into())),
            Some(letter) if self.arguments.is_empty() => {
                Err(Fatal(format!("-{letter} requires an argument")))
            }
            _ => Ok(()),
        }
    }

    /// Whether an option was given.
    pub(super) fn has(&self, letter: char) -> bool {
        self.letters.contains(&letter)
    }

    /// Whether something is to be changed.
    pub(super) fn changes(&self) -> bool {
        ['e', 'X', '#'].into_iter().any(|letter| self.has(letter))
    }

    /// The directory as it was given.
    pub(super) fn config_directory(&self) -> PathBuf {
        let environment = || std::env::var_os("MAIL_CONFIG").map(PathBuf::from);
        self.directory.clone().or_else(environment).unwrap_or_else(|| Path::new("/etc/postfix").to_owned())
    }

    /// Whether the directory is another than the usual one, and so a setting of its own.
    pub(super) fn names_directory(&self) -> bool {
        self.config_directory() != Path::new("/etc/postfix")
    }
}

/// Every byte as a character.
pub(super) fn bytes_to_text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Every character as the byte it was; characters that never were one become UTF-8.
pub(super) fn text_to_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match u8::try_from(letter) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend(letter.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    bytes
}

/// An argument as a path.
pub(super) fn text_to_path(text: &str) -> PathBuf {
    OsString::from_vec(text_to_bytes(text)).into()
}

const USAGE: &str = "\
usage: postconf [-dfhHnpx] [-c config_dir] [-C class,...] [-o name=value] [name...]
       postconf [-e] [-c config_dir] name=value...
       postconf -#|-X [-c config_dir] name...
       postconf -M [-fx] [-c config_dir] [service[/type]...]
       postconf -Me service/type=entry...   postconf -M#|-MX service/type...
       postconf -F [-fhHx] [-c config_dir] [service[/type[/field]]...]
       postconf -Fe service/type/field=value...
       postconf -P [-fhHx] [-c config_dir] [service[/type[/name]]...]
       postconf -Pe service/type/name=value...   postconf -PX service/type/name...
       postconf -a|-A|-l|-m   postconf -b|-t [template_file]
       postconf -T compile-version|run-version|public-key-algorithms";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split(' ').map(OsString::from).collect()).map_err(|Fatal(text)| text)
    }

    #[test]
    fn options_end_at_the_first_word() {
        let options = parse("-nHc dir -C user,builtin a -x").expect("understood");
        assert!(options.has('n') && options.has('H') && !options.has('x'));
        assert_eq!((options.arguments.len(), options.classes.len()), (2, 2));
        assert_eq!(options.directory.as_deref(), Some(Path::new("dir")));
    }

    #[test]
    fn an_equals_sign_asks_for_a_change() {
        assert!(parse("a=b").expect("understood").changes());
        assert!(!parse("-d a").expect("understood").changes());
        assert_eq!(parse("-p a=b").expect("understood").subject, Subject::Main);
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for line in [
            "-dn", "-hH x", "-lm", "-FP", "-pM", "-en a=b", "-x a=b", "-e", "-X", "-Mh", "-FX a", "-P# a",
            "-Pd", "-z", "-C foo", "-o x",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn bytes_survive() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(text_to_bytes(&bytes_to_text(&bytes)), bytes);
    }
}
