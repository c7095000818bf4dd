//! Values as Dovecot writes them, and as we do.

use conf::Kind;

/// Brings `%{user | domain | lower}` of Dovecot 2.4 into the form of 2.3, `%Ld`. The rest stays.
///
/// # Errors
/// A variable or a filter that has no older form.
pub fn older(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("%{") {
        out.push_str(&rest[..at]);
        let Some(end) = rest[at..].find('}') else { break };
        let inside = &rest[at + 2..at + end];
        // 2.3 has long names, too, but neither bars nor blanks in them.
        if inside.contains('|') || letter(inside.trim()).is_some() {
            out.push_str(&short(inside)?);
        } else {
            out.push_str(&rest[at..=at + end]);
        }
        rest = &rest[at + end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn short(inside: &str) -> Result<String, String> {
    let mut parts = inside.split('|').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let mut variable = letter(name).ok_or_else(|| format!("variable %{{{name}}}"))?;
    let mut modifier = "";
    for filter in parts {
        match (filter, variable) {
            ("username", 'u') => variable = 'n',
            ("domain", 'u') => variable = 'd',
            ("lower", _) => modifier = "L",
            ("upper", _) => modifier = "U",
            _ => return Err(format!("filter {filter} of %{{{inside}}}")),
        }
    }
    Ok(format!("%{modifier}{variable}"))
}

fn letter(name: &str) -> Option<char> {
    Some(match name {
        "user" => 'u',
        "home" => 'h',
        "service" | "protocol" => 's',
        "remote_ip" => 'r',
        "local_ip" => 'l',
        "password" => 'w',
        _ => return None,
    })
}

/// A value in the form that a parameter of this kind takes: times such as `2 mins`, sizes such as `1 GB`.
pub fn fitting(kind: Kind, value: &str) -> String {
    match kind {
        Kind::Time { .. } => time(value).unwrap_or_else(|| value.to_owned()),
        Kind::Bytes => bytes(value).map_or_else(|| value.to_owned(), |bytes| bytes.to_string()),
        _ => value.strip_prefix('<').map_or(value, str::trim_start).to_owned(),
    }
}

fn time(value: &str) -> Option<String> {
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let number: u64 = value[..digits].parse().ok()?;
    let unit = value[digits..].trim().to_ascii_lowercase();
    let unit = match unit.as_str() {
        "" | "s" => "s",
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => {
            return Some(format!("{}s", number.div_ceil(1000)));
        }
        unit if "seconds".starts_with(unit) || unit == "secs" => "s",
        unit if "minutes".starts_with(unit) || unit == "mins" => "m",
        unit if "hours".starts_with(unit) => "h",
        unit if "days".starts_with(unit) => "d",
        unit if "weeks".starts_with(unit) => "w",
        _ => return None,
    };
    Some(format!("{number}{unit}"))
}

/// A size in bytes: `1G`, `100 MB`, `64k`; Dovecot's units are powers of 1,024.
pub fn bytes(value: &str) -> Option<u64> {
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let number: u64 = value[..digits].parse().ok()?;
    let shift = match value[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_today_become_those_of_yesterday() {
        for (new, old) in [
            ("maildir:/var/mail/%{user | domain | lower}/%{user|username}", "maildir:/var/mail/%Ld/%n"),
            ("%{home}/Maildir", "%h/Maildir"),
            ("/x/%d/%1n", "/x/%d/%1n"),
            ("%{if;%s;eq;imap;a;b}", "%{if;%s;eq;imap;a;b}"),
            ("100%", "100%"),
        ] {
            assert_eq!(older(new).as_deref(), Ok(old), "{new}");
        }
        assert!(older("%{user | sha256 | hex}").is_err());
    }

    #[test]
    fn times_and_sizes() {
        for (theirs, ours) in [
            ("2 secs", "2s"),
            ("30", "30s"),
            ("1 min", "1m"),
            ("29 mins", "29m"),
            ("2h", "2h"),
            ("1 week", "1w"),
        ] {
            assert_eq!(time(theirs).as_deref(), Some(ours), "{theirs}");
        }
        assert_eq!(time("often"), None);
        assert_eq!(
            (bytes("1G"), bytes("64 kB"), bytes("7"), bytes("x")),
            (Some(1 << 30), Some(65536), Some(7), None)
        );
    }
}
