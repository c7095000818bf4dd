//! master.cf: the table of services.

use std::path::{Path, PathBuf};

use crate::lines::{self, name_value};
use crate::main_cf::cannot_open;
use crate::words::{SPACE, unbraced, words};
use crate::{Mistake, Severity};

/// Second column of master.cf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    /// TCP.
    Inet,
    /// Unix-domain stream socket.
    Unix,
    /// Named pipe.
    Fifo,
    /// Unix-domain socket over which open connections are passed.
    Pass,
    /// Unix-domain datagram socket.
    UnixDgram,
}

impl ServiceKind {
    /// As master.cf spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Unix => "unix",
            Self::Fifo => "fifo",
            Self::Pass => "pass",
            Self::UnixDgram => "unix-dgram",
        }
    }

    /// The kind of a name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Inet, Self::Unix, Self::Fifo, Self::Pass, Self::UnixDgram]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// One service. A column that holds `-` is `None`, and its default is the reader's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Name: a socket's name, or `[host:]port`.
    pub name: String,
    /// Kind.
    pub kind: ServiceKind,
    /// `private` column; the default is yes.
    pub private: Option<bool>,
    /// `unpriv` column; the default is yes.
    pub unpriv: Option<bool>,
    /// `chroot` column; the default depends on `compatibility_level`.
    pub chroot: Option<bool>,
    /// `wakeup` column: seconds, and whether a `?` asks to wake only a service that was used. The default is never,
    /// which is also 0.
    pub wakeup: Option<(u32, bool)>,
    /// `maxproc` column; 0 is no limit, the default is `default_process_limit`.
    pub maxproc: Option<u32>,
    /// The program.
    pub command: String,
    /// Its arguments without the `-o` ones.
    pub args: Vec<String>,
    /// `-o name=value` and `-o { name = value }`, in order.
    pub overrides: Vec<(String, String)>,
    /// File.
    pub file: PathBuf,
    /// First line, from 1.
    pub line: usize,
    /// All words as written, with options cut apart and braces taken off.
    words: Vec<String>,
}

/// The names of the columns, as `postconf -F` prints them.
pub const COLUMNS: [&str; 8] =
    ["service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit", "command"];

impl Service {
    /// Reads one logical line. Warnings, such as an unbalanced brace in an argument, go to `mistakes`.
    ///
    /// # Errors
    /// Why the line is no service.
    pub fn parse(text: &str, file: &Path, line: usize, mistakes: &mut Vec<Mistake>) -> Result<Self, String> {
        let mut warn = |text| mistakes.push(Mistake::new(Severity::Warning, Some((file, line)), text));
        let parts = words(text, SPACE);
        if parts.len() < COLUMNS.len() {
            return Err(format!("bad field count: {} columns are expected in \"{text}\"", COLUMNS.len()));
        }
        let mut all: Vec<String> = parts[..COLUMNS.len()].iter().map(|part| (*part).to_owned()).collect();
        let mut rest = parts[COLUMNS.len()..].iter().copied().peekable();
        // Options come first; `o` takes a value and may end a cluster of others.
        while let Some(option) = rest.next_if(|word| is_option(word)) {
            let Some(o) = option.find('o') else {
                all.push(option.to_owned());
                continue;
            };
            if o > 1 {
                all.push(option[..o].to_owned());
            }
            all.push("-o".to_owned());
            let attached = option[o + 1..].trim_ascii();
            let braced = if attached.is_empty() { rest.next() } else { Some(attached) };
            let Some(braced) = braced else { break };
            let setting = group(braced, &mut warn);
            // White space around the equals sign can only come from braces; it goes with them.
            all.push(match name_value(&setting) {
                Ok((name, value)) => format!("{name}={value}"),
                Err(wrong) => {
                    warn(wrong);
                    setting
                }
            });
        }
        all.extend(rest.map(|word| group(word, &mut warn)));
        Self::from_words(all, file, line).map_err(|wrong| format!("{wrong} in \"{text}\""))
    }

