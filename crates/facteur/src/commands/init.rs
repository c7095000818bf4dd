//! `facteur init`: a small commented configuration for a new site.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::Command;

/// The command.
pub const COMMAND: Command =
    Command { name: "init", summary: "write a small configuration for a new site", run };

const USAGE: &str = "usage: facteur init [--hostname NAME] [--domain NAME] [--queue DIR] [--data DIR] [DIR]\n\
    Writes main.cf and master.cf into DIR (default: the current configuration directory, /etc/postfix).";

/// What the templates leave open.
pub struct Answers {
    /// `myhostname`.
    pub hostname: String,
    /// `mydomain`.
    pub domain: String,
    /// `queue_directory`.
    pub queue: PathBuf,
    /// `data_directory`.
    pub data: PathBuf,
    /// `maillog_file`; empty for syslog.
    pub log: PathBuf,
    /// First column of the SMTP service.
    pub smtp: String,
}

const MAIN: &str = include_str!("../templates/main.cf");
const MASTER: &str = include_str!("../templates/master.cf");

impl Answers {
    /// main.cf with the answers filled in.
    pub fn main_cf(&self) -> String {
        MAIN.replace("@HOSTNAME@", &self.hostname)
            .replace("@DOMAIN@", &self.domain)
            .replace("@QUEUE@", &self.queue.to_string_lossy())
            .replace("@DATA@", &self.data.to_string_lossy())
            .replace("@LOG@", &self.log.to_string_lossy())
    }

    /// master.cf with the answers filled in.
    pub fn master_cf(&self) -> String {
        MASTER.replace("@SMTP@", &format!("{:<9}", self.smtp))
    }
}

fn run(words: Vec<OsString>) -> u8 {
    match init(words) {
        Ok(directory) => {
            println!(
                "Wrote {0}/main.cf and {0}/master.cf. Look at them, then: facteur postfix -c {0} check",
                directory.display()
            );
            0
        }
        Err(what) => {
            eprintln!("facteur init: {what}");
            1
        }
    }
}

fn init(words: Vec<OsString>) -> Result<PathBuf, String> {
    let mut directory = None;
    let mut hostname = None;
    let mut domain = None;
    let mut queue = PathBuf::from("/var/spool/postfix");
    let mut data = PathBuf::from("/var/lib/postfix");
    let mut parser = lexopt::Parser::from_args(words);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            lexopt::Arg::Long("hostname") => {
                hostname = Some(super::value(&mut parser)?.to_string_lossy().into_owned())
            }
            lexopt::Arg::Long("domain") => {
                domain = Some(super::value(&mut parser)?.to_string_lossy().into_owned())
            }
            lexopt::Arg::Long("queue") => queue = super::value(&mut parser)?.into(),
            lexopt::Arg::Long("data") => data = super::value(&mut parser)?.into(),
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => return Err(USAGE.to_owned()),
            lexopt::Arg::Value(given) if directory.is_none() => directory = Some(PathBuf::from(given)),
            other => return Err(format!("{}\n{USAGE}", other.unexpected())),
        }
    }
    let directory = crate::config::directory(directory.as_deref());
    let hostname = hostname.unwrap_or_else(|| crate::config::facts(&directory, "init").host_name);
    let domain = domain.unwrap_or_else(|| match hostname.split_once('.') {
        Some((_, domain)) if domain.contains('.') => domain.to_owned(),
        _ => hostname.clone(),
    });
    let answers = Answers { hostname, domain, queue, data, log: PathBuf::new(), smtp: "smtp".to_owned() };
    std::fs::create_dir_all(&directory)
        .map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
    write_new(&directory.join("main.cf"), &answers.main_cf())?;
    write_new(&directory.join("master.cf"), &answers.master_cf())?;
    Ok(directory)
}

/// Writes a file that must not be there yet: a configuration is never overwritten.
fn write_new(path: &Path, text: &str) -> Result<(), String> {
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    made.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            format!("{} exists; it is left as it is (name another directory)", path.display())
        }
        _ => format!("cannot write {}: {error}", path.display()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_open_in_the_templates() {
        let answers = Answers {
            hostname: "mx.example.org".into(),
            domain: "example.org".into(),
            queue: "/q".into(),
            data: "/d".into(),
            log: PathBuf::new(),
            smtp: "smtp".into(),
        };
        assert!(!answers.main_cf().contains('@') && !answers.master_cf().contains('@'));
        let (_, mistakes) = conf::MainCf::parse(&answers.main_cf(), Path::new("main.cf"));
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let (master, mistakes) = conf::MasterCf::parse(&answers.master_cf(), Path::new("master.cf"));
        assert!(mistakes.is_empty() && master.services.len() > 15, "{mistakes:?}");
    }

    #[test]
    fn a_configuration_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path: OsString = directory.path().into();
        assert_eq!(run(vec![path.clone()]), 0);
        std::fs::write(directory.path().join("main.cf"), "mine").unwrap();
        assert_eq!(run(vec![path]), 1);
        assert_eq!(std::fs::read_to_string(directory.path().join("main.cf")).unwrap(), "mine");
    }
}
