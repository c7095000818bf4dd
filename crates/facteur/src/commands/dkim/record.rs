//! The record of a key as a zone file has it.

use sign::dkim::{PrivateKey, record_of};

/// Longest string in a TXT record.
const STRING_MAX: usize = 250;

/// `mail._domainkey IN TXT ( "…" "…" ) ; …`
pub fn zone(domain: &str, selector: &str, key: &PrivateKey) -> String {
    let text = record_of(key);
    let strings: Vec<String> = text
        .as_bytes()
        .chunks(STRING_MAX)
        .map(|piece| format!("\"{}\"", String::from_utf8_lossy(piece)))
        .collect();
    format!(
        "{selector}._domainkey\tIN\tTXT\t( {} )  ; DKIM key {selector} for {domain}\n",
        strings.join("\n\t  ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use sign::dkim::{Algorithm, generate};

    #[test]
    fn long_keys_are_several_strings() {
        let key = PrivateKey::read(&generate(Algorithm::Rsa, 2048).unwrap()).unwrap();
        let zone = zone("a.test", "mail", &key);
        assert!(zone.starts_with("mail._domainkey\tIN\tTXT\t( \"v=DKIM1; k=rsa; p=MII"), "{zone}");
        let strings: Vec<&str> = zone.split('"').skip(1).step_by(2).collect();
        assert!(strings.len() == 2 && strings.iter().all(|string| string.len() < 256));
        assert_eq!(strings.concat(), record_of(&key));
    }
}
