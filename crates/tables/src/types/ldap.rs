//! `ldap:`, searches in a directory, ldap_table(5).

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use mail::Trouble;
use mail::logline::printable;

use super::queries::{databases, words};
use super::{Opening, TableType};
use crate::cached::cached;
use crate::files::Watched;
use crate::ldap::filter::{encode, escape, escape_name};
use crate::ldap::{Bind, Directory, Entry, Found, NO_SUCH_OBJECT, Place, Scope, Search, Settings, Url};
use crate::sql::Tls;
use crate::template::{Config, Results, Template};
use crate::{Answer, Hit, Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType = TableType {
    name: "ldap",
    doc: "Searches in an LDAP directory, which the named file of settings describes.",
    open,
    make: None,
};

/// Searches for one key, however groups refer to each other.
const SEARCHES_MAX: u32 = 20_000;
/// Nesting of groups, whatever `recursion_limit` says: each level is a few kilobytes of memory.
const NESTING_MAX: u64 = 1000;

struct Ldap {
    base: Template,
    filter: Template,
    results: Results,
    attributes: Attributes,
    scope: Scope,
    dereference: u32,
    size_limit: u32,
    timeout: Duration,
    patience: Duration,
    recursion_limit: u64,
    directory: Directory,
    name: String,
    program: &'static str,
    watched: Vec<Watched>,
}

/// What is wanted of entries.
struct Attributes {
    ordinary: Vec<String>,
    special: Vec<String>,
    terminal: Vec<String>,
    leaf: Vec<String>,
    all: Vec<String>,
}

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let config = Config::read(opening)?;
    let name = opening.spec.to_string();
    let program = opening.tables.settings().program;
    tell_ignored(&config, &name, program);
    let list = |name: &str, default: &str| -> Vec<String> {
        words(&config.text(name, default)).map(str::to_owned).collect()
    };
    let mut attributes = Attributes {
        ordinary: list("result_attribute", "maildrop"),
        special: list("special_result_attribute", ""),
        terminal: list("terminal_result_attribute", ""),
        leaf: list("leaf_result_attribute", ""),
        all: Vec::new(),
    };
    let kinds = [&attributes.ordinary, &attributes.terminal, &attributes.leaf, &attributes.special];
    attributes.all = kinds.into_iter().flatten().cloned().collect();
    if attributes.all.is_empty() {
        return Err("no result_attribute is named".to_owned());
    }
    let scope = config.text("scope", "sub");
    let databases = databases(opening, &config)?;
    let timeout = config.seconds("timeout", Duration::from_secs(10))?.max(Duration::from_secs(1));
    let expansion_limit = config.number("expansion_limit", 0)?;
    let table = Ldap {
        base: Template::parse(&config.text("search_base", ""), "search_base")?,
        filter: Template::parse(&config.text("query_filter", "(mailacceptinggeneralid=%s)"), "query_filter")?,
        results: Results::read(&config, opening)?,
        attributes,
        scope: Scope::named(&scope).ok_or_else(|| format!("bad scope = {scope}: use sub, base or one"))?,
        dereference: u32::try_from(config.number("dereference", 0)?.min(3)).unwrap_or(0),
        size_limit: u32::try_from(config.number("size_limit", expansion_limit)?).unwrap_or(0),
        timeout,
        patience: databases.limits.query.max(timeout),
        recursion_limit: config.number("recursion_limit", NESTING_MAX)?.clamp(1, NESTING_MAX),
        directory: Directory::new(
            Settings {
                servers: servers(&config)?,
                bind: bind(&config)?,
                version: if config.number("version", 3)? == 2 { 2 } else { 3 },
                start_tls: config.yes("start_tls", false)?,
                tls: tls(&config)?,
                connections: databases.limits.connections,
                timeout,
                idle: databases.limits.idle,
                bytes: databases.limits.bytes,
                chase: config.yes("chase_referrals", false)?,
            },
            program,
        ),
        name,
        program,
        watched: config.watched,
    };
    Ok(cached(Arc::new(table), &databases))
}

/// Settings that have no effect are named, once.
fn tell_ignored(config: &Config, table: &str, program: &str) {
    let told = |name: &str, why: &str| log::warn!(target: program, "{table}: {name} has no effect: {why}");
    for name in ["cache", "cache_expiry", "cache_size"] {
        if config.get(name).is_some() {
            told(name, "use database_cache_time for a memory of answers");
        }
    }
    for name in ["tls_cipher_suite", "tls_random_file", "debuglevel", "sasl_realm", "sasl_minssf"] {
        if config.given(name).is_some_and(|value| value != "0") {
            told(name, "there is nothing to set here");
        }
    }
}

