//! Commands: `|command` in a list, and `mailbox_command`.

use std::path::PathBuf;

use super::expand::{Values, expand};
use super::walk::{At, Walk};
use crate::child::ChildJob;
use crate::command::{self, CommandJob};
use crate::mailbox::frame::Dress;

/// The names of what a program is told.
pub(crate) const VARIABLES: &[&str] = &[
    "HOME",
    "SHELL",
    "LOGNAME",
    "USER",
    "SENDER",
    "RECIPIENT",
    "LOCAL",
    "DOMAIN",
    "EXTENSION",
    "ORIGINAL_RECIPIENT",
    "CLIENT_HOSTNAME",
    "CLIENT_ADDRESS",
    "CLIENT_HELO",
    "CLIENT_PROTOCOL",
    "SASL_METHOD",
    "SASL_SENDER",
    "SASL_USERNAME",
];

impl Walk<'_> {
    /// Runs a command line on the message.
    pub async fn command(&mut self, at: &At, line: &str) {
        let rights = self.rights(at);
        if self.been_here(format!("command {}:{} {line}", at.user, rights.uid)) {
            return;
        }
        if self.is_probe() {
            return self.sent(at, format!("delivers to command: {line}"));
        }
        let Some(directory) = self.directory(at) else {
            return self.misconfigured(at, mail::Class::Later);
        };
        let shell = &self.rules.params.local_command_shell;
        let argv = if shell.is_empty() {
            command::words_or_shell(line)
        } else {
            let mut argv: Vec<String> = shell.split_ascii_whitespace().map(str::to_owned).collect();
            argv.push(line.to_owned());
            argv
        };
        let job = CommandJob {
            child: ChildJob {
                rights,
                argv,
                environment: self.environment(at),
                directory,
                chroot: None,
                file_limit: self.rules.params.mailbox_size_limit,
            },
            shown: line.to_owned(),
            agent: "local",
            head: self.head(at, "command", true),
            dress: Dress::plain(),
            time_limit: self.rules.time_limit,
        };
        match command::run(&job, &self.request.content).await {
            Ok(_) => self.sent(at, format!("delivered to command: {line}")),
            Err(refusal) => self.settle(at, refusal),
        }
    }

    /// `command_execution_directory`; `None` when a name in it stands for nothing.
    fn directory(&self, at: &At) -> Option<PathBuf> {
        let rules = self.rules;
        let text = &rules.params.command_execution_directory;
        if text.is_empty() {
            return Some(rules.queue_directory.clone());
        }
        let values = Values::new(at, at.account.as_ref(), &rules.delimiter);
        let expanded =
            expand(text, &values, Some(&rules.params.execution_directory_expansion_filter)).complete();
        if expanded.is_none() {
            log::warn!(target: &rules.program, "bad command_execution_directory value for {}: {text}", at.user);
        }
        expanded.map(|(path, _)| path.into())
    }

    /// What a program is told, without characters that a shell might mistake for its own.
    fn environment(&self, at: &At) -> Vec<(String, String)> {
        let (request, filter) = (self.request, &self.rules.params.command_expansion_filter);
        let mut environment = self.rules.environment.clone();
        let mut add = |name: &str, value: &str| {
            let clean = value.chars().map(|c| if filter.contains(c) { c } else { '_' }).collect();
            environment.push((name.to_owned(), clean));
        };
        if let Some(account) = &at.account {
            add("HOME", &account.home.to_string_lossy());
            add("SHELL", &account.shell.to_string_lossy());
        }
        add("LOGNAME", &at.user);
        add("USER", &at.user);
        add("SENDER", at.sender.as_str());
        add("RECIPIENT", at.recipient.address.as_str());
        add("LOCAL", &at.local);
        let client = &request.client;
        for (name, value) in [
            ("DOMAIN", at.domain.as_deref().unwrap_or_default()),
            ("EXTENSION", at.extension.as_deref().unwrap_or_default()),
            ("ORIGINAL_RECIPIENT", at.recipient.original.as_str()),
            ("CLIENT_HOSTNAME", &client.name),
            ("CLIENT_ADDRESS", &client.address),
            ("CLIENT_HELO", &client.helo),
            ("CLIENT_PROTOCOL", &client.protocol),
            ("SASL_METHOD", &client.sasl_method),
            ("SASL_SENDER", &client.sasl_sender),
            ("SASL_USERNAME", &client.sasl_username),
        ] {
            if !value.is_empty() {
                add(name, value);
            }
        }
        environment
    }
}
