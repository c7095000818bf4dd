//! Where in the SMTP conversation a list of restrictions is asked.

/// A point of the conversation at which the judge is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The connection: `smtpd_client_restrictions`.
    Client,
    /// HELO or EHLO: `smtpd_helo_restrictions`.
    Helo,
    /// MAIL FROM: `smtpd_sender_restrictions`.
    Sender,
    /// RCPT TO: what `smtpd_delay_reject` put off, then `smtpd_relay_restrictions` and
    /// `smtpd_recipient_restrictions`.
    Recipient,
    /// DATA, or the first BDAT: `smtpd_data_restrictions`.
    Data,
    /// The message is complete: `smtpd_end_of_data_restrictions`.
    EndOfData,
    /// ETRN: `smtpd_etrn_restrictions`.
    Etrn,
}

impl Stage {
    /// The name in log lines and in a policy request's `protocol_state`.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Client => "CONNECT",
            Stage::Helo => "HELO",
            Stage::Sender => "MAIL",
            Stage::Recipient => "RCPT",
            Stage::Data => "DATA",
            Stage::EndOfData => "END-OF-MESSAGE",
            Stage::Etrn => "ETRN",
        }
    }
}