    /// A service of these words: the columns and then the arguments, `-o` and its `name=value` apart.
    ///
    /// # Errors
    /// Which column is wrong.
    pub fn from_words(words: Vec<String>, file: &Path, line: usize) -> Result<Self, String> {
        let [name, kind, private, unpriv, chroot, wakeup, maxproc, command, ..] = words.as_slice() else {
            return Err("bad field count".to_owned());
        };
        let kind = ServiceKind::of(kind).ok_or_else(|| invalid("type", kind))?;
        let [private, unpriv, chroot] = [("private", private), ("unprivileged", unpriv), ("chroot", chroot)]
            .map(|(column, word)| flag(column, word));
        let (wakeup, maxproc) = (self::wakeup(wakeup)?, limit(maxproc)?);
        let (mut args, mut overrides) = (Vec::new(), Vec::new());
        let mut rest = words[COLUMNS.len()..].iter();
        while let Some(word) = rest.next() {
            if word == "-o" && args.iter().all(|arg: &String| is_option(arg)) {
                let setting = rest.next().and_then(|setting| name_value(setting).ok());
                overrides.extend(setting.map(|(name, value)| (name.to_owned(), value.to_owned())));
            } else {
                args.push(word.clone());
            }
        }
        Ok(Self {
            name: name.clone(),
            kind,
            private: private?,
            unpriv: unpriv?,
            chroot: chroot?,
            wakeup,
            maxproc,
            command: command.clone(),
            args,
            overrides,
            file: file.to_owned(),
            line,
            words,
        })
    }

    /// All words: the eight columns, then the arguments in the order written, `-o` and its `name=value` apart.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// `name/type`, as `postconf -M` selects a service.
    pub fn id(&self) -> String {
        format!("{}/{}", self.name, self.kind.as_str())
    }
}

/// What master.cf says.
#[derive(Clone, Debug, Default)]
pub struct MasterCf {
    /// The services in file order.
    pub services: Vec<Service>,
}

impl MasterCf {
    /// Reads `master.cf` in a directory.
    pub fn read(dir: &Path) -> (Self, Vec<Mistake>) {
        let (file, mut mistakes) = (dir.join("master.cf"), Vec::new());
        match lines::read(&file, &mut mistakes) {
            Ok(text) => {
                let (master, mut more) = Self::parse(&text, &file);
                mistakes.append(&mut more);
                (master, mistakes)
            }
            Err(error) => (Self::default(), vec![cannot_open(&file, &error)]),
        }
    }

    /// Reads a text as if it were this file. Lines that are no service are left out and collected.
    pub fn parse(text: &str, file: &Path) -> (Self, Vec<Mistake>) {
        let (mut master, mut mistakes) = (Self::default(), Vec::new());
        for line in lines::logical(text, file, &mut mistakes) {
            match Service::parse(&line.text, file, line.number, &mut mistakes) {
                Ok(service) => master.services.push(service),
                Err(wrong) => {
                    mistakes.push(Mistake::new(Severity::Fatal, Some((file, line.number)), wrong));
                }
            }
        }
        (master, mistakes)
    }
}

/// Whether a word is an option of the service: `-v`, not `-` or `--`.
pub(crate) fn is_option(word: &str) -> bool {
    word.starts_with('-') && word.len() > 1 && word != "--"
}

/// A word without its braces, if it has any.
fn group(word: &str, warn: &mut dyn FnMut(String)) -> String {
    if !word.starts_with('{') {
        return word.to_owned();
    }
    match unbraced(word) {
        Ok(inside) => inside.to_owned(),
        Err((inside, wrong)) => {
            warn(wrong);
            inside.to_owned()
        }
    }
}

fn flag(column: &str, word: &str) -> Result<Option<bool>, String> {
    match word {
        "-" => Ok(None),
        "y" => Ok(Some(true)),
        "n" => Ok(Some(false)),
        _ => Err(invalid(column, word)),
    }
}

