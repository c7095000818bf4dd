//! What is said of an encrypted connection: in the log, in Received headers, to policy servers and filters.

/// How far the other end's certificate is to be believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// None was shown.
    #[default]
    Anonymous,
    /// Shown; its chain does not lead to an authority we trust, or has expired.
    Untrusted,
    /// Its chain leads to an authority we trust.
    Trusted,
    /// The chain is trusted and a name matches, or a fingerprint matches.
    Verified,
}

impl Trust {
    /// The first word of `… TLS connection established from …`.
    pub fn word(self) -> &'static str {
        match self {
            Trust::Anonymous => "Anonymous",
            Trust::Untrusted => "Untrusted",
            Trust::Trusted => "Trusted",
            Trust::Verified => "Verified",
        }
    }
}

/// The other end's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Common name of the subject, in UTF-8; empty when there is none.
    pub subject_cn: String,
    /// Common name (or organisation) of the issuer.
    pub issuer_cn: String,
    /// `AA:BB:…` of the certificate by the configured digest.
    pub fingerprint: String,
    /// `AA:BB:…` of the public key by the configured digest.
    pub key_fingerprint: String,
    /// Serial number, hexadecimal, as OpenSSL prints it.
    pub serial: String,
}

/// What is known of an encrypted connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// `TLSv1.3`, `TLSv1.2`.
    pub protocol: String,
    /// OpenSSL's name: `TLS_AES_256_GCM_SHA384`, `ECDHE-RSA-AES256-GCM-SHA384`.
    pub cipher: String,
    /// Bits used and bits of the algorithm.
    pub bits: (u16, u16),
    /// `X25519`, `ECDHE (P-256)`; TLS 1.3 only, as in Postfix.
    pub key_exchange: Option<String>,
    /// `ECDSA (prime256v1)`, `RSA-PSS (2048 bits)`; TLS 1.3 only.
    pub server_signature: Option<String>,
    /// `SHA256`.
    pub server_digest: Option<String>,
    /// The client's signature, when it showed a certificate.
    pub client_signature: Option<String>,
    /// Its digest.
    pub client_digest: Option<String>,
    /// The name the client asked for (SNI).
    pub sni: Option<String>,
    /// The other end's certificate.
    pub peer: Option<Certificate>,
    /// How far to believe it.
    pub trust: Trust,
    /// Why it is not trusted: `certificate verification failed for x: …` ends in this.
    pub why_untrusted: Option<String>,
    /// Was an earlier session resumed?
    pub resumed: bool,
}
