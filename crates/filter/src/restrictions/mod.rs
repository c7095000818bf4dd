//! The restriction language: every word of it, one constant each.

use crate::restriction::Restriction;

pub mod access;
pub mod authenticated;
pub mod bounce;
pub mod certificates;
pub mod defer_if;
pub mod destination;
pub mod dnsbl;
pub mod fqdn;
pub mod greylisted;
pub mod helo;
pub mod legacy;
pub mod login_mismatch;
pub mod mx_backup;
pub mod networks;
pub mod outright;
pub mod pipelining;
pub mod plaintext;
pub mod policy_service;
pub mod rhsbl;
pub mod server_access;
pub mod sleep;
pub mod spf;
pub mod unknown_client;
pub mod unknown_domain;
pub mod unknown_helo;
pub mod unlisted;
pub mod unverified;

/// Every restriction. `warn_if_reject` is not among them: it is a word before another.
pub const ALL: &[Restriction] = &[
    outright::PERMIT,
    outright::REJECT,
    outright::DEFER,
    defer_if::PERMIT,
    defer_if::REJECT,
    sleep::RULE,
    policy_service::RULE,
    pipelining::RULE,
    plaintext::RULE,
    spf::RULE,
    spf::HELO,
    greylisted::RULE,
    bounce::RULE,
    networks::MYNETWORKS,
    networks::INET_INTERFACES,
    authenticated::PERMIT,
    authenticated::ACCESS,
    certificates::PERMIT_LISTED,
    certificates::PERMIT_ALL,
    certificates::ACCESS,
    unknown_client::NAME,
    unknown_client::REVERSE_NAME,
    access::CLIENT,
    access::REVERSE_CLIENT,
    access::HELO,
    access::SENDER,
    access::RECIPIENT,
    access::ETRN,
    server_access::CLIENT_A,
    server_access::CLIENT_MX,
    server_access::CLIENT_NS,
    server_access::REVERSE_CLIENT_A,
    server_access::REVERSE_CLIENT_MX,
    server_access::REVERSE_CLIENT_NS,
    server_access::HELO_A,
    server_access::HELO_MX,
    server_access::HELO_NS,
    server_access::SENDER_A,
    server_access::SENDER_MX,
    server_access::SENDER_NS,
    server_access::RECIPIENT_A,
    server_access::RECIPIENT_MX,
    server_access::RECIPIENT_NS,
    dnsbl::REJECT_CLIENT,
    dnsbl::PERMIT_CLIENT,
    rhsbl::REJECT_CLIENT,
    rhsbl::PERMIT_CLIENT,
    rhsbl::REJECT_REVERSE_CLIENT,
    rhsbl::REJECT_HELO,
    rhsbl::REJECT_SENDER,
    rhsbl::REJECT_RECIPIENT,
    helo::INVALID,
    helo::NON_FQDN,
    unknown_helo::RULE,
    fqdn::SENDER,
    fqdn::RECIPIENT,
    unknown_domain::SENDER,
    unknown_domain::RECIPIENT,
    unlisted::SENDER,
    unlisted::RECIPIENT,
    unverified::SENDER,
    unverified::RECIPIENT,
    login_mismatch::ANY,
    login_mismatch::LOGGED_IN,
    login_mismatch::NOT_LOGGED_IN,
    login_mismatch::KNOWN,
    destination::REJECT_UNAUTH,
    destination::DEFER_UNAUTH,
    destination::PERMIT_AUTH,
    mx_backup::RULE,
    legacy::NAKED_ADDRESS,
    legacy::MAPS_RBL,
    legacy::RELAY_DOMAINS,
    legacy::UNKNOWN_ADDRESS,
];

/// A restriction by its name of today, or an old one.
pub struct Named {
    /// The restriction.
    pub rule: &'static Restriction,
    /// What to write instead, when the name is an old one.
    pub advice: Option<&'static str>,
}

/// Finds a restriction without regard to case.
pub fn find(name: &str) -> Option<Named> {
    let (name, advice) = match legacy::renamed(name) {
        Some((today, advice)) => (today, advice),
        None => (name, None),
    };
    let rule = ALL.iter().find(|rule| rule.name.eq_ignore_ascii_case(name))?;
    Some(Named { rule, advice: advice.or(legacy::advice(rule.name)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_there_once() {
        let mut names: Vec<_> = ALL.iter().map(|rule| rule.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        for rule in ALL {
            assert!(rule.doc.ends_with('.'), "{}", rule.name);
        }
    }

    #[test]
    fn old_names_lead_to_new_ones() {
        let named = find("reject_unknown_hostname").unwrap();
        assert_eq!(named.rule.name, "reject_unknown_helo_hostname");
        assert!(find("REJECT").is_some() && find("frobnicate").is_none());
        assert!(find("check_relay_domains").unwrap().advice.is_some());
    }
}
