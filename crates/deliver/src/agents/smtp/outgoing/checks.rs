//! `smtp_header_checks`, `smtp_mime_header_checks`, `smtp_nested_header_checks`, `smtp_body_checks`.

use mail::Trouble;
use tables::{Keys, Maps};

use crate::agents::open::Opener;
use crate::params::SmtpClient;

/// The tables of one service.
pub struct Checks {
    /// For the fields of the message's own header.
    pub header: Maps,
    /// For MIME fields, wherever they are.
    pub mime: Maps,
    /// For the headers of attached messages.
    pub nested: Maps,
    /// For body lines.
    pub body: Maps,
}

/// What a check does to a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Keep,
    /// It is left out.
    Drop,
    /// Other text takes its place.
    Replace(String),
    /// A line is put before it.
    Prepend(String),
}

impl Checks {
    /// Opens the tables; `name` gives the parameters' names as this service has them.
    pub fn open(open: &mut Opener<'_>, client: &SmtpClient, name: impl Fn(&str) -> String) -> Checks {
        let mut maps = |parameter: &str, text: &str| open.maps_with(&name(parameter), text, Keys::RAW);
        Checks {
            header: maps("smtp_header_checks", &client.smtp_header_checks),
            mime: maps("smtp_mime_header_checks", &client.smtp_mime_header_checks),
            nested: maps("smtp_nested_header_checks", &client.smtp_nested_header_checks),
            body: maps("smtp_body_checks", &client.smtp_body_checks),
        }
    }

    /// Nothing to check.
    pub fn is_empty(&self) -> bool {
        self.header.is_empty() && self.mime.is_empty() && self.nested.is_empty() && self.body.is_empty()
    }
}

/// Looks a field or a line up.
pub async fn check(maps: &Maps, text: &[u8], program: &str) -> Result<Action, Trouble> {
    if maps.is_empty() {
        return Ok(Action::Keep);
    }
    let Some(found) = maps.find(text).await? else { return Ok(Action::Keep) };
    let (word, rest) = found.value.split_once(char::is_whitespace).unwrap_or((&found.value, ""));
    let rest = rest.trim_start();
    Ok(match word.to_ascii_uppercase().as_str() {
        "IGNORE" | "STRIP" => Action::Drop,
        "REPLACE" => Action::Replace(rest.to_owned()),
        "PREPEND" => Action::Prepend(rest.to_owned()),
        "DUNNO" | "OK" => Action::Keep,
        "INFO" | "WARN" => {
            let text = mail::logline::printable(&String::from_utf8_lossy(text));
            log::info!(target: program, "{}: {text}: {rest}", word.to_ascii_lowercase());
            Action::Keep
        }
        _ => {
            // A delivery agent cannot refuse what it is sending.
            log::warn!(target: program, "{}: unsupported command: {word}", maps.parameter());
            Action::Keep
        }
    })
}
