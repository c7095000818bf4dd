//! The commands (applets), by the names Postfix gave them. To add one: a file here, and a line in [`COMMANDS`].

mod accounts;
mod acme;
mod adopt;
pub mod check;
mod demo;
mod dkim;
mod dmarc;
mod doveadm;
mod explain;
mod gate;
mod init;
mod install_links;
mod journal;
pub mod manual;
mod newaliases;
mod pam_check;
mod parameters;
mod postalias;
mod postcat;
mod postconf;
mod postdrop;
pub mod postfix;
mod postkick;
mod postlog;
mod postmap;
mod postmulti;
mod postqueue;
mod postsuper;
mod promises;
mod qshape;
mod quarantine;
mod queue;
mod reach;
mod refused;
pub mod sendmail;
mod sessions;
mod spam;
mod store;
mod submit;
mod sync;
mod trace;

use std::ffi::OsString;

/// One command.
pub struct Command {
    /// The name it is called by, as first word or as the name of a link.
    pub name: &'static str,
    /// One line for `facteur help`; the rest is told by its page in docs/man.
    pub summary: &'static str,
    /// Runs it with the words after its name; gives the exit status.
    pub run: fn(Vec<OsString>) -> u8,
}

/// Every command.
pub const COMMANDS: &[&Command] = &[
    &accounts::ALIAS,
    &accounts::APP_PASSWORD,
    &accounts::DIRECTORY,
    &accounts::DOMAIN,
    &accounts::TOTP,
    &accounts::USER,
    &acme::COMMAND,
    &gate::BAN,
    &adopt::COMMAND,
    &check::COMMAND,
    &demo::COMMAND,
    &dkim::COMMAND,
    &dmarc::COMMAND,
    &doveadm::COMMAND,
    &explain::COMMAND,
    &gate::GREYLIST,
    &gate::OUTBOUND,
    &init::COMMAND,
    &manual::COMMAND,
    &install_links::COMMAND,
    &newaliases::COMMAND,
    &pam_check::COMMAND,
    &parameters::COMMAND,
    &postalias::COMMAND,
    &postcat::COMMAND,
    &postconf::COMMAND,
    &postdrop::COMMAND,
    &postfix::COMMAND,
    &postkick::COMMAND,
    &postlog::COMMAND,
    &postmap::COMMAND,
    &postmulti::COMMAND,
    &postqueue::COMMAND,
    &postqueue::MAILQ,
    &postsuper::COMMAND,
    &promises::COMMAND,
    &qshape::COMMAND,
    &quarantine::COMMAND,
    &queue::COMMAND,
    &refused::COMMAND,
    &sendmail::COMMAND,
    &spam::COMMAND,
    &store::COMMAND,
    &sync::COMMAND,
    &trace::COMMAND,
];

/// The command of this name.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name).copied()
}

/// The value of an option, or what is wrong with it.
fn value(parser: &mut lexopt::Parser) -> Result<OsString, String> {
    parser.value().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_named_once_and_told() {
        for (n, command) in COMMANDS.iter().enumerate() {
            assert!(!command.summary.is_empty(), "{} needs a summary", command.name);
            assert!(
                COMMANDS[..n].iter().all(|other| other.name != command.name),
                "{} stands twice",
                command.name
            );
        }
    }
}
