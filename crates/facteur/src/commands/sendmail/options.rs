//! The options of sendmail(1), as scripts have used them for forty years.

use std::collections::VecDeque;

use mail::{BodyType, DeliveryReport, Notify, Ret};

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Take a message from standard input.
    Deliver,
    /// `-bs`: speak SMTP on standard input and output.
    Session,
    /// `-bd`, `-bl`: be the mail server.
    Daemon,
    /// `-bi`, `-I`: build the alias database (of `-oA`).
    Aliases(Option<String>),
    /// `-q15m` without `-bd`: nothing, not even a message is taken; the queue manager has its own intervals.
    Idle,
    /// `-bp`: list the queue.
    List,
    /// `-q`: try the queue now.
    Flush,
    /// `-qS`, `-qR`: try mail for a site.
    FlushSite(String),
    /// `-qI`: try one message.
    FlushMessage(String),
}

/// The command line, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What is wanted.
    pub mode: Mode,
    /// `-C`: configuration directory, or main.cf in it.
    pub config: Option<String>,
    /// `-f`, `-r`.
    pub sender: Option<String>,
    /// `-F`.
    pub full_name: Option<String>,
    /// `-t`.
    pub extract: bool,
    /// A line with a dot alone ends the message, unless `-i`.
    pub dot_ends: bool,
    /// `-B`.
    pub body_type: BodyType,
    /// `-N`.
    pub notify: Notify,
    /// `-R`.
    pub ret: Option<Ret>,
    /// `-V`.
    pub envid: Option<String>,
    /// `-q15m`.
    interval: bool,
    /// `-XV`: VERP delimiters, empty for the default ones.
    pub verp: Option<String>,
    /// `-bv`, `-v`.
    pub report: DeliveryReport,
    /// `-G`: the message is passed on, its header is nobody's here.
    pub gateway: bool,
    /// `-L`: logging label.
    pub label: Option<String>,
    /// `-v` twice and more: verbose logging of the command itself.
    pub verbose: bool,
    /// Recipients on the command line.
    pub recipients: Vec<String>,
    /// What is said about options without effect on the message.
    pub warnings: Vec<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            mode: Mode::Deliver,
            config: None,
            sender: None,
            full_name: None,
            extract: false,
            dot_ends: true,
            body_type: BodyType::Unspecified,
            notify: Notify::default(),
            ret: None,
            envid: None,
            interval: false,
            verp: None,
            report: DeliveryReport::No,
            gateway: false,
            label: None,
            verbose: false,
            recipients: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// Options that take a value, in the same word or the next.
const WITH_VALUE: &str = "ABCFLNORVXbdefhopqr";

/// Longest ENVID taken.
const ENVID_MAX: usize = 100;

/// Understands a command line. The error is what sendmail says before it gives up.
pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Options, String> {
    let mut words: VecDeque<String> = words.into_iter().collect();
    let mut options = Options::default();
    let mut alias_database = None;
    let mut reports = 0;
    while let Some(word) = words.pop_front() {
        match word.as_str() {
            "--" => {
                options.recipients.extend(words.drain(..));
                break;
            }
            "-q" => {
                options.mode = Mode::Flush;
                continue;
            }
            // What -XV was called before -V gave the envelope id.
            "-V" if words.front().is_some_and(|next| next.len() == 2) => {
                options
                    .warnings
                    .push("option -V is deprecated with Postfix 2.3; specify -XV instead".to_owned());
                options.verp = Some(String::new());
                continue;
            }
            old if old.starts_with("-V") && old.len() == 4 => {
                let warning =
                    format!("option {old} is deprecated with Postfix 2.3; specify -X{} instead", &old[1..]);
                options.warnings.push(warning);
                options.verp = Some(old[2..].to_owned());
                continue;
            }
            _ if !word.starts_with('-') || word == "-" => {
                // As getopt(3) of old: options end at the first other word.
                options.recipients.push(word);
                options.recipients.extend(words.drain(..));
                break;
            }
            _ => {}
        }
        let mut letters = word[1..].chars();
        while let Some(letter) = letters.next() {
            if !WITH_VALUE.contains(letter) {
                flag(letter, &mut options, &mut reports)?;
                continue;
            }
            let rest = letters.as_str().to_owned();
            // `-o` and `-d` stand alone in old scripts; the word after them is never theirs.
            let value = if rest.is_empty() && !matches!(letter, 'd') {
                words.pop_front().ok_or_else(|| format!("option requires an argument -- '{letter}'"))?
            } else {
                rest
            };
            valued(letter, value, &mut options, &mut alias_database)?;
            break;
        }
    }
    if options.interval && options.mode == Mode::Deliver {
        options.mode = Mode::Idle;
    }
    if let Mode::Aliases(database) = &mut options.mode {
        *database = alias_database;
    }
    if options.report == DeliveryReport::No && reports > 0 {
        options.report = DeliveryReport::Verbose;
    }
    options.verbose = reports > 1;
    if options.extract && options.report == DeliveryReport::Probe {
        return Err("-t option cannot be used with -bv".to_owned());
    }
    Ok(options)
}

