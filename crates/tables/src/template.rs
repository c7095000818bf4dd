//! What tables in data bases share: their settings file, the `%` templates of query and result, the `domain`
//! filter, `expansion_limit` (sqlite_table(5), mysql_table(5), pgsql_table(5), ldap_table(5)).

use std::collections::HashMap;
use std::time::Duration;

use mail::Trouble;
use mail::logline::printable;

use crate::files::Watched;
use crate::lines::{logical_lines, trim};
use crate::source::reason;
use crate::sql::Statement;
use crate::types::Opening;
use crate::{List, MainCf};

/// The settings of one table: a file in the form of main.cf, or parameters of main.cf that begin with its name.
pub struct Config {
    values: HashMap<String, String>,
    main_cf: Option<(String, MainCf)>,
    /// The file, where there is one.
    pub watched: Vec<Watched>,
}

impl Config {
    /// Reads the settings.
    pub fn read(opening: &Opening<'_>) -> Result<Config, String> {
        let name = &opening.spec.name;
        let settings = opening.tables.settings();
        if !name.starts_with(['/', '.']) {
            let main_cf = Some((name.clone(), settings.main_cf.clone()));
            return Ok(Config { values: HashMap::new(), main_cf, watched: Vec::new() });
        }
        let watched = vec![Watched::now(name)];
        let text = conf::secrets::read(name).map_err(|error| format!("open {name}: {}", reason(&error)))?;
        let mut values = HashMap::new();
        for line in logical_lines(&text, |_| ()) {
            let text = String::from_utf8_lossy(trim(&line.text)).into_owned();
            match text.split_once('=') {
                Some((key, value)) => {
                    values.insert(key.trim_end().to_owned(), value.trim_start().to_owned());
                }
                None => {
                    return Err(format!(
                        "{name}, line {}: missing '=' after attribute name: \"{text}\"",
                        line.number
                    ));
                }
            }
        }
        Ok(Config { values, main_cf: None, watched })
    }

    /// A setting, if it is there.
    pub fn get(&self, name: &str) -> Option<String> {
        match &self.main_cf {
            Some((prefix, main_cf)) => main_cf.get(&format!("{prefix}_{name}")),
            None => self.values.get(name).cloned(),
        }
    }

    /// A setting, or its default.
    pub fn text(&self, name: &str, default: &str) -> String {
        self.get(name).unwrap_or_else(|| default.to_owned())
    }

    /// A number that is not negative, or its default.
    pub fn number(&self, name: &str, default: u64) -> Result<u64, String> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| format!("bad numerical configuration: {name} = {text}")),
        }
    }

    /// A number of seconds, or its default.
    pub fn seconds(&self, name: &str, default: Duration) -> Result<Duration, String> {
        Ok(Duration::from_secs(self.number(name, default.as_secs())?))
    }

    /// A setting that is yes or no, or its default.
    pub fn yes(&self, name: &str, default: bool) -> Result<bool, String> {
        match self.get(name).as_deref().map(str::to_ascii_lowercase).as_deref() {
            None => Ok(default),
            Some("yes" | "1" | "true" | "on") => Ok(true),
            Some("no" | "0" | "false" | "off") => Ok(false),
            Some(text) => Err(format!("bad boolean configuration: {name} = {text}")),
        }
    }

    /// A setting that is there and not empty.
    pub fn given(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// A setting that must not be empty.
    pub fn required(&self, name: &str, table: &str) -> Result<String, String> {
        match self.get(name).filter(|value| !value.is_empty()) {
            Some(value) => Ok(value),
            None if self.main_cf.is_some() => Err(format!("bad string length 0 < 1: {table}_{name} = ")),
            None => Err(format!("{table}: bad string length 0 < 1: {name} = ")),
        }
    }
}

/// A template with `%s`, `%u`, `%d`, `%S`, `%U`, `%D`, `%1` to `%9`, `%%`.
pub struct Template {
    parts: Vec<Part>,
}

enum Part {
    Text(String),
    Whole(Of),
    User(Of),
    Domain(Of),
    /// A label of the key's domain, from the right, beginning with 1.
    Label(usize),
}

