//! A dialogue that delivers nothing: with clients that failed a test, or whose test it is.

use std::borrow::Cow;
use std::sync::Arc;

use net::Accepted;
use net::drive::{Next, Server};
use net::listener::Place;
use proto::smtp::server::{Answer, Event, Settings};
use proto::smtp::{Command, Reply, Verb};

use super::Screen;
use super::memory::Test;
use super::session::{Client, SHOWN};
use super::settings::Action;

pub(super) struct Dialogue {
    screen: Arc<Screen>,
    client: Client,
    server: Server,
    helo: String,
    extended: bool,
    sender: Option<String>,
    commands: i64,
    /// The last command, as logged.
    stage: &'static str,
    passed: bool,
    /// Held for its drop.
    _place: Place,
}

impl Dialogue {
    pub(super) fn new(screen: &Arc<Screen>, client: Client, accepted: Accepted) -> Dialogue {
        let settings = Settings {
            line_limit: screen.settings.line_limit,
            timeout: screen.settings.command_time(accepted.stress),
            ..Settings::default()
        };
        let mut server = Server::new(accepted.stream, settings);
        // Who talked already has heard the beginning of a greeting, and goes on as if that were all.
        server.answer(match client.talked {
            true => Answer::Nothing,
            false => Answer::Say(Reply::plain(220, screen.settings.banner.clone())),
        });
        Dialogue {
            screen: screen.clone(),
            client,
            server,
            helo: String::new(),
            extended: false,
            sender: None,
            commands: 0,
            stage: "CONNECT",
            passed: false,
            _place: accepted.place,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let line = match self.server.next().await {
                Next::Event(Event::Command(line)) => line,
                Next::Event(Event::TimedOut) => {
                    self.log(&format!("COMMAND TIME LIMIT from {} after {}", self.client.label, self.stage));
                    self.close(Reply::new(421, (4, 2), format!("{} Error: timeout exceeded", self.host())));
                    continue;
                }
                Next::Event(Event::Lost) => {
                    let (after, label) = (self.client.age(), &self.client.label);
                    self.log(&format!("HANGUP after {after} from {label} in tests after SMTP handshake"));
                    break;
                }
                Next::Closed => break,
                // No answer of ours leads to content or a handshake.
                _ => continue,
            };
            self.commands += 1;
            let answer = match self.test(&line.bytes, line.bare_lf).await {
                Some(reply) => Answer::Close(reply),
                None => self.answer(&String::from_utf8_lossy(&line.bytes)),
            };
            self.server.answer(answer);
        }
        if self.passed {
            self.client.pass(&self.screen);
        } else {
            self.client.pass_early(&self.screen);
        }
        self.log(&format!("DISCONNECT {}", self.client.label));
    }

    fn host(&self) -> &str {
        &self.screen.settings.host
    }

    fn log(&self, text: &str) {
        log::info!(target: &self.screen.settings.program, "{text}");
    }

    fn close(&mut self, reply: Reply) {
        self.server.answer(Answer::Close(reply));
    }

    /// The tests of a command. The reply is the last word.
    async fn test(&mut self, line: &[u8], bare_lf: bool) -> Option<Reply> {
        let screen = self.screen.clone();
        let (tests, label) = (&screen.settings.tests, self.client.label.clone());
        if self.commands > screen.settings.params.postscreen_command_count_limit {
            self.log(&format!("COMMAND COUNT LIMIT from {label} after {}", self.stage));
            return Some(Reply::new(421, (7, 0), format!("{} Error: too many commands", self.host())));
        }
        let error = |code| Reply::new(code, (5, 1), "Protocol error");
        if bare_lf && self.is_due(Test::BareNewline) {
            let shown = line[..line.len().min(SHOWN)].escape_ascii().to_string();
            self.log(&format!("BARE NEWLINE from {label} after {shown}"));
            if let Some(reply) = self.fail(Test::BareNewline, &tests.postscreen_bare_newline_action, error) {
                return Some(reply);
            }
        }
        let word = line.split(|b| b.is_ascii_whitespace()).find(|word| !word.is_empty()).unwrap_or_default();
        let foreign = self.is_due(Test::NonSmtp)
            && (mail::header::name_end(word).is_some()
                || screen.settings.forbidden.matches(&String::from_utf8_lossy(word)).await.unwrap_or(false));
        if foreign {
            let shown = line[..line.len().min(SHOWN)].escape_ascii().to_string();
            self.log(&format!("NON-SMTP COMMAND from {label} after {}: {shown}", self.stage));
            let rules = |code| match code {
                521 => Reply::new(521, (7, 0), "Error: I can break rules, too. Goodbye."),
                code => error(code),
            };
            if let Some(reply) = self.fail(Test::NonSmtp, &tests.postscreen_non_smtp_command_action, rules) {
                return Some(reply);
            }
        }
        let ahead = self.server.waiting();
        if !ahead.is_empty() && !self.client.talked && self.is_due(Test::Pipelining) {
            let shown = ahead[..ahead.len().min(SHOWN)].escape_ascii().to_string();
            let command = String::from_utf8_lossy(word).to_ascii_uppercase();
            let command = mail::logline::printable(&command);
            self.log(&format!("COMMAND PIPELINING from {label} after {command}: {shown}"));
            return self.fail(Test::Pipelining, &tests.postscreen_pipelining_action, error);
        }
        None
    }

    fn is_due(&self, test: Test) -> bool {
        self.client.due.contains(&test) && !self.client.overlooked.contains(&test)
    }

