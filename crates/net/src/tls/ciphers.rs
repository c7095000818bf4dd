//! Cipher suites: OpenSSL's names for them, and lists of what to leave out.

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{CipherSuite, SupportedCipherSuite};

/// A suite that rustls has: OpenSSL's name, bits, and the words of OpenSSL that mean it.
struct Suite {
    suite: CipherSuite,
    name: &'static str,
    bits: u16,
    words: &'static [&'static str],
}

const SUITES: &[Suite] = &[
    Suite {
        suite: CipherSuite::TLS13_AES_256_GCM_SHA384,
        name: "TLS_AES_256_GCM_SHA384",
        bits: 256,
        words: &[],
    },
    Suite {
        suite: CipherSuite::TLS13_AES_128_GCM_SHA256,
        name: "TLS_AES_128_GCM_SHA256",
        bits: 128,
        words: &[],
    },
    Suite {
        suite: CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        name: "TLS_CHACHA20_POLY1305_SHA256",
        bits: 256,
        words: &[],
    },
    Suite {
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        name: "ECDHE-ECDSA-AES256-GCM-SHA384",
        bits: 256,
        words: &["AECDSA", "ECDSA", "AES256", "AES", "AESGCM", "SHA384"],
    },
    Suite {
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        name: "ECDHE-ECDSA-AES128-GCM-SHA256",
        bits: 128,
        words: &["AECDSA", "ECDSA", "AES128", "AES", "AESGCM", "SHA256"],
    },
    Suite {
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        name: "ECDHE-ECDSA-CHACHA20-POLY1305",
        bits: 256,
        words: &["AECDSA", "ECDSA", "CHACHA20", "SHA256"],
    },
    Suite {
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        name: "ECDHE-RSA-AES256-GCM-SHA384",
        bits: 256,
        words: &["ARSA", "RSA", "AES256", "AES", "AESGCM", "SHA384"],
    },
    Suite {
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        name: "ECDHE-RSA-AES128-GCM-SHA256",
        bits: 128,
        words: &["ARSA", "RSA", "AES128", "AES", "AESGCM", "SHA256"],
    },
    Suite {
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        name: "ECDHE-RSA-CHACHA20-POLY1305",
        bits: 256,
        words: &["ARSA", "RSA", "CHACHA20", "SHA256"],
    },
];

/// Words that mean every suite of ours up to TLS 1.2: leaving them out leaves none.
const ALL_OF_OURS: &[&str] = &["ECDHE", "EECDH", "KECDHE", "KEECDH", "HIGH", "ALL", "TLSV1.2"];

/// Words for what rustls does not have at all: leaving it out is always honoured.
const NONE_OF_OURS: &[&str] = &[
    "ANULL",
    "ENULL",
    "NULL",
    "RC4",
    "RC2",
    "DES",
    "3DES",
    "MD5",
    "SHA1",
    "SHA",
    "EXP",
    "EXPORT",
    "LOW",
    "MEDIUM",
    "SSLV2",
    "SSLV3",
    "TLSV1",
    "KRSA",
    "DSS",
    "ADSS",
    "ADH",
    "AECDH",
    "DH",
    "DHE",
    "EDH",
    "KDHE",
    "KEDH",
    "PSK",
    "SRP",
    "CAMELLIA",
    "CAMELLIA128",
    "CAMELLIA256",
    "SEED",
    "IDEA",
    "ARIA",
    "AESCCM",
    "AESCCM8",
    "KECDHER",
    "KECDHEE",
    "KECDH",
    "ECDH",
    "AECDH",
    "GOST",
    "CBC",
    "DES-CBC3-SHA",
    "COMPLEMENTOFALL",
    "COMPLEMENTOFDEFAULT",
    "KDHR",
    "KDHD",
];

/// The cryptography with the suites that are left; and what has to be said of words nobody knows.
///
/// As in OpenSSL the lists do not touch the suites of TLS 1.3. The error is a sentence.
pub(super) fn provider(exclude: &str) -> Result<(CryptoProvider, Vec<String>), String> {
    let mut provider = aws_lc_rs::default_provider();
    let mut said = Vec::new();
    for word in exclude.split([' ', ',', ':', '\t', '\n', '\r']).filter(|word| !word.is_empty()) {
        let upper = word.to_ascii_uppercase();
        // `AES256+ECDSA` leaves out what is both.
        let parts: Vec<&str> = upper.split('+').collect();
        let known = |part: &str| {
            ALL_OF_OURS.contains(&part)
                || NONE_OF_OURS.contains(&part)
                || SUITES.iter().any(|suite| suite.name == part || suite.words.contains(&part))
        };
        if !parts.iter().all(|part| known(part) || part.contains('-')) {
            said.push(format!("unknown cipher \"{word}\" is passed over"));
            continue;
        }
        provider.cipher_suites.retain(|suite| !means(&parts, suite));
    }
    if provider.cipher_suites.is_empty() {
        return Err(format!("\"{exclude}\" leaves no cipher"));
    }
    Ok((provider, said))
}

fn means(parts: &[&str], suite: &SupportedCipherSuite) -> bool {
    let Some(suite) = SUITES.iter().find(|known| known.suite == suite.suite()) else { return false };
    !suite.words.is_empty()
        && parts
            .iter()
            .all(|part| *part == suite.name || ALL_OF_OURS.contains(part) || suite.words.contains(part))
}

/// OpenSSL's name of a suite, and its bits.
pub(super) fn name(suite: CipherSuite) -> (String, u16) {
    match SUITES.iter().find(|known| known.suite == suite) {
        Some(known) => (known.name.to_owned(), known.bits),
        None => (format!("{suite:?}"), 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_has_a_name() {
        for suite in aws_lc_rs::default_provider().cipher_suites {
            assert_ne!(name(suite.suite()).1, 0, "{:?}", suite.suite());
        }
    }

    #[test]
    fn leaves_out_what_is_said() {
        let left = |exclude: &str| {
            provider(exclude).map(|(provider, said)| (provider.cipher_suites.len(), said.len()))
        };
        assert_eq!(left("aNULL, RC4, 3DES, MD5"), Ok((9, 0)));
        assert_eq!(left("AES128"), Ok((7, 0)));
        assert_eq!(left("aRSA+CHACHA20:ECDHE-RSA-AES128-GCM-SHA256"), Ok((7, 0)));
        assert_eq!(left("ECDHE"), Ok((3, 0)));
        assert_eq!(left("nonsense"), Ok((9, 1)));
    }
}
