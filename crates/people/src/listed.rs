//! `passdb` and `userdb` as written: `type:argument` and `{ type:argument, option=value }`.

use conf::words::{COMMA_SPACE, unbraced, words};

use crate::Fields;

/// One database of a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Listed {
    /// The type.
    pub kind: String,
    /// What stands behind the colon.
    pub argument: String,
    /// The options, by name.
    pub options: Fields,
}

impl Listed {
    /// `type:argument`, for messages.
    pub fn name(&self) -> String {
        if self.argument.is_empty() { self.kind.clone() } else { format!("{}:{}", self.kind, self.argument) }
    }
}

/// The databases of a parameter's value.
///
/// # Errors
/// What is wrong with the text.
pub fn parse(text: &str) -> Result<Vec<Listed>, String> {
    words(text, COMMA_SPACE).into_iter().map(one).collect()
}

fn one(word: &str) -> Result<Listed, String> {
    let inside = if word.starts_with('{') { unbraced(word).map_err(|(_, wrong)| wrong)? } else { word };
    let mut parts =
        if word.starts_with('{') { words(inside, ",").into_iter() } else { vec![inside].into_iter() };
    let head = parts.next().map(str::trim).unwrap_or_default();
    let (kind, argument) = head.split_once(':').unwrap_or((head, ""));
    if kind.is_empty() || kind.contains(['=', ' ']) {
        return Err(format!("\"{word}\": a type such as passwd-file:/file is expected first"));
    }
    let mut options = Fields::default();
    for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| format!("\"{word}\": option=value is expected instead of \"{part}\""))?;
        let value = value.trim();
        let value = if value.starts_with('{') { unbraced(value).map_err(|(_, wrong)| wrong)? } else { value };
        options.set(name.trim(), value);
    }
    Ok(Listed { kind: kind.trim().to_owned(), argument: argument.trim().to_owned(), options })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_read_with_options() {
        let text =
            "directory, passwd-file:/etc/x { sql:/y, result_failure=return, default_fields={a=b c=d} }";
        let listed = parse(text).unwrap();
        let shown: Vec<_> = listed.iter().map(|one| (one.kind.as_str(), one.argument.as_str())).collect();
        assert_eq!(shown, [("directory", ""), ("passwd-file", "/etc/x"), ("sql", "/y")]);
        assert_eq!(listed[2].options.get("result_failure"), Some("return"));
        assert_eq!(listed[2].options.get("default_fields"), Some("a=b c=d"));
        for wrong in ["{ sql:/y", "{ sql:/y, master }", "=x", "{ a=b }"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