/// What a filled template consists of.
enum Piece<'a> {
    Text(&'a str),
    Value(&'a str),
}

/// Is the part taken from the value (the key itself in a query), or from the key?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Value,
    Key,
}

impl Template {
    /// Reads a template. `what` names it in the error.
    pub fn parse(text: &str, what: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let part = match c {
                '%' => match chars.next() {
                    Some('%') => {
                        literal.push('%');
                        continue;
                    }
                    Some('s') => Part::Whole(Of::Value),
                    Some('u') => Part::User(Of::Value),
                    Some('d') => Part::Domain(Of::Value),
                    Some('S') => Part::Whole(Of::Key),
                    Some('U') => Part::User(Of::Key),
                    Some('D') => Part::Domain(Of::Key),
                    Some(digit @ '1'..='9') => Part::Label(digit as usize - '0' as usize),
                    _ => return Err(format!("Invalid {what} template: {text}")),
                },
                c => {
                    literal.push(c);
                    continue;
                }
            };
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(part);
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Template { parts })
    }

    /// Does what is filled depend on the key?
    pub fn is_variable(&self) -> bool {
        self.parts.iter().any(|part| !matches!(part, Part::Text(_)))
    }

    /// Fills the template. `None` when the value or key lacks a part that it wants: an empty user, no domain,
    /// too few labels. `quote` makes a part safe for the place it goes to.
    pub fn fill(&self, value: &str, key: &str, quote: &dyn Fn(&str) -> String) -> Option<String> {
        let mut out = String::new();
        self.pieces(value, key, |piece| match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Value(value) => out.push_str(&quote(value)),
        })?;
        Some(out)
    }

    /// The template as an SQL statement for this key.
    pub fn statement(&self, key: &str) -> Option<Statement> {
        let mut statement = Statement::new();
        self.pieces(key, key, |piece| {
            let before = std::mem::take(&mut statement);
            statement = match piece {
                Piece::Text(text) => before.text(text),
                Piece::Value(value) => before.value(value),
            };
        })?;
        Some(statement)
    }

    fn pieces(&self, value: &str, key: &str, mut add: impl FnMut(Piece<'_>)) -> Option<()> {
        for part in &self.parts {
            let of = |of: &Of| if *of == Of::Value { value } else { key };
            add(match part {
                Part::Text(text) => Piece::Text(text),
                Part::Whole(from) => Piece::Value(of(from)),
                Part::User(from) => {
                    let (user, domain) = mail::address::split(of(from));
                    if user.is_empty() && domain.is_some() {
                        return None;
                    }
                    Piece::Value(user)
                }
                Part::Domain(from) => Piece::Value(domain(of(from))?),
                Part::Label(number) => {
                    let label = domain(key)?.rsplit('.').nth(number - 1)?;
                    // The labels below it must be there too.
                    if domain(key)?.rsplit('.').take(*number).any(str::is_empty) {
                        return None;
                    }
                    Piece::Value(label)
                }
            });
        }
        Some(())
    }

    /// Can the template be filled from this key, whatever the values will be?
    pub fn accepts_key(&self, key: &str) -> bool {
        self.parts.iter().all(|part| match part {
            Part::User(Of::Key) => !key.starts_with('@') || key.rfind('@') != Some(0),
            Part::Domain(Of::Key) => domain(key).is_some(),
            Part::Label(number) => domain(key).is_some_and(|domain| {
                domain.rsplit('.').filter(|label| !label.is_empty()).count() >= *number
            }),
            _ => true,
        })
    }
}

fn domain(address: &str) -> Option<&str> {
    mail::address::split(address).1.filter(|domain| !domain.is_empty())
}

/// What turns the rows of a data base into one value.
pub struct Results {
    format: Template,
    limit: u64,
    domains: Option<List>,
    table: String,
    program: &'static str,
}

