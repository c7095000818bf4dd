//! What the rooms read from: the settings of one service, joined and expanded.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::networks::default_networks;
use crate::{ExpandError, Facts, Kind, Level, MainCf, Registry, Scope, Service, Value, expand};

/// Declarations, main.cf, computed values and the overrides of one service. Cheap to clone, never changes.
#[derive(Clone, Debug)]
pub struct View(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Arc<Registry>,
    main: Arc<MainCf>,
    facts: Arc<Facts>,
    overrides: HashMap<String, String>,
    service: Option<Service>,
    names: Names,
    domain: OnceLock<String>,
    networks: OnceLock<String>,
}

/// Beginnings of parameter names, and what takes their place.
type Names = &'static [(&'static str, &'static str)];

impl View {
    /// The view of main.cf alone, without overrides.
    pub fn new(registry: Registry, main: MainCf, facts: Facts) -> Self {
        Self(Arc::new(Inner {
            registry: Arc::new(registry),
            main: Arc::new(main),
            facts: Arc::new(facts),
            overrides: HashMap::new(),
            service: None,
            names: &[],
            domain: OnceLock::new(),
            networks: OnceLock::new(),
        }))
    }

    /// The view with these `-o name=value`; later ones win.
    pub fn with_overrides(&self, overrides: &[(String, String)]) -> Self {
        self.changed(|inner| inner.overrides.extend(overrides.iter().cloned()))
    }

    /// The view of a service of master.cf: its overrides, its name and its command. Mistakes in its overrides are
    /// placed in master.cf.
    pub fn for_service(&self, service: &Service) -> Self {
        self.changed(|inner| {
            inner.overrides.extend(service.overrides.iter().cloned());
            inner.service = Some(service.clone());
        })
    }

    /// The view in which a block declared under one set of names is read under another.
    ///
    /// The LMTP client is the SMTP client with `("smtp_", "lmtp_")`. The first pair that leads to a declared name
    /// counts; a field without one is read under its own name. Only [`Block::read`](crate::Block::read) looks here.
    pub fn under_names(&self, names: Names) -> Self {
        self.changed(|inner| inner.names = names)
    }

    fn changed(&self, change: impl FnOnce(&mut Inner)) -> Self {
        let inner = &self.0;
        let mut inner = Inner {
            registry: inner.registry.clone(),
            main: inner.main.clone(),
            facts: inner.facts.clone(),
            overrides: inner.overrides.clone(),
            service: inner.service.clone(),
            names: inner.names,
            domain: OnceLock::new(),
            networks: OnceLock::new(),
        };
        change(&mut inner);
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
        self.value(name, "")
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

    /// Expands a text with this view's parameters.
    ///
    /// # Errors
    /// As [`expand`].
    pub fn try_expand(&self, text: &str) -> Result<String, ExpandError> {
        expand(text, self)
    }

    /// A time, for readers of one parameter without its block; `None` when there is no such time.
    pub fn time(&self, name: &str) -> Option<Duration> {
        let row = self.0.registry.get(name).filter(|row| matches!(row.kind, Kind::Time { .. }))?;
        Some(Value::read(self, row.name, row.kind, row.default, &mut Vec::new()))
    }

    /// `compatibility_level`.
    ///
    /// # Errors
    /// It is no level; the text says so.
    pub fn level(&self) -> Result<Level, String> {
        let text = self.unexpanded("compatibility_level").unwrap_or_default();
        self.try_expand(&text).map_err(|error| error.text)?.parse()
    }

    /// File and line of a parameter's setting; `None` for a default and for a setting of the command line.
    pub fn place(&self, name: &str) -> Option<(PathBuf, usize)> {
        if self.0.overrides.contains_key(name) {
            let service = self.0.service.as_ref()?;
            let own = service.overrides.iter().any(|(own, _)| own == name);
            return own.then(|| (service.file.clone(), service.line));
        }
        let setting = self.0.main.get(name).filter(|setting| setting.line > 0)?;
        Some((setting.file.clone(), setting.line))
    }

    /// A family's member, such as `slow_destination_rate_delay`, or else the parameter that is the default of all.
    /// A member with a declaration of its own, such as `local_destination_concurrency_limit`, has its own default.
    pub fn family(&self, name: &str, default_name: &str) -> String {
        let own = self.is_set(name) || self.0.registry.get(name).is_some();
        self.get(if own { name } else { default_name })
    }

    /// A parameter's unexpanded text: set, computed or declared; `None` when there is no such parameter.
    pub fn unexpanded(&self, name: &str) -> Option<Cow<'_, str>> {
        if let Some(text) = self.raw(name) {
            return Some(Cow::Borrowed(text));
        }
        let registry = &self.0.registry;
        let declared = || registry.get(name).or_else(|| registry.family(name));
        self.computed(name).or_else(|| declared().map(|row| Cow::Borrowed(row.default)))
    }

