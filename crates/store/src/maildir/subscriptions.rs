//! The file `subscriptions`: one name a line (version 1), or tab-separated levels after a `V\t2` line (version 2).

use proto::dovecot::{escape, unescape};

/// The names in a file, in modified UTF-7 as stored, with `/` between the levels. In version 1 that is `separator`.
pub fn parse(text: &[u8], separator: char) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let (text, two) = match text.strip_prefix("V\t2\n\n") {
        Some(rest) => (rest, true),
        None => (&*text, false),
    };
    let names = text.lines().filter(|line| !line.is_empty());
    names
        .map(|line| {
            if two {
                let levels: Vec<_> = line.split('\t').map(unescape).collect();
                levels.join("/")
            } else {
                line.replace(separator, "/")
            }
        })
        .collect()
}

/// A file of version 2, which Dovecot 2.2 and later read and write; names with `/` between the levels.
pub fn write(names: &[String]) -> Vec<u8> {
    let mut out = String::from("V\t2\n\n");
    for name in names {
        let levels: Vec<_> = name.split('/').map(escape).collect();
        out.push_str(&levels.join("\t"));
        out.push('\n');
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions() {
        assert_eq!(
            parse(b"V\t2\n\nWork\nWork\tSub\nEntw&APw-rfe\n", '.'),
            ["Work", "Work/Sub", "Entw&APw-rfe"]
        );
        assert_eq!(parse(b"Work\nWork.Sub\n", '.'), ["Work", "Work/Sub"]);
    }

    #[test]
    fn written_as_dovecot_does() {
        let names = ["Work".to_owned(), "Work/Sub".to_owned(), "a\tb/c\nd".to_owned()];
        let text = write(&names);
        assert_eq!(text, b"V\t2\n\nWork\nWork\tSub\na\x01tb\tc\x01nd\n");
        assert_eq!(parse(&text, '/'), names);
    }
}
