//! What a restriction is, and what it says.

use std::sync::Arc;
use std::time::Duration;

use mail::Refusal;
use tables::Maps;

use crate::case::Case;
use crate::dnsbl::Zone;
use crate::policy;
use crate::{Boxed, Stage};

/// One word of the restriction language. Each is a constant in a file of its own, or of its small family.
#[derive(Clone, Copy)]
pub struct Restriction {
    /// As written in main.cf.
    pub name: &'static str,
    /// What must follow it.
    pub argument: Wanted,
    /// The first stage at which what it looks at is known. Before that it says nothing.
    pub since: Stage,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// Asks it.
    pub run: for<'a, 'c> fn(&'a mut Case<'c>, &'a Rule) -> Step<'a>,
}

impl std::fmt::Debug for Restriction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What a restriction wants behind its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing.
    Nothing,
    /// `type:table`.
    Table,
    /// A DNS list, `domain` or `domain=address-pattern`.
    Zone,
    /// A number of seconds.
    Seconds,
    /// A policy server: `inet:host:port`, `unix:path` or `{ server, name=value … }`.
    Server,
}

/// One entry of a compiled list.
#[derive(Clone, Debug)]
pub struct Rule {
    /// As written, for the log and the trail.
    pub name: String,
    /// What it is.
    pub what: What,
    /// `warn_if_reject` stood before it.
    pub warn: bool,
}

/// What an entry of a list is.
#[derive(Clone, Debug)]
pub enum What {
    /// A restriction of the language, with its argument.
    Restriction(&'static Restriction, Argument),
    /// A restriction class of the site, by its place in the judge's list.
    Class(usize),
    /// Something that cannot be asked: the text is logged, and the answer is 451 4.3.5.
    Broken(String),
    /// Something that cannot be asked and counts as not there: the text is logged.
    Ignored(String),
}

/// The argument of a restriction, ready for use.
#[derive(Clone)]
pub enum Argument {
    /// None.
    Nothing,
    /// Tables, and their text as written.
    Table(Maps, String),
    /// A DNS list.
    Zone(Arc<Zone>),
    /// A pause.
    Pause(Duration),
    /// A policy server.
    Server(Arc<policy::Server>),
}

impl std::fmt::Debug for Argument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Argument::Nothing => Ok(()),
            Argument::Table(_, text) => f.write_str(text),
            Argument::Zone(zone) => f.write_str(&zone.domain),
            Argument::Pause(pause) => write!(f, "{pause:?}"),
            Argument::Server(server) => f.write_str(server.name()),
        }
    }
}

impl Rule {
    /// The tables behind a `check_*_access`; the compiler saw to it that there are.
    pub(crate) fn table(&self) -> (&Maps, &str) {
        match &self.what {
            What::Restriction(_, Argument::Table(maps, text)) => (maps, text),
            _ => unreachable!("a restriction that wants a table is compiled with one"),
        }
    }

    /// The DNS list behind a `reject_rbl_*` or `permit_*wl_*`.
    pub(crate) fn zone(&self) -> &Arc<Zone> {
        match &self.what {
            What::Restriction(_, Argument::Zone(zone)) => zone,
            _ => unreachable!("a restriction that wants a DNS list is compiled with one"),
        }
    }
}

/// What a restriction says.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Nothing: go on to the next.
    Dunno,
    /// Yes: the rest of this list is not asked.
    Permit,
    /// No.
    Refuse(Box<Refusal>),
}

impl Decision {
    /// Does it leave the question open?
    pub fn is_dunno(&self) -> bool {
        matches!(self, Decision::Dunno)
    }
}

/// A decision that is there, or one that has to wait for a table, a name server, a clock.
pub enum Step<'a> {
    /// It is there.
    Ready(Decision),
    /// It comes.
    Later(Boxed<'a, Decision>),
}

impl<'a> Step<'a> {
    /// Boxes a future.
    pub(crate) fn later(future: impl Future<Output = Decision> + Send + 'a) -> Step<'a> {
        Step::Later(Box::pin(future))
    }

    /// Nothing to say.
    pub(crate) const DUNNO: Step<'static> = Step::Ready(Decision::Dunno);
}
