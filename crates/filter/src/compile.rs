//! From the text of a restriction list to rules that can be asked: once, at start.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use conf::{Mistake, Severity, View};
use tables::{Maps, Tables};

use crate::dnsbl::Zone;
use crate::judge::Judge;
use crate::policy;
use crate::restriction::{Argument, Restriction, Rule, Wanted, What};
use crate::{Stage, restrictions};

/// What lists share: classes, and policy servers that several of them name.
#[derive(Default)]
pub(crate) struct Shelf {
    /// The site's classes, in the order of `smtpd_restriction_classes`.
    pub classes: Vec<(String, Vec<Rule>)>,
    servers: HashMap<String, Arc<policy::Server>>,
}

impl Shelf {
    /// The class of that name.
    pub fn class(&self, name: &str) -> Option<usize> {
        self.classes.iter().position(|(class, _)| class == name)
    }

    /// Does one of these rules, or of the classes, name the restriction?
    pub fn asks(&self, rules: &[Rule], restriction: &Restriction) -> bool {
        let mut all = rules.iter().chain(self.classes.iter().flat_map(|(_, rules)| rules));
        all.any(|rule| matches!(&rule.what, What::Restriction(named, _) if named.name == restriction.name))
    }
}

/// Compiles the lists of one service.
pub(crate) struct Compiler<'a> {
    pub view: &'a View,
    pub tables: &'a Tables,
    pub program: &'a str,
    pub mistakes: &'a mut Vec<Mistake>,
    pub shelf: Shelf,
}

impl Compiler<'_> {
    /// Compiles all classes: their names first, for they may name one another.
    pub fn classes(&mut self, names: &[String]) {
        for name in names {
            if self.shelf.class(name).is_none() {
                self.shelf.classes.push((name.clone(), Vec::new()));
            }
        }
        for index in 0..self.shelf.classes.len() {
            let name = self.shelf.classes[index].0.clone();
            if !self.view.is_set(&name) {
                self.mistake(
                    "smtpd_restriction_classes",
                    Severity::Warning,
                    format!("restriction class `{name}' needs a definition: {name} = …"),
                );
            }
            let text = self.view.get(&name);
            self.shelf.classes[index].1 = self.list(&name, &text, None);
        }
    }

    /// Compiles one list. A bare `type:table` in it stands for `default_access`.
    pub fn list(
        &mut self,
        parameter: &str,
        text: &str,
        default_access: Option<&'static Restriction>,
    ) -> Vec<Rule> {
        let words = divide(text);
        let mut words = words.iter().peekable();
        let mut rules = Vec::new();
        let mut warn = false;
        while let Some(word) = words.next() {
            if word.eq_ignore_ascii_case("warn_if_reject") {
                warn = true;
                continue;
            }
            let rule = match restrictions::find(word) {
                Some(found) => {
                    if let Some(advice) = found.advice {
                        self.mistake(parameter, Severity::Warning, format!("restriction {word}: {advice}"));
                    }
                    let argument = (found.rule.argument != Wanted::Nothing).then(|| words.next()).flatten();
                    self.restriction(parameter, word, found.rule, argument.map(String::as_str))
                }
                None if self.shelf.class(word).is_some() => Rule {
                    name: word.clone(),
                    what: What::Class(self.shelf.class(word).unwrap_or(0)),
                    warn: false,
                },
                None if word.contains(':') => self.bare_table(parameter, word, default_access),
                None => self.broken(parameter, word, format!("unknown smtpd restriction: \"{word}\"")),
            };
            rules.push(Rule { warn: std::mem::take(&mut warn), ..rule });
        }
        rules
    }

    fn restriction(
        &mut self,
        parameter: &str,
        name: &str,
        rule: &'static Restriction,
        argument: Option<&str>,
    ) -> Rule {
        let argument = match (rule.argument, argument) {
            (Wanted::Nothing, _) => Argument::Nothing,
            (Wanted::Table, Some(text)) if text.contains(':') => match self.maps(parameter, text) {
                Some(maps) => Argument::Table(maps, text.to_owned()),
                None => return self.broken(parameter, name, format!("restriction {name}: bad table {text}")),
            },
            (Wanted::Table, text) => {
                let text = text.unwrap_or(name);
                let wrong = format!("restriction {name}: bad argument \"{text}\": need maptype:mapname");
                return self.broken(parameter, name, wrong);
            }
            (Wanted::Server, Some(text)) if text.contains(':') => match self.server(text) {
                Ok(server) => Argument::Server(server),
                Err(wrong) => return self.broken(parameter, name, wrong),
            },
            (Wanted::Server, _) => {
                let wrong = format!("restriction {name} must be followed by transport:server");
                return self.broken(parameter, name, wrong);
            }
            (Wanted::Seconds, text) => match text.and_then(|text| text.parse().ok()) {
                Some(seconds) => Argument::Pause(Duration::from_secs(seconds)),
                None => {
                    let wrong = format!("restriction {name} must be followed by number");
                    return self.broken(parameter, name, wrong);
                }
            },
            (Wanted::Zone, Some(text)) => match Zone::parse(text) {
                Ok(zone) => Argument::Zone(Arc::new(zone)),
                Err(wrong) => return self.broken(parameter, name, format!("restriction {name}: {wrong}")),
            },
            (Wanted::Zone, None) => {
                let wrong = format!("restriction {name} requires domain name argument");
                self.mistake(parameter, Severity::Warning, wrong.clone());
                return Rule { name: name.to_owned(), what: What::Ignored(wrong), warn: false };
            }
        };
        Rule { name: name.to_owned(), what: What::Restriction(rule, argument), warn: false }
    }

    fn bare_table(
        &mut self,
        parameter: &str,
        word: &str,
        default_access: Option<&'static Restriction>,
    ) -> Rule {
        match default_access {
            Some(rule) => self.restriction(parameter, rule.name, rule, Some(word)),
            None => {
                let wrong = format!(
                    "specify one of (check_client_access, check_helo_access, check_sender_access, \
                     check_recipient_access, check_etrn_access) before restriction \"{word}\""
                );
                self.broken(parameter, word, wrong)
            }
        }
    }

    fn maps(&mut self, parameter: &str, text: &str) -> Option<Maps> {
        match self.tables.maps(parameter, text) {
            Ok(maps) => {
                for fault in maps.faults() {
                    self.mistake(parameter, Severity::Error, fault.to_string());
                }
                Some(maps)
            }
            Err(fault) => {
                self.mistake(parameter, Severity::Error, fault.to_string());
                None
            }
        }
    }

    fn server(&mut self, text: &str) -> Result<Arc<policy::Server>, String> {
        if let Some(server) = self.shelf.servers.get(text) {
            return Ok(server.clone());
        }
        let server = Arc::new(policy::Server::new(text, self.view, self.program)?);
        self.shelf.servers.insert(text.to_owned(), server.clone());
        Ok(server)
    }

    fn broken(&mut self, parameter: &str, name: &str, wrong: String) -> Rule {
        self.mistake(parameter, Severity::Error, format!("{parameter}: {wrong}"));
        Rule { name: name.to_owned(), what: What::Broken(wrong), warn: false }
    }

    pub fn mistake(&mut self, parameter: &str, severity: Severity, text: String) {
        let place = self.view.place(parameter);
        let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
        self.mistakes.push(Mistake::new(severity, place, text));
    }
}

