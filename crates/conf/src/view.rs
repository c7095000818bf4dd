//! What the rooms read from: the settings of one service, joined and expanded.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::{Facts, MainCf, Registry, Scope, expand};

/// Declarations, main.cf, computed values and the overrides of one service. Cheap to clone, never changes.
#[derive(Clone, Debug)]
pub struct View(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    registry: Arc<Registry>,
    main: Arc<MainCf>,
    facts: Arc<Facts>,
    overrides: HashMap<String, String>,
    names: Names,
}

/// Beginnings of parameter names, and what takes their place.
type Names = &'static [(&'static str, &'static str)];

impl View {
    /// The view of main.cf alone, without overrides.
    pub fn new(registry: Registry, main: MainCf, facts: Facts) -> Self {
        let (registry, main, facts) = (Arc::new(registry), Arc::new(main), Arc::new(facts));
        Self(Arc::new(Inner { registry, main, facts, overrides: HashMap::new(), names: &[] }))
    }

    /// The view of a service with these `-o name=value`; later ones win.
    pub fn with_overrides(&self, overrides: &[(String, String)]) -> Self {
        let mut inner = (*self.0).clone();
        inner.overrides.extend(overrides.iter().cloned());
        Self(Arc::new(inner))
    }

    /// The view in which a block declared under one set of names is read under another.
    ///
    /// The LMTP client is the SMTP client with `("smtp_", "lmtp_")`. The first pair that leads to a declared name
    /// counts; a field without one is read under its own name. Only [`Block::read`](crate::Block::read) looks here.
    pub fn under_names(&self, names: Names) -> Self {
        let mut inner = (*self.0).clone();
        inner.names = names;
        Self(Arc::new(inner))
    }

    /// The name and the default under which a field is read.
    pub(crate) fn named(&self, name: &'static str, default: &'static str) -> (&'static str, &'static str) {
        let other = self.0.names.iter().find_map(|(ours, theirs)| {
            let rest = name.strip_prefix(ours)?;
            self.0.registry.get(&format!("{theirs}{rest}"))
        });
        other.map_or((name, default), |row| (row.name, row.default))
    }

    /// The declarations.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// The settings of main.cf.
    pub fn main(&self) -> &MainCf {
        &self.0.main
    }

    /// The facts about this machine.
    pub fn facts(&self) -> &Facts {
        &self.0.facts
    }

    /// A parameter's expanded value; empty when there is no such parameter.
    pub fn get(&self, name: &str) -> String {
        self.expand(&self.unexpanded(name).unwrap_or_default())
    }

    /// A parameter's expanded value, or else that of `default`.
    pub(crate) fn value(&self, name: &str, default: &str) -> String {
        let text = self.unexpanded(name);
        self.expand(text.as_deref().unwrap_or(default))
    }

    /// The text an override or main.cf sets, unexpanded; `None` when neither does.
    pub fn raw(&self, name: &str) -> Option<&str> {
        let set = self.0.overrides.get(name).map(String::as_str);
        set.or_else(|| self.0.main.get(name).map(|setting| setting.value.as_str()))
    }

    /// Whether an override or main.cf sets the parameter.
    pub fn is_set(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// Expands a text with this view's parameters. What cannot be expanded is left as it is; checking a
    /// configuration reports it with file and line.
    pub fn expand(&self, text: &str) -> String {
        expand(text, self).unwrap_or_else(|_| text.to_owned())
    }

    /// File and line of a parameter's setting in main.cf; `None` for an override or a default.
    pub fn place(&self, name: &str) -> Option<(PathBuf, usize)> {
        if self.0.overrides.contains_key(name) {
            return None;
        }
        self.0.main.get(name).map(|setting| (setting.file.clone(), setting.line))
    }

    /// A family's member, such as `slow_destination_rate_delay`, or else the parameter that is the default of all.
    pub fn family(&self, name: &str, default_name: &str) -> String {
        if self.is_set(name) { self.get(name) } else { self.get(default_name) }
    }

    fn unexpanded(&self, name: &str) -> Option<Cow<'_, str>> {
        if let Some(text) = self.raw(name) {
            return Some(Cow::Borrowed(text));
        }
        self.built_in(name).or_else(|| self.0.registry.get(name).map(|row| Cow::Borrowed(row.default)))
    }

    /// What Postfix computes instead of taking a constant.
    fn built_in(&self, name: &str) -> Option<Cow<'_, str>> {
        let facts = &self.0.facts;
        Some(match name {
            "myhostname" => Cow::Borrowed(facts.host_name.as_str()),
            "config_directory" => facts.config_directory.to_string_lossy(),
            "process_name" => Cow::Borrowed(facts.process_name.as_str()),
            "process_id" => Cow::Owned(facts.process_id.to_string()),
            "service_name" => Cow::Borrowed(facts.service_name.as_str()),
            "mynetworks" => Cow::Borrowed(facts.networks.as_str()),
            "stress" => Cow::Borrowed(if facts.stress { "yes" } else { "" }),
            _ => return None,
        })
    }
}

impl Scope for View {
    fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.unexpanded(name)
    }
}
