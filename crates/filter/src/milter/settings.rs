//! What a service was told of milters.

use std::collections::HashMap;
use std::sync::Arc;

use conf::{Block, Mistake, Severity, View};
use proto::milter::Event;
use tables::{Maps, Tables};

use super::chain::Chain;
use super::link::Link;
use super::spec::Spec;
use crate::compile::divide;
use crate::{Dns, params};

/// Which mail the milters are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `smtpd_milters` and `smtpd_milter_maps`.
    Smtp,
    /// `non_smtpd_milters`.
    Local,
}

/// The milters of a service.
#[derive(Clone)]
pub struct Milters {
    specs: Vec<Arc<Spec>>,
    maps: Maps,
    view: View,
    shared: Arc<Shared>,
}

/// What all links of a service share.
pub(super) struct Shared {
    /// The program as logged.
    pub program: String,
    pub dns: Arc<dyn Dns>,
    /// Names of macros.
    names: HashMap<Event, Vec<String>>,
    /// Values that no session changes.
    fixed: HashMap<String, String>,
    defaults: HashMap<String, String>,
}

impl Milters {
    /// Reads the parameters. A list that does not parse is a mistake, and then mail is refused for now.
    pub fn read(
        view: &View,
        tables: &Tables,
        origin: Origin,
        dns: Arc<dyn Dns>,
        program: &str,
        mistakes: &mut Vec<Mistake>,
    ) -> Milters {
        let read = params::Milter::read(view, mistakes);
        let mut tell = |parameter: &str, text: String| {
            let place = view.place(parameter);
            let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
            mistakes.push(Mistake::new(Severity::Error, place, format!("{parameter}: {text}")));
        };
        let parameter = match origin {
            Origin::Smtp => "smtpd_milters",
            Origin::Local => "non_smtpd_milters",
        };
        let overridden =
            divide(&view.get("receive_override_options")).iter().any(|word| word == "no_milters");
        let mut specs = Vec::new();
        let mut maps_text = String::new();
        if !overridden {
            match Spec::list(&view.get(parameter), view) {
                Ok(list) => specs = list.into_iter().map(Arc::new).collect(),
                Err(text) => tell(parameter, text),
            }
            if origin == Origin::Smtp {
                maps_text = view.get("smtpd_milter_maps");
            }
        }
        let maps = tables.maps("smtpd_milter_maps", &maps_text).unwrap_or_else(|fault| {
            tell("smtpd_milter_maps", fault.to_string());
            tables.maps("smtpd_milter_maps", "").expect("an empty list can always be opened")
        });
        let names = [
            (Event::Connect, &read.milter_connect_macros),
            (Event::Helo, &read.milter_helo_macros),
            (Event::Mail, &read.milter_mail_macros),
            (Event::Rcpt, &read.milter_rcpt_macros),
            (Event::Data, &read.milter_data_macros),
            (Event::EndOfHeader, &read.milter_end_of_header_macros),
            (Event::EndOfMessage, &read.milter_end_of_data_macros),
            (Event::Unknown, &read.milter_unknown_command_macros),
        ];
        let fixed = [
            ("j", view.get("myhostname")),
            ("v", read.milter_macro_v.clone()),
            ("daemon_name", read.milter_macro_daemon_name.clone()),
        ];
        let pair = |word: &String| {
            let (name, value) = word.split_once('=')?;
            Some((bare(name.trim()).to_owned(), value.trim().to_owned()))
        };
        let shared = Shared {
            program: program.to_owned(),
            dns,
            names: names.map(|(event, text)| (event, divide(text))).into(),
            fixed: fixed.map(|(name, value)| (name.to_owned(), value)).into(),
            defaults: read.milter_macro_defaults.iter().filter_map(pair).collect(),
        };
        Milters { specs, maps, view: view.clone(), shared: Arc::new(shared) }
    }

    /// Is nobody ever asked?
    pub fn is_empty(&self) -> bool {
        self.specs.is_empty() && self.maps.is_empty()
    }

    /// The conversations for a client; `None` when nobody is to be asked.
    pub async fn open(&self, address: Option<&str>) -> Option<Chain> {
        let mut chosen = None;
        if let Some(address) = address
            && !self.maps.is_empty()
        {
            match self.maps.find(address).await {
                Ok(None) => {}
                Ok(Some(found)) if found.value.trim().eq_ignore_ascii_case("DISABLE") => return None,
                Ok(Some(found)) => match Spec::list(&found.value, &self.view) {
                    Ok(list) => chosen = Some(list.into_iter().map(Arc::new).collect()),
                    Err(text) => {
                        log::warn!(target: self.shared.program.as_str(), "{}: {text}", found.table);
                        return Some(Chain::broken(&self.shared));
                    }
                },
                Err(trouble) => {
                    log::warn!(target: self.shared.program.as_str(), "smtpd_milter_maps: {trouble}");
                    return Some(Chain::broken(&self.shared));
                }
            }
        }
        let specs: Vec<Arc<Spec>> = chosen.unwrap_or_else(|| self.specs.clone());
        if specs.is_empty() {
            return None;
        }
        Some(Chain::new(specs.into_iter().map(|spec| Link::new(spec, self.shared.clone())).collect()))
    }
}

impl Shared {
    /// The macros that go with an event: those of `asked`, or of the configuration.
    pub fn macros(
        &self,
        event: Event,
        asked: Option<&str>,
        values: &HashMap<&'static str, String>,
    ) -> Vec<(String, String)> {
        let asked = asked.map(divide);
        let configured = || self.names.get(&stage(event));
        let names = asked.as_ref().or_else(configured).map_or(&[][..], Vec::as_slice);
        let value = |name: &String| {
            let key = bare(name);
            // A null sender is told; what else is empty is not known.
            let value = values.get(key).filter(|value| !value.is_empty() || key == "mail_addr");
            let value = value.or_else(|| self.fixed.get(key)).or_else(|| self.defaults.get(key))?;
            Some((name.clone(), value.clone()))
        };
        names.iter().filter_map(value).collect()
    }
}

/// The event whose macros go with this one.
pub(super) fn stage(event: Event) -> Event {
    match event {
        Event::Header => Event::EndOfHeader,
        Event::Body => Event::EndOfMessage,
        event => event,
    }
}

/// A macro's name without braces.
fn bare(name: &str) -> &str {
    name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name)
}
