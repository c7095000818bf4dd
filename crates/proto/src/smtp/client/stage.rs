//! What a client is doing: the words of logs and notices.

/// What the machine is doing or waiting for: names the time-out that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The greeting.
    Greeting,
    /// EHLO.
    Ehlo,
    /// HELO.
    Helo,
    /// LHLO.
    Lhlo,
    /// STARTTLS.
    StartTls,
    /// AUTH and its answers.
    Auth,
    /// XFORWARD.
    Xforward,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA.
    Data,
    /// The content.
    Content,
    /// The reply to the content's end: the message may be delivered although we never hear it.
    EndOfData,
    /// RSET.
    Rset,
    /// QUIT.
    Quit,
    /// VRFY, NOOP and others.
    Other,
}

impl Stage {
    /// For `(in reply to … command)`: `MAIL FROM`, `end of DATA`; `None` for the greeting.
    pub fn command(self) -> Option<&'static str> {
        Some(match self {
            Stage::Greeting => return None,
            Stage::Ehlo => "EHLO",
            Stage::Helo => "HELO",
            Stage::Lhlo => "LHLO",
            Stage::StartTls => "STARTTLS",
            Stage::Auth => "AUTH",
            Stage::Xforward => "XFORWARD",
            Stage::Mail => "MAIL FROM",
            Stage::Rcpt => "RCPT TO",
            Stage::Data | Stage::Content => "DATA",
            Stage::EndOfData => "end of DATA",
            Stage::Rset => "RSET",
            Stage::Quit => "QUIT",
            Stage::Other => "command",
        })
    }

    /// For `lost connection with x while …` and `conversation with x timed out while …`.
    pub fn doing(self) -> &'static str {
        match self {
            Stage::Greeting => "receiving the initial server greeting",
            Stage::Ehlo => "performing the EHLO handshake",
            Stage::Helo => "performing the HELO handshake",
            Stage::Lhlo => "performing the LHLO handshake",
            Stage::StartTls => "performing the STARTTLS handshake",
            Stage::Auth => "performing SASL authentication",
            Stage::Xforward => "sending XFORWARD command",
            Stage::Mail => "sending MAIL FROM",
            Stage::Rcpt => "sending RCPT TO",
            Stage::Data => "sending DATA command",
            Stage::Content => "sending message body",
            Stage::EndOfData => "sending end of data -- message may be sent more than once",
            Stage::Rset => "sending RSET",
            Stage::Quit => "sending QUIT",
            Stage::Other => "sending command",
        }
    }
}
