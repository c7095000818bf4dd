//! The compatibility report: one page about one configuration.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use conf::{Mistake, Severity, Status, Usage};

use super::{Findings, differences, values};
use crate::config::Config;

/// Columns of the page.
const WIDTH: usize = 100;

/// What becomes of the settings of a configuration.
#[derive(Default)]
struct Settings {
    honoured: BTreeSet<String>,
    /// Accepted without effect.
    idle: Vec<String>,
    refused: Vec<String>,
}

/// Writes the page.
pub fn page(directory: &Path, config: &Config, findings: &Findings) -> String {
    let settings = sort(config);
    let told: Vec<&Mistake> = findings.mistakes.iter().filter(|one| !is_about_support(one)).collect();
    let errors = findings.mistakes.iter().filter(|one| one.severity > Severity::Warning).count();
    let remarks = findings.all().count() - errors;
    let mut page = format!("Compatibility report for {}\n\n", directory.display());
    let program =
        format!("Facteur {} as Postfix {}.", env!("CARGO_PKG_VERSION"), config.view.get("mail_version"));
    let verdict = match (errors, remarks) {
        (0, 0) => "This configuration runs as it stands.".to_owned(),
        (0, n) => format!("This configuration runs; what to look at below: {n}."),
        (n, _) => format!("Errors below, in whose place the defaults would stand: {n}."),
    };
    wrapped(&mut page, "", &format!("{program} {verdict}"));
    let services = config.master.services.len();
    heading(&mut page, "Honoured", settings.honoured.len());
    let names: Vec<&str> = settings.honoured.iter().map(String::as_str).collect();
    wrapped(&mut page, "  ", &names.join(" "));
    wrapped(&mut page, "  ", &format!("and the services of master.cf: {services}"));
    section(&mut page, "No effect", settings.idle.iter().map(String::as_str));
    section(&mut page, "Refused", settings.refused.iter().map(String::as_str));
    section(&mut page, "Would answer differently", differences::find(config).into_iter());
    let show = |list: &[Mistake]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let told: Vec<String> = told.into_iter().map(ToString::to_string).collect();
    for (title, list) in [
        ("Mistakes", told),
        ("Tables older than their sources", show(&findings.stale)),
        ("Relaying", show(&findings.relaying)),
        ("Neighbours", show(&findings.neighbours)),
        ("DNS", show(&findings.names)),
    ] {
        section(&mut page, title, list.iter().map(String::as_str));
    }
    page
}

fn sort(config: &Config) -> Settings {
    let usage = Usage::of(&config.view, &config.master);
    let mut settings = Settings::default();
    for (view, name, value) in values(config) {
        let Some(row) = usage.row(&view, &name) else { continue };
        let told = |why: &str| match view.place(&name) {
            Some((file, line)) => format!("{name} ({}, line {line}): {why}", file.display()),
            None => format!("{name}: {why}"),
        };
        let is_default = value == row.default || view.try_expand(row.default).is_ok_and(|text| text == value);
        match row.status {
            Status::NoEffect(why) if !is_default => settings.idle.push(told(why)),
            Status::Refused(why) if !is_default => settings.refused.push(told(why)),
            _ => {
                settings.honoured.insert(name);
            }
        }
    }
    settings
}

/// Is it told in the sections about settings without effect, and refused ones?
fn is_about_support(mistake: &Mistake) -> bool {
    let after_name = mistake.text.split_once(' ').map_or("", |(_, rest)| rest);
    after_name.starts_with("has no effect: ") || after_name.starts_with("is not supported: ")
}

fn heading(page: &mut String, title: &str, count: usize) {
    let _ = writeln!(page, "\n{title} ({count})");
}

fn section<'a>(page: &mut String, title: &str, items: impl Iterator<Item = &'a str>) {
    let items: Vec<&str> = items.collect();
    heading(page, title, items.len());
    for item in items {
        wrapped(page, "  - ", item);
    }
}

/// Adds a text in lines of [`WIDTH`] columns; `lead` stands before the first.
fn wrapped(page: &mut String, lead: &str, text: &str) {
    let mut line = lead.to_owned();
    let indent = " ".repeat(lead.len());
    for word in text.split_whitespace() {
        if line.len() > indent.len() && line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(page, "{}", line.trim_end());
            line.clone_from(&indent);
        }
        if !line.is_empty() && !line.ends_with(' ') {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.len() > indent.len() {
        let _ = writeln!(page, "{}", line.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::super::config;
    use super::*;

    #[test]
    fn each_setting_stands_in_one_section() {
        let config = config(
            "myhostname = mx.test\nmax_use = 5\nmax_idle = 100s\nqmqpd_timeout = 1\nmy_own = x\nmydomain = $my_own\n",
            "smtp inet n - n - - smtpd -o max_use=7\n",
        );
        let mistakes = conf::check(&config.view, &config.master);
        let nothing = Vec::new;
        let findings = Findings {
            mistakes,
            stale: nothing(),
            relaying: vec![super::super::warning(None, "an open relay".to_owned())],
            neighbours: nothing(),
            names: nothing(),
        };
        let page = page(Path::new("/etc/postfix"), &config, &findings);
        for part in [
            "Compatibility report for /etc/postfix\n",
            "the defaults would stand: 1.",
            "\nHonoured (3)\n  max_idle mydomain myhostname\n  and the services of master.cf: 1\n",
            "\nNo effect (2)\n  - max_use (main.cf, line 2): ",
            "  - max_use (master.cf, line 1): ",
            "\nRefused (1)\n  - qmqpd_timeout (main.cf, line 4): QMQP",
            "\nMistakes (0)\n",
            "\nRelaying (1)\n  - an open relay\n",
        ] {
            assert!(page.contains(part), "{part:?} is not in\n{page}");
        }
        assert!(page.lines().all(|line| line.len() <= WIDTH), "{page}");
    }
}