fn flag(letter: char, options: &mut Options, reports: &mut u32) -> Result<(), String> {
    match letter {
        't' => options.extract = true,
        'i' => options.dot_ends = false,
        'I' => options.mode = Mode::Aliases(None),
        'v' => *reports += 1,
        'G' => options.gateway = true,
        // Said by old programs, meaningless here: "send to me too", user submission, 8-bit.
        'm' | 'U' | 'x' | 'c' | 's' | 'E' | 'J' => {}
        'n' => return Err("-n option not supported".to_owned()),
        other => return Err(format!("invalid option -- '{other}'")),
    }
    Ok(())
}

fn valued(
    letter: char,
    value: String,
    options: &mut Options,
    aliases: &mut Option<String>,
) -> Result<(), String> {
    match letter {
        'C' => options.config = Some(value),
        'F' => options.full_name = Some(value),
        'f' | 'r' => options.sender = Some(value),
        'L' => options.label = Some(value),
        'B' => match value.to_ascii_uppercase().as_str() {
            "8BITMIME" => options.body_type = BodyType::EightBitMime,
            "7BIT" => options.body_type = BodyType::SevenBit,
            _ => return Err("-B option needs 8BITMIME or 7BIT".to_owned()),
        },
        'N' => match notify(&value) {
            Ok(notify) => options.notify = notify,
            Err(word) => {
                if let Some(word) = word {
                    let warning = format!("unknown DSN NOTIFY command value \"{word}\" in \"{value}\"");
                    options.warnings.push(warning);
                }
                options.warnings.push("bad -N option value -- ignored".to_owned());
            }
        },
        'R' => match value.to_ascii_lowercase().as_str() {
            "full" => options.ret = Some(Ret::Full),
            "hdrs" => options.ret = Some(Ret::Headers),
            _ => options.warnings.push("bad -R option value -- ignored".to_owned()),
        },
        'V' if value.len() > ENVID_MAX => {
            options
                .warnings
                .push(format!("too long -V option value -- ignored ({ENVID_MAX} characters at most)"));
        }
        'V' => options.envid = Some(value),
        'X' => match value.strip_prefix('V') {
            Some(delimiters) => options.verp = Some(delimiters.to_owned()),
            None => return Err(format!("unsupported: -X{}", first(&value))),
        },
        'b' => options.mode = mode(&value, options)?,
        'q' => queue_run(&value, options)?,
        'o' => match value.chars().next() {
            Some('A') if value.len() > 1 => *aliases = Some(value[1..].to_owned()),
            Some('i') => options.dot_ends = false,
            _ => {}
        },
        // -A which submission file, -O processing options, -e error mode, -h hop count, -p protocol, -d debugging.
        _ => {}
    }
    Ok(())
}

fn first(value: &str) -> String {
    value.chars().take(1).collect()
}

fn mode(value: &str, options: &mut Options) -> Result<Mode, String> {
    Ok(match value.chars().next() {
        Some('d' | 'l') => Mode::Daemon,
        Some('h' | 'H') => options.mode.clone(),
        Some('i') => Mode::Aliases(None),
        Some('m') => Mode::Deliver,
        Some('p') => Mode::List,
        Some('s') => Mode::Session,
        Some('v') => {
            options.report = DeliveryReport::Probe;
            Mode::Deliver
        }
        _ => return Err(format!("unsupported: -b{}", first(value))),
    })
}

