//! The file that says what is copied: sections `[name]` of settings as in main.cf.

use std::path::PathBuf;
use std::time::Duration;

use crate::ldap;
use crate::lines::{logical_lines, trim};
use crate::source::reason;
use crate::sql::{Limits, Target};

/// What is copied, from where, to where.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) sections: Vec<Section>,
}

/// Rows of one table.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub name: String,
    pub source: Source,
    pub target: Sink,
    pub table: String,
    pub key: Vec<String>,
    /// Columns of the target, each with the column of the source that fills it; none for all, by their names.
    pub columns: Vec<(String, String)>,
    pub filter: Option<String>,
    pub max_delete: Share,
    pub secret: Vec<String>,
}

/// Where rows come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Sql { target: Target, query: String },
    Csv { path: PathBuf, separator: char },
    Ldap { settings: Box<ldap::Settings>, url: ldap::Url },
}

/// Where rows go.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sink {
    Sql(Box<Target>),
    Csv { path: PathBuf, separator: char },
}

/// How many rows a run may remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    Percent(u64),
    Rows(usize),
}

/// Names of columns whose values nobody wants to see in a terminal or log.
const SECRET: [&str; 5] = ["pass", "pw", "secret", "crypt", "token"];

/// One answer may be larger and take longer than that to a look-up.
pub(super) const LIMITS: Limits = Limits {
    connections: 2,
    connect: Duration::from_secs(10),
    query: Duration::from_secs(300),
    idle: Duration::from_secs(60),
    retry: Duration::ZERO,
    bytes: 512 << 20,
};

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// What is wrong, with file and line.
    pub fn read(path: &str) -> Result<Plan, String> {
        let text = conf::secrets::read(path).map_err(|error| format!("open {path}: {}", reason(&error)))?;
        Plan::parse(&text).map_err(|(line, what)| format!("{path}, line {line}: {what}"))
    }

    pub(super) fn parse(text: &[u8]) -> Result<Plan, (u32, String)> {
        let mut drafts: Vec<Draft> = Vec::new();
        for line in logical_lines(text, |_| ()) {
            let wrong = |what: String| (line.number, what);
            let text = std::str::from_utf8(trim(&line.text)).map_err(|_| wrong("not UTF-8".to_owned()))?;
            if let Some(name) = text.strip_prefix('[') {
                let name = name.strip_suffix(']').map(str::trim).filter(|name| !name.is_empty());
                let name = name.ok_or_else(|| wrong("a section is written [name]".to_owned()))?;
                drafts.push(Draft { name: name.to_owned(), line: line.number, settings: Vec::new() });
                continue;
            }
            let (name, value) =
                text.split_once('=').ok_or_else(|| wrong(format!("missing '=' after \"{text}\"")))?;
            let draft =
                drafts.last_mut().ok_or_else(|| wrong("a setting before the first [section]".to_owned()))?;
            let name = name.trim().to_owned();
            if !SETTINGS.contains(&name.as_str()) {
                return Err(wrong(format!("unknown setting {name}; there are: {}", SETTINGS.join(", "))));
            }
            draft.settings.push((name, value.trim().to_owned()));
        }
        if drafts.is_empty() {
            return Err((1, "no [section] in it".to_owned()));
        }
        let sections = drafts.into_iter().map(|draft| {
            let line = draft.line;
            draft.section().map_err(|what| (line, what))
        });
        Ok(Plan { sections: sections.collect::<Result<_, _>>()? })
    }
}

const SETTINGS: [&str; 12] = [
    "source",
    "query",
    "bind_dn",
    "bind_pw",
    "separator",
    "target",
    "table",
    "key",
    "columns",
    "where",
    "max_delete",
    "secret",
];

/// A section as it is written.
struct Draft {
    name: String,
    line: u32,
    settings: Vec<(String, String)>,
}

impl Draft {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.settings.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn need(&self, name: &str) -> Result<&str, String> {
        self.get(name).ok_or_else(|| format!("[{}] needs {name} = …", self.name))
    }

