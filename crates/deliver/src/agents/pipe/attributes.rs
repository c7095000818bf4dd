//! The words of a pipe service in master.cf: `flags=`, `user=`, `size=`, …, `argv=`.

/// What the words say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `flags=`.
    pub flags: String,
    /// `user=`, and the group behind its colon.
    pub user: String,
    /// Group name, when given.
    pub group: Option<String>,
    /// `chroot=`.
    pub chroot: Option<String>,
    /// `directory=`.
    pub directory: Option<String>,
    /// `eol=`, escapes resolved.
    pub eol: Vec<u8>,
    /// `null_sender=`.
    pub null_sender: String,
    /// `size=` in bytes; 0 is no limit.
    pub size: u64,
    /// `argv=` and what follows.
    pub argv: Vec<String>,
}

/// The flags there are.
const FLAGS: &str = "BDFORXhqu.>";

impl Attributes {
    /// Reads the words. The error is a sentence.
    pub fn parse(words: &[String]) -> Result<Attributes, String> {
        let mut found = Attributes {
            eol: b"\n".to_vec(),
            null_sender: "MAILER-DAEMON".to_owned(),
            ..Attributes::default()
        };
        for (at, word) in words.iter().enumerate() {
            // `-v` and its like are for every service.
            if word.starts_with('-') && !word.contains('=') {
                continue;
            }
            let (name, value) =
                word.split_once('=').ok_or_else(|| format!("unknown attribute name: {word}"))?;
            match name {
                "flags" => found.flags = flags(value)?,
                "user" => {
                    let (user, group) =
                        value.split_once(':').map_or((value, None), |(user, group)| (user, Some(group)));
                    found.user = user.to_owned();
                    found.group = group.filter(|group| !group.is_empty()).map(str::to_owned);
                }
                "chroot" => found.chroot = Some(value.to_owned()),
                "directory" => found.directory = Some(value.to_owned()),
                "eol" => found.eol = unescape(value)?,
                "null_sender" => found.null_sender = value.to_owned(),
                "size" => found.size = value.parse().map_err(|_| format!("bad size attribute: {value}"))?,
                "argv" => {
                    found.argv.push(value.to_owned());
                    found.argv.extend(words[at + 1..].iter().cloned());
                    break;
                }
                _ => return Err(format!("unknown attribute name: {name}")),
            }
        }
        if found.user.is_empty() {
            return Err("missing user= command-line attribute".to_owned());
        }
        if found.argv.first().is_none_or(String::is_empty) {
            return Err("missing argv= command-line attribute".to_owned());
        }
        Ok(found)
    }

    /// Is this flag set?
    pub fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }
}

fn flags(value: &str) -> Result<String, String> {
    match value.chars().find(|flag| !FLAGS.contains(*flag)) {
        Some(flag) => Err(format!("unknown flag: {flag}")),
        None => Ok(value.to_owned()),
    }
}

/// `\r\n` and the other escapes of C.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let bad = || format!("bad eol attribute: {text}");
        out.push(match bytes.next().ok_or_else(bad)? {
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'\\' => b'\\',
            digit @ b'0'..=b'7' => {
                let mut value = u32::from(digit - b'0');
                for _ in 0..2 {
                    let Some(next) = bytes.next_if(|b| (b'0'..=b'7').contains(b)) else { break };
                    value = value * 8 + u32::from(next - b'0');
                }
                u8::try_from(value).map_err(|_| bad())?
            }
            _ => return Err(bad()),
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Attributes, String> {
        Attributes::parse(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn reads_master_cf_words() {
        let found = parse("-v flags=DRhu user=vmail:mail eol=\\r\\012 size=10 argv=/bin/x -f ${sender}")
            .expect("good");
        assert!(found.has('D') && found.has('u') && !found.has('q'));
        assert_eq!((found.user.as_str(), found.group.as_deref()), ("vmail", Some("mail")));
        assert_eq!((found.eol.as_slice(), found.size), (&b"\r\n"[..], 10));
        assert_eq!(found.argv, ["/bin/x", "-f", "${sender}"]);
    }

    #[test]
    fn names_what_is_wrong() {
        for (text, expected) in [
            ("argv=/bin/x", "missing user= command-line attribute"),
            ("user=x", "missing argv= command-line attribute"),
            ("flags=Z user=x argv=y", "unknown flag: Z"),
            ("color=red user=x argv=y", "unknown attribute name: color"),
            ("size=big user=x argv=y", "bad size attribute: big"),
            ("eol=\\q user=x argv=y", "bad eol attribute: \\q"),
        ] {
            assert_eq!(parse(text), Err(expected.to_owned()), "{text}");
        }
    }
}
