//! Services of master.cf: `postconf -M`, `-F`, `-P`.

use std::collections::BTreeMap;

use conf::edit::Pattern;
use conf::{COLUMNS, Service, Usage, View};

use super::options::{Options, Subject};
use super::show_main::usable;
use super::{Fatal, Site, print, warn, without_line};

pub(super) fn show(options: &Options, out: &mut String) -> Result<Vec<String>, Fatal> {
    let site = Site::read(options)?;
    let usage = Usage::of(&site.view, &site.master);
    usable(&site, &usage, options)?;
    let requests = requests(options)?;
    let mut matched = vec![false; requests.len()];
    for service in &site.master.services {
        let view = site.view.for_service(service);
        for (text, part) in lines(service, &view, options)? {
            let mut wanted = requests.is_empty();
            for (request, matched) in requests.iter().zip(&mut matched) {
                if request.matches(service, &part) {
                    (wanted, *matched) = (true, true);
                }
            }
            if wanted {
                out.push_str(&text);
            }
        }
    }
    for (request, _) in options.arguments.iter().zip(&matched).filter(|(_, matched)| !**matched) {
        warn(format!("unmatched request: \"{request}\""));
    }
    let unused = usage.unused_in_master(&site.view, &site.master);
    Ok(unused.iter().map(|mistake| without_line(mistake, options)).collect())
}

/// What is asked for: a service, and a column or an override of it.
struct Request {
    service: Pattern,
    part: String,
}

impl Request {
    fn matches(&self, service: &Service, part: &str) -> bool {
        self.service.matches(&service.name, service.kind.as_str()) && (self.part == "*" || self.part == part)
    }
}

fn requests(options: &Options) -> Result<Vec<Request>, Fatal> {
    let parts = if options.subject == Subject::Services { 2 } else { 3 };
    let read = |argument: &String| {
        let mut words = argument.splitn(3, '/');
        let mut next = || words.next().unwrap_or("*").to_owned();
        let request = Request { service: Pattern { name: next(), kind: next() }, part: next() };
        if parts < 3 && argument.matches('/').count() >= parts {
            return Err(Fatal("-M option requires service_name[/type]".into()));
        }
        let columns = options.subject == Subject::Columns;
        if columns && request.part != "*" && !COLUMNS.contains(&request.part.as_str()) {
            return Err(Fatal(format!("invalid service attribute name: \"{}\"", request.part)));
        }
        Ok(request)
    };
    options.arguments.iter().map(read).collect()
}

/// What there is to print of a service, each with the name of its part.
fn lines(service: &Service, view: &View, options: &Options) -> Result<Vec<(String, String)>, Fatal> {
    let (names, values, fold) = (!options.has('h'), !options.has('H'), options.has('f'));
    let expand = |text: &str| -> Result<String, Fatal> {
        if !options.has('x') {
            return Ok(text.to_owned());
        }
        view.try_expand(text).map_err(|error| Fatal(format!("{}: {error}", service.id())))
    };
    let words = expanded_words(service, &expand)?;
    let id = service.id();
    Ok(match options.subject {
        Subject::Services => vec![(print::entry(&words, fold), String::new())],
        Subject::Columns => {
            let line = |(index, column): (usize, &&str)| {
                let name = format!("{id}/{column}");
                let text = if values && index + 1 == COLUMNS.len() {
                    print::command(&name, &words[index..], names, fold)
                } else {
                    print::setting(&name, &words[index], names, values, fold)
                };
                (text, (*column).to_owned())
            };
            COLUMNS.iter().enumerate().map(line).collect()
        }
        _ => {
            let last: BTreeMap<_, _> = service.overrides.iter().map(|(name, value)| (name, value)).collect();
            let line = |(name, value): (&String, &String)| {
                let text = print::setting(&format!("{id}/{name}"), &expand(value)?, names, values, fold);
                Ok((text, name.clone()))
            };
            last.into_iter().map(line).collect::<Result<_, Fatal>>()?
        }
    })
}

/// A service's words, with the values of its overrides expanded.
fn expanded_words(
    service: &Service,
    expand: &dyn Fn(&str) -> Result<String, Fatal>,
) -> Result<Vec<String>, Fatal> {
    let mut words = service.words().to_vec();
    for place in COLUMNS.len() + 1..words.len() {
        if words[place - 1] == "-o"
            && let Some((name, value)) = words[place].split_once('=')
            && service.overrides.iter().any(|(own, raw)| own == name && raw == value)
        {
            words[place] = format!("{name}={}", expand(value)?);
        }
    }
    Ok(words)
}
