//! The file `maildirsize` of Maildir++ quota: limits on the first line, then `octets messages` lines that add up.

/// What the file says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maildirsize {
    /// The limit in octets; 0 for none.
    pub octets_limit: u64,
    /// The limit in messages; 0 for none.
    pub messages_limit: u64,
    /// Octets used.
    pub octets: i64,
    /// Messages held.
    pub messages: i64,
}

/// A file at least this long is counted anew, as Maildir++ asks.
pub const LONGEST: u64 = 5120;
/// A file older than this many seconds is counted anew before a message is refused for it.
pub const OLDEST: i64 = 15 * 60;

impl Maildirsize {
    /// Reads a file; `None` where it makes no sense and has to be made anew.
    pub fn parse(text: &[u8]) -> Option<Maildirsize> {
        let text = std::str::from_utf8(text).ok()?;
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let mut read = Maildirsize::default();
        for limit in lines.next()?.split(',').filter(|limit| !limit.is_empty()) {
            let (number, kind) = limit.split_at_checked(limit.len() - 1)?;
            match kind {
                "S" => read.octets_limit = number.parse().ok()?,
                "C" => read.messages_limit = number.parse().ok()?,
                _ => {}
            }
        }
        for line in lines {
            let mut numbers = line.split_ascii_whitespace();
            read.octets = read.octets.checked_add(numbers.next()?.parse().ok()?)?;
            read.messages = read.messages.checked_add(numbers.next()?.parse().ok()?)?;
        }
        (read.octets >= 0 && read.messages >= 0).then_some(read)
    }

    /// A new file.
    pub fn write(&self) -> String {
        let limits = [(self.octets_limit, 'S'), (self.messages_limit, 'C')];
        let limits = limits.iter().filter(|(limit, _)| *limit > 0);
        let limits: Vec<_> = limits.map(|(limit, kind)| format!("{limit}{kind}")).collect();
        format!("{}\n{}", limits.join(","), change(self.octets, self.messages))
    }
}

/// A line that is appended when messages come or go.
pub fn change(octets: i64, messages: i64) -> String {
    format!("{octets} {messages}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_up() {
        let read = Maildirsize::parse(b"1000S,10C\n500 3\n-100 -1\n").unwrap();
        assert_eq!(read, Maildirsize { octets_limit: 1000, messages_limit: 10, octets: 400, messages: 2 });
        assert_eq!(read.write(), "1000S,10C\n400 2\n");
        assert_eq!(Maildirsize::parse(read.write().as_bytes()), Some(read));
    }

    #[test]
    fn nonsense_is_counted_anew() {
        for text in [&b""[..], b"1000S", b"1000S\n-5 -1\n", b"1000S\nx y\n", b"xS\n1 1\n", b"1000S\n5\n"] {
            assert_eq!(Maildirsize::parse(text), None, "{}", text.escape_ascii());
        }
    }
}