fn queue_run(value: &str, options: &mut Options) -> Result<(), String> {
    let rest = value.get(1..).unwrap_or_default().to_owned();
    match value.chars().next() {
        // An interval, given together with -bd: the queue manager has its own.
        Some(digit) if digit.is_ascii_digit() => options.interval = true,
        Some('S' | 'R') if !rest.is_empty() => options.mode = Mode::FlushSite(rest),
        Some('I') if !rest.is_empty() => options.mode = Mode::FlushMessage(rest),
        _ => return Err(format!("-q{value} is not implemented")),
    }
    Ok(())
}

/// `never`, or a list of `success`, `failure`, `delay`. The error is the word that is none of them, if there is one.
fn notify(value: &str) -> Result<Notify, Option<String>> {
    let mut notify = Notify::default();
    for word in value.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
        match word.to_ascii_lowercase().as_str() {
            "success" => notify.success = true,
            "failure" => notify.failure = true,
            "delay" => notify.delay = true,
            "never" => notify.never = true,
            _ => return Err(Some(word.to_owned())),
        }
    }
    if !notify.is_set() || (notify.never && (notify.success || notify.failure || notify.delay)) {
        return Err(None);
    }
    Ok(notify)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        parse(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn scripts_of_all_ages_are_understood() {
        let options =
            read("-t -oi -oem -F Name -f joe@x.test -N success,delay -V id1 -R hdrs -O Foo=bar -- a@b -c@d")
                .unwrap();
        assert!(options.extract && !options.dot_ends && options.notify.success && options.notify.delay);
        assert_eq!(options.ret, Some(Ret::Headers));
        assert_eq!(options.recipients, ["a@b", "-c@d"]);
        assert_eq!((options.sender.as_deref(), options.envid.as_deref()), (Some("joe@x.test"), Some("id1")));
        // Options end at the first recipient.
        let options = read("-t a@b -f joe@x.test").unwrap();
        assert_eq!((options.sender, options.recipients.len()), (None, 3));
        let options = read("-ti -fjoe@x.test -XV+= a@b").unwrap();
        assert!(options.extract && !options.dot_ends);
        assert_eq!((options.sender.as_deref(), options.verp.as_deref()), (Some("joe@x.test"), Some("+=")));
    }

    #[test]
    fn modes() {
        for (line, mode) in [
            ("-bp", Mode::List),
            ("-bs", Mode::Session),
            ("-bd -q30m", Mode::Daemon),
            ("-q", Mode::Flush),
            ("-qRexample.org", Mode::FlushSite("example.org".into())),
            ("-qIABC123", Mode::FlushMessage("ABC123".into())),
            ("-bi -oA/etc/aliases", Mode::Aliases(Some("/etc/aliases".into()))),
            ("-bm a@b", Mode::Deliver),
        ] {
            assert_eq!(read(line).unwrap().mode, mode, "{line}");
        }
        assert_eq!(read("-bv a@b").unwrap().report, DeliveryReport::Probe);
        assert_eq!(read("-v a@b").unwrap().report, DeliveryReport::Verbose);
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        for (line, what) in [
            ("-bz a@b", "unsupported: -bz"),
            ("-n a@b", "-n option not supported"),
            ("-Xlog a@b", "unsupported: -Xl"),
            ("-qZ", "-qZ is not implemented"),
            ("-f", "option requires an argument -- 'f'"),
            ("-B bogus a@b", "-B option needs 8BITMIME or 7BIT"),
            ("-t -bv", "-t option cannot be used with -bv"),
        ] {
            assert_eq!(read(line).unwrap_err(), what, "{line}");
        }
        assert_eq!(read("-N bogus a@b").unwrap().warnings.len(), 2);
        assert_eq!(read("-N never,success a@b").unwrap().warnings.len(), 1);
    }

    #[test]
    fn verp_was_once_asked_for_by_v() {
        for (line, verp, envid, warnings) in [
            ("-XV a@b", Some(""), None, 0),
            ("-XV-= a@b", Some("-="), None, 0),
            ("-V-= a@b", Some("-="), None, 1),
            ("-V id a@b", Some(""), None, 1),
            ("-V id1 a@b", None, Some("id1"), 0),
            ("-Vid1 a@b", None, Some("id1"), 0),
        ] {
            let options = read(line).unwrap();
            let found = (options.verp.as_deref(), options.envid.as_deref(), options.warnings.len());
            assert_eq!(found, (verp, envid, warnings), "{line}");
        }
    }
}
