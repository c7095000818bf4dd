//! The envelope: who sent a message, who gets it, and how they want to hear of its fate.

use crate::Address;

/// `BODY=` of MAIL FROM (RFC 6152, RFC 3030).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyType {
    /// Not said.
    #[default]
    Unspecified,
    /// `7BIT`.
    SevenBit,
    /// `8BITMIME`.
    EightBitMime,
}

/// `RET=` of MAIL FROM (RFC 3461 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    /// Notices return the whole message.
    Full,
    /// Notices return the header only.
    Headers,
}

/// `NOTIFY=` of RCPT TO (RFC 3461 4.1). All false is "not said".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// Never send a notice; excludes the others.
    pub never: bool,
    /// Tell of success.
    pub success: bool,
    /// Tell of failure.
    pub failure: bool,
    /// Tell of delay.
    pub delay: bool,
}

impl Notify {
    /// Was anything asked for?
    pub fn is_set(self) -> bool {
        self.never || self.success || self.failure || self.delay
    }
}

/// One recipient of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipient {
    /// Where it goes now, after rewriting and aliases.
    pub address: Address,
    /// As the client gave it (X-Original-To, `orig_to=`), empty when unknown.
    pub original: Address,
    /// `ORCPT=` in its `type;xtext` form, decoded: `rfc822;joe@example.org` (RFC 3461 4.2).
    pub orcpt: Option<String>,
    /// When a notice is wanted.
    pub notify: Notify,
}

impl Recipient {
    /// A recipient that is what the client gave.
    pub fn new(address: impl Into<Address>) -> Recipient {
        let address = address.into();
        Recipient { original: address.clone(), address, ..Recipient::default() }
    }
}

/// What is known of the client a message came from: logged, given to policy servers, milters and XFORWARD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Verified host name, or `unknown`; empty for local submission.
    pub name: String,
    /// Reverse name even when it does not resolve back, or `unknown`.
    pub reverse_name: String,
    /// Address without brackets (`192.0.2.1`, `2001:db8::1`); empty for local submission.
    pub address: String,
    /// Port, when known.
    pub port: Option<u16>,
    /// HELO or EHLO argument.
    pub helo: String,
    /// `SMTP`, `ESMTP`; empty for local submission.
    pub protocol: String,
    /// SASL login, method and `AUTH=` sender, empty when not logged in.
    pub sasl_username: String,
    /// SASL mechanism.
    pub sasl_method: String,
    /// `AUTH=` of MAIL FROM (RFC 4954 5).
    pub sasl_sender: String,
    /// Queue id at a previous hop (XFORWARD IDENT).
    pub ident: String,
}

/// What the submitter wants to hear of every recipient (`sendmail -v`, `sendmail -bv`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryReport {
    /// Nothing beyond the usual notices.
    #[default]
    No,
    /// Deliver, and report on every recipient.
    Verbose,
    /// Report what delivery would do, without delivering.
    Probe,
}

/// Everything about a message that is not in its header or body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Reverse-path; null for notices.
    pub sender: Address,
    /// `SENDER` full name of a local submission (`sendmail -F`), for a missing From header.
    pub full_name: Option<String>,
    /// Who gets it.
    pub recipients: Vec<Recipient>,
    /// `BODY=`.
    pub body_type: BodyType,
    /// `SMTPUTF8` was asked for, or is needed.
    pub smtputf8: bool,
    /// `ENVID=`, decoded (RFC 3461 4.4).
    pub envid: Option<String>,
    /// `RET=`.
    pub ret: Option<Ret>,
    /// The client it came from.
    pub client: Client,
    /// Are header addresses rewritten as for local mail (`local_header_rewrite_clients`)?
    pub rewrite_local: bool,
    /// `transport:destination` that replaces routing: content_filter, or a FILTER action.
    pub content_filter: Option<String>,
    /// VERP delimiters when the sender asked for VERP (`sendmail -V`, XVERP).
    pub verp: Option<String>,
    /// How many recipients REDIRECT and milters took away on the way in: the log counts them.
    pub withdrawn: u32,
    /// `sendmail -v` and `-bv`.
    pub report: DeliveryReport,
    /// Log service the message came in by: `smtpd`, `pickup`, for metrics and trace.
    pub origin: String,
}
