//! Everything that can be seen to be wrong with a configuration from its text alone.

use std::collections::HashMap;
use std::path::Path;

use crate::{Declaration, Kind, MasterCf, Mistake, Severity, Status, Usage, View};

/// Checks main.cf and master.cf after they have been read: values that are none of their kind, references that lead
/// nowhere, names that nobody reads, parameters that are not supported, services given twice.
///
/// What reading the files found is not repeated. Sorted by file and line.
pub fn check(view: &View, master: &MasterCf) -> Vec<Mistake> {
    let usage = Usage::of(view, master);
    let mut mistakes = usage.mistakes.clone();
    mistakes.extend(usage.broken.iter().map(|(mistake, _)| mistake.clone()));
    if let Err(wrong) = view.level() {
        mistakes.push(at(view, "compatibility_level", Severity::Error, wrong));
    }
    for setting in view.main().standing() {
        mistakes.extend(usage.row(view, &setting.name).and_then(|row| value(view, row, &setting.name)));
    }
    for service in &master.services {
        let own = view.for_service(service);
        for (name, _) in &service.overrides {
            mistakes.extend(usage.row(view, name).and_then(|row| value(&own, row, name)));
        }
    }
    let unused = usage.unused_in_main(view).into_iter().chain(usage.unused_in_master(view, master));
    mistakes.extend(unused.map(|mut mistake| {
        mistake.text.push_str(&suggestion(view, &mistake.text));
        mistake
    }));
    mistakes.extend(twice(master));
    if let (true, [first, ..]) = (view.main().made_from_parts(), view.main().parts()) {
        let dir = first.parent().unwrap_or(first).display();
        let text = format!(
            "main.cf already says all that the files in {dir} say: it was made from them. They are read as they \
             stand; without main.cf they are the configuration, and nothing needs to be made"
        );
        mistakes.push(Mistake::new(Severity::Warning, None, text));
    }
    mistakes.sort_by(|a, b| (&a.file, a.line, &a.text).cmp(&(&b.file, b.line, &b.text)));
    mistakes.dedup();
    mistakes
}

/// What is wrong with the value of one parameter in a view.
fn value(view: &View, row: &'static Declaration, name: &str) -> Option<Mistake> {
    let text = view.raw(name)?;
    let expanded = if row.kind == Kind::Raw { text.to_owned() } else { view.try_expand(text).ok()? };
    if let Err(wrong) = row.check(view, &expanded) {
        return Some(at(view, name, Severity::Error, wrong));
    }
    let (severity, what, why) = match row.status {
        Status::Honoured | Status::Own => return None,
        Status::NoEffect(why) => (Severity::Warning, "has no effect", why),
        Status::Refused(why) => (Severity::Error, "is not supported", why),
    };
    // Saying what is the case anyway asks for nothing.
    let same =
        expanded == row.default || view.try_expand(row.default).is_ok_and(|default| default == expanded);
    (!same).then(|| at(view, name, severity, format!("{name} {what}: {why}")))
}

fn at(view: &View, name: &str, severity: Severity, text: String) -> Mistake {
    let place = view.place(name);
    Mistake::new(severity, place.as_ref().map(|(file, line)| (file.as_path(), *line)), text)
}

/// Services that stand in master.cf more than once.
fn twice(master: &MasterCf) -> Vec<Mistake> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut mistakes = Vec::new();
    for service in &master.services {
        if let Some(earlier) = seen.insert(service.id(), service.line) {
            let place: (&Path, usize) = (&service.file, service.line);
            let text =
                format!("service {} also stands in line {earlier}; the last entry counts", service.id());
            mistakes.push(Mistake::new(Severity::Warning, Some(place), text));
        }
    }
    mistakes
}

/// The declared name that an unused one was probably meant to be.
fn suggestion(view: &View, text: &str) -> String {
    let Some((name, _)) = text.strip_prefix("unused parameter: ").and_then(|text| text.split_once('='))
    else {
        return String::new();
    };
    let near = view.registry().names().into_iter().map(|other| (distance(name, other), other)).min();
    match near {
        Some((1..=2, other)) if name.len() > 5 => format!("; did you mean {other}?"),
        _ => String::new(),
    }
}

/// How many letters must be added, removed or replaced to make one name of another.
fn distance(a: &str, b: &str) -> usize {
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Logging, Paths, Process, Site};
    use crate::{Block, Facts, MainCf, Registry};

    crate::params! {
        /// What is not supported.
        pub struct Odd {
            /// Refused.
            odd_library: Text = "none", refused "there is no such library; leave it out";
        }
    }

    fn checked(main: &str, master: &str) -> Vec<String> {
        let (main, _) = MainCf::parse(main, Path::new("main.cf"));
        let (master, _) = MasterCf::parse(master, Path::new("master.cf"));
        let blocks = [
            Site::DECLARATIONS,
            Logging::DECLARATIONS,
            Paths::DECLARATIONS,
            Process::DECLARATIONS,
            Odd::DECLARATIONS,
        ];
        let view = View::new(Registry::new(&blocks), main, Facts::default());
        check(&view, &master).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_configuration_has_no_mistakes() {
        let main =
            "mydomain = d.test\nmyown = a\nmyorigin = $myown.$mydomain\nmax_use = 100\nodd_library = none\n";
        assert_eq!(checked(main, "smtp inet n - n - - smtpd -o soft_bounce=yes\n"), Vec::<String>::new());
    }

    #[test]
    fn everything_wrong_is_told_in_order() {
        let main = "soft_bounce = perhaps\ndefault_process_limit = 0\nodd_library = x\nmax_use = 5\n\
                    mydestinaton = a\nmyorigin = $nosuch\nmyhostname = ${x\ncompatibility_level = y\n";
        let master = "smtp inet n - n - - smtpd -o soft_bounce=2\nsmtp inet n - n - - smtpd\n";
        let mistakes = checked(main, master);
        let expected = [
            "main.cf, line 1: bad boolean configuration: soft_bounce = perhaps",
            "main.cf, line 2: invalid default_process_limit parameter value 0 < 1",
            "main.cf, line 3: odd_library is not supported: there is no such library; leave it out",
            "main.cf, line 4: max_use has no effect: ",
            "main.cf, line 5: unused parameter: mydestinaton=a; did you mean mydestination?",
            "main.cf, line 6: undefined parameter: nosuch",
            "main.cf, line 7: myhostname = ${x: truncated macro reference",
            "main.cf, line 7: truncated macro reference",
            "main.cf, line 8: malformed compatibility level",
            "master.cf, line 1: bad boolean configuration: soft_bounce = 2",
            "master.cf, line 2: service smtp/inet also stands in line 1",
        ];
        assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
        for (mistake, start) in mistakes.iter().zip(expected) {
            assert!(mistake.starts_with(start), "{mistake}, not {start}");
        }
    }

    #[test]
    fn distances() {
        assert_eq!((distance("abc", "abc"), distance("abc", "ac"), distance("abcd", "xbcdy")), (0, 1, 2));
    }
}
