//! The Received header that smtpd and pickup put on top.

use mail::{Address, Client, QueueId};

/// What the Received header tells of a TLS session. Empty text and zero are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// `TLSv1.3`.
    pub protocol: String,
    /// `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// Secret bits of the cipher, used and of its algorithm.
    pub bits: (u32, u32),
    /// `X25519`, `ECDHE`.
    pub key_exchange: String,
    /// Within parentheses behind the key exchange: `P-256`, `2048 bits`.
    pub key_exchange_size: String,
    /// `RSA-PSS`, `ECDSA`.
    pub signature: String,
    /// Within parentheses behind the signature.
    pub signature_size: String,
    /// `SHA256`.
    pub digest: String,
    /// What became of the client's certificate.
    pub client: ClientCertificate,
}

/// What the Received header tells of the client's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// `smtpd_tls_ask_ccert` is off.
    #[default]
    NotRequested,
    /// It was asked for and did not come.
    NotPresent,
    /// It came.
    Present {
        /// Its common name.
        name: String,
        /// Its issuer's common name.
        issuer: String,
        /// Whether its chain was verified.
        verified: bool,
    },
}

/// The header of a message that came by SMTP.
pub struct BySmtp<'a> {
    /// The client: HELO name, name, address, protocol, login.
    pub client: &'a Client,
    /// The session, for `smtpd_tls_received_header`.
    pub tls: Option<&'a Tls>,
    /// Whether the session is encrypted (ESMTPS), told or not.
    pub encrypted: bool,
    /// `smtpd_sasl_authenticated_header`.
    pub show_login: bool,
    /// `myhostname`.
    pub host: &'a str,
    /// `mail_name`.
    pub mail_name: &'a str,
    /// SMTPUTF8 was asked for.
    pub smtputf8: bool,
    /// Queue id.
    pub id: &'a QueueId,
    /// The recipient, when there is only one.
    pub only: Option<&'a Address>,
    /// RFC 5322 date.
    pub date: &'a str,
}

impl BySmtp<'_> {
    /// The header, each line ending with LF.
    pub fn format(&self) -> String {
        todo!()
    }
}

/// The header of a message that came from `sendmail`, or from ourselves (`user` is `None`).
pub fn local(host: &str, mail_name: &str, user: Option<u32>, id: &QueueId, date: &str) -> String {
    let _ = (host, mail_name, user, id, date);
    todo!()
}
