//! `pass_attrs` and `user_attrs`: which attributes of an entry become which fields.

use tables::ldap::Entry;

use crate::Fields;
use crate::expand::{Vars, check, expand};

/// A list such as `uid=user, userPassword=password, =home=/srv/%{ldap:mailbox}, quota=quota_rule=*:bytes=%$`.
pub struct Attributes {
    rules: Vec<Rule>,
    names: Vec<String>,
}

struct Rule {
    /// The attribute, whose absence leaves the field out; none for a value made of others.
    attribute: Option<String>,
    field: String,
    template: Option<Vec<Part>>,
}

enum Part {
    /// Text with `%` variables.
    Text(String),
    /// `%$`
    Own,
    /// `%{ldap:name}`, `%{ldap:name:otherwise}`
    Of(String, String),
}

impl Attributes {
    /// Reads the list.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(text: &str) -> Result<Attributes, String> {
        let mut rules = Vec::new();
        for item in divide(text) {
            let mut pieces = item.splitn(3, '=');
            let attribute = pieces.next().unwrap_or_default().trim();
            let field = pieces.next().map_or(attribute, str::trim);
            let template = pieces.next().map(template).transpose()?;
            if attribute.is_empty() && template.is_none() || field.is_empty() {
                return Err(format!(
                    "\"{item}\": attribute=field, attribute=field=value or =field=value is expected"
                ));
            }
            let attribute = Some(attribute).filter(|name| !name.is_empty()).map(str::to_owned);
            rules.push(Rule { attribute, field: field.to_owned(), template });
        }
        let mut names: Vec<String> = Vec::new();
        for rule in &rules {
            let inside = rule.template.iter().flatten().filter_map(|part| match part {
                Part::Of(name, _) => Some(name),
                Part::Text(_) | Part::Own => None,
            });
            for name in rule.attribute.iter().chain(inside) {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        Ok(Attributes { rules, names })
    }

    /// The attributes that are wanted.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The fields of an entry.
    ///
    /// # Errors
    /// A variable that does not exist.
    pub fn fields(&self, entry: &Entry, vars: &Vars<'_>) -> Result<Fields, String> {
        let value = |name: &str| {
            let found = entry.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.and_then(|(_, values)| values.first()).map(String::as_str)
        };
        let mut fields = Fields::default();
        for Rule { attribute, field, template } in &self.rules {
            let own = match attribute {
                Some(name) => match value(name) {
                    Some(own) => own,
                    None => continue,
                },
                None => "",
            };
            let Some(parts) = template else {
                fields.set(field, own);
                continue;
            };
            let mut text = String::new();
            for part in parts {
                match part {
                    Part::Text(part) => text.push_str(&expand(part, vars, &str::to_owned)?),
                    Part::Own => text.push_str(own),
                    Part::Of(name, otherwise) => text.push_str(value(name).unwrap_or(otherwise)),
                }
            }
            fields.set(field, text);
        }
        Ok(fields)
    }
}

/// Divides at commas that stand outside of braces.
fn divide(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0usize;
    text.split(move |c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|item| !item.is_empty())
}

fn template(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text.trim();
    while let Some(at) = rest.find('%') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let part = if let Some(after) = rest.strip_prefix("%$") {
            rest = after;
            Part::Own
        } else if let Some(inside) = rest.strip_prefix("%{ldap:") {
            let (name, after) = inside.split_once('}').ok_or("%{ldap: without an end")?;
            rest = after;
            let (name, otherwise) = name.split_once(':').unwrap_or((name, ""));
            Part::Of(name.to_owned(), otherwise.to_owned())
        } else {
            // `%%` must not lend its second half.
            let taken = if rest.starts_with("%%") { 2 } else { 1 };
            plain.push_str(&rest[..taken]);
            rest = &rest[taken..];
            continue;
        };
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(part);
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    for part in &parts {
        if let Part::Text(text) = part {
            check(text)?;
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_become_fields() {
        let list = "uid=user, userPassword=password,=home=/srv/%{ldap:box:none}/%n%%, quota=quota_rule=*:bytes=%$,\
                    =gone=%{ldap:nosuch:x,y},missing=z,plain";
        let attributes = Attributes::parse(list).unwrap();
        assert_eq!(attributes.names(), ["uid", "userPassword", "box", "quota", "nosuch", "missing", "plain"]);
        let entry = Entry {
            dn: String::new(),
            attributes: [
                ("UID", "Joe"),
                ("userpassword", "{SSHA}%u"),
                ("box", "b%u"),
                ("quota", "7"),
                ("plain", "p"),
            ]
            .map(|(name, value)| (name.to_owned(), vec![value.to_owned(), "second".to_owned()]))
            .to_vec(),
        };
        let fields = attributes.fields(&entry, &Vars::of_user("joe@x.test")).unwrap();
        let got: Vec<_> = fields.iter().collect();
        assert_eq!(
            got,
            [
                ("user", "Joe"),
                ("password", "{SSHA}%u"),
                ("home", "/srv/b%u/joe%"),
                ("quota_rule", "*:bytes=7"),
                ("gone", "x,y"),
                ("plain", "p")
            ]
        );
        for wrong in ["=x", "a=", "a=b=%{ldap:c", "a=b=%{nosuch}"] {
            assert!(Attributes::parse(wrong).is_err(), "{wrong}");
        }
    }
}
