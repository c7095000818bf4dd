//! Attributes of XCLIENT and XFORWARD. xtext, with `[UNAVAILABLE]` and `[TEMPUNAVAIL]`.

use crate::smtp::xtext;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A value, decoded.
    Known(String),
    /// `[UNAVAILABLE]`.
    Unavailable,
    /// `[TEMPUNAVAIL]`.
    TempUnavail,
}

/// Why the attributes cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadAttribute {
    /// Not `NAME=value`: Postfix's `501 5.5.4 Error: attribute=value expected`.
    NotAnAttribute,
    /// Bad xtext: `501 5.5.4 Bad attribute value syntax: …`.
    BadValue(String),
}

/// Reads one `NAME=value` word: the name in capitals, and the value.
pub fn attribute(word: &str) -> Result<(String, Value), BadAttribute> {
    let (name, value) = word.split_once('=').ok_or(BadAttribute::NotAnAttribute)?;
    let value = match value.to_ascii_uppercase().as_str() {
        "[UNAVAILABLE]" => Value::Unavailable,
        "[TEMPUNAVAIL]" => Value::TempUnavail,
        _ => Value::Known(xtext::decode(value).ok_or_else(|| BadAttribute::BadValue(value.to_owned()))?),
    };
    Ok((name.to_ascii_uppercase(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_attributes() {
        assert_eq!(attribute("name=bad+2Etest"), Ok(("NAME".into(), Value::Known("bad.test".into()))));
        assert_eq!(attribute("NAME=[tempunavail]"), Ok(("NAME".into(), Value::TempUnavail)));
        assert_eq!(attribute("FOO"), Err(BadAttribute::NotAnAttribute));
        assert_eq!(attribute("A=+zz"), Err(BadAttribute::BadValue("+zz".into())));
    }
}
