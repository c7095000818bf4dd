//! One value carries the verdict on a message or a recipient.
//!
//! The digits 4 and 5 are printed from [`Class`] and stored nowhere, so the SMTP reply, the enhanced status
//! (RFC 3463), the action in a delivery status notification and the scheduler cannot disagree.

use std::fmt;
use std::sync::Arc;

use crate::trail::Because;

/// Try again, or give up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// A temporary failure: 4xx.
    Later,
    /// A permanent failure: 5xx.
    Never,
}

impl Class {
    /// `4` or `5`.
    pub fn digit(self) -> char {
        match self {
            Class::Later => '4',
            Class::Never => '5',
        }
    }
}

/// Who is at fault: decides the log level, `notify_classes`, and whether a ban may count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The client broke the protocol.
    Peer,
    /// A rule of the site said no.
    Policy,
    /// The address leads nowhere: nobody has it, or a transport says no in its stead.
    Address,
    /// The server we spoke to said no, or was not there.
    NextHop,
    /// Something of ours failed: disk, table, memory.
    Ourselves,
    /// The configuration is wrong.
    Admin,
}

/// Subject and detail of an enhanced status code (RFC 3463): `(7, 1)` is printed `4.7.1` or `5.7.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Detail(pub u16, pub u16);

/// What another server answered, for the Diagnostic-Code of a notice (RFC 3464 2.3.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteReply {
    /// Host as logged, `name[address]:port` shortened as Postfix does: `name[address]`.
    pub host: String,
    /// The reply, lines joined by a space.
    pub text: String,
}

/// A decision against a message or a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    class: Class,
    /// The last two digits of the SMTP reply: `50` gives 450 or 550.
    pub code: u8,
    /// Enhanced status without its class.
    pub detail: Detail,
    /// Who is at fault.
    pub blame: Blame,
    /// One sentence for the peer: no path, no configuration, no secret.
    pub say: String,
    /// What the log says instead of `say`, where we know more than the peer may hear.
    pub log: Option<String>,
    /// The reply of a remote server that caused this.
    pub remote: Option<RemoteReply>,
    /// Diagnostic type and text where no remote server spoke (`x-unix; …` of pipe and local).
    pub diagnostic: Option<String>,
    /// Why: parameter, table, key, line or DNS answer.
    pub because: Vec<Because>,
}

impl Refusal {
    /// A refusal of either class.
    pub fn new(class: Class, code: u8, detail: Detail, blame: Blame, say: impl Into<String>) -> Refusal {
        Refusal {
            class,
            code,
            detail,
            blame,
            say: say.into(),
            log: None,
            remote: None,
            diagnostic: None,
            because: Vec::new(),
        }
    }

    /// A temporary refusal.
    pub fn later(code: u8, detail: Detail, blame: Blame, say: impl Into<String>) -> Refusal {
        Refusal::new(Class::Later, code, detail, blame, say)
    }

    /// A permanent refusal.
    pub fn never(code: u8, detail: Detail, blame: Blame, say: impl Into<String>) -> Refusal {
        Refusal::new(Class::Never, code, detail, blame, say)
    }

    /// Try again or give up.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Makes it temporary: `soft_bounce`, `*_tempfail_action`, `unknown_*_reject_code = 4xx`.
    pub fn soften(mut self) -> Refusal {
        self.class = Class::Later;
        self
    }

    /// The three-digit SMTP code.
    pub fn smtp_code(&self) -> u16 {
        let base = match self.class {
            Class::Later => 400,
            Class::Never => 500,
        };
        base + u16::from(self.code)
    }

    /// The enhanced status code: `5.7.1`.
    pub fn status(&self) -> Status {
        Status(self.class.digit(), self.detail)
    }

    /// Takes a three-digit code from configuration (`access_map_reject_code = 554`).
    ///
    /// `None` unless it is 400 to 599.
    pub fn with_smtp_code(mut self, code: u16) -> Option<Refusal> {
        self.class = match code {
            400..=499 => Class::Later,
            500..=599 => Class::Never,
            _ => return None,
        };
        self.code = u8::try_from(code % 100).ok()?;
        Some(self)
    }

    /// Adds a reason to the trail.
    pub fn because(mut self, because: Because) -> Refusal {
        self.because.push(because);
        self
    }

    /// Sets the sentence for the log.
    pub fn logged(mut self, log: impl Into<String>) -> Refusal {
        self.log = Some(log.into());
        self
    }

    /// The sentence for the log: `log`, or what the peer hears.
    pub fn log_text(&self) -> &str {
        self.log.as_deref().unwrap_or(&self.say)
    }
}

/// A printed enhanced status code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Status(char, Detail);

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1.0, self.1.1)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Something outside failed: a file, a host, a query. Temporary by nature: doubt is never a "no".
#[derive(Clone, Debug)]
pub struct Trouble {
    /// What failed, with path, host or table, for the log.
    pub what: String,
    /// The error underneath.
    pub source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    /// The configuration is wrong, and asking again does not help: 4.3.5 is told, not 4.3.0.
    pub misconfigured: bool,
}

impl Trouble {
    /// Trouble without an error underneath.
    pub fn new(what: impl Into<String>) -> Trouble {
        Trouble { what: what.into(), source: None, misconfigured: false }
    }

    /// Trouble that the configuration makes by itself.
    pub fn misconfigured(what: impl Into<String>) -> Trouble {
        Trouble { misconfigured: true, ..Trouble::new(what) }
    }

    /// Trouble with the error that caused it.
    pub fn from_error(
        what: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Trouble {
        Trouble { source: Some(Arc::new(source)), ..Trouble::new(what) }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{}: {}", self.what, source),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for Trouble {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// Doubt is temporary: 451 4.3.0, and the peer hears nothing of our insides.
impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Refusal {
        let detail = if trouble.misconfigured { Detail(3, 5) } else { Detail(3, 0) };
        Refusal::later(51, detail, Blame::Ourselves, "Temporary lookup failure").logged(trouble.to_string())
    }
}

/// What became of one recipient in one attempt.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Delivered. `relay` as logged (`local`, `host[addr]:port`), `dsn` detail such as `(0, 0)`, and the text
    /// within parentheses of `status=sent (…)`.
    Delivered {
        /// Enhanced status without its class 2.
        detail: Detail,
        /// Logged text.
        text: String,
        /// Does the next hop send its own success notice (it announced DSN)?
        relayed_dsn: bool,
    },
    /// Not now.
    Later(Refusal),
    /// Not ever: a notice goes to the sender.
    Never(Refusal),
    /// An alias or a `.forward` file took its place. Who asked for news of success is told; what it leads to is
    /// logged by itself.
    Expanded {
        /// A list with an owner answers for its members: it counts as delivered (RFC 3461 5.2.7.3).
        delivered: bool,
    },
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Outcome {
        match refusal.class() {
            Class::Later => Outcome::Later(refusal),
            Class::Never => Outcome::Never(refusal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_prints_every_digit() {
        let refusal = Refusal::never(54, Detail(7, 1), Blame::Policy, "Relay access denied");
        assert_eq!((refusal.smtp_code(), refusal.status().to_string().as_str()), (554, "5.7.1"));
        let soft = refusal.soften();
        assert_eq!((soft.smtp_code(), soft.status().to_string().as_str()), (454, "4.7.1"));
        assert!(matches!(Outcome::from(soft), Outcome::Later(_)));
    }

    #[test]
    fn doubt_is_temporary() {
        let refusal = Refusal::from(Trouble::new("hash:/etc/x: open: no such file"));
        assert_eq!(refusal.smtp_code(), 451);
        assert!(!refusal.say.contains("/etc"));
    }
}
