//! What `postfix check` finds out beyond the mistakes in the text of a configuration: tables older than their
//! sources, services that relay for strangers, neighbours that do not answer, DNS records that are missing.
//!
//! Nothing is changed and no mail is sent. To add a kind of finding: a file here, a field in [`Findings`].

mod differences;
mod names;
mod neighbours;
mod page;
mod relaying;
mod stale;
mod stranger;

use std::path::Path;
use std::time::Duration;

use conf::{Mistake, Severity, View};

use crate::config::Config;
use crate::serve::{self, Prepared};

pub use page::page;

/// The whole of what is asked over the network takes no longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything found out about a configuration. Beside `mistakes` all are warnings.
pub struct Findings {
    /// What is wrong with the text itself.
    pub mistakes: Vec<Mistake>,
    /// Compiled tables that are older than their source.
    pub stale: Vec<Mistake>,
    /// Ways for strangers to send mail through this server.
    pub relaying: Vec<Mistake>,
    /// Programs that are named and do not answer.
    pub neighbours: Vec<Mistake>,
    /// Records that the DNS should have.
    pub names: Vec<Mistake>,
}

impl Findings {
    /// All of them, mistakes first.
    pub fn all(&self) -> impl Iterator<Item = &Mistake> {
        let others = [&self.stale, &self.relaying, &self.neighbours, &self.names];
        self.mistakes.iter().chain(others.into_iter().flatten())
    }
}

/// Examines the configuration in `directory`; gives it back as it was read, with what was found.
pub fn examine(directory: &Path) -> (Config, Findings) {
    // First: to open a table is to make it anew.
    let stale = stale::find(&Config::read(directory, "postfix"));
    let Prepared { config, tables, mistakes, .. } = serve::examine(directory);
    let mut findings =
        Findings { mistakes, stale, relaying: Vec::new(), neighbours: Vec::new(), names: Vec::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let resolver = net::dns::Resolver::configured(&config.view);
    if let (Ok(runtime), Ok(resolver)) = (runtime, resolver) {
        runtime.block_on(async {
            let late = |_| vec![warning(None, "not all could be asked within 10 seconds".to_owned())];
            let (relaying, neighbours, names) = tokio::join!(
                relaying::find(&config, &tables),
                tokio::time::timeout(PATIENCE, neighbours::find(&config, &resolver)),
                tokio::time::timeout(PATIENCE, names::find(&config, &resolver)),
            );
            findings.relaying = relaying;
            findings.neighbours = neighbours.unwrap_or_else(late);
            findings.names = names.unwrap_or_else(late);
        });
    }
    (config, findings)
}

fn warning(place: Option<(&Path, usize)>, text: String) -> Mistake {
    Mistake::new(Severity::Warning, place, text)
}

/// A warning at the place where a parameter is set.
fn at(view: &View, parameter: &str, text: String) -> Mistake {
    let place = view.place(parameter);
    warning(place.as_ref().map(|(file, line)| (file.as_path(), *line)), text)
}

/// main.cf as all services see it, then as each service with options of its own sees it.
fn views(config: &Config) -> Vec<View> {
    let own = config.master.services.iter().filter(|service| !service.overrides.is_empty());
    let own = own.map(|service| config.view.for_service(service));
    std::iter::once(config.view.clone()).chain(own).collect()
}

/// Every value that is set, expanded, with the view it is set in.
fn values(config: &Config) -> Vec<(View, String, String)> {
    let main = config.view.main().standing().map(|setting| (config.view.clone(), setting.name.clone()));
    let own = config.master.services.iter().flat_map(|service| {
        let view = config.view.for_service(service);
        service.overrides.iter().map(move |(name, _)| (view.clone(), name.clone()))
    });
    main.chain(own)
        .map(|(view, name)| {
            let value = view.get(&name);
            (view, name, value)
        })
        .collect()
}

/// The tables that a value names, without `proxy:`.
fn tables_in(value: &str) -> impl Iterator<Item = tables::Spec> {
    tables::divide(value).into_iter().filter_map(|word| {
        let mut word = word;
        while let Some(rest) = word.strip_prefix("proxy:") {
            word = rest;
        }
        tables::Spec::parse(word)
    })
}

#[cfg(test)]
fn config(main: &str, master: &str) -> Config {
    let (main, mut mistakes) = conf::MainCf::parse(main, Path::new("main.cf"));
    let (master, more) = conf::MasterCf::parse(master, Path::new("master.cf"));
    mistakes.extend(more);
    let view = View::new(crate::params::registry(), main, conf::Facts::default());
    Config { view, master, mistakes }
}