    fn list(&self, name: &str) -> Vec<String> {
        let words = self.get(name).unwrap_or_default().split(',').map(str::trim);
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    fn section(&self) -> Result<Section, String> {
        let columns: Vec<_> = self
            .list("columns")
            .iter()
            .map(|pair| match pair.split_once('=') {
                Some((target, source)) => (target.trim().to_owned(), source.trim().to_owned()),
                None => (pair.clone(), pair.clone()),
            })
            .collect();
        let target = match self.need("target")? {
            text if text.starts_with("csv:") => Sink::Csv { path: file(text), separator: self.separator()? },
            text => Sink::Sql(Box::new(database(text)?)),
        };
        let table = match target {
            Sink::Csv { .. } => String::new(),
            Sink::Sql(_) => self.need("table")?.to_owned(),
        };
        let key = self.list("key");
        if key.is_empty() {
            return Err(format!(
                "[{}] needs key = …, the columns of the target that tell its rows apart",
                self.name
            ));
        }
        let names = columns.iter().map(|(name, _)| name).chain(&key).chain([&table]);
        if let Some(name) = names.into_iter().find(|name| name.contains(['"', '`', '\\', '\0'])) {
            return Err(format!("\"{name}\" is no name of a table or column"));
        }
        Ok(Section {
            name: self.name.clone(),
            source: self.source()?,
            target,
            table,
            key,
            columns,
            filter: self.get("where").map(str::to_owned),
            max_delete: share(self.get("max_delete").unwrap_or("10%"))?,
            secret: self.list("secret"),
        })
    }

    fn separator(&self) -> Result<char, String> {
        let text = self.get("separator").unwrap_or(",");
        let mut chars = text.chars();
        match (text, chars.next(), chars.next()) {
            ("tab", ..) => Ok('\t'),
            (_, Some(c), None) if c != '"' => Ok(c),
            _ => Err(format!("separator = {text}: one character, or tab")),
        }
    }

    fn source(&self) -> Result<Source, String> {
        let text = self.need("source")?;
        if text.starts_with("csv:") {
            return Ok(Source::Csv { path: file(text), separator: self.separator()? });
        }
        if !ldap::Url::is_url(text) {
            return Ok(Source::Sql { target: database(text)?, query: self.need("query")?.to_owned() });
        }
        let url = ldap::Url::parse(text).ok_or_else(|| format!("bad URL: {text}"))?;
        if url.attributes.is_empty() {
            return Err(
                "the URL of an LDAP source names its attributes: ldap://host/base?uid,mail?sub?(filter)"
                    .to_owned(),
            );
        }
        let bind = self.get("bind_dn").map(|dn| ldap::Bind::Simple {
            dn: dn.to_owned(),
            password: self.get("bind_pw").unwrap_or_default().to_owned(),
        });
        let settings = ldap::Settings {
            servers: vec![(url.place.clone().ok_or("the URL names no host")?, text.to_owned())],
            bind,
            version: 3,
            start_tls: false,
            tls: crate::sql::Tls { verify_chain: true, verify_name: true, ..crate::sql::Tls::default() },
            connections: 1,
            timeout: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            bytes: LIMITS.bytes,
            chase: false,
        };
        Ok(Source::Ldap { settings: Box::new(settings), url })
    }
}

fn file(text: &str) -> PathBuf {
    text.trim_start_matches("csv:").into()
}

fn database(text: &str) -> Result<Target, String> {
    if Target::is_uri(text) {
        return Target::uri(text);
    }
    Err("a data base is written postgresql://user:password@host/name, mysql://…, sqlite:/file; a file csv:/file; \
         a directory ldap://…"
        .to_owned())
}

fn share(text: &str) -> Result<Share, String> {
    let bad = |_| format!("max_delete = {text}: a share of the rows such as 10%, or a number of rows");
    match text.strip_suffix('%') {
        Some(digits) => Ok(Share::Percent(digits.trim().parse::<u64>().map_err(bad)?.min(100))),
        None => Ok(Share::Rows(text.parse().map_err(bad)?)),
    }
}

impl Section {
    /// Where the columns of the key stand.
    pub fn key_places(&self, columns: &[String]) -> Result<Vec<usize>, String> {
        let place = |name: &String| {
            columns
                .iter()
                .position(|column| column == name)
                .ok_or_else(|| format!("key = {name} is no column; there are: {}", columns.join(", ")))
        };
        self.key.iter().map(place).collect()
    }

    /// May so many of these rows be removed?
    pub fn allows(&self, removed: usize, rows: usize) -> Result<(), String> {
        let most = match self.max_delete {
            Share::Percent(100) => rows,
            // All but one at most: an empty source is rather a mistake than an order.
            Share::Percent(share) => {
                let part = (rows as u64).saturating_mul(share).div_ceil(100);
                usize::try_from(part).unwrap_or(usize::MAX).min(rows.saturating_sub(1))
            }
            Share::Rows(most) => most,
        };
        if removed <= most {
            return Ok(());
        }
        Err(format!(
            "{removed} of {rows} rows would be removed, more than max_delete allows ({most}); nothing was changed. \
             If that is right, raise max_delete for one run"
        ))
    }

    /// Is this column not to be shown?
    pub fn is_secret(&self, column: &str) -> bool {
        let lower = column.to_ascii_lowercase();
        self.secret.iter().any(|name| name == column) || SECRET.iter().any(|part| lower.contains(part))
    }
}
