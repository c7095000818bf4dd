//! The settings of one service that restrictions look at, read once.

use conf::{Block, Mistake, Severity, View};
use tables::{List, Maps, Parents, Tables};

use crate::params::{AddressVerify, RejectCodes, Restrictions};

/// Settings, and the tables and lists among them.
pub struct Settings {
    /// Lists and switches.
    pub restrictions: Restrictions,
    /// Reply codes.
    pub codes: RejectCodes,
    /// Probes.
    pub verify: AddressVerify,
    /// `smtpd_proxy_filter` is set: what happens to a message later on is not ours to say.
    pub proxied: bool,
    /// `soft_bounce`.
    pub soft_bounce: bool,
    /// `recipient_delimiter`.
    pub recipient_delimiter: String,
    /// Is a parent domain in an access table also its subdomains?
    pub parents: Parents,
    /// `mynetworks`.
    pub mynetworks: List,
    /// `permit_mx_backup_networks`.
    pub backup_networks: List,
    /// `smtpd_sender_login_maps`.
    pub login_maps: Maps,
    /// `relay_clientcerts`.
    pub client_certificates: Maps,
    /// `rbl_reply_maps`.
    pub rbl_replies: Maps,
    /// `smtpd_dns_reply_filter`.
    pub dns_filter: Maps,
    /// `smtpd_reject_footer_maps`.
    pub footer_maps: Maps,
    /// `myhostname`.
    pub myhostname: String,
    /// `smtpd_log_access_permit_actions`.
    pub log_permit: List,
    /// `smtpd_sasl_auth_enable`.
    pub logins: bool,
    /// `allow_untrusted_routing`.
    pub untrusted_routing: bool,
    /// `show_user_unknown_table_name`.
    pub show_table: bool,
    /// `address_verify_poll_count` under stress.
    pub stressed_polls: i64,
}

impl Settings {
    /// Reads everything; what is wrong goes to `mistakes`, and its default is taken.
    pub fn read(view: &View, tables: &Tables, mistakes: &mut Vec<Mistake>) -> Settings {
        let mut block = Vec::new();
        let mut restrictions = Restrictions::read(view, &mut block);
        let left_out = view.get("receive_override_options");
        if left_out.split([',', ' ', '\t', '\n']).any(|word| word == "no_unknown_recipient_checks") {
            restrictions.smtpd_reject_unlisted_recipient = false;
        }
        let codes = RejectCodes::read(view, &mut block);
        let verify = AddressVerify::read(view, &mut block);
        mistakes.append(&mut block);
        let mut open = Opener { view, tables, mistakes };
        let parents_of = |name: &str| {
            let listed = view.get("parent_domain_matches_subdomains");
            let listed = listed.split([',', ' ', '\t', '\n']).any(|word| word == name);
            if listed { Parents::Match } else { Parents::Dotted }
        };
        let yes = |name: &str| view.get(name).eq_ignore_ascii_case("yes");
        Settings {
            proxied: !view.get("smtpd_proxy_filter").trim().is_empty(),
            soft_bounce: yes("soft_bounce"),
            recipient_delimiter: view.get("recipient_delimiter"),
            parents: parents_of("smtpd_access_maps"),
            mynetworks: open.hosts("mynetworks", parents_of("mynetworks")),
            backup_networks: open.hosts("permit_mx_backup_networks", parents_of("permit_mx_backup_networks")),
            login_maps: open.maps("smtpd_sender_login_maps"),
            client_certificates: open.maps("relay_clientcerts"),
            rbl_replies: open.maps("rbl_reply_maps"),
            dns_filter: open.maps("smtpd_dns_reply_filter"),
            footer_maps: open.maps("smtpd_reject_footer_maps"),
            myhostname: view.get("myhostname"),
            log_permit: open.strings("smtpd_log_access_permit_actions"),
            logins: yes("smtpd_sasl_auth_enable"),
            untrusted_routing: yes("allow_untrusted_routing"),
            show_table: yes("show_user_unknown_table_name"),
            stressed_polls: {
                let stressed = view.with_overrides(&[("stress".to_owned(), "yes".to_owned())]);
                stressed.get("address_verify_poll_count").trim().parse().unwrap_or(1)
            },
            restrictions,
            codes,
            verify,
        }
    }
}

/// Opens the tables and lists of parameters.
pub(crate) struct Opener<'a> {
    pub view: &'a View,
    pub tables: &'a Tables,
    pub mistakes: &'a mut Vec<Mistake>,
}

impl Opener<'_> {
    /// The tables of a parameter.
    pub fn maps(&mut self, parameter: &str) -> Maps {
        let opened = self.tables.maps(parameter, &self.view.get(parameter));
        let maps = self.or_empty(parameter, opened, |tables| tables.maps(parameter, ""));
        for fault in maps.faults() {
            self.mistake(parameter, &fault);
        }
        maps
    }

    /// A list of names.
    pub fn strings(&mut self, parameter: &str) -> List {
        let opened = self.tables.string_list(parameter, &self.view.get(parameter));
        self.or_empty(parameter, opened, |tables| tables.string_list(parameter, ""))
    }

    /// A list of hosts and networks.
    pub fn hosts(&mut self, parameter: &str, parents: Parents) -> List {
        let opened = self.tables.host_list(parameter, &self.view.get(parameter), parents);
        self.or_empty(parameter, opened, |tables| tables.host_list(parameter, "", parents))
    }

    fn or_empty<T>(
        &mut self,
        parameter: &str,
        opened: Result<T, tables::Fault>,
        empty: impl FnOnce(&Tables) -> Result<T, tables::Fault>,
    ) -> T {
        opened.unwrap_or_else(|fault| {
            self.mistake(parameter, &fault);
            empty(self.tables).expect("no table at all is no fault")
        })
    }

    fn mistake(&mut self, parameter: &str, fault: &tables::Fault) {
        let place = self.view.place(parameter);
        let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
        self.mistakes.push(Mistake::new(Severity::Error, place, fault.to_string()));
    }
}
