//! Files of settings as Dovecot's `dovecot-sql.conf.ext` and `dovecot-ldap.conf.ext`: `name = value`, one a line; a
//! line that ends with `\` goes on in the next.

use std::path::Path;

use crate::Fields;

/// Reads such a file. `known` are its settings.
///
/// # Errors
/// It cannot be read, or a line is no known setting: a sentence with file and line.
pub fn read(path: &Path, known: &[&str]) -> Result<Fields, String> {
    let shown = path.display();
    let bytes = conf::secrets::read(path).map_err(|error| format!("open {shown}: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{shown}: not UTF-8"))?;
    parse(&text, known).map_err(|(line, wrong)| format!("{shown}, line {line}: {wrong}"))
}

fn parse(text: &str, known: &[&str]) -> Result<Fields, (usize, String)> {
    let mut fields = Fields::default();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let mut line = line.trim().to_owned();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        while line.ends_with('\\') {
            line.truncate(line.len() - 1);
            let Some((_, next)) = lines.next() else { break };
            line = format!("{} {}", line.trim_end(), next.trim());
        }
        let number = number + 1;
        let (name, value) =
            line.split_once('=').ok_or_else(|| (number, format!("\"{line}\": name = value is expected")))?;
        let name = name.trim();
        if !known.contains(&name) {
            return Err((number, format!("unknown setting {name}; known: {}", known.join(", "))));
        }
        fields.set(name, unquoted(value.trim()));
    }
    Ok(fields)
}

/// Quotes around a whole value are not part of it.
fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inside) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote))
            && !inside.contains(quote)
        {
            return inside;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_on_behind_a_backslash() {
        let text = "# comment\ndriver = sqlite\nconnect=/x\npassword_query = SELECT a \\\n  FROM b \\\n WHERE c = '%u'\n";
        let fields = parse(text, &["driver", "connect", "password_query"]).unwrap();
        assert_eq!(fields.get("password_query"), Some("SELECT a FROM b WHERE c = '%u'"));
        assert_eq!(fields.get("connect"), Some("/x"));
        assert_eq!(unquoted("\"a b\""), "a b");
        assert_eq!(unquoted("'a' or 'b'"), "'a' or 'b'");
        let (line, wrong) = parse("driver = x\nqery = y\n", &["driver"]).unwrap_err();
        assert_eq!((line, wrong.as_str()), (2, "unknown setting qery; known: driver"));
    }
}
