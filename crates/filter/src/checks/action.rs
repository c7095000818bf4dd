//! The actions of header_checks(5), and how a table's text becomes one.

use mail::header::name_end;

/// What is to be done with a header or body line, in the words of header_checks(5). The text behind an action is
/// logged with it, and may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// OK, DUNNO: keep the line, look on.
    Keep,
    /// WARN: keep the line and log a warning.
    Warn(String),
    /// INFO: keep the line and log it.
    Info(String),
    /// IGNORE: leave the line out.
    Ignore,
    /// STRIP: leave the line out and log it.
    Strip(String),
    /// REPLACE the line with this one, without line end.
    Replace(String),
    /// PREPEND this line, without line end.
    Prepend(String),
    /// HOLD the message.
    Hold(String),
    /// DISCARD: say yes to the client and forget the message.
    Discard(String),
    /// FILTER: route the message to this `transport:destination`.
    Filter(String),
    /// REDIRECT: send the message to this address instead.
    Redirect(String),
    /// BCC: send a copy to this address.
    Bcc(String),
    /// PASS: no more checks of this message.
    Pass(String),
    /// REJECT, with an optional status and text: `5.7.1 no such thing`.
    Reject(String),
}

/// On which side of the queue checks are made: mail that leaves can no longer be refused or sent elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `header_checks`: every action.
    Receiving,
    /// `smtp_header_checks`: only those that change or log a line.
    Sending,
    /// `milter_header_checks`: of what a milter adds. All but PASS, as nothing comes after.
    Milters,
}

/// Where the text of an action was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    /// The parameter that names the table.
    pub parameter: &'a str,
    /// It is about a header, not a body line.
    pub header: bool,
    pub role: Role,
    /// The program as logged.
    pub program: &'a str,
}

impl Origin<'_> {
    /// What a table says. What makes no sense is warned of and keeps the line.
    pub fn read(&self, value: &str) -> Action {
        let (word, text) = match value.find([' ', '\t']) {
            Some(at) => (&value[..at], value[at..].trim_start()),
            None => (value, ""),
        };
        let word = word.to_ascii_uppercase();
        let said = || text.to_owned();
        match word.as_str() {
            "DUNNO" | "OK" => Action::Keep,
            "WARN" => Action::Warn(said()),
            "INFO" => Action::Info(said()),
            "IGNORE" => Action::Ignore,
            "STRIP" => Action::Strip(said()),
            "REPLACE" if self.is_line(&word, text) => Action::Replace(said()),
            "PREPEND" if self.is_line(&word, text) => Action::Prepend(said()),
            "REPLACE" | "PREPEND" => Action::Keep,
            "PASS" if self.role == Role::Milters => {
                self.warn(format!("unsupported command in {} map: {value}", self.parameter))
            }
            _ if self.role == Role::Sending => {
                self.warn(format!("unsupported command in {} map: {value}", self.parameter))
            }
            _ => self.of_message(&word, text, value),
        }
    }

    /// Actions for the whole message.
    fn of_message(&self, word: &str, text: &str, value: &str) -> Action {
        let said = || text.to_owned();
        let map = self.parameter;
        match word {
            "REJECT" => Action::Reject(self.reason(text)),
            "HOLD" => Action::Hold(said()),
            "DISCARD" => Action::Discard(said()),
            "PASS" => Action::Pass(said()),
            "FILTER" if text.contains(':') => Action::Filter(said()),
            "FILTER" if text.is_empty() => self.warn(format!("missing FILTER command argument in {map} map")),
            "FILTER" => {
                self.warn(format!("bad FILTER command {text} in {map} -- need transport:destination"))
            }
            "REDIRECT" if text.contains('@') => Action::Redirect(said()),
            "REDIRECT" => {
                self.warn(format!("bad REDIRECT target \"{text}\" in {map} map -- need user@domain"))
            }
            "BCC" if text.contains('@') => Action::Bcc(said()),
            "BCC" => self.warn(format!("bad BCC address \"{text}\" in {map} map -- need user@domain")),
            _ => self.warn(format!("unknown command in {map} map: {value}")),
        }
    }

    /// A refusal cannot have a status of success: it becomes one for now.
    fn reason(&self, text: &str) -> String {
        let Some(('2', ..)) = crate::access::split_status(text).0 else { return text.to_owned() };
        self.warn(format!("bad DSN action in {} map: {text} -- need 4.x.x or 5.x.x", self.parameter));
        format!("4{}", &text[1..])
    }

    /// Is it a text to put in the place of a line, or before it?
    fn is_line(&self, word: &str, text: &str) -> bool {
        let map = self.parameter;
        if text.is_empty() {
            self.warn(format!("{word} action without text in {map} map"));
            return false;
        }
        let fits = !self.header || name_end(text.as_bytes()).is_some();
        if !fits {
            self.warn(format!(
                "bad {word} header text \"{text}\" in {map} map -- need \"headername: headervalue\""
            ));
        }
        fits
    }

    fn warn(&self, text: String) -> Action {
        log::warn!(target: self.program, "{}", mail::logline::printable(&text));
        Action::Keep
    }
}
