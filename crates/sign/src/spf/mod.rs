//! Sender policy (RFC 7208): may this client send mail for this domain?

mod check;
mod macros;
mod record;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

pub use check::check;

/// What came of it (RFC 7208 2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is published.
    None,
    /// The domain says nothing of this client.
    Neutral,
    /// It may.
    Pass,
    /// It may not.
    Fail,
    /// It probably may not.
    SoftFail,
    /// Not known now.
    TempError,
    /// What is published is no policy.
    PermError,
}

impl Verdict {
    /// As headers have it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::None => "none",
            Verdict::Neutral => "neutral",
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::SoftFail => "softfail",
            Verdict::TempError => "temperror",
            Verdict::PermError => "permerror",
        }
    }
}

/// Which identity was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// MAIL FROM.
    MailFrom,
    /// HELO, where MAIL FROM is empty.
    Helo,
}

/// A message's client and what it says of itself.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The client.
    pub client: IpAddr,
    /// The name it gave in HELO.
    pub helo: &'a str,
    /// MAIL FROM, without brackets; empty for notices.
    pub sender: &'a str,
    /// Our own host name, for explanations.
    pub receiver: &'a str,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spf {
    /// The result.
    pub verdict: Verdict,
    /// The domain whose policy it is.
    pub domain: String,
    /// Whose identity it is.
    pub identity: Identity,
    /// Of a failure, what the domain has to say about it (`exp=`).
    pub explanation: Option<String>,
    /// What decided: a mechanism, or what is wrong.
    pub because: String,
}

impl Spf {
    /// A Received-SPF field (RFC 7208 9.1), without its line end.
    pub fn received(&self, question: &Question<'_>) -> String {
        let of = |text: &str| -> String {
            // What a client chose goes into a quoted string.
            text.chars().filter(|c| !matches!(c, '"' | '\\') && !c.is_control()).collect()
        };
        let identity = match self.identity {
            Identity::MailFrom => "mailfrom",
            Identity::Helo => "helo",
        };
        format!(
            "Received-SPF: {} ({}: {})\n\treceiver={}; identity={identity}; client-ip={};\n\thelo=\"{}\"; \
             envelope-from=\"{}\"",
            self.verdict.word(),
            of(question.receiver),
            of(&self.because).replace(['(', ')'], ""),
            question.receiver,
            question.client,
            of(question.helo),
            of(question.sender),
        )
    }
}
