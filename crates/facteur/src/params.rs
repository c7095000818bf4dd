//! Every parameter of the program: the one list of the blocks that the rooms declare.
//!
//! From it come `postconf`, the checks of a configuration, `facteur parameters` and `docs/parameters.md`.

use conf::{Block, Declaration, Registry};

/// A block of parameters, as the reference page shows it.
pub struct Group {
    /// The room that reads them.
    pub room: &'static str,
    /// What they are about.
    pub title: &'static str,
    /// The declarations.
    pub rows: &'static [Declaration],
}

const fn group(room: &'static str, title: &'static str, rows: &'static [Declaration]) -> Group {
    Group { room, title, rows }
}

/// Every block, room by room.
pub const GROUPS: &[Group] = &[
    group("conf", "This machine", conf::params::Site::DECLARATIONS),
    group("conf", "The log", conf::params::Logging::DECLARATIONS),
    group("conf", "Files and directories", conf::params::Paths::DECLARATIONS),
    group("conf", "Running", conf::params::Process::DECLARATIONS),
    group("conf", "Several instances", conf::params::Instances::DECLARATIONS),
    group("tables", "Lookup tables", tables::params::Settings::DECLARATIONS),
    group("tables", "Copies from one data base to another", tables::params::Copies::DECLARATIONS),
    group("queue", "What may enter the queue", queue::params::Storage::DECLARATIONS),
    group("queue", "Scheduling", queue::params::Qmgr::DECLARATIONS),
    group("queue", "Scheduling, by transport", queue::params::PerTransport::DECLARATIONS),
    group("net", "Names and sockets", net::params::Network::DECLARATIONS),
    group("net", "TLS", net::params::Tls::DECLARATIONS),
    group("net", "TLS of the SMTP server", net::params::ServerTls::DECLARATIONS),
    group("net", "TLS of the SMTP client", net::params::ClientTls::DECLARATIONS),
    group("net", "TLS of the LMTP client", net::params::LMTP_TLS),
    group("net", "tlsproxy", net::params::TLSPROXY),
    group("route", "Rewriting", route::params::Rewrite::DECLARATIONS),
    group("route", "Canonical addresses", route::params::Canonical::DECLARATIONS),
    group("route", "Virtual aliases", route::params::VirtualAlias::DECLARATIONS),
    group("route", "Domain classes", route::params::Classes::DECLARATIONS),
    group("route", "Transports", route::params::Transport::DECLARATIONS),
    group("route", "Transports of probes", route::params::ProbeTransport::DECLARATIONS),
    group("people", "Logins and accounts", people::params::Logins::DECLARATIONS),
    group("store", "Mailboxes", store::params::Mailboxes::DECLARATIONS),
    group("imap", "IMAP and POP3", imap::params::Access::DECLARATIONS),
    group("imap", "IMAP", imap::params::Imap::DECLARATIONS),
    group("imap", "POP3", imap::params::Pop3::DECLARATIONS),
    group("scan", "Viruses", scan::params::Viruses::DECLARATIONS),
    group("scan", "Quarantine", scan::params::Quarantine::DECLARATIONS),
    group("scan", "Attached files", scan::params::AttachedFiles::DECLARATIONS),
    group("scan", "Spam", scan::params::Spam::DECLARATIONS),
    group("sign", "Checks of senders, and signatures", sign::params::Sign::DECLARATIONS),
    group("sign", "Senders of forwarded mail", sign::params::Srs::DECLARATIONS),
    group("sign", "Reports of DMARC", sign::params::DmarcReports::DECLARATIONS),
    group("acme", "Certificates from an authority", acme::params::Acme::DECLARATIONS),
    group("gate", "Greylisting", gate::params::Greylist::DECLARATIONS),
    group("gate", "Bans", gate::params::Bans::DECLARATIONS),
    group("gate", "Limits of outgoing mail", gate::params::Outbound::DECLARATIONS),
    group("filter", "Restrictions", filter::params::Restrictions::DECLARATIONS),
    group("filter", "Reply codes of refusals", filter::params::RejectCodes::DECLARATIONS),
    group("filter", "Policy servers", filter::params::Policy::DECLARATIONS),
    group("filter", "Rates", filter::params::Rates::DECLARATIONS),
    group("filter", "Address verification", filter::params::AddressVerify::DECLARATIONS),
    group("filter", "Header and body checks", filter::params::Checks::DECLARATIONS),
    group("filter", "MIME", filter::params::Mime::DECLARATIONS),
    group("filter", "Milters", filter::params::Milter::DECLARATIONS),
    group("filter", "postscreen", filter::params::Postscreen::DECLARATIONS),
    group("filter", "postscreen's tests", filter::params::PostscreenTests::DECLARATIONS),
    group("deliver", "All agents", deliver::params::Agents::DECLARATIONS),
    group("deliver", "Mailbox files", deliver::params::Mailbox::DECLARATIONS),
    group("deliver", "The local agent", deliver::params::LocalAgent::DECLARATIONS),
    group("deliver", "Our own mailboxes, what comes in", deliver::params::StoreAgent::DECLARATIONS),
    group("deliver", "The virtual agent", deliver::params::VirtualAgent::DECLARATIONS),
    group("deliver", "The pipe agent", deliver::params::PipeAgent::DECLARATIONS),
    group("deliver", "The SMTP client", deliver::params::SmtpClient::DECLARATIONS),
    group("deliver", "Time limits of the SMTP client", deliver::params::SmtpTimeouts::DECLARATIONS),
    group("deliver", "Logins of the SMTP client", deliver::params::SmtpSasl::DECLARATIONS),
    group("deliver", "Reports about TLS", deliver::params::Tlsrpt::DECLARATIONS),
    group("deliver", "The LMTP client alone", deliver::params::LmtpClient::DECLARATIONS),
    group("deliver", "The LMTP client, as the SMTP client", deliver::params::LMTP),
    group("mta", "The SMTP session", mta::params::Smtpd::DECLARATIONS),
    group("mta", "Logins in the SMTP session", mta::params::SmtpdSasl::DECLARATIONS),
    group("mta", "The LMTP session", mta::params::Lmtpd::DECLARATIONS),
    group("mta", "The policy server", mta::params::Policyd::DECLARATIONS),
    group("mta", "Cleaning up", mta::params::Cleanup::DECLARATIONS),
    group("mta", "Notices", mta::params::Bounce::DECLARATIONS),
    group("mta", "Local submission and queue tools", mta::params::Submission::DECLARATIONS),
    group("facteur", "The journal of messages", crate::trace::Tracing::DECLARATIONS),
    group("mta", "QMQP", mta::params::Qmqpd::DECLARATIONS),
];