    /// The default of what Postfix computes instead of declaring a constant.
    fn computed(&self, name: &str) -> Option<Cow<'_, str>> {
        let (facts, service) = (&self.0.facts, self.0.service.as_ref());
        Some(match name {
            "myhostname" if !facts.host_name.contains('.') => {
                let hidden = ["myhostname", "mynetworks"];
                let domain = self.expand_without(&hidden, &self.unexpanded("mydomain").unwrap_or_default());
                Cow::Owned(format!("{}.{domain}", facts.host_name))
            }
            "myhostname" => Cow::Borrowed(facts.host_name.as_str()),
            "mydomain" => Cow::Borrowed(self.domain()),
            "mynetworks" => Cow::Borrowed(self.networks()),
            "config_directory" => facts.config_directory.to_string_lossy(),
            "process_name" => {
                Cow::Borrowed(service.map_or(facts.process_name.as_str(), |service| &service.command))
            }
            "process_id" => Cow::Owned(facts.process_id.to_string()),
            "service_name" => Cow::Borrowed(service.map_or("", |service| &service.name)),
            _ => return None,
        })
    }

    /// The host name without its first label.
    fn domain(&self) -> &str {
        self.0.domain.get_or_init(|| {
            let host = match self.raw("myhostname") {
                Some(text) => self.expand_without(&["mydomain", "mynetworks"], text),
                None => self.0.facts.host_name.clone(),
            };
            let domain = host.split_once('.').map_or("", |(_, domain)| domain);
            if domain.is_empty() { "localdomain".to_owned() } else { domain.to_owned() }
        })
    }

    fn networks(&self) -> &str {
        self.0.networks.get_or_init(|| {
            let hidden = ["mynetworks"];
            let [style, receiving, protocols] = ["mynetworks_style", "inet_interfaces", "inet_protocols"]
                .map(|name| self.expand_without(&hidden, &self.unexpanded(name).unwrap_or_default()));
            default_networks(&self.0.facts.interfaces, &style, &receiving, &protocols)
        })
    }

    /// Expands a text while these names have no value, for computed values that others may refer back to.
    fn expand_without(&self, hidden: &[&str], text: &str) -> String {
        expand(text, &Without { view: self, hidden }).unwrap_or_default()
    }
}

impl Scope for View {
    fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.unexpanded(name)
    }
}

struct Without<'v> {
    view: &'v View,
    hidden: &'v [&'v str],
}

impl Scope for Without<'_> {
    fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        if self.hidden.contains(&name) { None } else { self.view.unexpanded(name) }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Block, Interface, MasterCf, params::Site};

    fn view(text: &str) -> View {
        let (main, _) = MainCf::parse(text, Path::new("main.cf"));
        let loopback = Interface { address: "127.0.0.1".parse().expect("an address"), prefix: 8 };
        let facts = Facts { host_name: "vm".to_owned(), interfaces: vec![loopback], ..Facts::default() };
        View::new(Registry::new(&[Site::DECLARATIONS]), main, facts)
    }

    #[test]
    fn host_and_domain_complete_each_other() {
        for (text, host, domain) in [
            ("", "vm.localdomain", "localdomain"),
            ("mydomain = d.test", "vm.d.test", "d.test"),
            ("myhostname = h.a.test", "h.a.test", "a.test"),
            ("myhostname = h", "h", "localdomain"),
            ("myhostname = h.a.test\nmydomain = d.test", "h.a.test", "d.test"),
            ("myhostname = $mydomain", "localdomain", "localdomain"),
            ("mydomain = $myhostname", "vm.", "vm."),
        ] {
            assert_eq!(
                (view(text).get("myhostname"), view(text).get("mydomain")),
                (host.into(), domain.into()),
                "{text}"
            );
        }
    }

    #[test]
    fn computed_values_may_refer_to_each_other_in_circles() {
        let names = ["myhostname", "mydomain", "mynetworks", "mynetworks_style", "inet_interfaces"];
        for a in names {
            for b in names {
                for c in names {
                    let view = view(&format!(
                        "{a} = x.${b}\n{b} = $myhostname ${c}\nmydestination = $mydomain ${a}\n"
                    ));
                    let _ = (view.get(c), view.get(b), view.get("mydestination"));
                }
            }
        }
    }

    #[test]
    fn networks_follow_style_and_level() {
        assert_eq!(view("").get("mynetworks"), "127.0.0.0/8");
        assert_eq!(view("compatibility_level = 3.6").get("mynetworks"), "127.0.0.1/32");
        assert_eq!(view("mynetworks = 10.0.0.0/8").get("mynetworks"), "10.0.0.0/8");
    }

    #[test]
    fn a_service_has_its_own_view() {
        let text = "sub inet n - n - - smtpd -o mytext=own -o myorigin=$mytext.$mydomain\n";
        let (master, _) = MasterCf::parse(text, Path::new("master.cf"));
        let main = view("mytext = main\nmydomain = d.test\n");
        let own = main.for_service(&master.services[0]);
        assert_eq!((own.get("myorigin"), main.get("myorigin")), ("own.d.test".into(), "vm.d.test".into()));
        assert_eq!((own.get("process_name"), own.get("service_name")), ("smtpd".into(), "sub".into()));
        assert_eq!(own.place("myorigin"), Some(("master.cf".into(), 1)));
        assert_eq!(own.place("mydomain"), Some(("main.cf".into(), 2)));
    }
}
