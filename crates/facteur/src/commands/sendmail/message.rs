//! The message on standard input, as sendmail(1) reads it.

use std::io::{self, BufRead};

/// How line ends are taken (`sendmail_fix_line_endings`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnds {
    /// CRLF becomes LF in every line.
    Always,
    /// CRLF becomes LF when the first line ends so.
    Strict,
    /// Carriage returns are content.
    Never,
}

/// How to read.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// A line with a dot alone ends the message.
    pub dot_ends: bool,
    /// Line ends.
    pub line_ends: LineEnds,
    /// Most bytes; 0 is no limit.
    pub limit: u64,
}

/// What reading came to.
#[derive(Debug)]
pub enum Read {
    /// Header and body, lines ended by LF.
    Message(Vec<u8>),
    /// It is larger than the limit.
    TooBig,
}

/// Reads one message. `From ` lines of a mailbox file at its beginning are left out.
pub fn read(input: &mut dyn BufRead, how: How) -> io::Result<Read> {
    let mut message = Vec::new();
    let mut line = Vec::new();
    let mut first = true;
    let mut top = true;
    let mut strip = how.line_ends == LineEnds::Always;
    loop {
        line.clear();
        // A line without end must not fill memory: the limit bounds it.
        let most = if how.limit > 0 { how.limit.saturating_add(2) } else { u64::MAX };
        let got = io::Read::take(&mut *input, most).read_until(b'\n', &mut line)?;
        if got == 0 {
            break;
        }
        let ended = line.last() == Some(&b'\n');
        if ended {
            line.pop();
        }
        if first && how.line_ends == LineEnds::Strict {
            strip = line.last() == Some(&b'\r');
        }
        first = false;
        if strip && line.last() == Some(&b'\r') {
            line.pop();
        }
        if top {
            let bare = &line[line.iter().take_while(|byte| **byte == b'>').count()..];
            if bare.starts_with(b"From ") {
                continue;
            }
            top = false;
        }
        if how.dot_ends && line == b"." {
            break;
        }
        message.extend_from_slice(&line);
        message.push(b'\n');
        if how.limit > 0 && message.len() as u64 > how.limit {
            return Ok(Read::TooBig);
        }
    }
    Ok(Read::Message(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &[u8], dot_ends: bool, line_ends: LineEnds) -> Vec<u8> {
        match read(&mut &text[..], How { dot_ends, line_ends, limit: 100 }).unwrap() {
            Read::Message(message) => message,
            Read::TooBig => panic!("too big"),
        }
    }

    #[test]
    fn a_dot_ends_unless_told_otherwise() {
        assert_eq!(message(b"a\n.\nb\n", true, LineEnds::Always), b"a\n");
        assert_eq!(message(b"a\n.\nb", false, LineEnds::Always), b"a\n.\nb\n");
    }

    #[test]
    fn line_ends_and_mailbox_lines() {
        assert_eq!(
            message(b"From x\n>From y\nSubject: a\r\n\r\nFrom z\r\n", true, LineEnds::Always),
            b"Subject: a\n\nFrom z\n"
        );
        assert_eq!(message(b"a\nb\r\n", true, LineEnds::Strict), b"a\nb\r\n");
        assert_eq!(message(b"a\r\n", true, LineEnds::Never), b"a\r\n");
        assert_eq!(message(b"a\r\n.\r\nb\r\n", true, LineEnds::Always), b"a\n");
    }

    #[test]
    fn size_is_bounded() {
        let text = vec![b'x'; 1000];
        let how = How { dot_ends: true, line_ends: LineEnds::Always, limit: 100 };
        assert!(matches!(read(&mut &text[..], how), Ok(Read::TooBig)));
    }
}
