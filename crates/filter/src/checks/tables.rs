//! The tables of header and body checks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use conf::{Mistake, Severity, View};
use mail::Trouble;
use tables::{Keys, Maps, Tables};

use super::action::{Action, Origin, Role};
use crate::params;

/// Where a header stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The message's own header: `header_checks`.
    Primary,
    /// Headers of a MIME part, and any that are about MIME: `mime_header_checks`.
    Mime,
    /// Headers of an attached message: `nested_header_checks`.
    Nested,
}

/// What a look at a line gives: mostly at once, sometimes later.
pub enum Visit<'a> {
    /// It is known.
    Ready(Result<Action, Trouble>),
    /// A server is asked.
    Pending(Pin<Box<dyn Future<Output = Result<Action, Trouble>> + Send + 'a>>),
}

impl Visit<'_> {
    /// Waits where there is something to wait for.
    pub async fn result(self) -> Result<Action, Trouble> {
        match self {
            Visit::Ready(result) => result,
            Visit::Pending(future) => future.await,
        }
    }
}

/// The checks of one service.
pub struct Checks {
    header: Maps,
    mime: Maps,
    nested: Maps,
    body: Maps,
    body_limit: u64,
    role: Role,
    program: Arc<str>,
}

impl Checks {
    /// `header_checks` and the others of a cleanup service. What is wrong goes to `mistakes`.
    pub fn receiving(
        view: &View,
        params: &params::Checks,
        tables: &Tables,
        mistakes: &mut Vec<Mistake>,
    ) -> Checks {
        let mut open = |parameter: &str, text: &str| {
            tables.maps_with(parameter, text, Keys::RAW).unwrap_or_else(|fault| {
                let place = view.place(parameter);
                let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
                mistakes.push(Mistake::new(Severity::Error, place, format!("{parameter}: {fault}")));
                tables.maps(parameter, "").expect("no table at all can always be opened")
            })
        };
        Checks {
            header: open("header_checks", &params.header_checks),
            mime: open("mime_header_checks", &params.mime_header_checks),
            nested: open("nested_header_checks", &params.nested_header_checks),
            body: open("body_checks", &params.body_checks),
            body_limit: match params.body_checks_size_limit {
                0 => u64::MAX,
                limit => limit,
            },
            role: Role::Receiving,
            program: "cleanup".into(),
        }
    }

    /// `smtp_header_checks` and the others of a delivery agent.
    pub fn sending(header: Maps, mime: Maps, nested: Maps, body: Maps, program: Arc<str>) -> Checks {
        Checks { header, mime, nested, body, body_limit: u64::MAX, role: Role::Sending, program }
    }

    /// `milter_header_checks`: headers that milters add or change.
    pub fn of_milters(view: &View, tables: &Tables, mistakes: &mut Vec<Mistake>) -> Checks {
        let parameter = "milter_header_checks";
        let none = || tables.maps(parameter, "").expect("no table at all can always be opened");
        let header = tables.maps_with(parameter, &view.get(parameter), Keys::RAW).unwrap_or_else(|fault| {
            let place = view.place(parameter);
            let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
            mistakes.push(Mistake::new(Severity::Error, place, format!("{parameter}: {fault}")));
            none()
        });
        Checks {
            header,
            mime: none(),
            nested: none(),
            body: none(),
            body_limit: 0,
            role: Role::Milters,
            program: "cleanup".into(),
        }
    }

    /// There is nothing to check.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty() && !self.has_header_checks()
    }

    /// There is something to check in headers.
    pub fn has_header_checks(&self) -> bool {
        !(self.header.is_empty() && self.mime.is_empty() && self.nested.is_empty())
    }

    /// Lines before this offset in the body of their part are checked (`body_checks_size_limit`).
    pub fn body_limit(&self) -> u64 {
        if self.body.is_empty() { 0 } else { self.body_limit }
    }

    /// Checks a header field: whole, with its folding, without its last line end.
    pub fn header<'a>(&'a self, part: Part, field: &'a [u8]) -> Visit<'a> {
        let maps = match part {
            Part::Primary => &self.header,
            Part::Mime => &self.mime,
            Part::Nested => &self.nested,
        };
        self.look_up(maps, field, true)
    }

    /// Checks a body line, without its line end, at `offset` bytes in the body of its part.
    pub fn line<'a>(&'a self, offset: u64, line: &'a [u8]) -> Visit<'a> {
        if offset >= self.body_limit {
            return Visit::Ready(Ok(Action::Keep));
        }
        self.look_up(&self.body, line, false)
    }

    fn look_up<'a>(&'a self, maps: &'a Maps, text: &'a [u8], header: bool) -> Visit<'a> {
        // Patterns never see an empty text.
        if text.is_empty() || maps.is_empty() {
            return Visit::Ready(Ok(Action::Keep));
        }
        let origin = Origin { parameter: maps.parameter(), header, role: self.role, program: &self.program };
        let read =
            move |found: Option<tables::Found>| found.map_or(Action::Keep, |found| origin.read(&found.value));
        match maps.find_now(text) {
            Some(found) => Visit::Ready(found.map(read)),
            None => Visit::Pending(Box::pin(async move { maps.find(text).await.map(read) })),
        }
    }
}