/// A list may not look at what its stage does not know yet: it would say nothing for ever.
pub(crate) fn asked_too_early<'a>(
    rules: &'a [Rule],
    shelf: &'a Shelf,
    knows: impl Fn(Stage) -> bool + Copy + 'a,
) -> Vec<&'a str> {
    let mut early = Vec::new();
    collect_early(rules, shelf, knows, 0, &mut early);
    early
}

fn collect_early<'a>(
    rules: &'a [Rule],
    shelf: &'a Shelf,
    knows: impl Fn(Stage) -> bool + Copy,
    depth: usize,
    early: &mut Vec<&'a str>,
) {
    for rule in rules {
        match &rule.what {
            What::Restriction(restriction, _) if !knows(restriction.since) => early.push(&rule.name),
            What::Class(index) if depth < 10 => {
                collect_early(&shelf.classes[*index].1, shelf, knows, depth + 1, early);
            }
            _ => {}
        }
    }
}

/// A right-hand side named a table, which is opened at start or not at all.
pub(crate) struct TableInTable;

/// Compiles what an access table or policy server answered: restrictions without tables, and class names.
pub(crate) fn right_hand_side(judge: &Judge, text: &str) -> Result<Vec<Rule>, TableInTable> {
    let words = divide(text);
    if words.iter().any(|word| word.contains(':')) {
        return Err(TableInTable);
    }
    let mut words = words.into_iter();
    let mut rules = Vec::new();
    let mut warn = false;
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case("warn_if_reject") {
            warn = true;
            continue;
        }
        let what = match restrictions::find(&word) {
            Some(found) => match (found.rule.argument, found.rule.argument != Wanted::Nothing) {
                (Wanted::Nothing, _) => What::Restriction(found.rule, Argument::Nothing),
                (wanted, _) => argument(&word, found.rule, wanted, words.next()),
            },
            None => match judge.shelf.class(&word) {
                Some(index) => What::Class(index),
                None => What::Broken(format!("unknown smtpd restriction: \"{word}\"")),
            },
        };
        rules.push(Rule { name: word, what, warn: std::mem::take(&mut warn) });
    }
    Ok(rules)
}

fn argument(name: &str, rule: &'static Restriction, wanted: Wanted, text: Option<String>) -> What {
    match (wanted, text) {
        (Wanted::Zone, Some(text)) => match Zone::parse(&text) {
            Ok(zone) => What::Restriction(rule, Argument::Zone(Arc::new(zone))),
            Err(wrong) => What::Broken(format!("restriction {name}: {wrong}")),
        },
        (Wanted::Zone, None) => What::Ignored(format!("restriction {name} requires domain name argument")),
        (Wanted::Seconds, text) => match text.and_then(|text| text.parse().ok()) {
            Some(seconds) => What::Restriction(rule, Argument::Pause(Duration::from_secs(seconds))),
            None => What::Broken(format!("restriction {name} must be followed by number")),
        },
        (Wanted::Server, _) => {
            What::Broken(format!("restriction {name} must be followed by transport:server"))
        }
        (_, text) => {
            let text = text.as_deref().unwrap_or(name).to_owned();
            What::Broken(format!("restriction {name}: bad argument \"{text}\": need maptype:mapname"))
        }
    }
}

/// Divides a list at commas and white space, keeping `{ … }` together.
pub(crate) fn divide(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut depth = 0usize;
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(c, ',' | ' ' | '\t' | '\r' | '\n') {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            word.push(c);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_hold_words_together() {
        assert_eq!(
            divide("permit, check_x inline:{ {a = b}, {c=d} }\n reject"),
            ["permit", "check_x", "inline:{ {a = b}, {c=d} }", "reject"]
        );
        assert_eq!(divide("check_policy_service { inet:h:1, timeout=1s }").len(), 2);
    }
}