    /// A test is failed; its reply by code. What is returned ends the session.
    fn fail(&mut self, test: Test, action: &str, reply: impl Fn(u16) -> Reply) -> Option<Reply> {
        match Action::of(action) {
            Action::Ignore => {
                self.client.overlooked.push(test);
                None
            }
            Action::Enforce => {
                self.client.fails(reply(550));
                None
            }
            Action::Drop => {
                self.client.failed = true;
                Some(reply(521))
            }
        }
    }

    fn answer(&mut self, line: &str) -> Answer {
        let command = Command::parse(line);
        let Some(verb) = command.verb else {
            return say(502, (5, 2), "Error: command not recognized");
        };
        self.stage = verb.name();
        match verb {
            Verb::Helo | Verb::Ehlo => self.hello(&command, verb == Verb::Ehlo),
            Verb::Mail => self.mail(&command),
            Verb::Rcpt => self.rcpt(&command),
            // What would follow is nothing we want to read.
            Verb::Data | Verb::Bdat => {
                self.log(&format!("{} without valid RCPT from {}", verb.name(), self.client.label));
                let (code, missing) = match verb {
                    _ if self.sender.is_some() => (554, "no valid recipients"),
                    Verb::Data => (503, "need RCPT command"),
                    _ => (554, "need MAIL command"),
                };
                Answer::Close(Reply::new(code, (5, 1), format!("Error: {missing}")))
            }
            Verb::Rset => {
                self.sender = None;
                say(250, (0, 0), "Ok")
            }
            Verb::Noop => say(250, (0, 0), "Ok"),
            Verb::Vrfy if self.screen.settings.params.postscreen_disable_vrfy_command => {
                say(502, (5, 1), "VRFY command is disabled")
            }
            Verb::Vrfy if command.rest().is_empty() => say(501, (5, 4), "Syntax: VRFY address"),
            Verb::Vrfy => Answer::Say(self.refusal()),
            Verb::Etrn => Answer::Say(Reply::plain(458, "Unable to queue messages")),
            Verb::StartTls => say(502, (5, 1), "Error: command not implemented"),
            Verb::Quit => Answer::Close(Reply::new(221, (0, 0), "Bye")),
            _ => say(502, (5, 2), "Error: command not recognized"),
        }
    }

    fn hello(&mut self, command: &Command<'_>, extended: bool) -> Answer {
        let name = command.rest();
        if name.is_empty() {
            let text = if extended { "Syntax: EHLO hostname" } else { "Syntax: HELO hostname" };
            return Answer::Say(Reply::plain(501, text));
        }
        self.helo = name.to_owned();
        self.extended = extended;
        self.sender = None;
        let settings = &self.screen.settings;
        if !extended {
            return Answer::Say(Reply::plain(250, settings.host.clone()));
        }
        let mut text = settings.host.clone();
        match settings.size_limit {
            0 => text.push_str("\nSIZE"),
            limit => text.push_str(&format!("\nSIZE {limit}")),
        }
        if !settings.params.postscreen_disable_vrfy_command {
            text.push_str("\nVRFY");
        }
        text.push_str("\nETRN\nENHANCEDSTATUSCODES\n8BITMIME\nDSN");
        if settings.smtputf8 {
            text.push_str("\nSMTPUTF8");
        }
        text.push_str("\nCHUNKING");
        Answer::Say(Reply::plain(250, text))
    }

    fn mail(&mut self, command: &Command<'_>) -> Answer {
        if self.helo.is_empty() && self.screen.settings.params.postscreen_helo_required {
            return say(503, (5, 1), "Error: send HELO/EHLO first");
        }
        if self.sender.is_some() {
            return say(503, (5, 1), "Error: nested MAIL command");
        }
        let Some((path, _)) = command.path_and_params("FROM:") else {
            return say(501, (5, 4), "Syntax: MAIL FROM:<address>");
        };
        self.sender = Some(bare(path.text()).to_owned());
        say(250, (1, 0), "Ok")
    }

    fn rcpt(&mut self, command: &Command<'_>) -> Answer {
        // As far as here a client shows what it is.
        self.passed = true;
        let Some(sender) = &self.sender else { return say(503, (5, 1), "Error: need MAIL command") };
        let recipient = match command.path_and_params("TO:") {
            Some((path, _)) => bare(path.text()).to_owned(),
            // As empty as the null sender; nobody is delivered to.
            None if command.rest().eq_ignore_ascii_case("TO:") => String::new(),
            None => return say(501, (5, 4), "Syntax: RCPT TO:<address>"),
        };
        let reply = self.refusal();
        let mut text = Vec::new();
        reply.write(&mut text);
        let text = String::from_utf8_lossy(&text);
        let printable = mail::logline::printable;
        self.log(&format!(
            "NOQUEUE: reject: RCPT from {}: {}; from=<{}>, to=<{}>, proto={}, helo=<{}>",
            self.client.label,
            text.trim_end(),
            printable(sender),
            printable(&recipient),
            if self.extended { "ESMTP" } else { "SMTP" },
            printable(&self.helo)
        ));
        Answer::Say(reply)
    }

    /// What is said of recipients: why the client is refused, or that it may come back.
    fn refusal(&self) -> Reply {
        let come_back = || Reply::new(450, (3, 2), "Service currently unavailable");
        self.client.refusal.clone().unwrap_or_else(come_back)
    }
}

fn say(code: u16, detail: (u16, u16), text: impl Into<Cow<'static, str>>) -> Answer {
    Answer::Say(Reply::new(code, detail, text))
}

fn bare(path: &str) -> &str {
    path.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(path)
}
