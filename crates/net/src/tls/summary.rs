//! What is said of an encrypted connection: in the log, in Received headers, to policy servers and filters.

use rustls::{CommonState, HandshakeKind, NamedGroup, ProtocolVersion, SignatureScheme};

use super::binding::Binding;
use super::certificate::Certificate;
use super::ciphers;

/// How far the other end's certificate is to be believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// None was shown.
    #[default]
    Anonymous,
    /// Shown; its chain does not lead to an authority we trust, or has expired, or it is not whom we want to meet.
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
    /// What ties a login to this session; on the server's side.
    pub binding: Binding,
}

impl Summary {
    /// Reads protocol, cipher and key exchange from a finished handshake.
    pub(super) fn read(state: &CommonState) -> Summary {
        let (cipher, bits) =
            state.negotiated_cipher_suite().map(|suite| ciphers::name(suite.suite())).unwrap_or_default();
        let protocol = state.protocol_version().unwrap_or(ProtocolVersion::TLSv1_3);
        let group = state.negotiated_key_exchange_group().map(|group| group.name());
        let is_13 = protocol == ProtocolVersion::TLSv1_3;
        Summary {
            protocol: if is_13 { "TLSv1.3" } else { "TLSv1.2" }.to_owned(),
            cipher,
            bits: (bits, bits),
            key_exchange: group.filter(|_| is_13).map(group_name),
            resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
            ..Summary::default()
        }
    }

    /// `TLSv1.3 with cipher … (256/256 bits) key-exchange … server-signature … server-digest …`, as logs have it.
    pub fn describe(&self) -> String {
        let (used, of) = self.bits;
        let mut out = format!("{} with cipher {} ({used}/{of} bits)", self.protocol, self.cipher);
        for (name, value) in [
            ("key-exchange", &self.key_exchange),
            ("server-signature", &self.server_signature),
            ("server-digest", &self.server_digest),
            ("client-signature", &self.client_signature),
            ("client-digest", &self.client_digest),
        ] {
            if let Some(value) = value {
                out.push_str(&format!(" {name} {value}"));
            }
        }
        out
    }
}

fn group_name(group: NamedGroup) -> String {
    match group {
        NamedGroup::X25519 => "X25519".to_owned(),
        NamedGroup::secp256r1 => "ECDHE (prime256v1)".to_owned(),
        NamedGroup::secp384r1 => "ECDHE (secp384r1)".to_owned(),
        NamedGroup::secp521r1 => "ECDHE (secp521r1)".to_owned(),
        group => format!("{group:?}"),
    }
}

/// The digest of a signature scheme, as OpenSSL names it; Ed25519 has none.
pub(super) fn digest_name(scheme: SignatureScheme) -> Option<String> {
    use SignatureScheme as S;
    let name = match scheme {
        S::ECDSA_NISTP256_SHA256 | S::RSA_PSS_SHA256 | S::RSA_PKCS1_SHA256 => "SHA256",
        S::ECDSA_NISTP384_SHA384 | S::RSA_PSS_SHA384 | S::RSA_PKCS1_SHA384 => "SHA384",
        S::ECDSA_NISTP521_SHA512 | S::RSA_PSS_SHA512 | S::RSA_PKCS1_SHA512 => "SHA512",
        _ => return None,
    };
    Some(name.to_owned())
}
