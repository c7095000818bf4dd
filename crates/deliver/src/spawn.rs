//! spawn(8): a program for each connection, which talks over it as its standard input, output and error.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use conf::params::{Paths, Process};
use conf::{Block, Mistake, Service, Severity, View};
use net::{Accepted, Stream};

use crate::agents::pipe::{find_rights, time_limit};
use crate::child::{self, ChildJob};
use crate::environment;
use crate::params::PipeAgent;
use crate::privilege::Rights;

/// A service of master.cf.
#[derive(Debug)]
pub struct Spawn {
    program: String,
    /// Its line, or what is wrong with it: then connections are closed.
    line: Result<Line, String>,
    mail_owner: String,
    environment: Vec<(String, String)>,
    directory: PathBuf,
    time_limit: Duration,
}

/// What the words of the line say.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    user: String,
    group: Option<String>,
    argv: Vec<String>,
}

impl Line {
    /// Reads `user=name[:group] argv=program argument …`. The error is a sentence.
    fn parse(words: &[String]) -> Result<Line, String> {
        let (mut user, mut group, mut argv) = (String::new(), None, Vec::new());
        for (at, word) in words.iter().enumerate() {
            // `-v` and its like are for every service.
            if word.starts_with('-') && !word.contains('=') {
                continue;
            }
            match word.split_once('=') {
                Some(("user", value)) => {
                    let (name, of) = value.split_once(':').unwrap_or((value, ""));
                    user = name.to_owned();
                    group = Some(of.to_owned()).filter(|of| !of.is_empty());
                }
                Some(("argv", program)) => {
                    argv.push(program.to_owned());
                    argv.extend(words[at + 1..].iter().cloned());
                    break;
                }
                _ => return Err(format!("unknown attribute name: {word}")),
            }
        }
        if user.is_empty() {
            return Err("missing user= attribute".to_owned());
        }
        if argv.first().is_none_or(String::is_empty) {
            return Err("missing argv= attribute".to_owned());
        }
        Ok(Line { user, group, argv })
    }

    fn rights(&self, mail_owner: &str) -> Result<Rights, String> {
        find_rights(&self.user, self.group.as_deref(), mail_owner)
    }
}

/// The rights and the command of a spawn service, unless something is wrong with its line.
pub(crate) fn command_of(service: &Service, mail_owner: &str) -> Option<(Rights, Vec<String>)> {
    let line = Line::parse(&service.args).ok()?;
    Some((line.rights(mail_owner).ok()?, line.argv))
}

/// Reports what is wrong with a service.
pub fn check(view: &View, service: &Service, mistakes: &mut Vec<Mistake>) {
    let process = Process::read(view, mistakes);
    let line = Line::parse(&service.args).and_then(|line| line.rights(&process.mail_owner));
    if let Err(text) = line {
        let place = Some((service.file.as_path(), service.line));
        let text = format!("service {}: {text}; its connections are closed", service.name);
        mistakes.push(Mistake::new(Severity::Warning, place, text));
    }
}

impl Spawn {
    /// Reads the line and its parameters; [`check`] has told what is wrong with them.
    pub fn new(view: &View, service: &Service) -> Spawn {
        let told = &mut Vec::new();
        let process = Process::read(view, told);
        let named = service.overrides.iter().any(|(name, _)| name == "syslog_name");
        Spawn {
            program: if named { format!("{}/spawn", view.get("syslog_name")) } else { "spawn".to_owned() },
            line: Line::parse(&service.args),
            environment: environment::exported(&process, view),
            mail_owner: process.mail_owner,
            directory: Paths::read(view, told).queue_directory,
            time_limit: time_limit(view, &service.name)
                .unwrap_or_else(|| PipeAgent::read(view, told).command_time_limit),
        }
    }

    /// Runs the program on a connection, until it ends or its time is over.
    pub async fn session(self: Arc<Self>, accepted: Accepted) {
        // Its place among the sessions of the service is free again when the program has ended.
        let Accepted { stream, place, .. } = accepted;
        let shown = self.line.as_ref().map_or("", |line| &line.argv[0]).to_owned();
        if let Err(what) = self.run(stream, &shown).await {
            log::warn!(target: &self.program, "{}", mail::logline::printable(&what));
        }
        drop(place);
    }

    async fn run(&self, stream: Stream, shown: &str) -> Result<(), String> {
        let line = self.line.clone()?;
        let owner = self.mail_owner.clone();
        let (argv, found) = (line.argv.clone(), tokio::task::spawn_blocking(move || line.rights(&owner)));
        let rights = found.await.map_err(|_| "the user look-up died".to_owned())??;
        let job = ChildJob {
            rights,
            argv,
            environment: self.environment.clone(),
            directory: self.directory.clone(),
            chroot: None,
            file_limit: 0,
        };
        let failed = |error: std::io::Error| {
            let error = error.to_string();
            format!("command {shown}: {}", error.split(" (os error").next().unwrap_or_default())
        };
        let input = stream.into_descriptor().map_err(failed)?;
        let output = input.try_clone().map_err(failed)?;
        let mut running = child::start_with(&job, input, output).await.map_err(failed)?;
        let Ok(ended) = tokio::time::timeout(self.time_limit, running.wait()).await else {
            running.kill().await;
            return Err(format!("{shown}: command time limit exceeded"));
        };
        let status = ended.map_err(failed)?;
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(()),
            (_, Some(signal)) => Err(format!("command {shown} killed by signal {signal}")),
            (code, None) => Err(format!("command {shown} exit status {}", code.unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Line, String> {
        Line::parse(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn reads_the_line_of_policyd_spf() {
        let found = parse("user=policyd-spf argv=/usr/bin/policyd-spf").expect("good");
        assert_eq!((found.user.as_str(), found.group.as_deref()), ("policyd-spf", None));
        assert_eq!(found.argv, ["/usr/bin/policyd-spf"]);
        let found = parse("-v user=nobody:mail argv=/bin/x -o a=b").expect("good");
        assert_eq!(found.group.as_deref(), Some("mail"));
        assert_eq!(found.argv, ["/bin/x", "-o", "a=b"], "what follows is the program's");
    }

    #[test]
    fn names_what_is_wrong() {
        for (text, expected) in [
            ("argv=/bin/x", "missing user= attribute"),
            ("user=x", "missing argv= attribute"),
            ("flags=D user=x argv=y", "unknown attribute name: flags=D"),
        ] {
            assert_eq!(parse(text), Err(expected.to_owned()), "{text}");
        }
        let root = parse("user=root argv=/bin/x").and_then(|line| line.rights("postfix"));
        assert!(root.is_err_and(|text| text.contains("root privileges")));
    }
}