fn servers(config: &Config) -> Result<Vec<(Place, String)>, String> {
    let port = u16::try_from(config.number("server_port", 389)?).map_err(|_| "bad server_port".to_owned())?;
    let list = config.given("server_host").unwrap_or_else(|| "localhost".to_owned());
    words(&list)
        .map(|word| {
            if Url::is_url(word) {
                let local = Place::Tcp { host: "localhost".to_owned(), port, tls: false };
                let url = Url::parse(word).ok_or_else(|| format!("bad URL in server_host: {word}"))?;
                return Ok((url.place.unwrap_or(local), word.to_owned()));
            }
            let url = match word.rsplit_once(':') {
                Some((_, digits)) if !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit()) => {
                    format!("ldap://{word}")
                }
                _ => format!("ldap://{word}:{port}"),
            };
            let place = Url::parse(&url).and_then(|url| url.place);
            Ok((place.ok_or_else(|| format!("bad server_host: {word}"))?, url))
        })
        .collect()
}

fn bind(config: &Config) -> Result<Option<Bind>, String> {
    let (dn, password) = (config.text("bind_dn", ""), config.text("bind_pw", ""));
    match config.text("bind", "yes").to_ascii_lowercase().as_str() {
        "no" | "none" => Ok(None),
        "yes" | "simple" => Ok(Some(Bind::Simple { dn, password })),
        "sasl" => {
            let mechanisms = config.text("sasl_mechs", "");
            let authorize = config.text("sasl_authz_id", "");
            match words(&mechanisms)
                .find(|name| ["EXTERNAL", "PLAIN"].contains(&name.to_ascii_uppercase().as_str()))
            {
                Some(name) if name.eq_ignore_ascii_case("EXTERNAL") => Ok(Some(Bind::External { authorize })),
                Some(_) => Ok(Some(Bind::Plain { authorize, user: dn, password })),
                None => Err(format!("sasl_mechs = {mechanisms}: only EXTERNAL and PLAIN are supported")),
            }
        }
        other => Err(format!("bad bind = {other}: use no, yes or sasl")),
    }
}

fn tls(config: &Config) -> Result<Tls, String> {
    let verify = config.yes("tls_require_cert", false)?;
    Ok(Tls {
        ca_file: config.given("tls_ca_cert_file").map(Into::into),
        ca_path: config.given("tls_ca_cert_dir").map(Into::into),
        cert_file: config.given("tls_cert").map(Into::into),
        key_file: config.given("tls_key").map(Into::into),
        verify_chain: verify,
        verify_name: verify,
        ..Tls::default()
    })
}

/// One look-up: what was found so far, and how much was asked.
struct Expansion {
    values: Vec<String>,
    searches: u32,
}

type Expanded<'a> = Pin<Box<dyn Future<Output = Result<(), Trouble>> + Send + 'a>>;

