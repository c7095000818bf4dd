//! Content on the wire becomes lines that end in LF. RFC 5321 4.1.1.4, 4.5.2; RFC 3030.

/// How many CRs are kept back while it is not known whether a line ends behind them.
const MOST_CRS: usize = 1024;
static CRS: [u8; MOST_CRS] = [b'\r'; MOST_CRS];

/// How content ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// CR LF `.` CR LF and nothing else.
    StandardDot,
    /// A line that holds a dot, whatever ends it: for clients that end every line in a bare LF.
    AnyDot,
    /// By count (BDAT): dots mean nothing.
    Counted,
}

/// What became of some input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// Bytes of input that are done with.
    pub consumed: usize,
    /// Bytes of content, now at the start of the input.
    pub produced: usize,
    /// What stopped it.
    pub stop: Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// More input is needed.
    Hungry,
    /// The final dot.
    End,
    /// A bare LF where none is allowed.
    BareLf,
}

/// The state between two pieces of input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    ends: Ends,
    refuse_bare_lf: bool,
    /// At the start of a line?
    line_start: bool,
    /// Did the line before end in CR LF? DATA itself counts as one.
    after_crlf: bool,
    /// CRs read and not yet passed on.
    crs: usize,
}

impl Content {
    pub(super) fn new(ends: Ends, refuse_bare_lf: bool) -> Content {
        Content { ends, refuse_bare_lf, line_start: true, after_crlf: true, crs: 0 }
    }

    /// CRs that turned out not to belong to a line end: passed on before `input`, again and again until empty.
    pub(super) fn stray_crs(&mut self, input: &[u8]) -> &'static [u8] {
        let stray = match input.iter().find(|b| **b != b'\r') {
            Some(b'\n') => 0,
            Some(_) => self.crs,
            // One is kept: the LF may still come.
            None if self.crs > MOST_CRS => self.crs - 1,
            None => 0,
        };
        let now = stray.min(MOST_CRS);
        if now > 0 {
            self.crs -= now;
            self.line_start = false;
        }
        &CRS[..now]
    }

    /// What is missing behind the last chunk: a line end.
    pub(super) fn missing_end(&mut self) -> &'static [u8] {
        if self.line_start && self.crs == 0 {
            return &[];
        }
        self.crs = 0;
        self.line_start = true;
        b"\n"
    }

    /// Converts `input` in place: content never grows.
    pub(super) fn convert(&mut self, input: &mut [u8]) -> Progress {
        let (mut read, mut write) = (0, 0);
        let stop = loop {
            if self.line_start && self.crs == 0 && self.ends != Ends::Counted {
                match self.dot(&input[read..]) {
                    Dot::Unknown => break Stop::Hungry,
                    Dot::End(len) => {
                        read += len;
                        break Stop::End;
                    }
                    Dot::Alone => {
                        // A lone dot that does not end the data is content, dot and all.
                        input[write] = b'.';
                        write += 1;
                        read += 1;
                        self.line_start = false;
                    }
                    Dot::Stuffed => {
                        read += 1;
                        self.line_start = false;
                    }
                    Dot::None => {}
                }
            }
            let found = memchr::memchr(b'\n', &input[read..]);
            let end = found.map_or(input.len(), |at| read + at);
            let text = input[read..end].iter().rposition(|b| *b != b'\r').map_or(read, |at| at + 1 + read);
            if text > read {
                // CRs kept back from earlier input were passed on by `stray_crs` before this.
                input.copy_within(read..text, write);
                write += text - read;
                self.line_start = false;
            }
            self.crs += end - text;
            read = end;
            if found.is_none() {
                break Stop::Hungry;
            }
            let bare = self.crs == 0;
            if bare && self.refuse_bare_lf {
                break Stop::BareLf;
            }
            input[write] = b'\n';
            write += 1;
            read += 1;
            self.crs = 0;
            self.line_start = true;
            self.after_crlf = !bare;
        };
        Progress { consumed: read, produced: write, stop }
    }

    fn dot(&self, input: &[u8]) -> Dot {
        let lenient = self.ends == Ends::AnyDot;
        match input {
            [] | [b'.'] | [b'.', b'\r'] => Dot::Unknown,
            [b'.', b'\n', ..] if lenient => Dot::End(2),
            [b'.', b'\r', b'\n', ..] if lenient || self.after_crlf => Dot::End(3),
            [b'.', b'\n', ..] | [b'.', b'\r', b'\n', ..] => Dot::Alone,
            [b'.', ..] => Dot::Stuffed,
            _ => Dot::None,
        }
    }
}

/// What a line begins with.
enum Dot {
    /// More input is needed to know.
    Unknown,
    /// The end of the data, of that many bytes.
    End(usize),
    /// A dot alone on its line which is not the end.
    Alone,
    /// A dot to be taken away.
    Stuffed,
    /// No dot.
    None,
}
