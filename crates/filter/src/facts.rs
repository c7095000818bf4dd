//! What a session knows when it asks the judge.

use std::net::IpAddr;

use mail::{Address, Client, QueueId};

/// What came of looking up a host name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameLookup {
    /// There is a name.
    Found,
    /// Not for now: the name server did not answer.
    Later,
    /// There is none, or it does not resolve back.
    #[default]
    Never,
}

/// The client's certificate, as policy servers and `permit_tls_clientcerts` see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Common name of the subject.
    pub subject: String,
    /// Common name of the issuer.
    pub issuer: String,
    /// Fingerprint of the certificate by `smtpd_tls_fingerprint_digest`, `AA:BB:…`.
    pub fingerprint: String,
    /// Fingerprint of its public key.
    pub pubkey_fingerprint: String,
    /// Does its chain lead to a trusted root?
    pub trusted: bool,
}

impl Certificate {
    /// The subject for those who would believe it: empty unless the chain is trusted.
    pub fn trusted_subject(&self) -> &str {
        if self.trusted { &self.subject } else { "" }
    }

    /// The issuer for those who would believe it: empty unless the chain is trusted.
    pub fn trusted_issuer(&self) -> &str {
        if self.trusted { &self.issuer } else { "" }
    }
}

/// The encryption of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// `TLSv1.3`.
    pub protocol: String,
    /// `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// Secret bits.
    pub keysize: u32,
    /// The client's certificate, when it gave one.
    pub certificate: Option<Certificate>,
    /// What ties a login to the session.
    pub binding: net::tls::Binding,
}

/// What is known of the peer, from the connection (or XCLIENT, or the proxy) on.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// Names, address, port, HELO, protocol and login.
    pub client: Client,
    /// The client's address; `None` when it is unknown.
    pub ip: Option<IpAddr>,
    /// How `client.name` came to be.
    pub name_lookup: NameLookup,
    /// How `client.reverse_name` came to be.
    pub reverse_lookup: NameLookup,
    /// Our end of the connection, without brackets.
    pub server_address: String,
    /// Our port.
    pub server_port: u16,
    /// Encryption, when there is any.
    pub tls: Option<Box<Tls>>,
    /// All sessions of the service are taken (`stress=yes`).
    pub stress: bool,
    /// `smtpd_client_port_logging`: the port is part of the label.
    pub log_port: bool,
}

impl Peer {
    /// `name[address]`, as logs have it.
    pub fn label(&self) -> String {
        match self.client.port {
            Some(port) if self.log_port => format!("{}[{}]:{port}", self.client.name, self.client.address),
            None if self.log_port => format!("{}[{}]:unknown", self.client.name, self.client.address),
            _ => format!("{}[{}]", self.client.name, self.client.address),
        }
    }
}

/// Everything a session knows at one stage. What is not known yet is `None` or empty.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The peer.
    pub peer: &'a Peer,
    /// The command as logged and as policy servers hear it: `CONNECT`, `EHLO`, `MAIL`, `RCPT`, `BDAT`, `VRFY`…
    pub command: &'a str,
    /// Argument of HELO or EHLO.
    pub helo: Option<&'a str>,
    /// MAIL FROM, internal form.
    pub sender: Option<&'a Address>,
    /// RCPT TO, internal form.
    pub recipient: Option<&'a Address>,
    /// Recipients accepted so far.
    pub recipients: usize,
    /// SIZE of MAIL FROM, or the real size once it is known; 0 when it is not.
    pub size: u64,
    /// Argument of ETRN.
    pub etrn: Option<&'a str>,
    /// The message, when it has an id.
    pub id: Option<&'a QueueId>,
    /// A name for this message or session that does not repeat soon (policy attribute `instance`).
    pub instance: &'a str,
    /// The client talked out of turn (`reject_unauth_pipelining`).
    pub improper_pipelining: bool,
    /// SMTPUTF8 was asked for.
    pub smtputf8: bool,
}

impl<'a> Facts<'a> {
    /// What is known at the start of a session: the peer.
    pub fn at_connection(peer: &'a Peer) -> Facts<'a> {
        Facts {
            peer,
            command: "CONNECT",
            helo: None,
            sender: None,
            recipient: None,
            recipients: 0,
            size: 0,
            etrn: None,
            id: None,
            instance: "",
            improper_pipelining: false,
            smtputf8: false,
        }
    }

    /// A log line in the words that log readers know: `id: what: command from client: text; from=… helo=…`.
    pub fn log_line(&self, what: &str, text: &str) -> String {
        let id = self.id.map_or("NOQUEUE", QueueId::as_str);
        let mut line = format!("{id}: {what}: {} from {}: {text};", self.command, self.peer.label());
        let mut add = |name: &str, value: &str| {
            line.push_str(name);
            line.push_str(value);
        };
        if let Some(sender) = self.sender {
            add(" from=<", &format!("{}>", sender.external()));
        }
        if let Some(recipient) = self.recipient {
            add(" to=<", &format!("{}>", recipient.external()));
        }
        if !self.peer.client.protocol.is_empty() {
            add(" proto=", &self.peer.client.protocol);
        }
        if let Some(helo) = self.helo {
            add(" helo=<", &format!("{helo}>"));
        }
        line
    }
}
