//! What a session was about, for the line at its end (`pop3_logout_format`).

/// Counts of a session.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// TOP: messages and bytes.
    pub top: (u32, u64),
    /// RETR: messages and bytes.
    pub retrieved: (u32, u64),
    /// Messages deleted.
    pub deleted: u32,
    /// Messages at the beginning.
    pub messages: u32,
    /// Bytes at the beginning.
    pub bytes: u64,
}

impl Counts {
    /// The line. Variables that are not known stay as they are.
    pub fn write(&self, format: &str) -> String {
        let mut out = String::new();
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                out.push(letter);
                continue;
            }
            match letters.next() {
                Some('t') => out.push_str(&self.top.0.to_string()),
                Some('p') => out.push_str(&self.top.1.to_string()),
                Some('r') => out.push_str(&self.retrieved.0.to_string()),
                Some('b') => out.push_str(&self.retrieved.1.to_string()),
                Some('d') => out.push_str(&self.deleted.to_string()),
                Some('m') => out.push_str(&self.messages.to_string()),
                Some('s') => out.push_str(&self.bytes.to_string()),
                Some('%') => out.push('%'),
                other => {
                    out.push('%');
                    out.extend(other);
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_dovecot() {
        let counts = Counts { top: (1, 2), retrieved: (3, 4), deleted: 5, messages: 6, bytes: 7 };
        assert_eq!(
            counts.write("top=%t/%p, retr=%r/%b, del=%d/%m, size=%s%%%x"),
            "top=1/2, retr=3/4, del=5/6, size=7%%x"
        );
    }
}