impl Ldap {
    async fn ask(&self, key: &[u8]) -> Answer {
        let Ok(key) = std::str::from_utf8(key) else { return Ok(None) };
        if key.is_empty() || !self.results.wants(key).await? {
            return Ok(None);
        }
        let Some((base, filter)) = self.question_for(key) else { return Ok(None) };
        match tokio::time::timeout(self.patience, self.expand(key, &base, &filter)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.trouble(format!("no answer within {} s", self.patience.as_secs()))),
        }
    }

    fn question_for(&self, key: &str) -> Option<(String, String)> {
        let base = self.base.fill(key, key, &|value| escape_name(value))?;
        Some((base, self.filter.fill(key, key, &|value| escape(value))?))
    }

    async fn expand(&self, key: &str, base: &str, filter: &str) -> Answer {
        let mut expansion = Expansion { values: Vec::new(), searches: 0 };
        let found = self.search(base, self.scope, filter, &self.attributes.all, &mut expansion).await?;
        match found.code {
            0 => {}
            // A base made of the key need not exist.
            NO_SUCH_OBJECT if self.base.is_variable() => return Ok(None),
            NO_SUCH_OBJECT => {
                log::warn!(target: self.program, "{}: Search base '{}' not found: {}: {}", self.name, printable(base), found.code, printable(&found.text));
                return Ok(None);
            }
            code => return Err(self.trouble(format!("Search error {code}: {}", printable(&found.text)))),
        }
        self.collect(found.entries, 1, &mut expansion).await?;
        Ok(self.results.join(key, &expansion.values)?.map(Hit::new))
    }

    async fn search(
        &self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[String],
        expansion: &mut Expansion,
    ) -> Result<Found, Trouble> {
        expansion.searches += 1;
        if expansion.searches > SEARCHES_MAX {
            return Err(self.trouble(format!("more than {SEARCHES_MAX} searches for one key")));
        }
        let search = Search {
            base,
            scope,
            filter: encode(filter).map_err(|why| self.trouble(printable(&why)))?,
            attributes,
            size_limit: self.size_limit,
            time_limit: u32::try_from(self.timeout.as_secs()).unwrap_or(0),
            dereference: self.dereference,
        };
        let found = self.directory.search(&search).await;
        found.map_err(|trouble| Trouble::new(format!("{}: {trouble}", self.name)))
    }

    /// Takes the values of entries, and of those they refer to.
    fn collect<'a>(&'a self, entries: Vec<Entry>, level: u64, expansion: &'a mut Expansion) -> Expanded<'a> {
        Box::pin(async move {
            for entry in entries {
                let has = |names: &[String]| {
                    entry.attributes.iter().any(|(name, values)| !values.is_empty() && is_one_of(name, names))
                };
                let terminal = has(&self.attributes.terminal);
                let leaf = !terminal && !has(&self.attributes.special);
                for (name, values) in &entry.attributes {
                    let own = if terminal {
                        is_one_of(name, &self.attributes.terminal)
                    } else {
                        is_one_of(name, &self.attributes.ordinary)
                            || (leaf && is_one_of(name, &self.attributes.leaf))
                    };
                    if own {
                        expansion.values.extend(values.iter().cloned());
                    } else if !terminal && is_one_of(name, &self.attributes.special) {
                        for value in values {
                            self.follow(name, value, level, expansion).await?;
                        }
                    }
                }
            }
            Ok(())
        })
    }

    /// Follows a reference to another entry, by name or URL.
    async fn follow(
        &self,
        name: &str,
        value: &str,
        level: u64,
        expansion: &mut Expansion,
    ) -> Result<(), Trouble> {
        if level >= self.recursion_limit {
            let shown = printable(value);
            return Err(
                self.trouble(format!("Recursion limit exceeded for special attribute {name}={shown}"))
            );
        }
        let found = if Url::is_url(value) {
            let Some(url) = Url::parse(value) else {
                log::warn!(target: self.program, "{}: bad URL {name}={}, skipping", self.name, printable(value));
                return Ok(());
            };
            let wanted =
                |attribute: &&String| url.attributes.is_empty() || is_one_of(attribute, &url.attributes);
            let attributes: Vec<_> = self.attributes.all.iter().filter(wanted).cloned().collect();
            if attributes.is_empty() {
                return Ok(());
            }
            self.search(&url.base, url.scope, &url.filter, &attributes, expansion).await?
        } else {
            self.search(value, Scope::Base, "(objectclass=*)", &self.attributes.all, expansion).await?
        };
        match found.code {
            0 => self.collect(found.entries, level + 1, expansion).await,
            NO_SUCH_OBJECT => {
                log::warn!(target: self.program, "{}: DN {} not found, skipping", self.name, printable(value));
                Ok(())
            }
            code => Err(self.trouble(format!("Search error {code}: {}", printable(&found.text)))),
        }
    }

    fn trouble(&self, what: String) -> Trouble {
        let what = format!("{}: {what}", self.name);
        log::warn!(target: self.program, "{what}");
        Trouble::new(what)
    }
}

fn is_one_of(name: &str, names: &[String]) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

impl Table for Ldap {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        Lookup::Pending(Box::pin(self.ask(key)))
    }

    fn shape(&self) -> Shape {
        Shape::FIXED
    }

    fn folds(&self) -> bool {
        true
    }

    fn question(&self, key: &[u8]) -> Option<String> {
        let (base, filter) = self.question_for(std::str::from_utf8(key).ok()?)?;
        Some(format!(
            "ldap server {}: base {} filter {}",
            self.directory.names(),
            printable(&base),
            printable(&filter)
        ))
    }

    fn watched(&self) -> &[Watched] {
        &self.watched
    }
}