/// All declarations, by name.
pub fn registry() -> Registry {
    Registry::new(&blocks())
}

/// The same for a command that asks for a few names and ends.
pub fn registry_for_few() -> Registry {
    Registry::for_few(&blocks())
}

fn blocks() -> Vec<&'static [Declaration]> {
    GROUPS.iter().map(|group| group.rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use conf::{COMPUTED, Facts, Kind, MainCf, Status, View};
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    /// The names and defaults of Postfix 3.7.11, as `postconf -d` prints them; `(computed)` where it asks.
    const POSTFIX: &str = include_str!("../../../tests/parameters-3.7.txt");

    fn postfix() -> BTreeMap<&'static str, &'static str> {
        let pairs = POSTFIX.lines().map(|line| line.split_once(" =").expect("a name and a default"));
        pairs.map(|(name, default)| (name, default.trim_start())).collect()
    }

    fn rows() -> impl Iterator<Item = &'static Declaration> {
        GROUPS.iter().flat_map(|group| group.rows)
    }

    fn view() -> View {
        let (main, mistakes) = MainCf::parse("", Path::new("main.cf"));
        assert!(mistakes.is_empty(), "{mistakes:?}");
        View::new(registry(), main, Facts::default())
    }

    #[test]
    fn no_parameter_is_declared_twice() {
        let mut seen = BTreeSet::new();
        let twice: Vec<_> = rows().map(|row| row.name).filter(|name| !seen.insert(*name)).collect();
        assert!(twice.is_empty(), "declared twice: {twice:?}");
    }

    #[test]
    fn every_parameter_of_postfix_is_declared_with_its_default() {
        let registry = registry();
        let mut wrong = Vec::new();
        for (name, default) in postfix() {
            match registry.get(name) {
                None => wrong.push(format!("{name} is not declared")),
                Some(_) if COMPUTED.contains(&name) && default == "(computed)" => {}
                Some(row) if row.default != default => {
                    wrong.push(format!("{name}: declared {:?}, Postfix has {default:?}", row.default));
                }
                Some(_) => {}
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn what_postfix_does_not_have_is_marked_as_ours() {
        let postfix = postfix();
        let foreign = |row: &&Declaration| !row.is_family() && !postfix.contains_key(row.name);
        let wrong: Vec<_> = rows().filter(|row| foreign(row) != (row.status == Status::Own)).collect();
        let wrong: Vec<_> = wrong.iter().filter(|row| !row.is_family()).map(|row| row.name).collect();
        assert!(wrong.is_empty(), "own without being so, or the other way round: {wrong:?}");
    }

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        let view = view();
        for row in rows() {
            let text = if row.kind == Kind::Raw { row.default.to_owned() } else { view.expand(row.default) };
            assert_eq!(row.check(&view, &text), Ok(()), "{} = {}", row.name, row.default);
        }
    }

    #[test]
    fn every_parameter_is_told_in_whole_sentences() {
        for row in rows() {
            let doc = row.doc.trim();
            assert!(doc.ends_with('.') && doc.len() > 15, "{}: {doc:?}", row.name);
            if let Status::NoEffect(why) | Status::Refused(why) = row.status {
                assert!(!why.is_empty() && !why.ends_with('.'), "{}: {why:?}", row.name);
            }
            if matches!(row.kind, Kind::Time { .. }) {
                assert!(
                    ["seconds", "hours", "days"].iter().any(|unit| doc.contains(unit)),
                    "{}: the unit of a bare number is part of its description: {doc:?}",
                    row.name
                );
            }
        }
    }

    #[test]
    fn time_units_are_told_as_they_are() {
        let view = view();
        for row in rows().filter(|row| matches!(row.kind, Kind::Time { .. })) {
            let default = view.expand(row.default);
            let unit = match default.trim_start_matches(|letter: char| letter.is_ascii_digit()) {
                "h" => "hours",
                "d" => "days",
                _ => "seconds",
            };
            assert!(row.doc.contains(unit), "{} = {default}: {:?}", row.name, row.doc);
        }
    }
}
