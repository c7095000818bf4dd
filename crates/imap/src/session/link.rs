//! What changes the connection, or who is on it: TLS, compression, logins, another process.

use super::{Awaits, Enabled, Fail, Link, Session, User};
use crate::commands;
use crate::login::Login;
use crate::respond::say;

impl Session {
    /// The handshake is done: nothing that came before it is believed.
    pub fn tls_started(&mut self, link: Link) {
        self.framer.forget();
        self.link = link;
        self.awaits = Awaits::Command;
    }

    /// Both directions are compressed now. What was read and not used is compressed already.
    pub fn compression_started(&mut self) -> Vec<u8> {
        self.link.compressed = true;
        self.awaits = Awaits::Command;
        let waiting = self.framer.waiting().to_vec();
        self.framer.forget();
        waiting
    }

    /// Sends the server's side of a SASL conversation, in base64, and waits for the client's.
    pub fn ask_sasl(&mut self, challenge: &str) {
        if let Awaits::Verdict(tag) = std::mem::replace(&mut self.awaits, Awaits::Command) {
            say!(self.out, "+ {challenge}");
            self.awaits = Awaits::SaslLine(tag);
        }
    }

    pub(super) fn sasl_line(&mut self, line: Option<Vec<u8>>) -> Option<Login> {
        let Awaits::SaslLine(tag) = std::mem::replace(&mut self.awaits, Awaits::Command) else { return None };
        self.awaits = Awaits::Verdict(tag);
        Some(match line {
            Some(line) if line != b"*" => Login::Line(line),
            _ => Login::Cancel,
        })
    }

    /// The login is decided: the user, or what is said to the client.
    pub fn login_decided(&mut self, decision: Result<User, Fail>) {
        let Awaits::Verdict(tag) = std::mem::replace(&mut self.awaits, Awaits::Command) else { return };
        match decision {
            Ok(user) => {
                self.user = Some(user);
                self.framer.limits = self.settings.limits();
                self.invalid = 0;
                let capabilities = commands::capabilities(self);
                self.say_ok(&tag, &format!("CAPABILITY {capabilities}"), "Logged in");
            }
            Err(fail) => self.finish(&tag, Err(fail)),
        }
    }

    /// What another process needs to go on with a session whose login is being decided: the command's tag, and what was
    /// read and not used.
    pub fn handed(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        match &self.awaits {
            Awaits::Verdict(tag) => Some((tag.clone(), self.framer.waiting().to_vec())),
            _ => None,
        }
    }

    /// Goes on with a session from another process: this user has logged in by the command of this tag.
    pub fn go_on(&mut self, tag: Vec<u8>, user: User, input: &[u8]) {
        self.awaits = Awaits::Verdict(tag);
        self.login_decided(Ok(user));
        self.feed(input);
    }

    /// Back to before the login (UNAUTHENTICATE, RFC 8437).
    pub fn log_out(&mut self) {
        self.selected = None;
        self.notify = None;
        self.user = None;
        self.enabled = Enabled::default();
        self.out.utf8 = false;
        self.framer.limits = self.settings.limits_before_login();
    }
}
