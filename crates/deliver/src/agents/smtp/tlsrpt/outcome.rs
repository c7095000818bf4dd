//! What a report says of a session: which policy the domain has, and what went wrong (RFC 8460 4.3).

use std::sync::Arc;

use net::tls::{Summary, Trust};

use super::super::mta_sts;

/// What a domain says of its servers, and by which standard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// Nothing.
    #[default]
    Nothing,
    /// TLSA records, as text.
    Tlsa(Vec<String>),
    /// MTA-STS.
    Sts(Arc<mta_sts::Policy>),
    /// MTA-STS, and the policy could not be had.
    StsFault(mta_sts::Fault),
}

impl Basis {
    /// `policy-type`.
    pub fn name(&self) -> &'static str {
        match self {
            Basis::Nothing => "no-policy-found",
            Basis::Tlsa(_) => "tlsa",
            Basis::Sts(_) | Basis::StsFault(_) => "sts",
        }
    }

    /// `policy-string`.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Basis::Nothing | Basis::StsFault(_) => Vec::new(),
            Basis::Tlsa(records) => records.clone(),
            Basis::Sts(policy) => policy.lines(),
        }
    }
}

/// `result-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server has no STARTTLS, or did not go through with it.
    StarttlsNotSupported,
    /// The certificate is for other names.
    CertificateHostMismatch,
    /// It is too old.
    CertificateExpired,
    /// No authority that counts vouches for it.
    CertificateNotTrusted,
    /// Something else.
    ValidationFailure,
    /// No TLSA record matches, or none can be used.
    TlsaInvalid,
    /// The answers for TLSA records cannot be validated.
    DnssecInvalid,
    /// DANE was demanded, and there are no records.
    DaneRequired,
    /// The page of MTA-STS cannot be had.
    StsPolicyFetchError,
    /// It makes no sense.
    StsPolicyInvalid,
    /// Its server has no good certificate.
    StsWebpkiInvalid,
}

impl Failure {
    /// As reports write it.
    pub fn name(self) -> &'static str {
        match self {
            Failure::StarttlsNotSupported => "starttls-not-supported",
            Failure::CertificateHostMismatch => "certificate-host-mismatch",
            Failure::CertificateExpired => "certificate-expired",
            Failure::CertificateNotTrusted => "certificate-not-trusted",
            Failure::ValidationFailure => "validation-failure",
            Failure::TlsaInvalid => "tlsa-invalid",
            Failure::DnssecInvalid => "dnssec-invalid",
            Failure::DaneRequired => "dane-required",
            Failure::StsPolicyFetchError => "sts-policy-fetch-error",
            Failure::StsPolicyInvalid => "sts-policy-invalid",
            Failure::StsWebpkiInvalid => "sts-webpki-invalid",
        }
    }
}

impl From<mta_sts::Fault> for Failure {
    fn from(fault: mta_sts::Fault) -> Failure {
        match fault {
            mta_sts::Fault::Unreachable => Failure::StsPolicyFetchError,
            mta_sts::Fault::Untrusted => Failure::StsWebpkiInvalid,
            mta_sts::Fault::Malformed => Failure::StsPolicyInvalid,
        }
    }
}

/// How a session went, as far as TLS goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As the domain's policy wants it.
    Fine,
    /// Not so; with more words where the kind says too little.
    Failed(Failure, String),
}

impl Outcome {
    /// MTA-STS does not name the server.
    pub fn unlisted() -> Outcome {
        Outcome::Failed(Failure::ValidationFailure, "the policy does not list the host".to_owned())
    }

    /// What a handshake that came to an end means under a policy.
    pub fn of(basis: &Basis, host: &str, summary: &Summary) -> Outcome {
        match basis {
            Basis::StsFault(fault) => Outcome::Failed((*fault).into(), String::new()),
            // Whoever has said nothing wants encryption alone.
            Basis::Nothing => Outcome::Fine,
            Basis::Sts(policy) if !policy.allows(host) => Outcome::unlisted(),
            _ if summary.trust >= Trust::Verified => Outcome::Fine,
            Basis::Tlsa(_) => Outcome::Failed(Failure::TlsaInvalid, String::new()),
            Basis::Sts(_) => {
                let why = summary.why_untrusted.clone().unwrap_or_default();
                let failure = match summary.trust {
                    Trust::Trusted => Failure::CertificateHostMismatch,
                    _ if why.contains("expired") => Failure::CertificateExpired,
                    _ => Failure::CertificateNotTrusted,
                };
                Outcome::Failed(failure, why)
            }
        }
    }
}
