//! Parameters of main.cf: `postconf`, `-d`, `-n`, `-x`, `-C`.

use std::collections::BTreeSet;

use conf::{Class, Kind, Usage};

use super::options::Options;
use super::{Fatal, Site, print, warn, without_line};

pub(super) fn show(options: &Options, out: &mut String) -> Result<Vec<String>, Fatal> {
    let site = Site::read(options)?;
    let usage = Usage::of(&site.view, &site.master);
    if !options.has('d') {
        usable(&site, &usage, options)?;
    }
    let names: Vec<String> = if options.arguments.is_empty() {
        let declared = site.view.registry().names();
        let all: BTreeSet<&str> = usage.names().chain(declared).collect();
        let wanted = |name: &&str| {
            usage
                .class(&site.view, name)
                .is_some_and(|class: Class| options.classes.is_empty() || options.classes.contains(&class))
        };
        all.into_iter().filter(wanted).map(str::to_owned).collect()
    } else {
        options.arguments.clone()
    };
    for name in &names {
        if usage.class(&site.view, name).is_none() {
            warn(format!("{name}: unknown parameter"));
            continue;
        }
        if options.has('n') && !site.view.is_set(name) {
            continue;
        }
        let value = value(&site, &usage, name, options.has('x'))?;
        out.push_str(&print::setting(name, &value, !options.has('h'), !options.has('H'), options.has('f')));
    }
    let mut unused = Vec::new();
    if !options.has('d') {
        unused = usage.unused_in_main(&site.view);
        unused.extend(usage.unused_in_master(&site.view, &site.master));
    }
    Ok(unused.iter().map(|mistake| without_line(mistake, options)).collect())
}

/// Tells names set nowhere; a value that cannot be expanded ends everything, since the mail system cannot use it.
pub(super) fn usable(site: &Site, usage: &Usage, options: &Options) -> Result<(), Fatal> {
    for mistake in &usage.mistakes {
        let told = mistake.text.starts_with("undefined parameter");
        warn(if told { without_line(mistake, options) } else { mistake.to_string() });
    }
    if let Some((mistake, error)) = &usage.broken {
        warn(error);
        return Err(Fatal(format!("macro processing error: {mistake}")));
    }
    site.view.level().map(drop).map_err(|wrong| {
        warn(wrong);
        Fatal("macro processing error".into())
    })
}

fn value(site: &Site, usage: &Usage, name: &str, expand: bool) -> Result<String, Fatal> {
    let view = &site.view;
    if name == "mynetworks" && !view.is_set(name) {
        let style = view.registry().get("mynetworks_style").expect("conf declares it");
        style.check(view, &view.get(style.name)).map_err(Fatal)?;
    }
    let text = view.unexpanded(name).or_else(|| usage.default_of(name).map(Into::into)).unwrap_or_default();
    let raw = view.registry().get(name).is_some_and(|row| row.kind == Kind::Raw);
    if !expand || raw {
        return Ok(text.into_owned());
    }
    view.try_expand(&text).map_err(|error| {
        warn(error);
        Fatal("macro processing error".into())
    })
}