impl Results {
    /// Reads `result_format`, `expansion_limit` and `domain`.
    pub fn read(config: &Config, opening: &Opening<'_>) -> Result<Results, String> {
        // result_filter is the name it had before Postfix 2.2.
        let format = config.get("result_format").unwrap_or_else(|| config.text("result_filter", "%s"));
        Ok(Results {
            format: Template::parse(&format, "result_format")?,
            limit: config.number("expansion_limit", 0)?,
            ..Results::read_domain(config, opening)?
        })
    }

    /// Reads `domain` alone, for tables that have nothing else of this.
    pub fn read_domain(config: &Config, opening: &Opening<'_>) -> Result<Results, String> {
        let domains = config.text("domain", "");
        let domains = match domains.trim() {
            "" => None,
            text => Some(opening.tables.string_list("domain", text).map_err(|fault| fault.to_string())?),
        };
        Ok(Results {
            format: Template::parse("%s", "result_format")?,
            limit: 0,
            domains,
            table: opening.spec.to_string(),
            program: opening.tables.settings().program,
        })
    }

    /// Is the key worth a query: is its domain in `domain`, has it the parts that the result wants?
    pub async fn wants(&self, key: &str) -> Result<bool, Trouble> {
        if let Some(domains) = &self.domains {
            let (user, domain) = mail::address::split(key);
            match domain {
                Some(domain) if !user.is_empty() && domains.matches(domain).await? => {}
                _ => return Ok(false),
            }
        }
        Ok(self.format.accepts_key(key))
    }

    /// Joins the values found for a key by commas.
    pub fn join(&self, key: &str, values: &[String]) -> Result<Option<String>, Trouble> {
        let mut filled = Vec::new();
        for value in values {
            if value.is_empty() {
                log::warn!(
                    target: self.program,
                    "table \"{}\": empty lookup result for: \"{}\" -- ignored",
                    self.table,
                    printable(key)
                );
                continue;
            }
            let Some(text) = self.format.fill(value, key, &str::to_owned) else { continue };
            filled.push(text);
            if self.limit > 0 && filled.len() as u64 > self.limit {
                let what = format!("{}: Expansion limit exceeded for key: '{}'", self.table, printable(key));
                log::warn!(target: self.program, "{what}");
                return Err(Trouble::new(what));
            }
        }
        Ok((!filled.is_empty()).then(|| filled.join(",")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str, value: &str, key: &str) -> Option<String> {
        let quote = |text: &str| text.replace('\'', "''");
        Template::parse(template, "query").unwrap().fill(value, key, &quote)
    }

    #[test]
    fn fills_templates() {
        for (template, value, key, expected) in [
            ("k='%s'", "a'b@c", "k", Some("k='a''b@c'")),
            ("%u/%d", "u@d", "k", Some("u/d")),
            ("%u", "user", "k", Some("user")),
            ("%u", "@d", "k", None),
            ("%d", "user", "k", None),
            ("%S %U %D", "v", "u@d", Some("u@d u d")),
            ("%2.%1", "v", "u@a.b.c", Some("b.c")),
            ("%4", "v", "u@a.b.c", None),
            ("%1", "v", "u@a.", None),
            ("100%%", "v", "k", Some("100%")),
            // What is put in is not read again.
            ("%s", "%d%%$1", "k", Some("%d%%$1")),
        ] {
            assert_eq!(fill(template, value, key).as_deref(), expected, "{template} {value} {key}");
        }
        for template in ["%", "%x", "%0"] {
            assert!(Template::parse(template, "query").is_err(), "{template}");
        }
    }

    #[test]
    fn keys_that_cannot_fill_the_result_are_not_asked() {
        for (template, key, expected) in [
            ("%S", "x", true),
            ("%D", "x", false),
            ("%U", "@x", false),
            ("%3", "u@a.b", false),
            ("%d", "x", true),
        ] {
            assert_eq!(Template::parse(template, "x").unwrap().accepts_key(key), expected, "{template}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(template in ".{0,20}", value in ".{0,20}", key in ".{0,20}") {
            if let Ok(template) = Template::parse(&template, "query") {
                template.fill(&value, &key, &|text| text.to_owned());
                template.accepts_key(&key);
            }
        }
    }
}
