//! What the configuration says about one postscreen service.

use std::time::{Duration, Instant};

use conf::{Block, Mistake, Service as Line, Severity, View};
use filter::params::{Postscreen as Params, PostscreenTests as Tests};
use tables::{List, Maps, Parents, Tables};

use super::access::AccessList;
use super::lists::Site;
use super::memory::Test;
use crate::build;

/// What becomes of a client that fails a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    /// It goes on, and is tested again the next time.
    Ignore,
    /// It may talk, to nobody: every recipient is refused, and told to the log.
    Enforce,
    /// It is sent away.
    Drop,
}

impl Action {
    pub(super) fn of(text: &str) -> Action {
        match text {
            "enforce" => Action::Enforce,
            "drop" => Action::Drop,
            _ => Action::Ignore,
        }
    }
}

/// The settings of one service.
pub(super) struct Settings {
    pub program: String,
    pub host: String,
    /// `smtpd_banner`.
    pub banner: String,
    pub size_limit: u64,
    pub smtputf8: bool,
    pub line_limit: usize,
    pub params: Params,
    pub tests: Tests,
    pub access: AccessList,
    pub allow_at: List,
    pub sites: Vec<Site>,
    pub reply_map: Maps,
    pub forbidden: List,
    /// `postscreen_greet_wait` and `postscreen_command_time_limit` under stress.
    stressed: (Duration, Duration),
}

impl Settings {
    pub(super) fn read(view: &View, line: &Line, tables: &Tables, mistakes: &mut Vec<Mistake>) -> Settings {
        let params = Params::read(view, mistakes);
        let tests = Tests::read(view, mistakes);
        let stressed = view.with_overrides(&[("stress".to_owned(), "yes".to_owned())]);
        let stressed = (
            Tests::read(&stressed, &mut Vec::new()).postscreen_greet_wait,
            Params::read(&stressed, &mut Vec::new()).postscreen_command_time_limit,
        );
        let access = AccessList::read(&params.postscreen_access_list, view, tables, mistakes);
        let mut wrong = |name: &str, text: &str| {
            mistakes.push(mistake(view, name, Severity::Error, text));
        };
        let mut sites = Vec::new();
        for word in &tests.postscreen_dnsbl_sites {
            match Site::parse(word) {
                Ok(site) => sites.push(site),
                Err(text) => wrong("postscreen_dnsbl_sites", &text),
            }
        }
        let hosts = |text: &str| tables.host_list("postscreen_allowlist_interfaces", text, Parents::Dotted);
        let allow_at = hosts(&params.postscreen_allowlist_interfaces.join(" ")).unwrap_or_else(|fault| {
            wrong("postscreen_allowlist_interfaces", &fault.to_string());
            hosts("").expect("an empty list is no fault")
        });
        let maps = |text: &str| tables.maps("postscreen_dnsbl_reply_map", text);
        let reply_map = maps(&tests.postscreen_dnsbl_reply_map).unwrap_or_else(|fault| {
            wrong("postscreen_dnsbl_reply_map", &fault.to_string());
            maps("").expect("no table is no fault")
        });
        let words = |text: &str| tables.string_list("postscreen_forbidden_commands", text);
        let forbidden = words(&tests.postscreen_forbidden_commands.join(" ")).unwrap_or_else(|fault| {
            wrong("postscreen_forbidden_commands", &fault.to_string());
            words("").expect("an empty list is no fault")
        });
        Settings {
            program: build::program(view, line),
            host: view.get("myhostname"),
            banner: view.get("smtpd_banner"),
            size_limit: view.get("message_size_limit").trim().parse().unwrap_or(0),
            smtputf8: view.get("smtputf8_enable").trim().eq_ignore_ascii_case("yes"),
            line_limit: view.get("line_length_limit").trim().parse().unwrap_or(2048),
            params,
            tests,
            access,
            allow_at,
            sites,
            reply_map,
            forbidden,
            stressed,
        }
    }

    /// `postscreen_greet_wait`
    pub(super) fn greet_wait(&self, stress: bool) -> Duration {
        if stress { self.stressed.0 } else { self.tests.postscreen_greet_wait }
    }

    /// `postscreen_command_time_limit`
    pub(super) fn command_time(&self, stress: bool) -> Duration {
        if stress { self.stressed.1 } else { self.params.postscreen_command_time_limit }
    }

    /// The tests that are on.
    pub(super) fn enabled(&self) -> Vec<Test> {
        let tests = &self.tests;
        [
            // Without a line that tempts it to talk, nobody is waited for.
            (Test::Greet, !self.params.postscreen_greet_banner.is_empty()),
            (Test::Lists, !self.sites.is_empty()),
            (Test::Pipelining, tests.postscreen_pipelining_enable),
            (Test::NonSmtp, tests.postscreen_non_smtp_command_enable),
            (Test::BareNewline, tests.postscreen_bare_newline_enable),
        ]
        .into_iter()
        .filter_map(|(test, on)| on.then_some(test))
        .collect()
    }

    /// Until when a test is left alone whose failure was overlooked now: as short as any counts that was passed.
    pub(super) fn until_overlooked(&self, now: Instant) -> Instant {
        let tests = &self.tests;
        let times = [
            tests.postscreen_greet_ttl,
            tests.postscreen_dnsbl_min_ttl,
            tests.postscreen_pipelining_ttl,
            tests.postscreen_non_smtp_command_ttl,
            tests.postscreen_bare_newline_ttl,
        ];
        now + times.into_iter().min().unwrap_or_default()
    }

    /// Until when a test counts that was passed now; `lists`: how long the answers of DNS lists are good.
    pub(super) fn until(&self, test: Test, now: Instant, lists: Option<Duration>) -> Instant {
        let tests = &self.tests;
        let (least, most) = (tests.postscreen_dnsbl_min_ttl, tests.postscreen_dnsbl_max_ttl);
        now + match test {
            Test::Greet => tests.postscreen_greet_ttl,
            Test::Lists => lists.unwrap_or(most).min(most).max(least),
            Test::Pipelining => tests.postscreen_pipelining_ttl,
            Test::NonSmtp => tests.postscreen_non_smtp_command_ttl,
            Test::BareNewline => tests.postscreen_bare_newline_ttl,
        }
    }
}

/// Reports what is wrong with a line's parameters; nothing is asked of anybody.
pub fn check(view: &View, line: &Line, tables: &Tables, mistakes: &mut Vec<Mistake>) {
    Settings::read(view, line, tables, mistakes);
}

fn mistake(view: &View, parameter: &str, severity: Severity, text: &str) -> Mistake {
    let place = view.place(parameter);
    let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
    Mistake::new(severity, place, text)
}