fn wakeup(word: &str) -> Result<Option<(u32, bool)>, String> {
    if word == "-" {
        return Ok(None);
    }
    let (digits, used) = word.strip_suffix('?').map_or((word, false), |digits| (digits, true));
    let seconds = if digits.is_empty() && used { Some(0) } else { number(digits) };
    seconds.map(|seconds| Some((seconds, used))).ok_or_else(|| invalid("wakeup", word))
}

fn limit(word: &str) -> Result<Option<u32>, String> {
    if word == "-" {
        return Ok(None);
    }
    number(word).map(Some).ok_or_else(|| invalid("process_limit", word))
}

fn number(word: &str) -> Option<u32> {
    word.bytes().all(|letter| letter.is_ascii_digit()).then(|| word.parse().ok()).flatten()
}

fn invalid(column: &str, word: &str) -> String {
    format!("invalid {column} field \"{word}\"")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(text: &str) -> Service {
        let (master, mistakes) = MasterCf::parse(text, Path::new("master.cf"));
        assert!(mistakes.is_empty(), "{mistakes:?}");
        master.services.into_iter().next().expect("a service")
    }

    fn mistakes(text: &str) -> Vec<String> {
        MasterCf::parse(text, Path::new("master.cf")).1.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_column() {
        let service = one("flush unix n y - 1000? 0 flush -v\n");
        assert_eq!((service.name.as_str(), service.kind), ("flush", ServiceKind::Unix));
        assert_eq!((service.private, service.unpriv, service.chroot), (Some(false), Some(true), None));
        assert_eq!((service.wakeup, service.maxproc), (Some((1000, true)), Some(0)));
        assert_eq!(
            (service.command.as_str(), service.args.as_slice()),
            ("flush", ["-v".to_owned()].as_slice())
        );
        let service = one("smtp inet - - n - - smtpd");
        assert_eq!((service.private, service.wakeup, service.maxproc), (None, None, None));
    }

    #[test]
    fn overrides_in_every_form() {
        let text = "s inet n - n - - smtpd -o a=1 -vo b=2 -oc=3\n  # c\n\n  -o { d = x  y } -o{e=5} -o f=";
        let service = one(text);
        let pairs = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "x  y"), ("e", "5"), ("f", "")];
        assert_eq!(service.overrides, pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(service.args, ["-v"]);
    }

    #[test]
    fn options_end_at_the_first_other_word() {
        let service = one("p unix - n n - 2 pipe -v flags=R argv=/bin/cat -o x=y {two words} ${sender} {}");
        assert!(service.overrides.is_empty());
        let args = ["-v", "flags=R", "argv=/bin/cat", "-o", "x=y", "two words", "${sender}", ""];
        assert_eq!(service.args, args);
    }

    #[test]
    fn every_bad_line_is_collected_with_its_number() {
        let text = "a inet n - n - -\nb inet x - n - - s\n# c\nc foo n - n - - s\n\nd unix n - n 3x - s\n\
                    e unix n - n - -1 s\nf unix n - n - - s\n";
        let (master, mistakes) = MasterCf::parse(text, Path::new("master.cf"));
        let lines: Vec<_> = mistakes.iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines, [1, 2, 4, 6, 7]);
        assert!(mistakes[1].text.starts_with("invalid private field \"x\""), "{mistakes:?}");
        assert_eq!(master.services.len(), 1);
    }

    #[test]
    fn braces_out_of_balance_are_told() {
        let head = "s inet n - n - - smtpd";
        assert_eq!(mistakes(&format!("{head} -o {{x=y\n")), ["master.cf, line 1: missing '}' in \"{x=y\""]);
        assert_eq!(
            mistakes(&format!("{head} -o {{x}}\n")),
            ["master.cf, line 1: missing '=' after attribute name: \"x\""]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[a-z{}=o# \\n?0-9-]{0,80}") {
            let _ = MasterCf::parse(&format!("s unix - - - - - c {text}"), Path::new("master.cf"));
            let _ = MasterCf::parse(&text, Path::new("master.cf"));
        }
    }
}
