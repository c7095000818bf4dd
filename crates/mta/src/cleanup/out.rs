//! Content on its way out.

use mail::{Blame, Detail, Refusal};

use super::{Sink, header};

/// How much header text is gathered before it is handed on.
const GATHER: usize = 32 * 1024;

/// A sink, and what is known of the content that went into it.
pub struct Out<S> {
    /// Where content goes.
    pub sink: S,
    /// Header text not handed on yet.
    head: Vec<u8>,
    /// Bytes handed on.
    pub size: u64,
    /// A header holds text that is not ASCII.
    pub utf8: bool,
}

impl<S: Sink> Out<S> {
    /// Nothing has gone out yet.
    pub fn new(sink: S) -> Out<S> {
        Out { sink, head: Vec::new(), size: 0, utf8: false }
    }

    /// A header field, cut at the limit.
    pub fn field(&mut self, field: &[u8], limit: usize) -> Result<(), Refusal> {
        let field = &field[..header::cut(field, limit)];
        self.utf8 |= !field.is_ascii();
        header::push(&mut self.head, field);
        if self.head.len() > GATHER { self.flush() } else { Ok(()) }
    }

    /// The line between header and body, for a message that has none.
    pub fn empty_line(&mut self) {
        self.head.push(b'\n');
    }

    /// Hands on the gathered header text.
    pub fn flush(&mut self) -> Result<(), Refusal> {
        let head = std::mem::take(&mut self.head);
        self.write(&head)
    }

    /// Body text, as it is.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.size += bytes.len() as u64;
        self.sink.write(bytes).map_err(|trouble| {
            log::warn!(target: "cleanup", "{trouble}");
            Refusal::later(51, Detail(3, 0), Blame::Ourselves, "Error: queue file write error")
                .logged(trouble.to_string())
        })
    }
}
