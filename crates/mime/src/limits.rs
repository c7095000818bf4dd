//! How much of one message is looked at.

/// The budget of a message. What lies beyond it is one opaque leaf or is not looked at; nothing is ever an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Parts, the message itself included. Further boundary lines are text.
    pub parts: usize,
    /// Multiparts and attached messages within each other. A deeper one is a leaf.
    pub depth: usize,
    /// Header fields looked at in one header.
    pub fields: usize,
    /// Bytes of one header in which fields are looked for.
    pub header: usize,
    /// Parameters of one `Content-Type` or `Content-Disposition`.
    pub parameters: usize,
    /// Addresses in one ENVELOPE.
    pub addresses: usize,
}

impl Default for Limits {
    /// Dovecot's parts and depth; the others are far above what honest mail has.
    fn default() -> Limits {
        Limits {
            parts: 10_000,
            depth: 100,
            fields: 10_000,
            header: 1 << 20,
            parameters: 200,
            addresses: 10_000,
        }
    }
}
